"""Thresholds on what a flip of the input does to an output.

NFV is the normalised flip variation: the mean squared change of the output under the flip, divided
by that between two different inputs.
"""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

EXACT = Threshold(
    1e-6,
    "NFV",
    "variation below which a flip changes nothing but rounding",
    "exactly symmetric networks: 1e-13 and less",
)
LEARNED = Threshold(
    0.06,
    "NFV",
    "variation below which training has made the output invariant",
    "networks trained with mirrored images: 0.014 to 0.046",
)
SENSITIVE = Threshold(
    0.20,
    "times the change from one input to another",
    "variation from which an output is sensitive to a flip, and up to which any other action (a "
    "changed sign, exchanged classes) counts as holding",
    "networks trained without mirrored images leave more; trained-for actions leave 0.01 to 0.06; "
    "between `LEARNED` and this, labels decide",
)
ACCURACY_LOSS = Threshold(
    0.03,
    "",
    "loss of accuracy below which an output between `LEARNED` and `SENSITIVE` is invariant",
    "one image of 64, not two",
)
MIRROR_RATIO = Threshold(
    0.25,
    "NFV H / NFV V",
    "ratio of left-right to up-down variation below which training had mirrored images",
    "decides between `LEARNED` and `SENSITIVE` without labels",
)
KAPPA = Threshold(
    0.80,
    "Cohen's kappa",
    "agreement of the answers that must come with invariance",
    "chosen; almost perfect agreement on the scale of Landis and Koch (1977)",
)
KAPPA_MIRROR = Threshold(
    0.90,
    "Cohen's kappa",
    "the same where invariance is told by `MIRROR_RATIO`",
    "an untrained network with three classes reached 0.87 at a ratio of 0.07",
)
ACTION_SHARE = Threshold(
    0.5,
    "of the variation",
    "what another action than staying the same may leave of the variation",
    "an action that explains less than half explains little",
)
FOLLOWED = Threshold(
    0.85,
    "of the answers",
    "share of the answers that must follow an exchange of classes",
    "scores alone mislead: a model that takes some mirrored images for another class explains its "
    "scores better by an exchange",
)
FLOOR_SHARE = Threshold(
    0.50,
    "of the NFV",
    "share that the architecture alone must explain to be named as the cause",
    "half of it",
)
NO_VARIATION = Threshold(
    1e-9,
    "of the output's mean square",
    "variation between inputs below which NFV is undefined",
    "chosen above the square of the rounding of float32, 1e-14",
)
PER_CLASS = Threshold(
    20,
    "inputs",
    "inputs of a class from which effects are reported for the class",
    "the 95 % interval of an agreement of 0.5 is 0.4 wide then",
)
