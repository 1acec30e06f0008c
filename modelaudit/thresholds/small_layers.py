"""When training left small weights, and layers of few weights, about as they were drawn."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

FEW_MOVED = Threshold(
    0.05,
    "of the spread that the kernels are drawn with",
    "largest bias below which steps of a limited size hardly changed layers of few weights",
    "chosen; a program of two layers of four weights, after 160 steps: 0.04; small networks that "
    "were trained: 0.1 and more",
)
LIMITED_REACH = Threshold(
    0.6,
    "of the spread that the kernels are drawn with",
    "the most that all steps of gradient descent can have moved the last bias, for the same",
    "chosen; the same program: 0.57",
)
SMALL_DRAW = Threshold(
    0.25,
    "of the spread of Glorot's initializer",
    "spread of each kernel below which a stack of them passes on next to nothing",
    "three such kernels leave at most 1/64 of a difference; a program that learnt one answer for "
    "all: 0.08",
)
SMALL_OUTSIDE = Threshold(
    0.1,
    "of the weights of a kernel",
    "share that training may have moved out of what the initializer draws, for the same",
    "the same program: 0.057; of 20 weights, one is 0.05",
)
SMALL_STACK = Threshold(
    3,
    "layers",
    "number of layers with such kernels from which the gradient can be lost on the way",
    "two kernels behind the first leave at most 1/16 of its gradient",
)
WIDE_DRAW = Threshold(
    2.0,
    "times the spread of Glorot's initializer",
    "spread of a kernel up to which small biases after many steps of gradient descent tell of "
    "steps that were too small, and not of large initial weights",
    "He's initializer has 1.4 times Glorot's where both sides are equal, and 2 times where a layer "
    "has three times as many units as inputs",
)
EMPTIED = Threshold(
    0.02,
    "of the initial spread",
    "spread of a kernel with a penalty below which the penalty has drawn it nearly to 0",
    "convolutions with L2 of 0.1 that learnt nothing: 0.007",
)
FILL_AHEAD = Threshold(
    1e4,
    "times the squared gradients of any other index",
    "squared gradients of index 0 of an embedding without a mask, from which it is fill behind the "
    "end of texts that a recurrent layer reads last",
    "texts of 10 words with 60 positions of fill behind them, which were not learnt: 1e11; with "
    "10 positions, or with fill in front, which were: 3 to 211",
)
FILL_COUNTED = Threshold(
    500.0,
    "times the squared gradients of any other index",
    "the same where each position has an answer of its own, or the same weight in a mean",
    "chosen; tags of texts that were fill for three quarters: 1,400; a mean of 140 positions of "
    "fill and 10 words: 840 and 20,000; a sound mean of 10 and 10: 88",
)
WEIGHED_APART = Threshold(
    1e-3,
    "of the largest weight",
    "weight of a loss from which its output may have learnt next to nothing",
    "chosen; losses in other units weigh 0.01 to 100 in published programs",
)
LEFT_BEHIND = Threshold(
    0.01,
    "of the moves of others",
    "how far the biases of layers that only such an output uses moved beside those of others, "
    "below which it learnt next to nothing",
    "outputs that weighed 1e-5 and 1e-4 and were not learnt: 7e-5 and 0.001; the same with a "
    "weight of 1: 0.26",
)
STILL_EXPECTED = Threshold(
    30.0,
    "weights",
    "number of weights that would be outside of what is drawn, had kernels moved as far as their "
    "biases, from which kernels that did not are told",
    "chosen; of pixels divided by 255 twice, a network of four layers: 530",
)
STILL_DRAWN = Threshold(
    0.05,
    "of the weights that would be outside, had kernels moved as far as their biases",
    "share below which biases alone moved",
    "inputs divided by 255 twice: 0.004 and 0.04; 17 networks that learnt: 0.07 and more, of which "
    "none has kernels that all look as drawn",
)
HUBER_DELTA = Threshold(
    1e-3,
    "",
    "delta of Huber's loss up to which plain gradient descent hardly moves a weight",
    "the gradient of an error is delta at most, and 1 by default: a rate of 0.01 makes steps of "
    "1e-5 with it",
)
CLIPPED_REACH = Threshold(
    1e-3,
    "",
    "how far all steps of clipped gradients can move a weight, below which they move none",
    "Keras' initializers draw weights of about 0.1",
)
BIAS_AT_LIMIT = Threshold(
    10.0,
    "",
    "first bias of a sigmoid output from which it starts at its limit",
    "the slope of a sigmoid is 5e-5 there; the frequency of a rare class takes 4.6 for 1 %, and "
    "6.9 for 0.1 %",
)
BALANCED = Threshold(
    0.25,
    "of the root of the average square",
    "average gradient of the last bias below which its last gradients went to either side, as "
    "where large weights of a class have found their balance",
    "ten gradients of either sign leave 0.23 by chance; labels out of reach pull one way",
)
SIDED_WEIGHTS = Threshold(
    3,
    "weights",
    "number of weights of a sigmoid unit that left the range of their draws, all to the side of "
    "its bias, from which nearly all errors were of one sign",
    "1 % of positives: 3 of 16; a class that weighed 500 times as much: 178 of 800; 14 networks "
    "with labels of two classes: some to either side, or a bias to the other",
)
SIDED_BIAS = Threshold(
    0.5,
    "of the spread of the draws",
    "bias from which the same is told",
    "1 % of positives: 0.69; labels of one class: 1.3 and more; of two classes: 0.3 at most",
)
SCORES_SLOW = Threshold(
    1.0,
    "",
    "how far apart weights and inputs of the last layer can bring its scores, below which a "
    "network with inputs of nearly nothing has only begun to learn",
    "pictures divided by 255 twice: 0.43; 90 networks that learnt: 2 and more",
)
SIDED_MANY = Threshold(
    10,
    "weights",
    "number of weights of a last layer that left their draws, all to the side of their bias, from "
    "which a small bias tells of errors of one sign as well",
    "by chance, one of 512 to one side; labels of one class, 60 steps: 37 of 37; of two classes: "
    "15 of 38",
)
SIDED_LITTLE = Threshold(
    0.1,
    "of the spread of the draws",
    "bias from which so many weights tell of it",
    "labels of one class, 60 steps: 0.35; of two classes: 0.05",
)
