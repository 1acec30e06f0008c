"""Thresholds on what the averages of gradients say of the last layer, its errors and its steps."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

SCORES_APART = Threshold(
    0.25,
    "",
    "how far apart the weights and inputs of the last layer can bring its scores, below which "
    "every training input got the same answer, or nearly",
    "shares differ by a factor of exp(0.25), 1.28, at most; 90 networks that learnt: 2 and more, "
    "ten that gave one answer: 0.01 to 0.18",
)
INPUTS_TINY = Threshold(
    0.01,
    "",
    "root mean square of the inputs below which such a network got inputs of nearly nothing",
    "pixels divided by 255 twice are at most 0.0039; handwritten digits, divided once: 0.3",
)
SCORE_OF_SQUARES = Threshold(
    2.0,
    "as error times score",
    "root mean square of the last errors times the score at the inputs of these errors, under a "
    "binary cross-entropy of one unit, from which labels are beyond 0 to 1",
    "of labels from 0 to 1, error times score is 0.557 on average at most where training has "
    "ended: 0.2785 below 0, and as much above; nine networks with such labels: 0.13 at most, five "
    "with labels of -1 or from 2 to 4: 12 and more",
)
DESCENT_REACH = Threshold(
    1.0,
    "",
    "how far all steps of gradient descent can move the score of a class by its bias, below which "
    "they were small",
    "the gradient of a bias is 1 at most under a cross-entropy; to be sure of a class by 90 % "
    "takes a score of 2.2",
)
DESCENT_MOVED = Threshold(
    0.4,
    "of the spread of the kernel",
    "largest bias of all layers below which such steps hardly changed what was drawn, if the "
    "kernels look so too",
    "networks whose rate was too low: 0.02 to 0.39; of the same networks with a usual rate: 1.5 "
    "and more",
)
LINE_LEFT = Threshold(
    0.05,
    "of the part of the error that falls slowest",
    "what steps of gradient descent leave at least of the error of a linear regression, above "
    "which they were too few",
    "100 steps at 0.01 leave 13 %, 500 leave 0.004 %; 148 steps leave this much",
)
EPSILON_OVER = Threshold(
    10.0,
    "times the roots of the average squares",
    "epsilon of Adam and its like from which steps are gradients by epsilon, and not of one size",
    "chosen: then a step is at most 9 % of what it is meant to be",
)
NEAR_ZERO = Threshold(
    1e-3,
    "",
    "size of targets below which a percentage error divides by next to nothing",
    "chosen: by its gradient, of 100 by the target; Keras divides by 1e-7 at least",
)
HELD_AT_ZERO = Threshold(
    0.01,
    "of the root mean square of other biases",
    "largest bias of two layers of one input, below which something holds them at 0",
    "a collapsed variational autoencoder: 0.0017, and its twin: 1.6",
)
KL_OVER = Threshold(
    30.0,
    "times the gradients of the layers behind",
    "root mean square of the average squared gradients of the two layers of a code, from which a "
    "term of their own outweighs the error",
    "gradients of the error that come back through a decoder are of the size of those in it; a "
    "KL term with 50 times the weight of the error: 54",
)
CODE_UNITS = Threshold(
    2,
    "units",
    "number of units of each of these layers from which their biases are not near 0 by chance",
    "chosen: four biases in all",
)
HARDLY_LOWERED = Threshold(
    0.03,
    "of the root of the average square",
    "average gradient of the bias of a class that all gradients lower, below which it is seldom or "
    "never a label",
    "classes that no row had: 0.0004 to 0.015; of labels that come and go, 0.05 to 0.4, and of "
    "either sign",
)
ONE_CLASS_SOON = Threshold(
    60,
    "steps",
    "number of steps from which labels of one class are told if they are nearly met",
    "public models of several classes with gradients of one sign for all units: 12 and 50 steps",
)
ONE_CLASS_MET = Threshold(
    0.02,
    "as the mean distance of the answers from the label",
    "mean error below which the same is told of fewer steps than ONE_CLASS_STEPS",
    "labels of one class: 0.003 to 0.012 after 70 steps",
)
ABSENT_CLASSES = Threshold(
    100,
    "classes",
    "number of classes up to which one that is never a label is named",
    "chosen: of vocabularies of hundreds, many words are never the answer",
)
LABEL_SQUARES = Threshold(
    0.02,
    "of that of the middle class",
    "root of the average square of a class's gradients in the last tens of steps, below which it "
    "seems to be never a label",
    "a class that no row had: 0.0035; classes of sound networks: 0.15 and more",
)
ERRORS_ALONG = Threshold(
    0.4,
    "as the mean cosine of weights and mean inputs",
    "how far the last gradients of the first layer go along its weights, from which all inputs of "
    "a batch had one error",
    "targets (n,) beside outputs (n, 1): 0.46 to 0.81; 22 regressions that learnt: 0.35 at most",
)
ERRORS_AHEAD = Threshold(
    0.9,
    "of the units of a layer",
    "share of the units with such a cosine above 0, for the same",
    "the same programs: 0.92 to 1; regressions that learnt: 0.4 to 0.9 in one layer or more",
)
ERRORS_PUSHED = Threshold(
    0.5,
    "of the root of the average square",
    "average gradient of the last bias from which one error is that of targets not yet reached",
    "the same programs: 0.08 to 0.42; regressions whose steps were too few: 0.99 and more",
)
DESCENT_STEPS = Threshold(
    200,
    "steps",
    "number of steps of gradient descent after which kernels that all look as drawn tell of small "
    "gradients, whatever the steps can reach",
    "chosen; pixels divided twice by 255, and a parabola that stayed a line: 456 and 1,500 steps",
)
DESCENT_KERNELS = Threshold(
    3,
    "kernels",
    "number of kernels that all look as drawn, for the same",
    "of 45 sound networks trained by descent, one has all but one of five so, none all",
)
