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
