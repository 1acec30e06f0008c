"""A third set of faulty programs, of threads; for a later first look.

None of them is in the first two sets. They are the first twelve that searches for answers that are
always the same gave, with a program and a fault that can be read. Fault and fix are those of the
thread; where nobody answered, `basis` is reading. Layers and settings are the programs', widths and
data are smaller. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
KERAS = "gh:keras-team/keras/issues/"
REGULAR = "linear|no activation|without.*activation"
ONE = ("softmax-one-unit", "config")
HEAD = ("loss-activation", "config")

THIRD_SET = (
    Program(
        *("keras-10607", f"{KERAS}10607", "rise or fall by 34 indicators"),
        *("softmax over one output unit", "sigmoid", "answer", *ONE),
        Setup(
            "reviews 34",
            "dense 64 relu; dense 32 relu; dense 32 relu; dense 16 relu; dense 1 softmax",
            *(BINARY, "rmsprop", "2 50 1000"),
            metric="binary_accuracy",
        ),
        "sigmoid",
        {"layers": "dense 32 relu; dense 16 relu; dense 1 sigmoid", "train": "6 50 1000"},
    ),
    Program(
        *("keras-500", f"{KERAS}500", "what follows in a sequence"),
        *("softmax over one output unit of an LSTM", "sigmoid or more units", "answer", *ONE),
        Setup("waves 10", "lstm 16; dense 1; act softmax", BINARY, "rmsprop", "4 32 400"),
        "sigmoid",
        {"layers": "lstm 16; dense 1; act sigmoid", "train": "10 32 400"},
    ),
    Program(
        *("keras-9939", f"{KERAS}9939", "five classes of a table: all answers 0"),
        *("sigmoid output with categorical cross-entropy", "softmax", "reading", *HEAD),
        Setup(
            "flows onehot",
            "dense 14 relu; drop 0.5; dense 14 relu; drop 0.5; dense 14 relu; dense 5 sigmoid",
            *(ENTROPY, "sgd 0.01 momentum=0.001 nesterov", "10 32 1500"),
        ),
        "softmax|binary",
        {"layers": "dense 14 relu; dense 14 relu; dense 5 softmax", "optimizer": "adam"},
    ),
    Program(
        *("keras-4784", f"{KERAS}4784", "two classes of a table: the loss stays 4.44"),
        *("ReLU output with binary cross-entropy", "sigmoid", "reading", *HEAD),
        Setup(
            "rare",
            "dense 64 relu init=uniform; dense 32 tanh init=uniform; dense 12 relu init=uniform;"
            "dense 8 sigmoid init=uniform; dense 1 relu init=uniform",
            *(BINARY, "sgd 0.0001 momentum=0.4", "5 300 3000"),
        ),
        "sigmoid",
        {"layers": "dense 32 relu; dense 1 sigmoid", "optimizer": "adam", "train": "5 32 3000"},
    ),
    Program(
        *("keras-11033", f"{KERAS}11033", "five classes of signals"),
        *("independent sigmoids for classes that exclude one another", "softmax", "answer"),
        *("loss-choice", "data"),
        Setup(
            "flows steps onehot",
            "conv1d 8 3; conv1d 16 3; flatten; dense 64 relu; dense 32 relu; dense 16 relu;"
            "dense 8 relu; dense 5 sigmoid",
            *(BINARY, "adam", "4 10 800"),
        ),
        "softmax",
        {
            "layers": "conv1d 8 3 relu; flatten; dense 32 relu; dense 5 softmax",
            "loss": ENTROPY,
        },
    ),
    Program(
        *("keras-1727", f"{KERAS}1727", "numbers that follow a sequence: a constant"),
        *("sigmoid behind each LSTM, few steps", "no further activation", "reading"),
        *("saturating-hidden", "config"),
        Setup(
            "shares",
            "lstm 20 seq; act sigmoid; drop 0.2; lstm 20; act sigmoid; drop 0.2; dense 1",
            *("mse", "rmsprop", "20 450 1500"),
            metric="",
        ),
        "sigmoid|activation",
        {"layers": "lstm 20; dense 1", "train": "15 32 1500", "optimizer": "adam 0.005"},
    ),
    Program(
        *("so-75639192", "https://isolution.pro/q/so75639192", "y = 2 x + 1 of one number"),
        *("a sigmoid as the output of a regression", "no activation", "answer"),
        *("output-range", "data"),
        Setup("line", "dense 1 sigmoid", "mse", "sgd", "30 7 7", metric=""),
        REGULAR + "|range",
        {"layers": "dense 1"},
    ),
    Program(
        *("so-49867234", "https://thinbug.com/q/49867234", "the constant 42"),
        *("1000 steps of 0.001 reach 1, not a target of 42", "scale targets, or longer"),
        *("answer", "undertrained", "training"),
        Setup(
            "answer", "dense 1", "mae", "rmsprop", "1 1 1000", metric=""
        ),  # one pass over 1,000 equal rows: the same steps
        "longer|epoch|learning rate|[Ss]cale the targets",
    ),
    Program(
        *("pr-11818227", "http://pullrequest.ru/11818227", "digits"),
        *("weights that start at 0, behind a softmax in a hidden layer", "random weights"),
        *("answer", "constant-init", "training"),
        Setup(
            "digits 20 flat onehot",
            "dense 10 softmax init=zeros; dense 10 softmax init=zeros",
            *(ENTROPY, "sgd 0.5", "3 100 1500"),
        ),
        "random|initiali[sz]er",
        {"layers": "dense 10 sigmoid; dense 10 softmax", "optimizer": "adam 0.01"},
    ),
    Program(
        *("pr-8552344", "http://pullrequest.ru/8552344", "whether 100 bits are allowed"),
        *("all training rows have the label 1", "rows of both classes", "answer"),
        *("class-missing", "data"),
        Setup("reviews 100 ones", "dense 16 relu; dense 1 sigmoid", BINARY, "adam", "5 32 1000"),
        "class|label|data",
        {"data": "reviews 100"},
    ),
    Program(
        *("keras3-296", "gh:rstudio/keras3/issues/296", "traffic speed: the accuracy stays 0.0056"),
        *("accuracy of a regression", "mean absolute error", "reading"),
        *("metric-choice", "config"),
        Setup(
            "smooth",
            "dense 64 relu; drop 0.4; dense 32 relu init=uniform; drop 0.3; dense 1 init=uniform",
            *("mse", "adam", "40 64 178"),
        ),
        "mae|mean_absolute_error|MeanAbsoluteError|RootMeanSquaredError",
        {"metric": "mae"},
    ),
    Program(
        *("keras-2975", f"{KERAS}2975", "two classes of a table: one answer for nearly all"),
        *("features on their raw scales", "standardize them", "answer"),
        *("unscaled-input", "training"),
        Setup(
            "packets onehot",
            "dense 100 tanh; dense 50 tanh; dense 2 softmax",
            *(ENTROPY, "sgd 0.01", "8 32 1500"),
        ),
        "scal|normali|standardi",
        {"data": "packets standard onehot"},
    ),
)
