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
