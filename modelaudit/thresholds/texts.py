"""Thresholds on what texts of tokens do to an output."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

TEXTS_ALIKE = Threshold(
    0.05,
    "as log-odds",
    "largest difference of the log-odds of a class between built-in texts up to which a model of "
    "tokens answers all texts alike",
    "chosen; public models: 0.03 for one that gives one word for every text, 0.7 for one that "
    "tells little apart, 7 to 55 for four others",
)
