"""A fourth set of faulty programs: those of issues, and of changes that mend one.

The first that searches for answers which do not change and for losses that do not fall gave, with
a program and a fault that can be read, in their order, and in none of the first three sets. Fault
and fix are those of the thread; where nobody answered, `basis` is reading. Layers and settings are
the programs', widths and data are smaller. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
KERAS = "gh:keras-team/keras/issues/"
REGULAR = "linear|no activation|without.*activation"
HEAD = ("loss-activation", "config")
ONE = ("softmax-one-unit", "config")
BLOCKS = "conv 16 3; bn; act relu; conv 16 3 strides=2; bn; act relu; gap;"

FOURTH_ISSUES = (
    Program(
        *("keras-3040", f"{KERAS}3040", "twice a number of 0 to 199"),
        *("a rate of 0.001 for such inputs: the weights become NaN", "a lower rate", "author"),
        *("learning-rate-high", "training"),
        Setup("doubles", "dense 1", "mse", "sgd 0.001", "1 1 200", metric=""),
        "learning.?rate",
        {"optimizer": "sgd 0.00001"},
    ),
    Program(
        *("dlk-9", "gh:rstudio-conf-2020/dl-keras-tf/issues/9", "prices of houses"),
        *("MSE of prices of 755,000 with SGD at 0.1: NaN", "the logarithm of prices", "answer"),
        *("unscaled-target", "training"),
        Setup(
            *("houses", "dense 32 relu; dense 32 relu; dense 1", "mse", "sgd 0.1", "5 16 800"),
            metric="mae",
        ),
        "scal|log|standardi|normali",
        {"data": "houses target", "optimizer": "sgd 0.01", "train": "15 16 800"},
    ),
    Program(
        *("keras-321", f"{KERAS}321", "the next of two numbers of 1 to 10"),
        *("softmax with MSE for values of up to 10", "linear output", "reading", *HEAD),
        Setup(
            *("saws", "lstm 32; dense 2; act softmax", "mse", "rmsprop", "10 64 800"),
            metric="",
        ),
        REGULAR,
        {"layers": "lstm 32; dense 2", "train": "20 32 800"},
    ),
    Program(
        *("keras-8091", f"{KERAS}8091", "one of 14 classes"),
        *("binary cross-entropy of a softmax over 14 classes", "categorical cross-entropy"),
        *("answer", "loss-choice", "config"),
        Setup("groups onehot", "dense 32 relu; dense 14 softmax", BINARY, "adam", "8 32 1000"),
        "categorical",
        {"loss": ENTROPY},
    ),
    Program(
        *("tf-41413", "gh:tensorflow/tensorflow/issues/41413", "cats and dogs"),
        *("accuracy of logits with the limit of probabilities", "a threshold of 0", "answer"),
        *("metric-choice", "config"),
        Setup(
            "scenes 24 2",
            "conv 16 3 relu frozen; pool 2; conv 32 3 relu frozen; gap; drop 0.2; dense 1",
            *("binary_logits", "rmsprop 0.0001", "8 32 600"),
        ),
        "threshold",
        {
            "metric": "logits_accuracy",
            "optimizer": "rmsprop 0.01",
        },
    ),
    Program(
        *("keras-6014", f"{KERAS}6014", "chairs and lamps"),
        *("batch normalization after 40 steps: its statistics are not those of the data",),
        *("more steps, lower momentum", "reading", "bn-statistics", "training"),
        Setup(
            "scenes 32 2",
            "conv 5 4 strides=2 same; leaky; conv 10 4 strides=2 same; bn; leaky; flatten;"
            "dense 1 sigmoid",
            *(BINARY, "adam", "5 8 64"),
        ),
        "momentum|moving|longer|steps|statistics",
        {"train": "6 8 800"},
    ),
    Program(
        *("keras-8411", f"{KERAS}8411", "three pictures by heart"),
        *("batch normalization after five steps: its statistics are not those of the data",),
        *("more steps, lower momentum", "reading", "bn-statistics", "training"),
        Setup(
            *("digits 28 3 onehot byte", BLOCKS + "dense 3 softmax", ENTROPY, "adam", "5 32 6"),
        ),
        "momentum|moving|longer|steps|statistics",
        {"data": "digits 28 3 onehot", "train": "12 8 400"},
    ),
    Program(
        *("keras-3642", f"{KERAS}3642", "an autoencoder of digits"),
        *("pixels of 0 to 255 where the sigmoid gives 0 to 1", "divide them by 255", "answer"),
        *("unscaled-input", "training"),
        Setup(
            *("digits 28 flat byte itself", "dense 32 relu; dense 784 sigmoid", BINARY),
            *("adadelta 1.0", "8 64 1500"),
            metric="",
        ),
        "scal|255|normali|standardi",
        {"data": "digits 28 flat itself", "optimizer": "adam"},
    ),
    Program(
        *("keras-9286", f"{KERAS}9286", "digits"),
        *("dense layers without activation between them", "ReLU behind each", "answer"),
        *("linear-stack", "config"),
        Setup(
            "digits 28 onehot",
            "conv 8 3; act relu; conv 8 3; act relu; pool 2; drop 0.25; flatten; dense 64;"
            "dense 64; act relu; drop 0.5; dense 10; act softmax",
            *(ENTROPY, "adadelta 1.0", "3 128 1500"),
        ),
        "activation|relu",
        {
            "layers": "conv 8 3 relu; conv 8 3 relu; pool 2; drop 0.25; flatten; dense 64 relu;"
            "dense 64 relu; drop 0.5; dense 10; act softmax",
        },
    ),
    Program(
        *("resnet-49", "gh:raghakot/keras-resnet/issues/49", "two kinds of pictures"),
        *("softmax over one output unit of a residual network", "sigmoid", "answer", *ONE),
        Setup("scenes 24 2", BLOCKS + "dense 1 softmax", BINARY, "adam", "4 32 500"),
        "sigmoid",
        {"layers": BLOCKS + "dense 1 sigmoid", "train": "8 16 600"},
    ),
    Program(
        *("vis-87", "gh:raghakot/keras-vis/pull/87", "digits"),
        *("a second softmax behind the first", "one softmax", "author", "softmax-twice", "config"),
        Setup(
            "digits 28 onehot",
            "conv 8 3 relu; conv 16 3 relu; pool 2; drop 0.25; flatten; dense 64 relu; drop 0.5;"
            "dense 10 softmax; act softmax",
            *(ENTROPY, "adam", "3 64 1500"),
        ),
        "one softmax|only one|remove|single softmax|twice",
        {
            "layers": "conv 8 3 relu; conv 16 3 relu; pool 2; drop 0.25; flatten; dense 64 relu;"
            "drop 0.5; dense 10 softmax",
        },
    ),
    Program(
        *("vgg-1", "gh:geifmany/cifar-vgg/issues/1", "ten kinds of pictures"),
        *("SGD at 0.1: the loss becomes NaN", "0.01", "author", "learning-rate-high", "training"),
        Setup(
            "scenes 24 10 standard onehot",
            "conv 16 3 same l2=0.0005; act relu; bn; drop 0.3; conv 16 3 same l2=0.0005; act relu;"
            "bn; pool 2; conv 32 3 same l2=0.0005; act relu; bn; drop 0.4; conv 32 3 same"
            " l2=0.0005; act relu; bn; pool 2; drop 0.5; flatten; dense 64 l2=0.0005; act relu;"
            "bn; drop 0.5; dense 10; act softmax",
            *(ENTROPY, "sgd 0.1 momentum=0.9 nesterov", "4 128 1000"),
        ),
        "learning.?rate",
        {"optimizer": "sgd 0.01 momentum=0.9 nesterov", "train": "6 16 1000"},
    ),
    Program(
        *("vggface-43", "gh:rcmalli/keras-vggface/issues/43", "seven ages of faces"),
        *("SGD at 0.00001 for a new head: it stays", "a higher rate", "answer"),
        *("learning-rate-low", "training"),
        Setup(
            "scenes 24 7 onehot",
            "conv 16 3 relu frozen; pool 2; conv 32 3 relu frozen; pool 2; flatten; dense 64 relu;"
            "dense 64 relu; dense 7 softmax",
            *(ENTROPY, "sgd 0.00001 momentum=0.9", "5 32 800"),
        ),
        "learning.?rate|longer|epoch",
        {"optimizer": "sgd 0.01 momentum=0.9"},
    ),
    Program(
        *("keras-4171", f"{KERAS}4171", "two classes of a table: the loss stays at 7"),
        *("features on their raw scales", "standardize them", "reading"),
        *("unscaled-input", "training"),
        Setup(
            *("packets", "dense 64; prelu; dense 32; prelu; dense 1; act sigmoid", BINARY, "adam"),
            *("8 128 1500",),
            metric="",
        ),
        "scal|normali|standardi",
        {"data": "packets standard"},
    ),
    Program(
        *("keras-6521", f"{KERAS}6521", "prices of houses"),
        *("the number of epochs is not read: 10 instead of 100", "epochs=100", "answer"),
        *("undertrained", "training"),
        Setup(
            *("boston", "dense 75 relu init=normal; dense 1 init=normal", "mse", "adam"),
            *("10 32 380",),
            metric="",
        ),
        "longer|epoch",
        {"train": "100 32 380"},
    ),
)
