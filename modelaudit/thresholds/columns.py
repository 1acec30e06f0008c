"""Thresholds on columns of tables: how unlike they are to those of training."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

COLUMN_APART = Threshold(
    3.0,
    "standard deviations",
    "distance of a column's mean from its mean in training from which it is in another unit",
    "1.75 at most in 70,000 samples of 20 to 256 rows of normal, lognormal, exponential, Poisson, "
    "uniform, gamma and t-distributed columns",
)
COLUMN_SPREAD = Threshold(
    3.0,
    "times",
    "quotient of the deviations of a column from which another unit is tried, which labels decide",
    "the same samples of the normal, exponential, Poisson and uniform columns: 3.65 at most, of 64 "
    "rows or more 1.8",
)
ONE_UNIT = Threshold(
    2.0,
    "times",
    "quotient of the changes of deviation and mean up to which both are one factor between units",
    "the same samples in another unit: 99 % of those with 64 rows or more are below 1.7, but for "
    "the t-distribution",
)
