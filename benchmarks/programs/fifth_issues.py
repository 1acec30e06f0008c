"""A fifth set of faulty programs: those of issues.

What searches for networks that do not learn gave, in their order, if program, fault and fix can be
read and the program is in none of the first four sets. Layers and settings are the programs',
widths and data are smaller. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
KERAS = "gh:keras-team/keras/issues/"
REGULAR = "linear|no activation|without.*activation"
HEAD = ("loss-activation", "config")
METRIC = ("metric-choice", "config")
SCALE = "scal|255|normali|standardi"
MOVING = (
    "conv1d 16 5 relu; conv1d 16 5 relu; conv1d 16 5 relu; conv1d 16 5 relu; lstm 16 seq; drop 0.5;"
    "lstm 16; drop 0.5; dense 4 softmax"
)
CATS = "conv 16 3 relu; bn; pool 2; conv 16 3 relu; bn; pool 2; flatten; dense 32 relu;"
DEEP = (
    "conv 16 3; act {0}; conv 16 3; act {0}; pool 2; drop 0.25; conv 32 3; act {0}; conv 32 3;"
    "act {0}; pool 2; drop 0.25; conv 64 3; act {0}; pool 2; flatten; dense 128 init=normal;"
    "act {0}; drop 0.5; dense 128 init=normal; act {0}; drop 0.5; dense 10 init=normal;"
    "act softmax"
)
WIDE = "dense 128 relu; drop 0.2; dense 128 relu; drop 0.2; dense 10 softmax"
SMALL = (
    "conv 16 3 same; act relu; conv 16 3; bn; act relu; pool 2; conv 32 3 same; bn; act relu;"
    "conv 32 3; bn; act relu; pool 2; flatten; dense 64; act relu; dense 6; act softmax"
)

FIFTH_ISSUES = (
    Program(
        *("keras-2530", f"{KERAS}2530", "sharper patches"),
        *("MSE with the name of SGD, which drops the rate that was set: NaN",),
        *("RMSprop", "author", "learning-rate-high", "training"),
        Setup(
            "patches",
            "conv 16 9 init=glorot_normal; act relu; conv 8 1 init=glorot_normal; act relu;"
            "conv 3 5 init=glorot_normal",
            *("mse", "sgd", "5 32 600"),
            metric="",
        ),
        "learning.?rate|rmsprop|adam",
        {"loss": "mean_squared_logarithmic_error", "optimizer": "rmsprop"},
    ),
    Program(
        *("keras-6421", f"{KERAS}6421", "two alarms, each for itself"),
        *("categorical cross-entropy of two sigmoids", "binary cross-entropy", "answer", *HEAD),
        Setup(
            "alarms",
            "dense 40 relu init=uniform; dense 31 relu init=uniform; dense 2 sigmoid init=uniform",
            *(ENTROPY, "adam", "1 10 2000"),
            metric="categorical_accuracy",
        ),
        "binary",
        {"loss": BINARY, "metric": "accuracy", "train": "6 10 2000"},
    ),
    Program(
        *("dana-1", "gh:mmalekzadeh/dana/issues/1", "activities by a sensor"),
        *("a loss from logits behind a softmax", "from_logits=False", "answer", *HEAD),
        Setup("motion onehot", MOVING, "categorical_logits", "adam", "5 32 600"),
        "from_logits|logits",
        {"loss": ENTROPY},
    ),
    Program(
        *("qmem-1", "gh:QCmonk/Qmemristor/pull/1", "digits by shares of 30 states"),
        *("a loss from logits behind a softmax", "from_logits=False", "author", *HEAD),
        Setup(
            *("photons onehot", "dense 20; dense 20; dense 3 softmax", "categorical_logits"),
            *("adam 0.05", "15 5 1000"),
        ),
        "from_logits|logits",
        {"loss": ENTROPY},
    ),
    Program(
        *("lov-2", "gh:lovedlim/tensorflow/issues/2", "cats and dogs"),
        *("a loss from logits behind a sigmoid", "from_logits=False", "author", *HEAD),
        Setup("scenes 24 2", CATS + "dense 1 sigmoid", "binary_logits", "adam", "5 32 800"),
        "from_logits|logits",
        {"loss": BINARY},
    ),
    Program(
        *("keras-867", f"{KERAS}867", "the next number of sunspots"),
        *("accuracy of a regression", "leave it out", "answer", *METRIC),
        Setup(
            *("spots", "dense 32 relu; drop 0.2; dense 16 relu; drop 0.2; dense 1", "mse"),
            *("adam", "15 32 1500"),
        ),
        "absolute|mae|remove|error",
        {"metric": "mae"},
    ),
    Program(
        *("keras-3752", f"{KERAS}3752", "ten kinds of pictures"),
        *("a deep ReLU network from small normal weights: the loss stays", "tanh", "author"),
        *("dead-units", "training"),
        Setup("scenes 32 10 onehot", DEEP.format("relu"), ENTROPY, "sgd", "4 32 600"),
        "tanh|initial",
        {"layers": DEEP.format("tanh"), "train": "6 16 600"},
    ),
    Program(
        *("keras-10666", f"{KERAS}10666", "masks"),
        *("moving statistics with momentum 0.99 after few steps", "momentum 0.9", "author"),
        *("bn-statistics", "training"),
        Setup(
            "masks",
            "conv 8 3 same; bn; act relu; conv 8 3 same; bn; act relu; conv 8 3 same; bn; act relu;"
            "conv 1 1 sigmoid",
            *(BINARY, "adam", "5 8 160"),
            metric="",
        ),
        "momentum|moving|longer|steps|statistics",
        {
            "layers": "conv 8 3 same; bn momentum=0.9; act relu; conv 8 3 same; bn momentum=0.9;"
            "act relu; conv 8 3 same; bn momentum=0.9; act relu; conv 1 1 sigmoid",
            "train": "8 8 320",
        },
    ),
    Program(
        *("keras-6914", f"{KERAS}6914", "digits"),
        *("pixels of 0 to 255", "divide them by 255", "author", "unscaled-input", "training"),
        Setup("digits 28 flat byte onehot", WIDE, ENTROPY, "rmsprop", "6 128 1500"),
        SCALE,
        {"data": "digits 28 flat onehot", "train": "12 64 1500"},
    ),
    Program(
        *("wn-1", "gh:PacktPublishing/What-s-New-in-TensorFlow-2.0/issues/1", "digits"),
        *("pixels of 0 to 255 for SGD at 0.0005", "divide them by 255", "answer"),
        *("unscaled-input", "data"),
        Setup(
            *("digits 28 byte onehot", "flatten; dense 100 relu; dense 100 relu; dense 10 softmax"),
            *(ENTROPY, "sgd 0.0005", "10 32 160"),
        ),
        SCALE,
    ),
    Program(
        *("keras-13655", f"{KERAS}13655", "pieces of clothing"),
        *("a typing error: trained on pixels of 0 to 255, used on 0 to 1", "divide both by 255"),
        *("reading", "served-otherwise", "training"),
        Setup(
            *("digits 28 byte", "flatten; dense 128 relu; dense 10 softmax", SPARSE, "adam"),
            "8 32 1500",
            served="digits 28",
        ),
        SCALE,
        {"data": "digits 28", "served": ""},
    ),
    Program(
        *("hm2-132", "gh:ageron/handson-ml2/issues/132", "pieces of clothing"),
        *("trained on pixels of 0 to 1, used on 0 to 255", "divide both by 255", "answer"),
        *("served-otherwise", "data"),
        Setup(
            "digits 28",
            "flatten; dense 64 relu; dense 32 relu; dense 10 softmax",
            *(SPARSE, "sgd", "20 32 1500"),
            served="digits 28 byte",
        ),
        SCALE,
        {"served": ""},
    ),
    Program(
        *("keras-8837", f"{KERAS}8837", "kinds of pictures"),
        *("batch normalization with batches of one", "batches of 32", "author"),
        *("batch-size", "data"),
        Setup("scenes 24 6 onehot", SMALL, ENTROPY, "rmsprop 0.0001", "3 1 300"),
        "batch.?size|larger batch|batches",
        {"train": "8 32 800", "optimizer": "rmsprop"},
    ),
)
