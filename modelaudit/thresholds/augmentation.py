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
