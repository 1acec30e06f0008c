"""Thresholds on whether a model came back as it was saved."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

# Golden records: outputs of today against those that were recorded.
ROUNDING = Threshold(
    2e-5,
    "of 1 + max|y|",
    "difference of an output up to which rounding accounts for it",
    "versions and processors sum in different orders: less in 6,600 loads of float32 files in nine "
    "versions of TensorFlow",
)
ROUNDING_FLOAT16 = Threshold(
    2e-3,
    "of 1 + max|y|",
    "the same if weights or outputs are float16",
    "float16 has 11 bits of mantissa",
)
ROUNDING_BFLOAT16 = Threshold(
    2e-2,
    "of 1 + max|y|",
    "the same if they are bfloat16",
    "bfloat16 has 8 bits of mantissa",
)
NOISE_FACTOR = Threshold(
    10.0,
    "times the noise",
    "the same for a model whose repeated outputs differ",
    "chosen",
)

# Repairs: outputs of the original against those of the new file.
MOST_NOISE = Threshold(
    1e-3,
    "of 1 + max|y|",
    "difference between two runs of one file above which only their first runs are compared",
    "chosen: noise of rounding is below a tenth of this, that of dropout above it",
)
SAME_FIRST_RUN = Threshold(
    1e-4,
    "of 1 + max|y|",
    "difference of the first runs up to which a stateful model is the same",
    "chosen: a tenth of the noise",
)
GAIN_BY_CHANCE = Threshold(
    0.01,
    "p-value",
    "p-value of the gain in accuracy below which recalibration made a model better",
    "chosen: one false gain in a hundred",
)

# Two states of one tensor.
FACTOR_ERROR = Threshold(
    1e-5,
    "of the largest value",
    "error up to which all values of a tensor share one factor, or one range",
    "rounding in float32",
)
UNRELATED = Threshold(
    0.5,
    "correlation",
    "correlation below which two tensors are not two states of one training run",
    "chosen",
)
SAME_SETTING = Threshold(
    1e-6,
    "",
    "relative difference up to which two numbers of a config are the same",
    "two representations of one float32",
)
EXPORT_ROUNDING = Threshold(
    1e-5,
    "",
    "distance of an exported weight from its source, beyond half a step of its numbers and "
    "relative to the largest weight of its tensor, up to which it is the same",
    "folding batch normalization in float32 leaves at most 1e-6",
)
