"""A fifth set of faulty programs: further ones of issues, and of changes that mend one.

What searches for networks that do not learn gave, in their order, if program, fault and fix can be
read and the program is in none of the first four sets. Layers and settings are the programs',
widths and data are smaller; where only the lines that matter are printed, hidden layers are ours.
All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
KERAS = "gh:keras-team/keras/"
REGULAR = "linear|no activation|without.*activation"
HEAD = ("loss-activation", "config")
SLOW = ("learning-rate-low", "config")
CIFAR = (
    "conv 8 3 same; act relu; conv 8 3; act relu; pool 2; drop 0.25; conv 16 3 same; act relu;"
    "conv 16 3; act relu; pool 2; drop 0.25; flatten; dense 64; act relu; drop 0.5; dense 10;"
    "act softmax"
)
MNIST = (
    "conv 8 3 relu; conv 16 3 relu; pool 2; drop 0.25; flatten; dense 64 relu; drop 0.5;"
    "dense 10 softmax"
)
PETS = "act relu; conv 16 3 same; bn; act relu; conv 16 3 same; bn; up; conv 2 3 same softmax"
SERIES = (
    "flatten; drop 0.1; dense 64 relu; drop 0.2; dense 64 relu; drop 0.2; dense 64 relu; drop 0.3;"
)
CROWD = (
    "conv 8 9 relu same; conv 8 5 relu same l2=0.0005; bn; act relu; pool 2;"
    "conv 16 3 relu same l2=0.0005; bn; act relu; pool 2; conv 32 1 relu l2=0.0005;"
)
CELLS = "conv 8 3 relu same init=he_normal; conv 8 3 relu same init=he_normal;"

FIFTH_CHANGES = (
    Program(
        *("keras-4994", f"{KERAS}issues/4994", "20 topics of texts"),
        *("binary cross-entropy of a softmax, behind one sigmoid unit",),
        *("categorical cross-entropy, 20 or 50 units", "answer", "loss-choice", "config"),
        Setup(
            "topics 20 onehot",
            "embed 120 16 frozen; lstm 32 dropout=0.2 recurrent_dropout=0.2; dense 1; act sigmoid;"
            "dense 20 softmax",
            *(BINARY, "adam", "3 64 1200"),
        ),
        "categorical",
        {
            "layers": "embed 120 16; lstm 32 dropout=0.2 recurrent_dropout=0.2; dense 50 relu;"
            "dense 20 softmax",
            "loss": ENTROPY,
            "train": "10 32 1200",
        },
    ),
    Program(
        *("keras-1987", f"{KERAS}issues/1987", "the next place of about 40 and 40"),
        *("softmax and cross-entropy for a regression", "linear output, MSE", "author"),
        *("output-range", "data"),
        Setup(
            "positions",
            "mask; lstm 2; act softmax; dense 2; act softmax",
            *(ENTROPY, "rmsprop", "5 1 150"),
            metric="",
        ),
        REGULAR + "|mse|mean squared",
        {
            "layers": "mask; lstm 32; dense 2",
            "loss": "mse",
            "optimizer": "rmsprop 0.01",
            "train": "30 32 800",
        },
    ),
    Program(
        *("tf-34380", "gh:tensorflow/tensorflow/issues/34380", "an autoencoder of digits"),
        *("Adadelta, whose rate is 0.001 now", "Adam", "answer", *SLOW),
        Setup(
            *("digits 28 flat itself", "dense 32 relu; dense 784 sigmoid", BINARY, "adadelta"),
            "10 128 1500",
            metric="",
        ),
        "learning.?rate|adam",
        {"optimizer": "adam"},
    ),
    Program(
        *("gap-217", "gh:GreenWaves-Technologies/gap_sdk/issues/217", "digits"),
        *("Adadelta, whose rate is 0.001 now", "Adam", "author", *SLOW),
        Setup("digits 28 onehot", MNIST, ENTROPY, "adadelta", "3 128 1500"),
        "learning.?rate|adam",
        {"optimizer": "adam"},
    ),
    Program(
        *("keras-4066", f"{KERAS}issues/4066", "ten kinds of pictures"),
        *("SGD at 0.01 with momentum: sometimes stuck", "Adam", "answer"),
        *("learning-rate-high", "none"),
        Setup("scenes 32 10 onehot", CIFAR, ENTROPY, "sgd 0.01 momentum=0.9 nesterov", "4 32 800"),
        "adam|learning.?rate",
    ),
    Program(
        *("keras-6182", f"{KERAS}pull/6182", "ten kinds of pictures"),
        *("RMSprop at 0.001: the loss rises after some epochs", "0.0001 that decays", "author"),
        *("learning-rate-high", "none"),
        Setup("scenes 32 10 onehot", CIFAR, ENTROPY, "rmsprop", "5 32 800"),
        "learning.?rate",
    ),
    Program(
        *("keras-9579", f"{KERAS}pull/9579", "digits"),
        *("tanh before the softmax", "only the softmax", "author", "activation-choice", "config"),
        Setup(
            *("digits 28 flat onehot", "dense 32; act relu; dense 10; act tanh; act softmax"),
            *(ENTROPY, "rmsprop", "8 32 1500"),
        ),
        "tanh|one activation|remove|logits",
        {"layers": "dense 32; act relu; dense 10; act softmax"},
    ),
    Program(
        *("kio-254", "gh:keras-team/keras-io/pull/1398", "what each pixel shows"),
        *("ReLU twice", "ReLU once", "author", "activation-choice", "config"),
        Setup(
            "regions",
            "conv 8 3 strides=2 same; bn; act relu; " + PETS,
            *(SPARSE, "rmsprop", "6 16 400"),
        ),
        "remove|redundant|twice|once",
        {"layers": "conv 8 3 strides=2 same; bn; " + PETS},
    ),
    Program(
        *("aeon-1596", "gh:aeon-toolkit/aeon/issues/1596", "kinds of series"),
        *("the inner activation, sigmoid, at the output, with categorical cross-entropy",),
        *("softmax", "author", *HEAD),
        Setup("motion onehot", SERIES + "dense 4 sigmoid", ENTROPY, "adadelta", "20 16 400"),
        "softmax",
        {"layers": SERIES + "dense 4 softmax", "optimizer": "adadelta 1.0"},
    ),
    Program(
        *("hm3-20", "gh:ageron/handson-ml3/pull/20", "prices of houses"),
        *("features on their raw scales, into a wide and deep network", "normalize them"),
        *("author", "unscaled-input", "training"),
        Setup(
            *("districts", "dense 30 relu; dense 30 relu; wide; dense 1", "mse", "adam"),
            "12 32 2000",
            metric="",
        ),
        "scal|normali|standardi",
        {"data": "districts standard", "train": "20 32 2000"},
    ),
    Program(
        *("mscnn-3", "gh:xiaochus/MSCNN/pull/3", "how dense a crowd is"),
        *("ReLU output: all weights and answers become 0", "another activation", "author"),
        *("relu-output", "config"),
        Setup("crowd", CROWD + "conv 1 1 relu", "mse", "rmsprop", "8 6 180", metric=""),
        REGULAR + "|sigmoid|softplus",
        {"layers": CROWD + "conv 1 1", "train": "12 6 240"},
    ),
    Program(
        *("unet-168", "gh:zhixuhao/unet/issues/168", "masks of cells"),
        *("two ReLU channels before the sigmoid die: gray images", "without that layer"),
        *("answer", "dead-units", "training"),
        Setup(
            "masks",
            CELLS + "conv 2 3 relu same init=he_normal; conv 1 1 sigmoid",
            *(BINARY, "adam 0.0001", "5 2 200"),
            metric="",
        ),
        "leaky|units|remove|layer",
        {"layers": CELLS + "conv 1 1 sigmoid", "optimizer": "adam", "train": "8 8 300"},
    ),
    Program(
        *("tfbook-24", "gh:lmoroney/tfbook/issues/24", "the next value of a series"),
        *("the rate has an outdated name, so that it is 0.01: NaN", "the default optimizer"),
        *("author", "learning-rate-high", "training"),
        Setup(
            *("season", "dense 10 relu; dense 10 relu; dense 1", "mse", "sgd 0.01 momentum=0.9"),
            "8 32 1000",
            metric="",
        ),
        "learning.?rate|adam|rmsprop",
        {"optimizer": "rmsprop", "train": "30 32 1000"},
    ),
    Program(
        *("mir-2", "gh:MTG/MIRCourse/issues/2", "four instruments"),
        *("independent sigmoids with binary cross-entropy for classes that exclude one another",),
        *("softmax and categorical cross-entropy", "answer", "loss-choice", "data"),
        Setup("groups 4 20 onehot", "dense 32 relu; dense 4 sigmoid", BINARY, "adam", "8 16 600"),
        "softmax|categorical",
        {"layers": "dense 32 relu; dense 4 softmax", "loss": ENTROPY},
    ),
)
