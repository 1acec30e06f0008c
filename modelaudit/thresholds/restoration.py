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
LAST_PLACES = Threshold(
    8.0,
    "units in the last place",
    "change of weights by which the rounding of the original is measured",
    "chosen: a sum of 128 float32 numbers has a rounding error of about 11 such units",
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
EXPORT_STEP = Threshold(
    0.08,
    "of the span",
    "half a step of an exported weight's numbers, relative to what its source's values and 0 span, "
    "above which the step excuses no difference, and other values say nothing",
    "half a step of 4 bits, the fewest that converters write, is 1/14 of the largest value",
)

# A model and its export on the same inputs. Errors are the Euclidean norm of the difference of the
# outputs for one input, in units of the spread of the source's outputs; of all inputs the root mean
# square.
# The 275 exports of five small networks that benchmarks/exports/pairs.py makes are the source.
EXPORT_FLOAT = Threshold(
    1e-3,
    "of the spread",
    "error of an export with float weights up to which it is the same model",
    "right exports of five networks: 3e-5 at most; faulty ones: 4e-3 and more",
)
EXPORT_FLOAT16 = Threshold(
    0.02,
    "of the spread",
    "the same with weights in half precision",
    "the same exports: 3e-3 at most; larger networks add more rounding",
)
EXPORT_WEIGHTS = Threshold(
    0.2,
    "of the spread",
    "the same with weights of 8 bits, and activations of 16 bits or float",
    "the same exports: 0.054 at most; larger networks add more rounding",
)
EXPORT_INTEGER = Threshold(
    0.3,
    "of the spread",
    "the same with activations of 8 bits",
    "the same exports: 0.058 at most; an error of 0.3 leaves 91 % of the variance",
)
EXPORT_GAIN = Threshold(
    0.5,
    "of the error",
    "error of another form of inputs or outputs, relative to that of the form as it is, below "
    "which the other form is a cause of the difference",
    "chosen: no other form of a right export comes near, the right form of a faulty one reaches 0",
)
EXPORT_AGREEMENT = Threshold(
    0.85,
    "of the inputs",
    "upper end of the interval of the agreement of the top class below which quantization is no "
    "excuse",
    "chosen: right exports of five networks agree on 97 % and more",
)
EXPORT_INNER = Threshold(
    0.05,
    "of the spread",
    "error of a layer's output inside of an export up to which it is that of the source",
    "batch normalization with the statistics of 32 images: 0.09 and more in six networks",
)
EXPORT_SATURATED = Threshold(
    0.02,
    "of the values",
    "share of a layer's values at an end of its quantised range above which it saturates",
    "chosen: a layer that was calibrated with similar data has a few values there",
)
EXPORT_LEVELS = Threshold(
    12.0,
    "steps",
    "steps between the smallest and the largest value of a quantised layer below which they say "
    "too little",
    "chosen: 12 of 256 steps are less than 4 bits",
)
EXPORT_KERNEL = Threshold(
    0.02,
    "of the norm",
    "distance of an exported weight from its source, beyond half a step somewhere, above which it "
    "is another weight",
    "chosen: above what a fine-tuning of quantised weights may leave, below a training step",
)
EXPORT_PAIRED = Threshold(
    0.5,
    "of the weights",
    "share of a model's weights that an export has, from which it is an export of that model "
    "whatever their names; below it, one with its name is another model",
    "chosen: other trainings of one architecture share next to none, right exports all",
)
EXPORT_INFORMED = Threshold(
    1e-4,
    "of 1 + max|y|",
    "spread of the source's outputs below which they say nothing of the export",
    "chosen: five times the rounding of float32",
)
