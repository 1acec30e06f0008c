"""A fourth set of faulty programs: those of questions and their answers.

The first that searches for answers which do not change and for losses that do not fall gave, with
a program and a fault that can be read, in their order, and in none of the first three sets. Fault
and fix are those of the answer; where the copy does not have it, `basis` is reading. Layers and
settings are the programs', widths and data are smaller. All of this was written before any audit
of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
REGULAR = "linear|no activation|without.*activation"
HEAD = ("loss-activation", "config")
ONE = ("softmax-one-unit", "config")
CLASSES = "https://exchangetuts.com/keras-multi-class-prediction-output-is-limited-to-one-class-1640584924134214"
ACCURACY = "https://intellipaat.com/community/17161/keras-model-evaluate-vs-model-predict-accuracy-difference-in-multi-class-nlp-task"
SIGMOID = "https://panteravb.com/q/why-does-the-sigmoid-activation-function-work-but-relu-does-not"

FOURTH_THREADS = (
    Program(
        *("gm-same", "https://geeksmental.com/question/why-does-accuracy-remain-the-same"),
        *("whether a number of up to 100,000 is above half of it",),
        *("ReLU output with binary cross-entropy", "sigmoid, scaled input", "reading", *HEAD),
        Setup(
            *("limit", "dense 3 relu; dense 5 relu; dense 1 relu", BINARY, "adam", "5 5 1500"),
        ),
        "sigmoid",
        {
            "data": "limit standard",
            "layers": "dense 3 relu; dense 5 relu; dense 1 sigmoid",
            "train": "20 5 1500",
        },
    ),
    Program(
        *("stats-387150", "https://stats.stackexchange.com/q/387150", "three points of a sine"),
        *("no activation between two dense layers, Adam at 0.00001", "an activation", "reading"),
        *("linear-stack", "config"),
        Setup("three", "dense 10; dense 1", "mse", "adam 0.00001", "100 3 300", metric=""),
        "activation|relu|tanh",
        {"layers": "dense 10 tanh; dense 1", "optimizer": "adam 0.01"},
    ),
    Program(
        *("stats-284189", "https://stats.stackexchange.com/questions/284189"),
        *("a line through raw numbers", "not standardized: the weights become NaN"),
        *("standardize both", "answer", "unscaled-input", "training"),
        Setup("columns", "dense 1", "mse", "sgd", "5 1 200", metric="mse"),
        "scal|standardi|normali",
        {"data": "columns standard target"},
    ),
    Program(
        *("so-77588498", "https://example-a.com/answer/77588498", "ten times a number"),
        *("tanh as the output of a regression", "linear output", "answer", "output-range", "data"),
        Setup(
            *("tenfold", "dense 16 tanh; dense 8 tanh; dense 4 tanh; dense 1 tanh", "mse"),
            *("adam", "30 32 1000"),
            metric="",
        ),
        REGULAR + "|range|[Ss]cale the targets",
        {"layers": "dense 1", "optimizer": "adam 0.1"},
    ),
    Program(
        *("so-69364684", "https://whosebug.com/question/6205875", "an autoencoder of sequences"),
        *("ReLU in four GRUs: dead units", "tanh", "paper", "recurrent-activation", "config"),
        Setup(
            "waves itself",
            "gru 8 relu seq; gru 4 relu; repeat 20; gru 4 relu seq; gru 8 relu seq; timed 1",
            *("mse", "adam 0.01", "5 64 800"),
            metric="",
        ),
        "tanh",
        {
            "layers": "gru 8 seq; gru 4; repeat 20; gru 4 seq; gru 8 seq; timed 1",
            "train": "15 32 800",
        },
    ),
    Program(
        *(
            "pv-relu",
            SIGMOID,
        ),
        *("the first of three bits", "ReLU output with binary cross-entropy", "sigmoid"),
        *("answer", *HEAD),
        Setup("first", "dense 1 relu", BINARY, "adam", "20 4 400"),
        "sigmoid",
        {"layers": "dense 1 sigmoid"},
    ),
    Program(
        *("stats-433365", "https://stats.stackexchange.com/questions/433365", "learns XOR"),
        *("ReLU output with MSE, no activation in the first layer",),
        *("an activation; sigmoid and cross-entropy; longer", "answer", "relu-output", "config"),
        Setup(
            *("corners", "dense 2; dense 2 relu; dense 1 relu", "mse", "sgd", "5 32 4000"),
            metric="",
        ),
        "sigmoid|activation|" + REGULAR,
        {
            "layers": "dense 8 relu; dense 8 relu; dense 1 sigmoid",
            "loss": BINARY,
            "optimizer": "adam 0.01",
            "metric": "accuracy",
        },
    ),
    Program(
        *("xt-classes", CLASSES, "five classes of 5 % to 46 %"),
        *("uneven classes: only the most frequent is answered", "class weights", "answer"),
        *("imbalance", "data"),
        Setup(
            *("uneven onehot", "dense 40 relu; drop 0.2; dense 10 relu; dense 5 softmax", ENTROPY),
            *("rmsprop", "10 32 1500"),
        ),
        "class.?weight|balance|oversampl",
    ),
    Program(
        *("zx-7399595", "https://www.52zhanxing.com/ask/7399595.html", "digits"),
        *("the second side of the window is taken for the stride of 3", "a pair of sides"),
        *("answer", "stride", "config"),
        Setup(
            "digits 28 onehot",
            "conv 32 3 strides=3; act relu; conv 32 3 strides=3; act relu; pool 2; drop 0.25;"
            "flatten; dense 64; act relu; drop 0.5; dense 10; act softmax",
            *(ENTROPY, "adadelta", "6 128 2000"),
        ),
        "stride|window|kernel",
        {
            "layers": "conv 16 3 relu; conv 16 3 relu; pool 2; drop 0.25; flatten; dense 64 relu;"
            "drop 0.5; dense 10 softmax",
            "optimizer": "adadelta 1.0",
            "train": "3 64 1500",
        },
    ),
    Program(
        *("so-63909566", "https://example-a.com/answer/63909566", "a probability"),
        *("softmax over one output unit with MSE", "sigmoid", "answer", *ONE),
        Setup("chances", "dense 16 relu; dense 1 softmax", "mse", "adam", "10 32 800", metric=""),
        "sigmoid",
        {"layers": "dense 16 relu; dense 1 sigmoid", "train": "30 32 800"},
    ),
    Program(
        *("wb-4420221", "https://www.whosebug.com/question/4420221", "half of a number"),
        *("ReLU output behind a single ReLU unit, five rows: all 0",),
        *("linear output, lower rate, more rows", "answer", "relu-output", "config"),
        Setup(
            *("half", "dense 1 relu; dense 9 relu; dense 1 relu", "mse", "adam 0.01", "10 32 5"),
            metric="mse",
        ),
        REGULAR,
        {
            "layers": "dense 16 relu; dense 9 relu; dense 1",
            "optimizer": "adam",
            "train": "30 32 1000",
        },
    ),
    Program(
        *("wb-6177953", "https://www.whosebug.com/index.php/question/6177953", "the same number"),
        *("narrower and narrower ReLU layers die", "leaky ReLU, wider layers", "reading"),
        *("dead-units", "training"),
        Setup(
            "identity",
            "dense 16; act relu; dense 8; act relu; dense 4; act relu; dense 2; act relu; dense 1",
            *("mse", "sgd 0.01", "10 32 3000"),
            metric="mae",
        ),
        "leaky|units|learning rate",
        {
            "layers": "dense 16; leaky; dense 8; leaky; dense 4; leaky; dense 2; leaky; dense 1",
        },
    ),
    Program(
        *("so-58887284", "https://codewithsundeep.com/discussion/solution/58887284"),
        *("a curve of -1 to 0", "sigmoid for negative targets", "targets of 0 to 1", "answer"),
        *("output-range", "data"),
        Setup("negative", "dense 1 sigmoid", "mse", "adam 0.01", "100 32 111", metric="mae"),
        REGULAR + "|range|[Ss]cale the targets",
        {"layers": "dense 8 tanh; dense 1"},
    ),
    Program(
        *("ip-17161", ACCURACY, "19 topics of texts"),
        *("independent sigmoids and binary accuracy for classes that exclude one another",),
        *("softmax and categorical cross-entropy", "answer", "loss-choice", "data"),
        Setup(
            "topics 19 onehot",
            "embed 100 16 frozen; lstm 32 dropout=0.2 recurrent_dropout=0.2; drop 0.2; bn;"
            "dense 32 relu; drop 0.2; bn; dense 19 sigmoid",
            *(BINARY, "adam", "5 64 1200"),
        ),
        "softmax|categorical",
        {
            "layers": "embed 100 16; lstm 32; bn; dense 32 relu; bn; dense 19 softmax",
            "loss": ENTROPY,
            "train": "8 32 1200",
        },
    ),
    Program(
        *("ds-18667", "https://datascience.stackexchange.com/questions/18667", "digits"),
        *("pixels of 0 to 255 with ReLU and SGD", "divide them by 255", "answer"),
        *("unscaled-input", "data"),
        Setup(
            "digits 28 flat byte onehot",
            "dense 100; act relu; dense 10; act softmax",
            *(ENTROPY, "sgd", "6 100 1500"),
        ),
        "scal|255|normali|standardi",
        {"data": "digits 28 flat onehot", "train": "20 32 1500"},
    ),
    Program(
        *("stats-404410", "https://stats.stackexchange.com/questions/404410"),
        *("the coefficients of a parabola", "accuracy of a regression is 0", "mean error"),
        *("reading", "metric-choice", "config"),
        Setup(
            "quadratic",
            "dense 1",
            *("mean_squared_logarithmic_error", "adam", "20 50 2000"),
        ),
        "absolute|mae",
        {"loss": "mse", "optimizer": "adam 0.1", "metric": "mae"},
    ),
)
