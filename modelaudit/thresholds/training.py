"""Thresholds on what training left in a file: steps, gradients, sizes of weights."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

SATURATION = Threshold(
    1.5 * 2.0**-24,
    "",
    "distance from its limit within which the output of a sigmoid, tanh or softmax is one value",
    "float32 numbers just below 1 are 2^-24 apart, so that what is nearer than 1.5 of these steps "
    "is rounded to 1 or to the number before it: sums beyond 16.2 of a sigmoid, 8.5 of a tanh. "
    "Near 0 a sigmoid still varies, by less than that",
)
UNITS_ALIKE = Threshold(
    0.95,
    "",
    "mean cosine between the weights of the units of a layer from which they compute one number",
    "a layer that started with one constant has 0.9998 after 26 epochs of RMSprop or Adam, and the "
    "layers of a network for digits that started at random at most 0.04",
)
BEYOND_TARGETS = Threshold(
    10.0,
    "times what targets in reach can cause",
    "root of the average squared gradient of the last bias, relative to the largest that a target "
    "which the activation can give causes, from which targets are beyond",
    "above 1 is a proof where samples have no weights; weights of rare classes are seldom above 10",
)
BEYOND_NUMBERS = Threshold(
    1.5,
    "times what targets in reach can cause",
    "the same where all metrics are distances between numbers",
    "above 1 is a proof where samples have no weights, as those of regressions seldom do",
)
FEW_UNITS = Threshold(
    8,
    "units",
    "number of units, and of inputs, of a layer below which its weights can be alike by chance",
    "the mean cosine of 8 random units of 8 inputs has a standard deviation of 0.07",
)
FEW_STEPS = Threshold(
    10,
    "steps",
    "number of training steps below which a model has hardly been trained",
    "chosen; one pass over 320 inputs in batches of 32",
)
SAME_STEPS = Threshold(
    0.01,
    "of the steps",
    "difference between the numbers of steps that the powers of Adam's two betas tell, from which "
    "the betas are not the usual ones",
    "rounding of float32: 3e-5 at most up to the smallest normal number, which is 829 steps",
)
ONE_PASS = Threshold(
    63,
    "steps",
    "number of training steps below which it is worth knowing how few they were",
    "one pass over 2,000 inputs in batches of 32; 61 faulty programs and 36 corrected ones: 15 to "
    "50 steps where too few were the fault, 180 and more where not",
)
STILL_MOVING = Threshold(
    0.9,
    "of what all steps can move it",
    "distance of the last bias of a regression from its start, from which training had hardly "
    "begun to come near the targets",
    "constant gradients: 1; targets that were reached half: 0.8",
)
MANY_STEPS = Threshold(
    500,
    "steps",
    "number of training steps from which biases that moved little tell of the learning rate or of "
    "large initial weights rather than of few steps",
    "chosen; public models whose kernels look as drawn beside such biases: 14 to 355 steps where "
    "they were hardly trained, and 3,573 where weights were drawn with a spread of 1",
)
LARGE_RATE = Threshold(
    0.05,
    "",
    "learning rate of an adaptive optimizer from which several layers often do not converge",
    "50 times the default of Adam, which moves every weight by about the rate at each step; of 330 "
    "public programs two have more, and none from 0.03 to 0.05",
)
LARGE_SGD_RATE = Threshold(
    1.0,
    "",
    "the same for plain gradient descent",
    "100 times its default",
)
LARGE_DELTA_RATE = Threshold(
    10.0,
    "",
    "the same for Adadelta",
    "10 times the rate of its paper (Zeiler 2012)",
)
TIMES_THE_LIMIT = Threshold(
    10.0,
    "times the usual limit",
    "learning rate of gradient descent, relative to its limit, from which it is medium",
    "chosen; made networks with rates of 15 to 80 diverged or died",
)
STOPPED = Threshold(
    1e-6,
    "",
    "average gradient, relative to the root of the average square, below which no gradient came "
    "for many steps",
    "with Adam's defaults, 131 steps without gradient; a weight that is trained: 0.01 to 3",
)
ONE_RATIO = Threshold(
    1e-4,
    "",
    "difference of two ratios of average gradients, kernel to bias, below which they are one",
    "they are sums of the same numbers, and float32 rounds by 6e-8; where inputs differ, the ratio "
    "of the averages and that of the average squares differ by far more",
)
TELLING_SQUARE = Threshold(
    1e-10,
    "",
    "average square of a bias's gradients from which one of 0 of its kernel tells inputs of 0",
    "the kernel's is the same times the square of the input, which float32 holds down to 1e-38: "
    "inputs below 1e-14",
)
ONE_GRADIENT = Threshold(
    0.01,
    "",
    "difference of the ratios, of the squared average gradient to the average square, of the units "
    "of a layer up to which a single gradient is in both",
    "chosen: of one gradient they are one number, and of two they differ as its signs change",
)
ALIVE = Threshold(
    1e-3,
    "",
    "the same ratio above which gradients still come, and below which none came where only biases "
    "are above it",
    "see `STOPPED`; 66 steps without gradient",
)
STOPPED_MOMENTUM = Threshold(
    1e-12,
    "of the largest",
    "momentum, relative to the largest of the model, below which no gradient came",
    "with a momentum of 0.9, 262 steps without gradient",
)
BIASES_ALONE = Threshold(
    1e-9,
    "of the largest",
    "the same where no kernel is above it, so that biases alone learn",
    "with a momentum of 0.9, 197 steps without gradient; inputs scaled twice by 255 give kernels "
    "1e-5 of what their bias gets",
)
BIASES_APART = Threshold(
    0.1,
    "of that of the bias",
    "average gradient of all other weights, relative to the root of the average square, and to the "
    "same of the last bias, below which biases alone learn",
    "made networks whose output is constant: 0.0001 to 0.085; 240 sound ones: 0.38 or more",
)
SLOW_FADING = Threshold(
    0.89,
    "",
    "beta_1, momentum or rho from which an average that has faded tells of a long time",
    "chosen: 0.9, the default, takes hundreds of steps, 0.5 about 100; in float32, 0.9 is less",
)
VANISHED = Threshold(
    1e-4,
    "of the last layer's",
    "root mean square gradient of the first layer below which gradients vanish",
    "chosen; sound networks: 0.02 and more",
)
SHRINKING = Threshold(
    0.01,
    "of the last layer's",
    "the same for a network with a long row of sigmoids, which explains it",
    "sound networks: 0.02 and more; rows of 7 and 8 convolutions with sigmoids: 0.0001, 0.0004",
)
EXPLODED = Threshold(
    1000.0,
    "times the initial spread",
    "root mean square of a kernel above which training may have diverged",
    "152 models of public repositories: 158 at most",
)
EXPLODED_MEDIAN = Threshold(
    100.0,
    "times the initial spread",
    "the same for the median of all kernels",
    "152 models of public repositories: 41 at most",
)
INPUT_REACH = Threshold(
    10.0,
    "",
    "size of inputs up to which units of a network with exploded weights are called dead",
    "chosen; of inputs with a standard deviation of 1, none is larger in practice",
)
EXPLODED_FAST = Threshold(
    45.0,
    "times the initial spread",
    "the same as EXPLODED_MEDIAN where the learning rate was far too high",
    "152 models of public repositories: 41 at most, whatever the rate",
)
EXPLODED_BIAS = Threshold(
    100.0,
    "",
    "size of a bias of a hidden layer from which steps at far too high a rate drove it there",
    "chosen; of inputs on a scale of about 1, sums are seldom larger",
)
OFF_SCALE_FAST = Threshold(
    10.0,
    "times the spread of the sums",
    "the same as OFF_SCALE where the learning rate was far too high",
    "sums that spread by 10 leave 65 to 79 of 100 values of a sigmoid or tanh at its limit",
)
OFF_SCALE = Threshold(
    35.0,
    "times the spread of the sums",
    "spread of the sums of a sigmoid or tanh layer from which it is saturated, for inputs on a "
    "scale of about 1",
    "a tanh gives more than 0.99 beyond 2.65 and a sigmoid beyond 4.6, so sums that spread by 35 "
    "leave 90 to 94 of 100 there",
)
BELOW_SUMS = Threshold(
    1.5,
    "times the spread of the sums",
    "distance of biases below 0 from which a ReLU layer seems dead where all are nearly the same",
    "a normal variable is above 1.5 standard deviations in 7 of 100 cases; units that such a case "
    "had reached would have moved apart",
)
ALIKE = Threshold(
    0.05,
    "of their distance from 0",
    "difference of the biases of a layer up to which they fell together",
    "biases of 4 made networks that died by one large step differ by 0.4 % to 5 %; biases of units "
    "that learn spread as much as they move",
)
FAR_BELOW = Threshold(
    20.0,
    "times the reach of the sums",
    "distance of all biases of a ReLU layer below 0 from which it seems dead, even where all "
    "weights and inputs pull alike",
    "inputs of up to 20 times the usual scale are left for networks whose inputs are not scaled",
)
SHRUNK = Threshold(
    0.01,
    "times the initial spread",
    "largest weight of a kernel below which training has shrunk it to nothing",
    "heads that are initialized within 0.003 on purpose: 0.016 and more",
)
PRIOR_KERNEL = Threshold(
    0.1,
    "of the initial spread",
    "spread of the kernel of an output of probabilities below which it may have learnt nothing but "
    "the frequencies of the classes",
    "heads that L2 with a factor of 0.5 or 3 drew down: 0.02 to 0.05; sound ones: 0.8 and more",
)
PENALIZED_KERNEL = Threshold(
    0.3,
    "of the initial spread",
    "the same where the kernel has a penalty that draws it to 0",
    "a head that L2 with a factor of 0.5 drew down while other layers grew: 0.11; sound heads: 0.8 "
    "and more",
)
PRIOR_BIAS = Threshold(
    1.0,
    "of the spread of the biases",
    "spread of the sums of that kernel, for inputs on a scale of 1, below which the biases say"
    " more",
    "the same heads: 0.07 to 0.45, and 14 and more",
)
INITIAL_SHARE = Threshold(
    0.5,
    "of the moving statistics",
    "share of the initial values in moving statistics above which they say little of the data",
    "momentum ** steps: 69 steps at 0.99",
)
INITIAL_TRACE = Threshold(
    0.1,
    "of the moving statistics",
    "the same share from which it is worth knowing",
    "229 steps at 0.99",
)
COVERED_VARIANCE = Threshold(
    0.05,
    "of the stored variance",
    "variance of the data below which moving statistics are nothing but their initial values",
    "chosen: predictions get values of less than a quarter of those in training; two programs "
    "whose answers were wrong for it: 0.02, two whose answers were right: 0.055 and 0.065",
)
PRIOR = Threshold(
    0.1,
    "",
    "distance from the labels' frequencies or mean up to which an output is nothing but these",
    "64 labels of ten classes vary by 0.06 around their frequencies",
)
HARDLY_MOVED = Threshold(
    0.02,
    "of the spread of the kernel",
    "largest bias of all layers below which training hardly changed what was drawn, if the kernels "
    "look so too; and share of weights that may be outside of what the initializer draws",
    "chosen; two programs whose learning rate was too low: 0.001 and 0.015",
)
SHORT_REACH = Threshold(
    0.15,
    "of the spread of the weights",
    "largest step times steps of the Adam family below which training cannot change much of what "
    "was drawn, and largest bias below which it did not, if all kernels look as drawn",
    "no weight can have moved farther; a program that was trained too little: 0.13, and one of "
    "five layers that was trained enough: 0.24",
)
SILENT_UNITS = Threshold(
    0.3,
    "of the units of a layer",
    "share of ReLU units without any gradient in training above which the layer is named",
    "chosen; of units that are initialized as Keras does, half are active for any input",
)
SCALED_AWAY = Threshold(
    1e-3,
    "",
    "size of the largest input column below which inputs were scaled to nearly nothing",
    "pixels divided by 255 twice: 1.5e-5; a sound network for small numbers learns their scale",
)
LARGE_COLUMN = Threshold(
    10.0,
    "",
    "root mean square of an input column in training above which built-in rows of a table have its "
    "scale",
    "chosen; built-in rows are made for columns of about 1",
)
UNSCALED = Threshold(
    100.0,
    "",
    "mean or standard deviation above which inputs and targets are not scaled",
    "networks are initialized for a standard deviation of 1",
)
MOVED_BESIDE = Threshold(
    10.0,
    "times as far as its bias",
    "movement of a first kernel by gradient descent from which the inputs were large",
    "24 networks of ReLUs, of inputs on a scale of 1: 0.4 to 1.0; a program whose pixels were of "
    "0 to 255: 39",
)
MOVED_OUTSIDE = Threshold(
    10.0,
    "weights",
    "weights outside of what the initializer draws, from which they tell how far all moved",
    "the number varies by a third by chance",
)
LOST_SQUARES = Threshold(
    0.5,
    "of the averages of squared gradients",
    "share that float16 rounds to 0, above which training divides by next to nothing",
    "chosen; a public model with the policy float16: 0.99, and with mixed_float16 none",
)
