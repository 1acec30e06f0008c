"""A second set of faulty programs, of issues of Keras; for a later first look.

None of them is in the first set. Fault and fix are those of the thread, of the commit or of the
benchmark that lists the program; where nobody answered, `basis` is reading. Layers and settings are
the programs', widths and data are smaller. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
KERAS = "gh:keras-team/keras/issues/"
LENET = "conv 8 3 relu same; pool 2; conv 16 3 relu same; pool 2; flatten; dense 32 relu;"
SMALL = "conv 8 3 relu; pool 2; flatten; dense 16 relu; dense 2 softmax"
REGULAR = "linear|no activation|without.*activation"
ONE = ("softmax-one-unit", "config")
HEAD = ("loss-activation", "config")
CHOICE = ("loss-choice", "config")


def _issue(number: int, does: str, fault: str, fix: str, basis: str, kind: tuple[str, str],
           setup: Setup, remedy: str, fixed: dict[str, str] | None = None) -> Program:  # fmt: skip
    """A program of an issue of Keras."""
    name = f"keras-{number}"
    return Program(
        *(name, f"{KERAS}{number}", does, fault, fix, basis, *kind, setup, remedy), fixed or {}
    )


ISSUES = (
    _issue(
        *(112, "learns XOR", "softmax over one output unit", "sigmoid", "answer", ONE),
        Setup("corners", "dense 2; act sigmoid; dense 1; act softmax", ENTROPY, "sgd", "5 32 4"),
        "sigmoid",
    ),
    _issue(
        *(126, "two squares in the plane", "softmax over one output unit, MSE", "sigmoid"),
        *("answer", ONE),
        Setup(
            "squares",
            "dense 64 tanh init=uniform; drop 0.5; dense 64 tanh init=uniform; drop 0.5;"
            "dense 1 softmax init=uniform",
            *("mse", "sgd 0.1 momentum=0.9 nesterov", "20 16 200"),
        ),
        "sigmoid",
        {
            "layers": "dense 64 tanh init=uniform; dense 64 tanh init=uniform; dense 1 sigmoid",
            "loss": BINARY,
        },
    ),
    _issue(
        *(1295, "learns XOR", "500 steps of plain SGD at 0.01 are too few", "longer, faster"),
        *("answer", ("undertrained", "training")),
        Setup("corners", "dense 2; act sigmoid; dense 1; act sigmoid", BINARY, "sgd", "500 4 4"),
        "longer|epoch|learning rate",
    ),
    _issue(
        *(3753, "a number from a patch", "ReLU output of a regression: stuck", "linear output"),
        *("reading", ("relu-output", "config")),
        Setup(
            *("parabola", "dense 16; act relu; dense 8; act relu; dense 1; act relu", "mse"),
            *("rmsprop", "50 128 1000"),
        ),
        REGULAR,
        {"layers": "dense 16 relu; dense 8 relu; dense 1", "metric": ""},
    ),
    _issue(
        *(108, "a number of 0 to 255 from a patch", "tanh output, targets far above 1"),
        *("linear output", "reading", ("output-range", "data")),
        Setup(
            *("parabola", "dense 16; act tanh; dense 16; act tanh; dense 1; act tanh", "mse"),
            *("rmsprop", "30 128 1000"),
            metric="",
        ),
        REGULAR + "|range|[Ss]cale the targets",
    ),
    _issue(
        *(4055, "a number of -50 to 50", "one sigmoid unit for such targets", "linear output"),
        *("reading", ("output-range", "data")),
        Setup("line", "dense 1; act sigmoid", "mse", "sgd", "100 61 300", metric=""),
        REGULAR + "|range",
        {"layers": "dense 1"},
    ),
    _issue(
        *(2711, "which word follows", "sigmoid output with categorical cross-entropy, SGD 1.0"),
        *("softmax; a lower rate", "reading", HEAD),
        Setup(
            "digits 20 flat onehot",
            "dense 100 sigmoid; dense 10 sigmoid",
            *(ENTROPY, "sgd 1.0", "10 300 1500"),
        ),
        "softmax|binary",
        {"layers": "dense 100 sigmoid; dense 10 softmax", "optimizer": "adam"},
    ),
    _issue(
        *(14729, "two classes of a table", "categorical cross-entropy of one unit: loss 0"),
        *("binary cross-entropy", "answer", CHOICE),
        Setup(
            "pima standard",
            "dense 16 relu init=uniform; drop 0.1; dense 16 relu init=uniform; drop 0.1;"
            "dense 1 sigmoid init=uniform",
            *(ENTROPY, "adam", "20 100 768"),
        ),
        "binary",
        {"loss": BINARY},
    ),
    _issue(
        *(14490, "two classes of sequences", "linear output with binary cross-entropy: NaN"),
        *("sigmoid or from_logits", "reading", HEAD),
        Setup("waves", "lstm 8 seq; lstm 8 seq; lstm 8; dense 1", BINARY, "adam", "3 32 400"),
        "sigmoid|from_logits",
        {"layers": "lstm 8 seq; lstm 8; dense 1 sigmoid", "train": "8 32 400"},
    ),
    _issue(
        *(3687, "a value for each step", "ReLU in the LSTMs and the output: all zero"),
        *("tanh, linear output", "reading", ("recurrent-activation", "config")),
        Setup(
            *("waves itself", "lstm 32 relu seq; lstm 16 relu seq; dense 1 relu", "mse"),
            *("sgd 0.01 momentum=0.99 nesterov", "5 32 400"),
            metric="mse",
        ),
        "tanh|" + REGULAR,
        {"layers": "lstm 16 seq; dense 1", "optimizer": "adam", "train": "15 32 400"},
    ),
    _issue(
        *(13221, "two classes of sequences", "ReLU in an LSTM with recurrent dropout: NaN"),
        *("tanh", "author", ("recurrent-activation", "config")),
        Setup(
            *("waves 100", "lstm 32 relu recurrent_dropout=0.2; dense 1 sigmoid", BINARY),
            *("adam 0.01", "3 32 300"),
        ),
        "tanh",
        {"layers": "lstm 16; dense 1 sigmoid", "data": "waves 20", "train": "10 32 300"},
    ),
    _issue(
        *(1360, "opinions by word vectors", "MSE with a softmax", "cross-entropy"),
        *("reading", CHOICE),
        Setup("waves onehot", "lstm 16; bn; dense 2; act softmax", "mse", "adam", "4 100 500"),
        "cross-?entropy|crossentropy",
        {"loss": ENTROPY, "train": "12 32 500"},
    ),
    _issue(
        *(255, "two kinds of pictures", "integer division made every pixel 0", "scale as floats"),
        *("author", ("inputs-constant", "data")),
        Setup("scenes 24 2 zero onehot", SMALL, ENTROPY, "adam", "5 32 500"),
        "input|scal|preprocess",
        {"data": "scenes 24 2 onehot", "train": "10 32 500"},
    ),
    _issue(
        *(7659, "diabetes by raw measurements", "features not scaled, few rows", "standardize"),
        *("reading", ("unscaled-input", "data")),
        Setup("pima", "dense 12 relu; dense 8 relu; dense 1 sigmoid", BINARY, "adam", "60 10 90"),
        "scal|standardi|normali",
        {"data": "pima standard"},
    ),
    _issue(
        *(1917, "a map of saliency", "KL divergence of a ReLU map: the loss becomes negative"),
        *("probabilities that add up to 1", "reading", HEAD),
        Setup(
            *("masks flaty", "conv 8 3 relu same; conv 1 7 relu same; flatten", "kl_divergence"),
            *("adam 0.00001", "3 32 300"),
            metric="",
        ),
        "softmax|sigmoid",
    ),
    _issue(
        *(1604, "an autoencoder of digits", "linear layers and SGD at 0.001: the loss stays"),
        *("a higher rate, Adam", "reading", ("learning-rate-low", "training")),
        Setup(
            *("digits 20 flat itself", "dense 100; dense 400", "mse"),
            *("sgd 0.001 momentum=0.1", "10 128 1500"),
            metric="",
        ),
        "learning rate|longer|epoch|adam",
    ),
    _issue(
        *(7265, "digits", "few updates: the moving statistics are not those of the data"),
        *("more steps, lower momentum", "reading", ("bn-statistics", "training")),
        Setup(
            "digits 20 onehot",
            "conv 8 3; bn; act relu; conv 16 3; bn; act relu; pool 2; flatten; dense 10 softmax",
            *(ENTROPY, "adam", "15 128 128"),
        ),
        "momentum|moving|longer|steps|statistics",
        {"train": "6 16 1500"},
    ),
    _issue(
        *(4669, "ten kinds of pictures", "SGD at 0.01 with batches of 128 hardly moves"),
        *("RMSprop", "answer", ("learning-rate-low", "none")),
        Setup(
            *("scenes 24 10 onehot", LENET + "drop 0.5; dense 10 softmax", ENTROPY),
            *("sgd 0.01 momentum=0.9 nesterov", "3 128 1000"),
        ),
        "longer|epoch|rate|adam|rmsprop",
    ),
    _issue(
        *(724, "the next value of a series", "accuracy of a regression says nothing", "MAE"),
        *("answer", ("metric-choice", "config")),
        Setup("chances steps", "rnn 100; dense 1 sigmoid", "mse", "sgd", "10 32 500"),
        "absolute|mae",
    ),
    _issue(
        *(12096, "a cat and two dogs", "ReLU output with categorical cross-entropy", "softmax"),
        *("reading", HEAD),
        Setup(
            *("scenes 24 2 onehot", "conv 16 5 relu; pool 3; flatten; dense 2 relu", ENTROPY),
            *("adam", "10 3 12"),
        ),
        "softmax|from_logits",
    ),
    _issue(
        *(1597, "labels of comments", "a convolution without activation", "an activation"),
        *("author", ("linear-stack", "config")),
        Setup("tokens", "embed 50 8; conv1d 16 3; gmax1d; dense 1 sigmoid", BINARY, "adam"),
        "relu|activation",
        {"layers": "embed 50 8; conv1d 16 3 relu; gmax1d; dense 1 sigmoid"},
    ),
    _issue(
        *(13891, "a weighted sum of raw numbers", "a few ReLU units die: one answer", "tanh"),
        *("author", ("dead-units", "training")),
        Setup("weights", "dense 3 relu; dense 1", "mse", "adam 0.01", "10 32 500", metric=""),
        "leaky|learning rate|scal|tanh",
    ),
    _issue(
        *(6327, "two kinds of pictures", "sigmoid with categorical cross-entropy", "softmax"),
        *("author", HEAD),
        Setup(
            *("scenes 24 2 onehot", LENET + "dense 2 sigmoid", ENTROPY, "adam", "4 32 600"),
        ),
        "softmax|binary",
        {"layers": LENET + "dense 2 softmax"},
    ),
    _issue(
        *(6847, "four kinds of pictures", "binary cross-entropy of a softmax", "categorical"),
        *("reading", CHOICE),
        Setup("scenes 24 4 onehot", LENET + "dense 4 softmax", BINARY, "adam", "3 32 600"),
        "categorical",
        {"loss": ENTROPY, "train": "6 32 600"},
    ),
)  # fmt: skip
