"""A fifth set of faulty programs: those of papers' benchmarks, and of questions and their answers.

Of DeepLocalize (ICSE 2021) and Defects4ML (2023) what the first four sets do not hold, can be
built, and does not raise; then what searches for networks that do not learn gave, in their order,
if program, fault and fix can be read and the program is in none of the first four sets. Layers and
settings are the programs', widths and data are smaller; where only the lines that matter are
printed, hidden layers are ours. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
REGULAR = "linear|no activation|without.*activation"
HEAD = ("loss-activation", "config")
ONE = ("softmax-one-unit", "config")
SUPER = "gh:kcct-fujimotolab/keras-super-resolution/commit/a0532cf"
DEEPLAB = "gh:srihari-humbarwadi/DeepLabV3_Plus-Tensorflow2.0/commit/ce1a2ca"
PIXELS = "https://i-ciencias.com/pregunta/210930/mal-rendimiento-con-la-funcion-de-activacion-relu-en-el-conjunto-de-datos-mnist"
WIDENING = (
    "dense 10 relu; dense 20; act relu; dense 30; act relu; dense 40; act relu; dense 50; act relu;"
)
UPSAMPLING = "conv 32 3 same; act relu; conv 16 3 same; act relu; conv 3 3 same; act sigmoid"
DECODER = (
    "conv 16 3 relu same init=he_normal; bn; act relu; conv 16 3 relu same init=he_normal; bn;"
    "act relu; conv 2 1"
)

FIFTH_THREADS = (
    Program(
        *("so-50481178", "so:50481178", "whether a row of counts has the label"),
        *("one sigmoid unit for two classes", "two units, softmax and sparse cross-entropy"),
        *("paper", "activation-choice", "none"),
        Setup("labelled", WIDENING + "dense 1; act sigmoid", BINARY, "adam", "20 10 720"),
        "softmax|two units|2 units",
        {"layers": WIDENING + "dense 2 softmax", "loss": SPARSE},
    ),
    Program(
        *("d4ml-023", SUPER, "sharper images"),
        *("200 epochs: too many", "50 epochs", "paper", "overfit", "none"),
        Setup("blurred", UPSAMPLING, BINARY, "adam 0.0001", "200 64 64", metric=""),
        "fewer epochs|early|overfit",
        {"train": "50 64 64"},
    ),
    Program(
        *("d4ml-033", DEEPLAB, "what each pixel shows"),
        *("cross-entropy of a softmax", "sparse cross-entropy of logits", "paper"),
        *("loss-choice", "none"),
        Setup(
            *("regions onehot", DECODER + "; act softmax", ENTROPY, "adam 0.0005", "5 16 300"),
        ),
        "logits",
        {"data": "regions", "layers": DECODER, "loss": "sparse_logits"},
    ),
    Program(
        *("d4ml-040", "gh:dbczumar/mlflow-keras-mnist/commit/86eb14d", "digits"),
        *("two convolutions without pooling between them", "a pooling layer behind each"),
        *("paper", "capacity", "none"),
        Setup(
            "digits 28 onehot",
            "conv 8 3 relu; conv 16 3 relu; pool 2; drop 0.25; flatten; dense 64 relu;"
            "dense 10 softmax",
            *(ENTROPY, "adadelta 1.0", "3 128 1500"),
        ),
        "pool",
        {
            "layers": "conv 16 3 relu; pool 2; conv 16 3 relu; pool 2; drop 0.25; flatten;"
            "dense 64 relu; dense 10 softmax",
        },
    ),
    Program(
        *("ds-91069", "https://datascience.stackexchange.com/questions/91069"),
        *("one of four topics of a text", "sigmoid output with categorical cross-entropy"),
        *("softmax", "answer", *HEAD),
        Setup(
            *("topics 4 onehot", "embed 100 16 frozen; lstm 32; dense 4 sigmoid", ENTROPY),
            *("adam", "5 32 800"),
            metric="categorical_accuracy",
        ),
        "softmax",
        {"layers": "embed 100 16; lstm 32; dense 4 softmax", "train": "8 32 800"},
    ),
    Program(
        *("stats-481881", "https://stats.stackexchange.com/questions/481881"),
        *("whether the second channel is raised", "softmax over one output unit"),
        *("sigmoid", "answer", *ONE),
        Setup(
            *("marked", "conv 8 3 relu; conv 16 3 relu; flatten; dense 1 softmax", ENTROPY),
            *("adam", "1 32 600"),
        ),
        "sigmoid|each class|two units|2 units",
        {
            "layers": "conv 8 3 relu; conv 16 3 relu; flatten; dense 1 sigmoid",
            "loss": BINARY,
            "train": "6 32 600",
        },
    ),
    Program(
        *("stats-565956", "https://stats.stackexchange.com/questions/565956"),
        *("one class of two by five steps", "categorical cross-entropy of one sigmoid unit"),
        *("binary cross-entropy, or a unit for each class", "answer", *HEAD),
        Setup("events", "lstm 32; dense 1 sigmoid", ENTROPY, "adam", "5 64 1500"),
        "binary|unit for each class|softmax",
        {"loss": BINARY},
    ),
    Program(
        *("so-48775305", "so:48775305", "a number by thirteen features"),
        *("accuracy of a regression", "the mean error", "answer", "metric-choice", "config"),
        Setup("boston", "dense 32 relu; dense 1; act linear", "mse", "adam", "40 32 500"),
        "absolute|mae|mean.*error",
        {"metric": "mae"},
    ),
    Program(
        *("so-47241622", "so:47241622", "one class of two by 32 bits, one after another"),
        *("softmax over one output unit; labels of -1 and 1", "sigmoid", "answer", *ONE),
        Setup("flags signed", "lstm 16; dense 1 softmax", BINARY, "adam", "1 200 2000"),
        "sigmoid|each class|two units|2 units",
        {"data": "flags", "layers": "lstm 16; dense 1 sigmoid", "train": "8 32 2000"},
    ),
    Program(
        *("qg-927327", "https://quick-geek.imtqy.com/answers/927327", "the topic of a text"),
        *("sigmoid output with categorical cross-entropy", "softmax", "answer", *HEAD),
        Setup(
            "topics 5 onehot",
            "embed 100 16; drop 0.2; lstm 32 dropout=0.2 recurrent_dropout=0.2; dense 5 sigmoid",
            *(ENTROPY, "adam", "6 64 1000"),
        ),
        "softmax",
        {
            "layers": "embed 100 16; drop 0.2; lstm 32 dropout=0.2 recurrent_dropout=0.2;"
            "dense 5 softmax",
        },
    ),
    Program(
        *("nb-xor", "https://newbedev.com/xor-not-learned-using-keras-v2-0", "XOR"),
        *("two tanh units: often stuck", "ReLU in the hidden layer", "answer"),
        *("capacity", "none"),
        Setup("corners", "dense 2 tanh; dense 1 sigmoid", BINARY, "adam", "60 4 256", metric=""),
        "relu|units",
    ),
    Program(
        *("md-848026", "https://manongdao.com/q-848026.html", "-1 as 1"),
        *("one leaky unit of slope 0.001 starts on the wrong side", "a negative start, or longer"),
        *("author", "dead-units", "training"),
        Setup("minus", "dense 1 init=normal; leaky 0.001", "mse", "adam", "10 10 2000"),
        "initial|longer|epoch|leaky|slope",
        {"layers": "dense 4 init=uniform; leaky 0.3; dense 1", "metric": "mae"},
    ),
    Program(
        *("ea-56000314", "https://example-a.com/answer/56000314", "26 kinds of pictures"),
        *("independent sigmoids with binary cross-entropy for classes that exclude one another",),
        *("softmax, categorical cross-entropy, Adam", "answer", "loss-choice", "data"),
        Setup(
            "scenes 24 26 onehot",
            "conv 16 3 relu frozen; pool 2; conv 16 3 relu frozen; pool 2; flatten; dense 64 relu;"
            "dense 26 sigmoid",
            *(BINARY, "sgd", "6 32 1000"),
        ),
        "softmax|categorical",
        {
            "layers": "conv 16 3 relu; pool 2; conv 16 3 relu; pool 2; flatten; dense 64 relu;"
            "dense 26 softmax",
            "loss": ENTROPY,
            "optimizer": "adam",
        },
    ),
    Program(
        *("ds-28191", "https://datascience.stackexchange.com/questions/28191", "a sine"),
        *("ReLU output for values of -1 to 1, behind one ReLU unit, inputs to 314",),
        *("linear output", "answer", "relu-output", "config"),
        Setup(
            *("longsine", "dense 1; act relu; dense 100; act relu; dense 1; act relu", "mse"),
            *("sgd", "10 32 3140"),
            metric="",
        ),
        REGULAR,
        {
            "data": "shortsine",
            "layers": "dense 100; act relu; dense 40; act relu; dense 1",
            "optimizer": "adam",
            "train": "30 32 3000",
        },
    ),
    Program(
        *("ic-210930", PIXELS, "pieces of clothing"),
        *("pixels of 0 to 255", "divide them by 255", "author", "unscaled-input", "training"),
        Setup(
            *("digits 28 byte onehot", "flatten; dense 64 relu; dense 64 relu; dense 10 softmax"),
            *(ENTROPY, "adam", "8 32 1500"),
        ),
        "scal|255|normali|standardi",
        {"data": "digits 28 onehot"},
    ),
    Program(
        *("ds-47720", "https://datascience.stackexchange.com/questions/47720", "stars of reviews"),
        *("overfits after two epochs", "dropout", "answer", "overfit", "none"),
        Setup(
            "topics 5 onehot",
            "embed 100 32; conv1d 16 4 relu; flatten; dense 10 relu; dense 5 softmax",
            *(ENTROPY, "adam", "12 50 500"),
        ),
        "dropout|regulari",
        {
            "layers": "embed 100 32; conv1d 16 4 relu; drop 0.5; flatten; dense 10 relu; drop 0.2;"
            "dense 5 softmax",
        },
    ),
)
