"""The mistakes in layers and weights of the third set of `table.py`."""

from benchmarks.mistakes.third.bodies import IMAGES, TABLES
from benchmarks.mistakes.third.build import Third, hidden, known, wide

SMALL = ("inception", "squeeze", "mobile")  # their windows fit any size of image
RATE = r"0\.1|0\.2|0\.3|0\.5|lower|smaller"


def _hashed(keras):
    kl = keras.layers
    given = keras.Input((6,), dtype="int32")
    x = kl.Embedding(100, 8)(kl.Hashing(num_bins=1000)(given))
    return keras.Model(given, kl.Dense(5, activation="softmax")(kl.Flatten()(x)))


def _unmasked(keras):
    kl = keras.layers
    given = keras.Input((14,), dtype="int32")
    x = kl.LSTM(8, return_sequences=True)(kl.Embedding(60, 8, mask_zero=True)(given))
    return keras.Model(given, kl.Dense(5, activation="softmax")(kl.Flatten()(x)))


def _attended(kl):
    return lambda x: kl.MultiHeadAttention(2, 4)(x, x)


def then(*makes):
    """The usual hidden layer, and more."""
    return lambda kl: [*hidden(kl), *(make(kl) for make in makes)]


LAYERS = (
    known(
        "linear-stack",
        "relu",
        act=None,
        hidden=wide(16, activation=None),
        bodies=("inception", "densenet", "mobile", "voxels", "tcn", "critic"),
    ),
    Third(
        "linear-hidden-layers",
        "relu",
        hidden=wide(32, 24, 16, activation=None),
        bodies=("squeeze", "crnn", "highway"),
    ),
    known(
        "bias-before-norm",
        "use_bias=False",
        info=True,
        hidden=lambda kl: [kl.Dense(16), kl.BatchNormalization(), kl.ReLU()],
    ),
    Third("alpha-dropout-095", RATE, hidden=then(lambda kl: kl.AlphaDropout(0.95))),
    Third(
        "recurrent-dropout-095",
        RATE,
        hidden=lambda kl: [kl.Reshape((-1, 1)), kl.LSTM(8, recurrent_dropout=0.95, dropout=0.95)],
        bodies=("selu", "maxout", "highway"),
    ),
    Third(
        "dropouts-stacked",
        RATE + "|fewer|one|remove",
        hidden=lambda kl: [
            layer
            for units in (32, 24, 16, 12)
            for layer in (kl.Dense(units, activation="relu"), kl.Dropout(0.8))
        ],
    ),
    known("bottleneck", "units|filters", hidden=wide(1, 16)),
    Third(
        "bottleneck-filters",
        "filters|units",
        front=lambda kl: [
            kl.Conv2D(8, 3, padding="same", activation="relu"),
            kl.Conv2D(1, 3, strides=8, padding="same", activation="relu"),
            kl.UpSampling2D(8),
        ],
        bodies=SMALL,
    ),
    Third(
        "bottleneck-gru",
        "units",
        hidden=lambda kl: [kl.Reshape((-1, 1)), kl.GRU(1)],
        bodies=("selu", "maxout", "highway"),
    ),
    Third("hidden-exponential", "relu|tanh|gelu", hidden=wide(16, 16, activation="exponential")),
    known("hidden-softmax", "relu|tanh|gelu", hidden=wide(16, activation="softmax")),
    known("deep-sigmoids", "relu|tanh|gelu", hidden=wide(*[16] * 8, activation="sigmoid")),
    known(
        "lstm-relu",
        "tanh",
        hidden=lambda kl: [kl.Reshape((-1, 1)), kl.LSTM(8, activation="relu")],
        bodies=("selu", "maxout", "highway"),
    ),
    known(
        "one-pixel",
        "fewer|larger|smaller|pool",
        bodies=SMALL,
        front=lambda kl: [
            x
            for f in (4, 4, 8, 8, 8)
            for x in (kl.Conv2D(f, 3, padding="same", activation="relu"), kl.MaxPooling2D(2))
        ],
    ),
    known(
        "stride-skips",
        "stride|window",
        bodies=SMALL,
        front=lambda kl: [kl.Conv2D(8, 1, strides=3, activation="relu")],
    ),
    known(
        "window-beyond-input",
        "window|smaller|larger|kernel",
        bodies=SMALL,
        front=lambda kl: [kl.Conv2D(8, 41, padding="same", activation="relu")],
    ),
    Third(
        "dilation-beyond-input",
        "dilation|smaller",
        bodies=("tcn", "gruattention"),
        front=lambda kl: [kl.Conv1D(6, 3, padding="causal", dilation_rate=64, activation="relu")],
    ),
    Third(
        "mixed-data-format",
        "data_format|channels",
        bodies=SMALL,
        front=lambda kl: [kl.MaxPooling2D(2, padding="same", data_format="channels_first")],
    ),
    known("channels-first", "channels", bodies=SMALL, shape=(3, 32, 32)),
    Third(
        "reshape-for-permute",
        "Permute|transpose",
        bodies=SMALL,
        shape=(3, 32, 32),
        front=lambda kl: [kl.Reshape((32, 32, 3))],
    ),
    Third(
        "norm-wrong-axis",
        "axis",
        bodies=SMALL,
        front=lambda kl: [
            kl.Conv2D(8, 3, padding="same"),
            kl.BatchNormalization(axis=1),
            kl.ReLU(),
        ],
    ),
    Third(
        "instance-norm-of-one-value",
        "LayerNorm|BatchNorm|remove|before|groups",
        hidden=lambda kl: [kl.Dense(16), kl.GroupNormalization(groups=-1), kl.ReLU()],
    ),
    Third(
        "rescaling-by-zero",
        "scal(e|ing)|remove",
        front=lambda kl: [kl.Rescaling(0.0)],
        bodies=(*IMAGES[:5], "tcn", *TABLES),
    ),
    known(
        "scaled-twice",
        "remove|once",
        bodies=SMALL,
        front=lambda kl: [kl.Rescaling(1 / 255), kl.Rescaling(1 / 255)],
    ),
    Third(
        "scaled-before-embedding",
        "remove|integer|int",
        bodies=("fasttext", "textcnn", "causal"),
        front=lambda kl: [kl.Rescaling(1 / 60)],
    ),
    Third(
        "attend-one-position",
        "axis|remove|position|sequence",
        hidden=lambda kl: [
            kl.Dense(16, activation="relu"),
            kl.Reshape((1, 16)),
            _attended(kl),
            kl.Flatten(),
        ],
    ),
    Third(
        "one-step-recurrence",
        "step|reshape|Dense|axis",
        bodies=("selu", "maxout", "highway"),
        hidden=lambda kl: [kl.Reshape((1, -1)), kl.LSTM(8)],
    ),
    known("lost-mask", "pool|mask|return_sequences", whole=_unmasked, bodies=("whole",)),
    Third("embedding-below-hash-bins", "input_dim|num_bins", whole=_hashed, bodies=("whole",)),
    known("class-names", "names|units", names=("cat", "dog", "cow", "hen", "pig", "ant", "bee")),
    known(
        "not-adapted",
        "adapt",
        front=lambda kl: [kl.Normalization()],
        bodies=(*IMAGES[:5], "tcn", *TABLES),
    ),
)
