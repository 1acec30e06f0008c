"""Thresholds on what a saved architecture says by itself."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

ERASING = Threshold(
    0.9,
    "",
    "dropout rate from which training sees too little of a layer to learn from it",
    "Keras' examples use 0.1 to 0.6; with 0.9, a layer of 64 units passes on 6 of them",
)
LARGE_DROPOUT = Threshold(
    0.7,
    "",
    "dropout rate from which it is larger than usual, as where the share to keep was meant",
    "of 1,300 public models one has a rate of 0.7, none a larger one; a faulty program: 0.7",
)
ERASED_IN_ALL = Threshold(
    0.01,
    "of the ways through the network",
    "share of the ways from input to output that all dropout layers on them leave, below which "
    "training sees too little of the network",
    "six layers with a rate of 0.5 leave 0.016, and Keras' examples have at most four",
)
ERASED_ROWS = Threshold(
    0.1,
    "of the inputs",
    "share of the inputs for which a dropout drops all values of a row, from which too often "
    "nothing is left to learn from",
    "a rate of 0.5 leaves nothing of four values in 6 % and of three in 12 %",
)
IMAGE_SIDE = Threshold(
    16,
    "pixels",
    "side from which two equal axes of an input are taken for those of an image",
    "the smallest common images have 16 pixels; fewer equal numbers occur by chance",
)
SMALL_SIDE = Threshold(
    8,
    "pixels",
    "side from which two equal axes behind one of 1 or 3 may be those of a small image",
    "chosen: digits of 8x8 pixels are the smallest that data sets have; told at low severity",
)
IMAGE_ASPECT = Threshold(
    16 / 9,
    "times",
    "ratio up to which the larger side of an image is taken for a usual one",
    "formats of photos and screens are 1, 4:3, 3:2 and 16:9; positions and channels that are so "
    "near each other by chance are reported with a condition",
)
LEARNING_RATE = Threshold(
    1.0,
    "",
    "learning rate from which an optimizer of the Adam family cannot converge",
    "its steps have the size of the learning rate whatever the gradient is, and weights of Keras' "
    "initializers are below 1; its default is 0.001",
)
HIGH_RATE = Threshold(
    0.2,
    "",
    "the same from which it rarely converges, even for a single layer of weights",
    "Keras' examples use 1e-5 to 0.01, and 0.1 for a linear regression",
)
LOW_RATE = Threshold(
    1e-7,
    "",
    "learning rate below which float32 weights hardly change",
    "float32 has a relative precision of 6e-8: smaller steps of Adam leave a weight of 1 as it is",
)
LARGE_EPSILON = Threshold(
    10.0,
    "",
    "epsilon of the Adam family above which its steps are far smaller than the learning rate",
    "Keras' default is 1e-7, and its documentation proposes 0.1 to 1 for Inception",
)
LARGE_DECAY = Threshold(
    10.0,
    "",
    "weight decay of the Adam family from which weights stay too small to use their inputs",
    "its steps are at most the learning rate, so a weight cannot grow above 1 / weight_decay; "
    "Keras' default for AdamW is 0.004, and language models use 0.1",
)
DECAY_OF_A_STEP = Threshold(
    0.01,
    "of a weight",
    "share that each step of a large weight decay takes away, from which kernels vanish",
    "100 steps leave 37 % of a weight; AdamW with 0.004 at a rate of 0.001 takes 4e-6",
)
CRUSHED = Threshold(
    100.0,
    "",
    "epsilon of a batch normalization from which values are nearly constant, and threshold of a "
    "ReLU that no value reaches",
    "Keras' default is 0.001 and 0; hidden values have a variance of about 1",
)
TINY_NORM = Threshold(
    0.01,
    "",
    "largest norm of the weights of a unit below which it cannot use its inputs",
    "people write 1 to 4; a kernel starts with a norm of about 1",
)
SMOOTHING = Threshold(
    0.5,
    "",
    "label smoothing from which the labels say less about the class than about nothing",
    "Szegedy et al. (2016) use 0.1; from 0.5 on, half of every label is the same for all inputs",
)
REGULARIZER = Threshold(
    1.0,
    "",
    "L1 or L2 factor of a kernel from which the weights are drawn to 0 whatever the data say",
    "Keras' examples use 1e-5 to 0.1; with 1, a kernel of unit norm costs as much as the loss of "
    "guessing",
)
LARGE_REGULARIZER = Threshold(
    0.2,
    "",
    "the same factor from which it is larger than usual",
    "Keras' examples use 1e-5 to 0.1; networks that learned the frequencies of classes only: 0.3",
)
SCALED_TWICE = Threshold(
    1e-4,
    "",
    "product of two scalings below which pixels were scaled twice",
    "1/255 twice gives 1.5e-5, and 1/255 with the scalings by 1/std of EfficientNet 0.017",
)
OTHER_RANGE = Threshold(
    10,
    "times",
    "how much wider one range of values is than another, so that it is of another scale",
    "of the usual ranges, 0 to 255 is 127 times as wide as -1 to 1, which is twice 0 to 1",
)
SIGMOIDS = Threshold(
    6,
    "layers",
    "number of sigmoid layers in a row from which gradients vanish",
    "the slope of a sigmoid is at most 1/4, so six of them leave at most 1/4096 of a gradient",
)
SIGMOIDS_IN_ROW = Threshold(
    5,
    "layers",
    "the same from which a config alone says so, as its optimizer scales steps up",
    "five leave at most 1/1024; networks in use have two or three of them, and a program of five "
    "under Adam learnt nothing of ten classes in 200 steps",
)
MANY_SIGMOIDS = Threshold(
    8,
    "layers",
    "the same from which hardly anything is learned",
    "four classes that 3 layers learn to 1.00, 4 networks each: 6 layers 0.57 to 0.99, 8 layers "
    "0.55 to 0.60, 10 layers 0.30 to 0.55, by Adam in 400 steps",
)
PLAIN_SIGMOIDS = Threshold(
    3,
    "layers",
    "the same for plain gradient descent, which does not scale small gradients up",
    "three slopes leave at most 1/64 of a gradient, and kernels of Keras' initializers less",
)
SIGMOID_MAPS = Threshold(
    2,
    "layers",
    "number of hidden convolutions with a sigmoid from which they are unusual",
    "one may be a mask or a code on purpose; two follow each other only as hidden layers",
)
LOSSES_APART = Threshold(
    1000.0,
    "times",
    "how much larger the gradients of one output are than those of a cross-entropy beside it",
    "chosen: weights of losses in published programs are from 0.01 to 100; told at low severity",
)
LOSS_PULL = Threshold(
    10.0,
    "",
    "root mean square of the gradients of such an output, below which its errors are small",
    "that of a cross-entropy is at most 1; targets with a deviation of 1 give about 2 at the start",
)
SHORT_MEMORY = Threshold(
    0.45,
    "of the moving statistics",
    "momentum of a batch normalization below which they are those of the last batches",
    "0.1 is the default of PyTorch, where it is the share of the new batch; sound programs have "
    "0.5 and more",
)
LONG_MEMORY = Threshold(
    0.995,
    "of the sum of steps",
    "momentum of gradient descent from which it goes on for hundreds of steps",
    "usual ones are 0.8 to 0.99; 0.995 makes steps 200 times as large as the learning rate",
)
STARTING_SIZE = Threshold(
    1e-4,
    "of the size of the input",
    "size of the values of a deep stack before training below which nothing is learned",
    "27 ReLU layers with the default initializer leave less; VGG19, whose 19 layers train without "
    "normalization, leaves 1e-3",
)
STARTING_BIAS = Threshold(
    6.0,
    "times the spread of the sums",
    "distance of the first biases of a ReLU layer below 0 from which it starts dead, for inputs on "
    "a scale of about 1",
    "a normal variable is 6 standard deviations above its mean once in 1e9",
)
STARTING_SUMS = Threshold(
    10.0,
    "times the size of the input",
    "spread of the first sums of a layer from which its initializer is too wide",
    "He's initializer gives 1.4; a tanh is saturated beyond 3, and three ReLU layers with 10 "
    "multiply values by 350",
)
STARTING_GROWTH = Threshold(
    100.0,
    "times the size of the input",
    "size of the sums of a layer before training, by all layers up to it, from which training "
    "starts with losses too large to descend from",
    "He's initializer keeps the size, and Glorot's lets it grow by at most 1.4 in a linear layer; "
    "a softmax of scores of 100 is 0 or 1",
)
SCALED_BEFORE = Threshold(
    0.004,
    "",
    "size of the largest input column, behind a layer that scales by a constant, below which "
    "inputs were scaled before as well",
    "pixels divided by 255 twice are at most 0.0039; handwritten digits, divided once: 0.3",
)
LABEL_SUM = Threshold(
    1.05,
    "as the sum of the labels of an input",
    "mean sum of the labels, by the last gradients of the biases behind a softmax, from which "
    "inputs had several classes",
    "655 heads of sound models: 1, to seven digits",
)
LABELS_APART = Threshold(
    0.25,
    "as the mean of the answers less that of the labels",
    "average gradient of the bias of a sigmoid from which answers are apart from the labels",
    "157 heads of sound models: up to 0.11; labels of -1 and 1: 0.39",
)
LABELS_PULL = Threshold(
    0.8,
    "of the root of the average square",
    "the same from which the gradient was one-sided all along, and is no noise of small batches",
    "noise: 0.23 on average; labels of -1 and 1: 0.91",
)
LABELS_REACH = Threshold(
    0.1,
    "as the steps times the learning rate",
    "how far each weight may have moved, below which answers could not come near the labels",
    "100 steps of Adam at its default rate",
)
ONE_CLASS_ROWS = Threshold(
    16,
    "weights of a unit",
    "weights that have to have gradients of one sign, for labels of one class",
    "public models of several classes with gradients of one sign: up to 13 weights",
)
ONE_CLASS_STEPS = Threshold(
    100,
    "steps",
    "number of steps before which answers may all still move one way from their start",
    "public models of several classes with gradients of one sign for all units: 12 and 50 steps",
)
ONE_CLASS_LEFT = Threshold(
    0.05,
    "as the mean distance of the answers from the label",
    "mean error below which nearly all answers are given already",
    "labels of one class: 0.001 to 0.015 after 150 steps; one in 100 of another: 0.03",
)
ONE_CLASS_SURE = Threshold(
    0.93,
    "as the probability of the answer",
    "probability of the answer, at the input that the averages tell of, from which labels that "
    "differ do not explain their one sign",
    "labels of one class: 0.96 to 0.999 after 150 to 900 steps; half of either class, with errors "
    "that cancel: 0.60, and behind hidden sigmoids 0.903",
)
MOMENTUM_APART = Threshold(
    1e-4,
    "of that of the last bias",
    "momentum of all other weights, the biases before it included, relative to that of the last "
    "bias, below which it alone learns",
    "with a momentum of 0.9, 88 steps without gradient; sound networks: 0.05 or more",
)
SKIPPED = Threshold(
    2.0,
    "windows",
    "stride, as a multiple of the window, from which a layer seems to skip its input by mistake",
    "chosen: half or more of each such axis is never read",
)
UNREAD = Threshold(
    0.4,
    "",
    "share of an axis behind the last window from which a layer ignores too much of its input",
    "a pooling by 2 leaves out 1 of 3 positions, which small networks do in their last layers",
)
KEPT_WORDS = Threshold(
    100,
    "entries",
    "multiple of which an embedding was made for the most frequent words of a longer vocabulary",
    "chosen: examples keep 1,000 to 20,000 words, and three entries more at most; of other sizes, "
    "4 in 100 are like that",
)
LAST_ALONE = Threshold(
    3.0,
    "times as far as any bias before it",
    "movement of the last bias from which nearly all that was learnt may be in it",
    "chosen; a program of eight layers that learnt nothing: 4.3",
)
FIRST_STILL = Threshold(
    50.0,
    "times as far as the first bias",
    "the same beside the first bias",
    "the same programs: 88 and 26; a stack of small weights that learnt nothing: 2,000",
)
LAYERS_BEFORE = Threshold(
    4,
    "layers",
    "number of layers with a bias from which the gradient can be lost on the way to the first",
    "chosen: each layer with small weights leaves a part of it",
)
ROUNDING_ALONE = Threshold(
    1e-5,
    "of that of the kernel",
    "root of the average square of the gradients of a bias, relative to that of the kernel of its "
    "layer, below which they are rounding errors",
    "measured: 5e-8 to 3e-7 before a softmax over positions or a batch normalization, with inputs "
    "of about 1; 8e-5 or more of biases that count, with inputs of 10,000",
)
OUT_OF_REACH = Threshold(
    0.5,
    "of the mean error of a batch",
    "farthest that all steps of Adagrad can have moved an output, below which its targets were out "
    "of reach",
    "chosen; a program of 300 inputs and targets of tens of thousands: 0.29; what was learnt went "
    "as far as the error at the start",
)
LARGE_SUM_RATE = Threshold(
    1.0,
    "",
    "learning rate of Adagrad from which several layers often do not converge",
    "measured: 12 networks of four layers at 0.1 and 0.3 learnt their classes, and 2 of 6 at 1 did "
    "not; its default is 0.001",
)
SUMMED_LAYERS = Threshold(
    4,
    "kernels",
    "number of kernels from which that is said",
    "measured: 6 networks of two layers at a rate of 1 learnt their classes",
)
