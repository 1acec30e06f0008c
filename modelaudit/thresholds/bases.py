"""Thresholds on what reaches the bases of `keras.applications`."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

OTHER_ENDS = Threshold(
    0.15,
    "",
    "distance of the ends of a range from those that a base was trained with, as a share of that "
    "range, above which pixels are scaled in another way",
    "0 to 1 and -1 to 1 differ by half of the wider one at one end, scales of 1/127.5 and 1/128 "
    "by 0.004; the ranges of the three colors of a base differ by up to 0.1",
)
