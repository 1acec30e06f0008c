"""Thresholds on what the averages and settings of an optimizer say of its steps."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

BEYOND_LABELS = Threshold(
    2.0,
    "times what labels from 0 to 1 can cause",
    "root of the average squared gradient of the last bias under a binary cross-entropy, from "
    "which labels are beyond, where all steps moved that bias one way",
    "above 1 is a proof where samples have no weights, and weights that balance classes leave a "
    "mean near 0; numbers of ten classes: 3.4, and of seven: 2.07",
)
FAST_DECAY = Threshold(
    0.1,
    "of the learning rate",
    "`decay` of a step, from which 100 steps leave less than a tenth of the learning rate",
    "usual ones are 1e-6 to 1e-3; 0.9 is a momentum, or the factor of an epoch",
)
LIMITED_SCALE = Threshold(
    20.0,
    "",
    "size of the largest input column, from which it is worth knowing for a layer with a limit",
    "standardized columns have 1; counts, which were learnt: 5.6; ages, which were not: "
    "42; LSTMs in use, where gradients of a bias can cancel: 17 at most",
)
LIMITED_SUMS = Threshold(
    5.0,
    "",
    "product of that size and the root mean square of the weights, from which a layer with a limit "
    "hardly changes",
    "a sigmoid is within 0.007 of its limit at 5, a tanh within 0.0001; the same counts: 1.8",
)
GROWING = Threshold(
    1.8,
    "times the root of the average of all squared gradients",
    "root mean square of the average gradients of every kernel in the last steps, from which they "
    "grew up to the end",
    "1 where gradients keep sign and size; a loss without a minimum, or targets that run away: 2.0 "
    "to 2.5; 385 public models: 1.16 at most",
)
GROWING_STEPS = Threshold(
    50,
    "steps",
    "number of steps from which the growth of gradients is told",
    "chosen: at the start, the averages hold little else than the last steps",
)
WAY_MADE = Threshold(
    0.5,
    "of what all steps can move it",
    "distance of the last bias of a regression from its start, from which training was on its way "
    "where its last gradients are as large as before",
    "35 sound regressions: 0.32 at most; one with a twentieth of the steps that it needs: 0.74",
)
STILL_PUSHED = Threshold(
    0.5,
    "of the root of the average square",
    "average gradient of that bias, from which its last gradients went one way and were as large "
    "as before",
    "35 sound regressions: 0.26 at most; the same program: 0.66. Ten gradients by chance: 0.23",
)
OUTPUT_SHORT = Threshold(
    0.5,
    "of the mean error of a batch",
    "largest output that weights and inputs allow, below which a regression ended far from its "
    "targets",
    "a program with targets of thousands: 0.31; 35 sound regressions: 17 and more",
)
RECURRENT_RATE = Threshold(
    1.5,
    "",
    "learning rate of gradient descent by what its momentum leaves of 1, from which a recurrent "
    "layer often diverges where gradients are not clipped",
    "usual networks have 1 at most, as of 0.1 with 0.9, or 0.01 with 0.99; a program with a "
    "recurrent ReLU that learnt nothing: 2",
)
UNNORMED_RATE = Threshold(
    1.0,
    "",
    "the same from which layers without a normalization between them often end at one answer",
    "three programs that learnt nothing: 0.1 with 0.9; 13 public models without one: 0.1 at most",
)
ONE_SIDED_LEAST = Threshold(
    0.8,
    "of the score that leaves such an error",
    "score of an answer at the mean input of the last errors, by the score that leaves errors of "
    "their size, from which all errors can be of one sign",
    "labels of one class on seven bodies: 0.89 to 1.02; the nearest public model of 184: 0.76",
)
ONE_SIDED_MOST = Threshold(
    1.15,
    "of the score that leaves such an error",
    "the same up to which they can be",
    "by Gibbs' inequality, 1 at most where no batch has another label; an eleventh of the errors "
    "of the other sign, at a score of 5: 1.15; labels that differ: 2.3 and more, or "
    "below 0; the nearest public model of 184: 1.23",
)
ONE_SIDED_OUTSIDE = Threshold(
    0.02,
    "of the largest input",
    "how far a mean input of the last errors may be outside of what the layer before can give",
    "chosen; averages over ten steps, in which an input of 1 changes by less",
)
ONE_SIDED_ROWS = Threshold(
    8,
    "inputs of the last layer",
    "number of inputs from which the same is told",
    "chosen; of fewer inputs, a score says less",
)
ONE_SIDED_ALIKE = Threshold(
    0.9,
    "as a cosine",
    "least likeness of the mean inputs that the errors of three units or more tell of, for it",
    "labels of one class: 0.993 and more; labels that differ: 0.39 at most",
)
ONE_SIDED_TINY = Threshold(
    1e-3,
    "as the mean distance of the answers from the label",
    "mean error of one class below which likeness alone tells of labels of one class",
    "labels of four classes that are drawn for the same answer: 0.02 over ten batches of 32",
)
SIGNED_SIZE = Threshold(
    0.7,
    "",
    "root mean square r of the inputs from which the signs of gradients tell those of inputs",
    "values from 0 to 1 have a mean of at least r * r, so that a weight's gradients have a "
    "correlation of r with those of its bias, and the same sign in 1 - acos(r) / pi of the cases: "
    "0.75",
)
SIGNED_AGREED = Threshold(
    0.5,
    "of the way from chance to what values from 0 to 1 give",
    "share of the weights whose average gradient has the sign of that of their bias, below which "
    "inputs have both signs",
    "halfway; standardized inputs: 0.46 to 0.58 in all, and 0.5 is chance",
)
SIGNED_AGAINST = Threshold(
    0.25,
    "of the weights",
    "share of the weights whose average gradient has the sign of that of their bias, below which "
    "most inputs are below 0",
    "halfway from chance to none; values that are never below 0 give 0.5 or more, and pixels from "
    "-1 to 1 with a dark background 0.01 and 0.16",
)
SIGNED_WEIGHTS = Threshold(
    128,
    "weights",
    "number of weights of the first layer from which the same is told",
    "of 128 fair coins, 0.63 show one side in one case of 500",
)
BEYOND_ONE = Threshold(
    2.0,
    "",
    "root mean square of the inputs from which they are beyond 1 whatever the signs say",
    "chosen; values from 0 to 1 have 1 at most, and estimates of 1 are 0.8 to 1.5",
)
NEGATIVE_PART = Threshold(
    0.2,
    "of the sum of its weights below 0",
    "sum of the weights above 0 of a ReLU unit with a bias below 0, below which inputs that are "
    "not negative hardly raise it above 0",
    "chosen; those few inputs have to be five times as large as the others",
)
NEGATIVE_UNITS = Threshold(
    0.5,
    "of the units of a layer",
    "share of such units from which the layer is told",
    "networks that large steps killed: 0.56 to 1; 311 sound and public models with 1,000 layers of "
    "ReLUs: less, but for one whose biases are below -10 and one of four units",
)
FIRST_SUMS = Threshold(
    0.01,
    "",
    "how far inputs can move the sums of the first layer, below which those of a size of less than "
    "`SCALED_BEFORE` were scaled to nearly nothing without a layer that scales as well",
    "chosen; a program that learnt nothing: 0.004, a public network for digits of size 0.0026: "
    "0.022",
)
SCORE_OF_ERRORS = Threshold(
    0.4,
    "as error times score",
    "mean of the last errors times the score at their mean input, under a binary cross-entropy of "
    "one unit, from which labels are beyond 0 to 1",
    "above 0.2785 is a proof where samples have no weights and the weights stood still for the ten "
    "steps of the averages; labels that differ: 0.1 at most; labels of -1 and 1: 1,600",
)
STEADY_ERRORS = Threshold(
    0.9,
    "",
    "square of the average gradient of a bias to their average square, relative to that of as many "
    "equal ones, from which the errors were the same in every step",
    "chosen: 1 where a sigmoid is saturated, or an absolute error keeps its sign, and all rows are "
    "in one batch; lower where labels of one input are drawn for each batch",
)
HALF_EPSILON = Threshold(
    5e-5,
    "",
    "epsilon from which steps are of about the size of the learning rate where the average of "
    "squared gradients is 0 in float16",
    "gradients below 0.0055 leave such an average; at 1e-4, 4,593 such weights of one program "
    "moved by at most 14 times the rate and 90% by at most twice; at 1e-7, two ended in NaN",
)
VANISHED_RATE = Threshold(
    1e-12,
    "",
    "learning rate below which a schedule must have fallen, as no one compiles with it",
    "usual last rates of schedules are 0, or 1e-6 to 1e-9",
)
