"""Thresholds on weights: initial values, batch statistics, symmetry of kernels."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

# Initial values.
LEVEL = Threshold(
    0.001,
    "",
    "significance level at which a kernel may be called trained, for all kernels of a model "
    "together",
    "Bonferroni: shared by the kernels, the initializers that are tried and the tests of each",
)
MIN_WEIGHTS_WITH_BIAS = Threshold(
    64,
    "weights",
    "size from which a kernel with an untouched bias, or several of them together, can be called "
    "fresh",
    "chosen",
)
FACTORS = Threshold(
    8,
    "columns",
    "number from which the inputs are no factors of a designed experiment, whose batch is centred "
    "exactly, to the last bit",
    "chosen; response surface designs have 2 to 6 factors",
)
FEWEST_DRAWS = Threshold(
    16,
    "weights",
    "size from which a kernel all of whose weights are even draws, bit for bit, was not trained",
    "a third of the numbers between the bounds are such draws: all of 16 by chance with 2e-8",
)
FEWEST_WITH_BIAS = Threshold(
    8,
    "weights",
    "size from which a kernel too small for a test is told by an untouched bias beside moved ones; "
    "of fewer weights, as of a layer inserted to scale its inputs, none need be beyond the bound",
    "chosen",
)
MIN_WEIGHTS_ALONE = Threshold(
    1000,
    "weights",
    "size from which a kernel without a bias can be called fresh",
    "chosen; the distribution alone calls a fifth of trained layers fresh",
)
SMALL = Threshold(
    500,
    "weights",
    "size below which a single layer that looks fresh proves little",
    "see `MIN_WEIGHTS_ALONE`",
)
MAX_EXCESS = Threshold(
    1.25,
    "times the Tracy-Widom limit",
    "largest eigenvalue above which weights are not independent",
    "1.16 at most in 10,400 draws of 64 to 131,072 weights (`benchmarks/spectrum_null.py`); "
    "trained kernels: 2 to 4",
)
ORTHOGONAL = Threshold(
    1e-4,
    "",
    "error up to which a kernel counts as orthogonal",
    "chosen above the rounding of float32, 1e-6; one step of Adam at a rate of 1e-4 changes it "
    "by 4e-4",
)
FLAT = Threshold(
    1.8,
    "standard deviations",
    "largest weight up to which a kernel beside an untouched bias was drawn evenly between bounds "
    "that the file does not name",
    "even draws: 1.73; the largest of 64 normal draws is below it in 0.8 % of all cases",
)
FLAT_P = Threshold(
    0.05,
    "",
    "p-value from which such weights are spread evenly",
    "the usual level; the bounds are taken from the weights",
)
USUAL_DRIFT = Threshold(
    0.01,
    "of the weights",
    "share of trained weights beyond the bound of a uniform initializer, where no other kernel of "
    "the model tells",
    "3,042 kernels of 28 trained networks, light fine-tuning included: 0.017 at least",
)
SPREAD = Threshold(
    3.0,
    "times",
    "how much smaller the share of weights beyond the bound may be in a kernel than in the one of "
    "the others with the smallest share",
    "chosen; trained kernels of 29 networks: up to 3, but 6 and 13 in layers of 576 and 144 "
    "weights, and no weight beyond it of 96 in a third",
)
LIGHT = Threshold(
    1 / 3,
    "of the kernels that have moved",
    "share of kernels that look as drawn beside a trained bias above which a model is lightly "
    "trained, and looking as drawn proves nothing",
    "chosen",
)
UNMOVED = Threshold(
    1e-4,
    "",
    "probability, for all kernels of a model together, below which weights within the bound have "
    "not been trained",
    "chosen; 0.03 of 300 weights beyond the bound, as in trained kernels: 1e-4",
)

HARDLY_MOVED = Threshold(
    1e-4,
    "times the spread of the smallest kernel with a bias",
    "distance of every bias, beta and gamma from its initial value up to which training had no "
    "effect, unless one step of the compiled optimizer moves them further",
    "chosen; one step of Adam at its default rate: 0.003 and more; a public model that Adadelta "
    "never effectively trained: 5e-5",
)
FAR = Threshold(
    6.0,
    "absolute",
    "value of a weight beyond which no usual initializer draws, so that training has moved it",
    "normal draws of standard deviation 1, the widest that are common: 2e-9 beyond; a public model "
    "with a head of the user's own: 33",
)
FADED = Threshold(
    1e-30,
    "absolute",
    "average of gradients, or of their squares, of a trained weight up to which it has faded to "
    "nothing, beside others above its root",
    "Adam's of squares, 69,000 steps after the last gradient: 1e-30 times its square, and that of "
    "gradients after 650; kernels and units of public models that died: up to 1e-35",
)
SLIGHT_REACH = Threshold(
    0.1,
    "times the spread of the kernel",
    "distance that all steps together can move a weight up to which the kernel looks as drawn",
    "chosen; such a change leaves the distribution of the weights as it is",
)
# Batch statistics.
LEAST_EPSILON = Threshold(
    1e-5,
    "",
    "distance below 0 up to which rounding explains a moving variance, where no epsilon is stored",
    "the smallest epsilon that is usual; Keras has 0.001",
)
HUGE_STATISTICS = Threshold(
    1e8,
    "",
    "moving mean or standard deviation above which inputs or activations are called huge",
    "six times 2**24, up to which float32 has every whole number; images of 16 bits have 3.3e4, "
    "their sums under a first kernel 1e6, and the other 20 of 21 public models at most 73",
)
LARGEST_SQUARED = Threshold(
    1.8e19,
    "",
    "moving mean or standard deviation above which a square in float32 is infinite",
    "the square root of the largest float32, 3.4e38",
)
INFERENCE_BIAS = Threshold(
    0.25,
    "times beta",
    "standard deviation of the biases directly before batch normalizations, from which they were "
    "trained with the moving statistics",
    "the least ratio in nine public models trained with batch statistics: 0.018 at most; in one "
    "trained without: 0.51, since both have nearly the same gradient",
)
# Misfit compares what is stored with what flows in, per channel.
MISFIT = Threshold(
    0.35,
    "",
    "misfit above which batch statistics do not belong to what flows in",
    "healthy: 0.11 at most; after a redrawn layer: 0.48 to 1.02",
)
MISFIT_ALIKE = Threshold(
    0.70,
    "",
    "the same where the inputs may be all of one kind",
    "images of one kind strain the last statistics up to 0.48",
)
SOUND_FIT = Threshold(
    0.20,
    "",
    "misfit up to which statistics show sound weights even on few images",
    "healthy, on 12 images: 0.19",
)
SETTLING = Threshold(
    0.10,
    "",
    "misfit up to which statistics are on the way from their initial values to what flows in",
    "two networks after 3 to 250 steps with momentum 0.99, 3 to 30 with 0.9: 0.0001 to 0.027; "
    "after weights of another model 0.22 to 1.2, on another scale 0.43 to 2.1",
)
AS_DRAWN = Threshold(
    6.0,
    "standard errors",
    "distance of a kernel's standard deviation from that of its initializer in the graph, "
    "up to which it is as drawn",
    "a normal variable is 6 standard errors from its mean once in 5e8",
)
OFF_SCALE = Threshold(
    1.0,
    "standard deviations",
    "mean deviation at the first batch normalization that only another scale brings about",
    "no orientation of the training images reaches it",
)
ON_SCALE = Threshold(
    0.10,
    "",
    "mean deviation that the right scale must bring back there",
    "chosen; healthy: a misfit of 0.11 at most",
)
CLOSER = Threshold(
    5.0,
    "times",
    "how much closer all batch statistics must be on another scale to show it",
    "networks of `benchmarks/population/make.py` with a first misfit above `MISFIT` that match "
    "there: 96 of 151 feeds with other values are, none of 520 cases whose values and statistics "
    "are right; stale statistics 3 to 10 times",
)
OFF_SCALE_ALONE = Threshold(
    3.0,
    "standard deviations",
    "the deviation that shows another scale where no classes confirm it",
    "images multiplied by 255: over 100",
)

BATCHNORM_STEPS = Threshold(
    4,
    "layers",
    "number of layers up to which a batch normalization belongs to the kernel before it",
    "an activation, a bias, padding or a merge may be between them",
)

# Symmetry of kernels: 1 for kernels that are mirror images of themselves, 0 as random weights.
EXACT_SYMMETRY = Threshold(
    1.0 - 1e-6,
    "",
    "symmetry score from which kernels are exact mirror images",
    "chosen above the rounding of float32, 6e-8",
)
SYMMETRIC = Threshold(
    0.99,
    "",
    "symmetry score from which kernels are reported as mirror images of themselves",
    "chosen above the rounding of float16, 5e-4",
)

# Stored values that training does not produce.
MIN_VALUES = Threshold(
    64,
    "values",
    "size from which a matrix is searched for a block of zeros and for an outlier",
    "chosen",
)
ZERO_BLOCK = Threshold(
    32,
    "zeros",
    "length from which consecutive zeros are a block, in a matrix with hardly any other zero",
    "chosen; no trained matrix of 335 models had an exact zero unless it was pruned",
)
OTHER_ZEROS = Threshold(
    0.01,
    "of the other values",
    "share of zeros outside a block above which the matrix counts as sparse",
    "pruned matrices: 0.3 and more",
)
ZERO_ROWS = Threshold(
    0.1,
    "of the values",
    "share from which whole rows of zeros, one after another, are reported",
    "chosen; a single row that was pruned is less",
)
OUTLIER = Threshold(
    100.0,
    "standard deviations of the others",
    "distance from the mean of the others above which one value is an outlier",
    "matrices of 335 public and trained models: 22 at most; "
    "a flipped exponent bit: 45 to 1e38, where it can be seen at all",
)
WILD_OUTLIER = Threshold(
    1000.0,
    "standard deviations of the others",
    "distance from which the value is certainly not trained",
    "see `OUTLIER`",
)
STANDS_OUT = Threshold(
    6.0,
    "times the spread of all",
    "size of a weight from which its kernel may hold a few values that are damage",
    "none of a million normally distributed weights is so large; chosen, not fitted",
)
FEW_VALUES = Threshold(
    11.0,
    "values",
    "number of equally large values below which they alone make the spread of a kernel",
    "of n weights, k beside which the others are nothing are the root of n / k times as large as "
    "the spread; chosen, not fitted",
)
LONE = Threshold(
    4.0,
    "times",
    "how much larger a value is than every other one, above which it is alone",
    "a flipped exponent bit multiplies by 4, 16, 256 …; a heavy tail that training left goes on: "
    "1.2 times in an LSTM of 110 weights above 30 deviations, 1.02 in a sparse kernel",
)
BEYOND_USE = Threshold(
    1e30,
    "",
    "magnitude that no weight has: its square overflows float32",
    "range of float32: 3.4e38; constants for masks are 1e9, or the largest float",
)
WIDEST_COLUMN = Threshold(
    1e4,
    "times the largest mean",
    "standard deviation up to which a column of large numbers has a large variance",
    "times in nanoseconds: 0.05; a flipped bit of a variance of 1 gives 1e19",
)
ROUND = Threshold(
    1000.0,
    "",
    "magnitude from which a number of one digit, such as -10000, was chosen by a program where no "
    "layer learns it",
    "chosen; learnt weights of one digit after the first are below 10",
)
DIRECTION_EXCESS = Threshold(
    0.05,
    "",
    "share of the energy of a layer's filters, beyond that of random weights, from which one kind "
    "of directional feature leads",
    "a fifth more than the expected share of first derivatives",
)
DIRECTION_Z = Threshold(
    4.0,
    "standard deviations",
    "deviation of that share from random weights",
    "one of 30,000 random layers exceeds it for one part",
)
QUANTIZED_RANGE = Threshold(
    1e9,
    "",
    "scale of a tensor of integers above which it is absurd: one step is this large",
    "chosen; values in networks are below 1e5, which is the largest number of float16",
)
