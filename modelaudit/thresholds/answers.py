"""Thresholds on what answers say: how informative, how varied, how right they are."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

# Information: the mutual information of inputs and predictions, at most log2 K bits of K classes.
UNINFORMED = Threshold(
    0.50,
    "of log2 K",
    "information below which an output says too little to be that of a working classifier",
    "chosen between `LITTLE` and `INFORMED`",
)
INFORMED = Threshold(
    0.75,
    "of log2 K",
    "information that a variant of the inputs must reach to be called the right one",
    "true repairs reach 0.88 to 0.99, false ones at most 0.504",
)
INFORMED_PEAK = Threshold(
    0.60,
    "of log2 K",
    "the same for a variant that leads all others by `PEAK`",
    "a small network with 12 classes and 98 % accuracy reaches 0.72 at most, the next variant 0.44",
)
PEAK = Threshold(
    0.60,
    "bits",
    "lead over all other variants from which `INFORMED_PEAK` applies",
    "see `INFORMED_PEAK`",
)
GAIN = Threshold(
    0.30,
    "bits",
    "information that another variant must add to that of the inputs as given",
    "healthy models: 0.06 at most",
)
TIED = Threshold(
    0.06,
    "bits",
    "difference up to which two variants of the inputs count as equally good",
    "the largest gain of a healthy model",
)
LITTLE = Threshold(
    0.30,
    "of log2 K",
    "information below which an output says little about unlabelled inputs",
    "layers of another model or in another order: 0.02 to 0.23; a wrong orientation: 0.32 and more",
)
MIN_INPUTS = Threshold(
    32,
    "inputs",
    "number of inputs from which statements on orientation hold",
    "all faults found and no false alarm in 3,750 draws",
)
MIN_CLASSES = Threshold(
    3,
    "classes",
    "number of classes from which information shows an orientation; with two, only labels do",
    "a sure answer that is always wrong carries as much information as one that is right",
)
PER_CLASS = Threshold(
    3,
    "inputs",
    "inputs of each class from which the classes can be paired with the labels",
    "with fewer, some pairing fits by chance",
)

# Collapse: an output that does not depend on the input.
MIN_BITS = Threshold(
    0.1,
    "bits",
    "information below which an output has collapsed",
    "healthy: 2.3 to 3.3 of 3.3 bits; collapsed: 1e-20 to 0.08",
)
MIN_BITS_SHARE = Threshold(
    0.03,
    "of log2 K",
    "the same for outputs with many classes",
    "`MIN_BITS` of ten classes",
)
MIN_SPREAD = Threshold(
    1e-4,
    "of its scale",
    "spread over inputs below which an output without classes has collapsed",
    "chosen above the rounding of float32 networks, 1e-8 to 1e-6",
)
ONE_CLASS = Threshold(
    0.9,
    "of the inputs",
    "share of the commonest label from which images count as being of one class",
    "a constant answer is right for such images",
)
SATURATED = Threshold(
    0.5,
    "of the outputs",
    "share of saturated outputs above which equal outputs do not show that the scores are equal",
    "beyond it, most outputs cannot be compared by their scores",
)
ROUNDING = Threshold(
    1e-4,
    "of its scale",
    "difference between repeated runs up to which an output is deterministic",
    "kernels may sum in another order in batches of another size: 1e-8 to 1e-6 in float32",
)
OTHER_INPUTS = Threshold(
    1e-2,
    "of its scale",
    "difference above which an answer depends on the rest of its batch, as in training",
    "chosen well above `ROUNDING`",
)
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

# The bias of the head.
TOP_SHARE = Threshold(
    0.5,
    "of the inputs",
    "share of one class above which answers are mostly alike",
    "no class of a balanced set with three or more classes reaches it",
)
BIAS_EXCESS = Threshold(
    2.0,
    "standard deviations",
    "distance of the bias from its median, in those of the pre-activations, that marks a biased "
    "head",
    "healthy heads: 0.12 at most",
)
BIAS_GAIN = Threshold(
    0.3,
    "bits",
    "information that centring the bias must bring back",
    "chosen as `GAIN`",
)
LARGE_BIAS_EXCESS = Threshold(
    5.0,
    "standard deviations",
    "the same distance for a bias that explains a collapse even where the features say little",
    "chosen; made-up inputs carry less information than real ones",
)
LARGE_BIAS_GAIN = Threshold(
    0.05,
    "bits",
    "information that centring such a bias must bring back",
    "see `LARGE_BIAS_EXCESS`",
)
LARGE_BIAS_RATIO = Threshold(
    10.0,
    "times",
    "and how many times as much as before",
    "chosen, so that noise around 0 does not count",
)

# Channels.
DEAD = Threshold(
    1.0,
    "as share of a layer's channels",
    "share of channels that are never active from which a layer is dead",
    "with one active channel the layers behind it can still depend on the input",
)

# Labels.
RIGHT_ACCURACY = Threshold(
    0.80,
    "",
    "accuracy that labels must show for another variant of the inputs",
    "chosen; trainings in docs/diagnosis.md count from the same accuracy",
)
ACCURACY_GAIN = Threshold(
    0.10,
    "",
    "accuracy that must be gained by it",
    "twice the standard error of the accuracy on 64 images",
)
RIGHT_FIT = Threshold(
    0.50,
    "",
    "R2 that labels must show for another variant of the inputs",
    "chosen as the counterpart of `RIGHT_ACCURACY`",
)
FIT_GAIN = Threshold(
    0.20,
    "",
    "R2 that must be gained by it",
    "chosen as the counterpart of `ACCURACY_GAIN`",
)
SAME_SCORE = Threshold(
    0.02,
    "",
    "gain on labels below which they do not confirm what the information says",
    "more than one image of 64",
)

# Scale of the inputs.
MARGIN = Threshold(
    80.0,
    "nats",
    "median lead of the best class above which the inputs are too large",
    "networks without normalisation, trained on 0 to 1 and on 0 to 255: 0.1 to 41; fed 255 times "
    "as much: 23 to 10,000",
)
MARGIN_TRAINED = Threshold(
    45.0,
    "nats",
    "lead that the right scale must bring it back to",
    "see `MARGIN`",
)
BYTES = Threshold(
    2.0,
    "",
    "magnitude above which values count as bytes (0 to 255)",
    "twice the range of values from -1 to 1",
)
