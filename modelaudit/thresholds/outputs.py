"""Thresholds on what an output is taken for, by its values."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

PROBABILITY_SUM = Threshold(
    1e-3,
    "",
    "distance from 1 within which the values of an output count as probabilities",
    "chosen above the rounding of float16, 5e-4",
)
UNIT_NORM = Threshold(
    1e-3,
    "",
    "distance from 1 within which all norms make an output an embedding",
    "chosen above the rounding of float16, 5e-4",
)
EXCLUSIVE = Threshold(
    0.5,
    "",
    "variance of the sum of linear outputs, relative to the sum of their variances, below which "
    "they look like scores of classes: one is high where the others are low",
    "11 small networks after 20, 60 and 200 steps: scores of classes 0.02 to 0.45 (one 0.83 after "
    "20 steps), numbers 0.9 to 8",
)
