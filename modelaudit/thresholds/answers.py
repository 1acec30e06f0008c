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
GAIN = Threshold(
    0.1,
    "bits",
    "information that another form of the inputs must add to that of the inputs as given",
    "ten sound networks with 28 to 59 % accuracy on photographs: 0.05 at most; other orientations: "
    "0.19 and more",
)
ALIKE_INFORMED = Threshold(
    0.5,
    "of log2 K",
    "information that another orientation must reach if most inputs as given get one prediction",
    "images of one class in other orientations, 50 cases of 11 networks for digits and "
    "photographs: 0.43 at most",
)
SURER_Z = Threshold(
    0.1,
    "standard errors",
    "how much surer the model is in another orientation or order of colours if most get one answer",
    "11 networks for photographs, forms that gain `GAIN`: images of one class, -18 to -0.5 (20 "
    "forms); all classes in a wrong form, 0.7 to 5.3 in the right one (22)",
)
ALIKE_EQUAL = Threshold(
    0.45,
    "of log2 K",
    "information that another form must gain at equal confidence for the same",
    "images of one class in 921 other forms, 13 networks for digits and photographs: 0.42 at most; "
    "wrong values that most inputs answer alike: 0.28 to 0.69, 6 of 9 at least 0.5",
)
ALIKE_AGREED = Threshold(
    0.35,
    "of log2 K",
    "information that another form must gain at equal confidence, and agreement with mirror "
    "images, for the same",
    "the same forms: 0.30 at most; the same wrong values: 0.26 to 0.63",
)
GAIN_Z = Threshold(
    4.0,
    "standard errors",
    "size of that gain from which it is no chance, for forms that keep the values",
    "the same networks with 256 images: 1.7 at most; other orientations: 7.0 and more",
)
SCALE_Z = Threshold(
    5.0,
    "standard errors",
    "size of the gain at equal confidence from which it is no chance, for other values",
    "the same networks: 1.1 at most; 37 other ranges that cost 20 points: 2.6 to 48, 31 of them "
    "at least 8",
)
SURE_FAULT = Threshold(
    0.95,
    "probability",
    "probability of a fault from which what the diagnosis found has the severity of its rule",
    "one wrong accusation in twenty at most, if the probabilities hold",
)
AGREE_Z = Threshold(
    3.0,
    "standard errors",
    "gain of agreement of the predictions for images and their mirror images, from which another "
    "form is the right one, unless the information falls",
    "12 sound networks for digits and photographs, 13 forms, 64 to 200 images: 1.5 at most",
)
TIED_Z = Threshold(
    2.0,
    "standard errors",
    "difference up to which two forms of the inputs say as much",
    "the usual level",
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
CONSTANT = Threshold(
    1e-6,
    "of its scale",
    "spread over inputs up to which an output is constant but for rounding, so that made-up inputs "
    "show it as well",
    "the upper end of the rounding of float32 networks",
)
STEADY = Threshold(
    1e-5,
    "of its scale",
    "standard deviation over built-in inputs of usual and of larger scale up to which an output is "
    "constant, although rounding does not explain it",
    "chosen; a public model whose biases left nothing of its inputs: 1e-6",
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
    "three times `GAIN`",
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
BETTER_P = Threshold(
    0.01,
    "",
    "p-value, adjusted for the number of forms tried, below which labels prefer another form",
    "chosen: 769 simulated networks that respond equally to two forms, 40 to 112 labels: 0.5 % "
    "prefer the other by labels, 1.6 % by the smaller of that p-value and that with information",
)
CERTAIN_P = Threshold(
    0.001,
    "",
    "p-value below which an arbitrary order of the classes is better, not one of a pattern",
    "chosen ten times below `BETTER_P`: there are many arbitrary orders",
)
OPEN_P = Threshold(
    0.2,
    "",
    "p-value of the best other form below which more labels are asked for, instead of excluding it",
    "chosen: of two forms that are equally good, one in five then asks for more labels",
)
SUSPECT_P = Threshold(
    0.1,
    "",
    "p-value of the best other form below which the verdict is no pass, although too few labels "
    "decide",
    "320 draws of 44 labels of 6 sound networks: 0.6 % below it with a gain of `SCORE_GAIN`",
)
COSTLY = Threshold(
    0.1,
    "",
    "gain of accuracy or R2 from which the verdict is no pass up to `OPEN_P`",
    "what a fault of the inputs may cost; 350 draws of 64 labels of 14 sound networks: never",
)
FAULTY_ODDS = Threshold(
    4.6,
    "nats",
    "log odds against another form of the inputs, before labels are looked at",
    "chosen: 100 to 1; in 400 draws of 40 to 150 labels of 16 sound networks, no other form "
    "reached 3 nats after that",
)
FURTHER_ODDS = Threshold(
    2.3,
    "nats",
    "log odds against each further change beside another one",
    "chosen: 10 to 1; for 183 feeds with two faults of the same networks, 64 labels each, 87 % of "
    "the forms found restore the accuracy, and 2 % change more than they need",
)
CHANCE_P = Threshold(
    0.01,
    "",
    "p-value below which an output recognises labels better than a constant answer",
    "chosen: one of 100 outputs that say nothing seems to recognise them",
)
EQUAL_P = Threshold(
    0.05,
    "",
    "p-value from which the best form of the inputs does not score better than another one",
    "the usual level",
)
SCORE_GAIN = Threshold(
    0.05,
    "",
    "accuracy or R2 that another form must gain on labels",
    "chosen; smaller differences are not worth a change of the inputs",
)
NUMBERING_ODDS = Threshold(
    6.9,
    "nats",
    "log odds from which labels show another order of the classes",
    "chosen: 1000 to 1",
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
    "networks without normalization, trained on 0 to 1 and on 0 to 255: 0.1 to 41; fed 255 times "
    "as much: 23 to 10,000",
)
MARGIN_TRAINED = Threshold(
    45.0,
    "nats",
    "lead that the right scale must bring it back to",
    "see `MARGIN`",
)
SAME_MEAN = Threshold(
    0.02,
    "",
    "distance from mean 0 and standard deviation 1 up to which each input counts as standardised",
    "chosen above the rounding of float16; photographs less the mean of all: 0.3 and more",
)
BYTES = Threshold(
    2.0,
    "",
    "magnitude above which values count as bytes (0 to 255)",
    "twice the range of values from -1 to 1",
)
CENTRED = Threshold(
    1.05,
    "",
    "magnitude up to which values of both signs count as scaled to -1 to 1",
    "chosen above the rounding of resized images",
)
NORMALISED = Threshold(
    8.0,
    "",
    "magnitude up to which values of both signs count as normalised to a deviation of about 1",
    "ImageNet's normalization of 0 to 1: -2.12 to 2.64; bytes less a mean: -124 to 151",
)
USUAL = Threshold(
    0.1,
    "of the width of the usual range",
    "distance of an end of the range that a model's files state from that of the usual one up to "
    "which the change to the usual one is advised",
    "ImageNet's normalization with one mean and one deviation for all colours: 0.08; -0.5 to 0.5 "
    "beside -1 to 1: 0.25",
)
