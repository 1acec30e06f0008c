"""A sixth set of faulty programs: those of papers' benchmarks whose patches can be read.

Of DeepFD (ICSE 2022), DEFault (ICSE 2025) and Defects4ML (2023) what the first five sets do not
hold, can be built, and does not raise, if patch and program can be read. Settings are the
programs', widths and data are smaller; where only the lines that matter are printed, hidden layers
are ours. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
SCALE = "scal|normali|standardi"
LONGER = "longer|epoch"
KEEP = "fewer epochs|early|overfit"
BOTTLENECK = "dense 20 {0}; dense 20 {0}; dense 3 {0}; dense 20 {0}; dense 20 {0}; dense 10 {1}"
FACES = "pool 2; flatten; dense 32 relu; dense 10 softmax"
CIFAR = (
    "conv 8 3 same; act relu; conv 16 3; act relu; flatten; dense 32; act relu; drop 0.5; dense 10;"
    "act softmax"
)
LSTM_5 = "lstm 5 relu seq recurrent_dropout={0} init={1}{2}; lstm 5 relu; dense 1 sigmoid"

SIXTH_PATCHES = (
    Program(
        *("so-41600519", "so:41600519", "signals among events, thirty raw features"),
        *("RMSprop, one epoch of single rows", "Adam, MSE, 100 epochs of 64", "paper"),
        *("batch-size", "none"),
        Setup(
            *("particles", "dense 32 relu; dense 1 sigmoid", BINARY, "rmsprop", "1 1 800"),
        ),
        f"batch.?size|adam|{LONGER}|larger batch",
        {"optimizer": "adam", "loss": "mse", "train": "100 64 800"},
    ),
    Program(
        *("so-41977498", "so:41977498", "three species by their main components"),
        *("ten epochs of RMSprop at its default", "100 epochs of Adam at 0.01", "paper"),
        *("undertrained", "training"),
        Setup(
            *("iris standard onehot", "dense 8 relu; dense 3 softmax", ENTROPY, "rmsprop"),
            "10 32 150",
        ),
        f"{LONGER}|learning.?rate|adam",
        {"optimizer": "adam 0.01", "train": "100 32 150"},
    ),
    Program(
        *("so-42514960", "so:42514960", "an autoencoder of values of -1 to 1"),
        *("ReLU, and a sigmoid for values below 0", "tanh in all layers", "paper"),
        *("output-range", "data"),
        Setup(
            *("latent itself", BOTTLENECK.format("relu", "sigmoid"), "mse", "adam", "20 32 1000"),
            metric="",
        ),
        "tanh|linear|no activation",
        {"layers": BOTTLENECK.format("tanh", "tanh")},
    ),
    Program(
        *("so-42800203", "so:42800203", "opinions by words"),
        *("softmax over one output unit", "sigmoid", "paper", "softmax-one-unit", "config"),
        Setup("tokens", "embed 50 16; lstm 16; dense 1 softmax", BINARY, "adam", "5 32 800"),
        "sigmoid|each class|two units|2 units",
        {"layers": "embed 50 16; lstm 16; dense 1 sigmoid"},
    ),
    Program(
        *("so-51181393", "so:51181393", "a line"),
        *("RMSprop at its default for few steps; accuracy of a regression", "0.1; the mean error"),
        *("paper", "learning-rate-low", "training"),
        Setup("halves", "dense 1", "mse", "rmsprop", "20 32 200"),
        f"learning.?rate|{LONGER}|mae|absolute",
        {"optimizer": "rmsprop 0.1", "metric": "mae"},
    ),
    Program(
        *("so-47932589", "so:47932589", "a number of thousands by three raw features"),
        *("inputs and targets on their raw scales", "both to 0 to 1", "paper"),
        *("unscaled-input", "training"),
        Setup(
            *("loads", "dense 32 relu; dense 32 relu; dense 1", "mse", "adam", "10 32 800"),
            metric="",
        ),
        SCALE,
        {"data": "loads minmax"},
    ),
    Program(
        *("so-70818269", "so:70818269", "faces in color"),
        *("pictures made gray; large batches, 15 epochs", "color; longer, until it stops"),
        *("paper", "capacity", "none"),
        Setup(
            *("scenes 32 10 gray onehot", "conv 8 5 relu same; " + FACES, ENTROPY, "adam"),
            "15 250 600",
        ),
        f"color|colour|channels|{LONGER}|batch",
        {"data": "scenes 32 10 onehot", "train": "40 128 600"},
    ),
    Program(
        *("so-52448552", "so:52448552", "ten kinds of pictures"),
        *("pixels of 0 to 255, two epochs", "divide them by 255, longer", "paper"),
        *("unscaled-input", "training"),
        Setup(
            *("scenes 24 10 byte onehot", "flatten; dense 64 relu; dense 10 softmax", ENTROPY),
            *("adam", "2 32 800"),
        ),
        f"{SCALE}|255|{LONGER}",
        {"data": "scenes 24 10 onehot", "train": "40 128 800"},
    ),
    Program(
        *("so-66468006", "so:66468006", "three classes of a small table"),
        *("overfits", "dropout, and to stop early", "paper", "overfit", "none"),
        Setup(
            *("groups 3 20 onehot", "dense 64 relu; dense 64 relu; dense 3 softmax", ENTROPY),
            *("adam", "60 16 150"),
        ),
        f"dropout|{KEEP}|regulari",
        {
            "layers": "dense 64 relu; drop 0.2; dense 64 relu; drop 0.2; dense 3 softmax",
            "train": "12 16 150",
        },
    ),
    Program(
        *("so-64522751", "so:64522751", "ten kinds of pictures by their numbers"),
        *("one unit without activation, binary cross-entropy, Adam at 0.1",),
        *("ten units, sparse cross-entropy, 0.001", "paper", "loss-activation", "config"),
        Setup(
            *("scenes 24 10", "conv 8 3 relu; pool 2; flatten; dense 32 relu; dense 1", BINARY),
            *("adam 0.1", "3 10 600"),
        ),
        "sigmoid|softmax|units|unit for each|logits|sparse|learning.?rate",
        {
            "layers": "conv 8 3 relu; pool 2; flatten; dense 32 relu; dense 10 softmax",
            "loss": SPARSE,
            "optimizer": "adam",
            "train": "8 32 600",
        },
    ),
    Program(
        *("so-66840108", "so:66840108", "three times a number by the number and its double"),
        *("binary cross-entropy of a sigmoid for a number of 78 to 1464", "MSE", "paper"),
        *("output-range", "data"),
        Setup(
            *("multiples", "dense 64 relu; dense 32 relu; dense 1 sigmoid", BINARY, "adam"),
            "100 10 44",
        ),
        "mse|mean squared|linear|no activation",
        {
            "layers": "dense 64 relu; dense 32 relu; dense 1",
            "loss": "mse",
            "metric": "",
        },
    ),
    Program(
        *("so-66952606", "so:66952606", "one class of two by 32 steps"),
        *("overfits; only the last state is used", "all states, dropout, a penalty", "paper"),
        *("overfit", "none"),
        Setup("flags", "lstm 32 dropout=0.2; dense 1 sigmoid", BINARY, "adam", "40 32 200"),
        f"dropout|{KEEP}|regulari|all states|sequences",
        {"layers": "lstm 32 seq dropout=0.2; flatten; drop 0.5; dense 1 sigmoid l2=0.01"},
    ),
    Program(
        *("so-73457069", "so:73457069", "the next value of a wave"),
        *("40 epochs of few rows: a flat line", "2000 epochs of Adam at 0.005, MAE", "paper"),
        *("undertrained", "training"),
        Setup("tides", "lstm 16; dense 1", "mse", "adam", "40 32 40", metric=""),
        f"{LONGER}|learning.?rate",
        {"loss": "mae", "optimizer": "adam 0.005", "train": "250 32 40"},
    ),
    Program(
        *("so-70217712", "so:70217712", "one class of two by a sensor of five channels"),
        *("ReLU in an LSTM over many steps: NaN", "tiny initial weights, more dropout", "paper"),
        *("recurrent-activation", "config"),
        Setup(
            *("sensor", LSTM_5.format(0.1, "glorot_uniform", " l2=0.00001"), BINARY, "adam"),
            "4 32 300",
        ),
        "tanh|initial",
        {"layers": LSTM_5.format(0.2, "tiny", "")},
    ),
    Program(
        *("so-68692047", "so:68692047", "four kinds of motion"),
        *("accuracy that compares one-hot labels with probabilities for equality",),
        *("categorical accuracy, a loss from logits", "paper", "metric-choice", "config"),
        Setup(
            *("motion onehot", "lstm 32; dense 4 softmax", ENTROPY, "adam", "8 32 600"),
            metric="equal",
        ),
        "categorical",
        {
            "layers": "lstm 32; dense 4",
            "loss": "categorical_logits",
            "metric": "categorical_accuracy",
        },
    ),
    Program(
        *("d4ml-011", "gh:acflorea/keras-playground/commit/d44c90c", "ten kinds of pictures"),
        *("100 epochs: too many", "ten epochs", "paper", "overfit", "none"),
        Setup("scenes 16 10 onehot", CIFAR, ENTROPY, "rmsprop 0.0001", "100 32 120"),
        KEEP,
        {"train": "10 32 120"},
    ),
    Program(
        *("d4ml-034", "gh:rafalschmidt97/rnn-practice/commit/31a95ee", "the next letter"),
        *("sequences in their order, five epochs", "shuffled, ten epochs", "paper"),
        *("batch-size", "none"),
        Setup(
            *("nextletter onehot", "lstm 32; drop 0.2; bn; dense 9 softmax", ENTROPY, "adam"),
            "5 128 1500",
        ),
        f"shuffle|{LONGER}",
        {"train": "10 128 1500"},
    ),
)
