"""Thresholds on what gradual changes of the inputs do to an output."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

NOTICEABLE = Threshold(
    0.05,
    "",
    "share of predictions that change (without classes: normalised variation) from which a change "
    "of the inputs is measured at smaller strengths and compared with a control",
    "an effect of 5 % of 64 inputs is 3 predictions",
)
SURE = Threshold(
    0.9,
    "",
    "probability from which the model is sure of a decision; if fewer than half of the decisions "
    "reach it, the more probable half counts",
    "of 18 networks of letters and digits, those trained with a change and those trained without "
    "differ most in the decisions that they are sure of",
)
MOVED = Threshold(
    0.06,
    "",
    "share of the decisions that the model is sure of, from which a model is sensitive to a "
    "moderate change of the inputs that alters them; divided by the model's median confidence",
    "18 networks of letters and digits: trained with the change, at most 1 of 51 exceeds it, "
    "trained without, 37 of 44 to which the change costs 10 points",
)
FEW_SURE = Threshold(
    24,
    "decisions",
    "number of decisions that the model is sure of, below which nothing is said about augmentation",
    "of 24, one is 4 %, less than `MOVED`",
)
CONFIDENT = Threshold(
    0.6,
    "",
    "median confidence below which nothing is said about augmentation without labels",
    "45 networks: of 11 changes that were trained and still called missing, 8 were of networks "
    "that are less sure",
)
CONFUSED = Threshold(
    0.5,
    "",
    "share of the changes of class that go from one class to another, from which these are named, "
    "so that one can ask whether the change alters the label",
    "of 427 curves of 45 networks whose labels stay, 15 reach it, between classes that are alike",
)
LOST = Threshold(
    0.08,
    "",
    "loss of accuracy or R² from which a model is sensitive to a moderate change of the inputs",
    "the same networks with 256 labels: together with `MOVED`, 0 of 51 trained with the change",
)
LOST_ALONE = Threshold(
    0.14,
    "",
    "the same, whatever the decisions that the model is sure of say",
    "the same networks: trained with the change, they lose at most 0.13",
)
LOST_P = Threshold(
    0.01,
    "",
    "p-value of that loss (McNemar)",
    "of eleven changes, 0.1 by chance; the loss itself decides",
)
ROBUST = Threshold(
    0.04,
    "",
    "loss of accuracy or R² below which an output is robust",
    "half of `LOST`",
)
VARIED = Threshold(
    0.2,
    "times the change from one input to another",
    "variation of an output without classes and labels from which it is sensitive to a change",
    "as `flips.SENSITIVE`; not measured on networks of known training",
)
