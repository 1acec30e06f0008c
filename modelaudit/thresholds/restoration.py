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

# A model and its export on the same inputs. Errors are the Euclidean norm of the difference of the
# outputs for one input, in units of the spread of the source's outputs; of all inputs the median.
EXPORT_FLOAT = Threshold(
    1e-3,
    "of the spread",
    "error of an export with float weights up to which it is the same model",
    "TBD",
)
EXPORT_FLOAT16 = Threshold(
    0.02,
    "of the spread",
    "the same with weights in half precision",
    "TBD",
)
EXPORT_WEIGHTS = Threshold(
    0.3,
    "of the spread",
    "the same with weights of 8 bits, and activations of 16 bits or float",
    "TBD",
)
EXPORT_INTEGER = Threshold(
    0.3,
    "of the spread",
    "the same with activations of 8 bits",
    "TBD",
)
EXPORT_GAIN = Threshold(
    0.5,
    "",
    "error of another form of inputs or outputs, relative to that of the form as it is, below "
    "which the other form is the cause of the difference",
    "TBD",
)
EXPORT_AGREEMENT = Threshold(
    0.8,
    "of the inputs",
    "upper end of the interval of the agreement of the top class below which quantisation is no "
    "excuse",
    "TBD",
)
EXPORT_SATURATED = Threshold(
    0.02,
    "of the values",
    "share of a layer's values at the end of its quantised range above which it saturates",
    "TBD",
)
EXPORT_LEVELS = Threshold(
    12.0,
    "steps",
    "steps between a quantised layer's smallest and largest value below which they say too little",
    "TBD",
)
EXPORT_KERNEL = Threshold(
    0.02,
    "of the norm",
    "distance of an exported weight from its source, beyond half a step somewhere, above which it "
    "is another weight",
    "TBD",
)
EXPORT_INFORMED = Threshold(
    1e-4,
    "of 1 + max|y|",
    "spread of the source's outputs below which they say nothing of the export",
    "chosen: five times the rounding of float32",
)
