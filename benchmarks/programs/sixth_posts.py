"""A sixth set of faulty programs: the first sixteen of deepmufl's (ASE 2023) questions.

In the order of their numbers, what the first five sets do not hold and needs no weights from
elsewhere. The benchmark prints the programs and not the answers, so fault and fix are read from
the program. Layers and settings are the programs', widths and data are smaller. All of this was
written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
HEAD = ("loss-activation", "config")
REGULAR = "linear|no activation|without.*activation"
LONGER = "longer|epoch"
SHALLOW = "dense 33 relu init=uniform; dense 33 relu init=uniform; dense 33 relu init=uniform;"
FIVE = "dense 50 relu init=normal; drop 0.2;" * 5
DIGITS = (
    "conv 8 3 same; act relu; conv 8 3 relu; pool 2; conv 16 3 same relu; conv 16 3 relu; pool 2;"
    "flatten; dense 32 relu; drop 0.5; dense 10;"
)
SPECTRA = (
    "conv1d 8 3 relu; conv1d 8 3 relu; conv1d 16 3 relu; flatten; dense 64 relu; dense 32 relu;"
)
PENALTY = " relu same l2=0.01"
DEEP = (
    f"conv 8 5{PENALTY}; pool 2; drop 0.5; conv 16 3{PENALTY}; pool 2; drop 0.5;"
    f"conv 16 3{PENALTY}; drop 0.5; conv 32 3{PENALTY}; pool 2; conv 32 3{PENALTY}; pool 2;"
    "flatten; drop 0.5;"
)
SINE = "dense 20 {0} init=uniform; dense 20 {0} init=uniform; dense 20 {0} init=uniform; dense 1"
SHARES = "dense 20 relu init=normal; dense 15 relu init=normal;"
PICTURES = "conv 16 3 relu; pool 2; conv 16 3 relu; pool 2; flatten; dense 32 relu;"

SIXTH_POSTS = (
    Program(
        *("so-41596619", "so:41596619", "four marks by three features"),
        *("one sigmoid unit with binary cross-entropy for the numbers of four classes",),
        *("four softmax units", "reading", "output-units", "data"),
        Setup(
            "grades",
            "dense 3 relu init=uniform; dense 1 sigmoid init=uniform",
            *(BINARY, "sgd 0.001", "150 32 11"),
        ),
        "unit for each|softmax|units",
        {
            "data": "grades onehot",
            "layers": "dense 8 relu; dense 4 softmax",
            "loss": ENTROPY,
            "optimizer": "adam 0.01",
            "train": "150 32 200",
        },
    ),
    Program(
        *("so-41823068", "so:41823068", "five kinds of pictures by their features"),
        *("sigmoid output with categorical cross-entropy", "softmax", "reading", *HEAD),
        Setup(
            "groups 5 10 onehot",
            "flatten; dense 64 relu; drop 0.5; dense 5 sigmoid",
            *(ENTROPY, "rmsprop", "15 32 900"),
        ),
        "softmax",
        {"layers": "flatten; dense 64 relu; drop 0.5; dense 5 softmax"},
    ),
    Program(
        *("so-41999686", "so:41999686", "four classes of a table"),
        *("sigmoid output with categorical cross-entropy", "softmax", "reading", *HEAD),
        Setup(
            *("groups 4 60 onehot", FIVE + "dense 4 sigmoid init=normal", ENTROPY),
            *("sgd 0.01 momentum=0.9 nesterov", "15 32 1000"),
        ),
        "softmax",
        {"layers": FIVE + "dense 4 softmax init=normal"},
    ),
    Program(
        *("so-42472447", "so:42472447", "one of thirty classes"),
        *("sigmoid output with categorical cross-entropy", "softmax", "reading", *HEAD),
        Setup(
            *("groups 30 33 onehot", SHALLOW + "dense 30 sigmoid init=uniform", ENTROPY, "adam"),
            "15 20 1000",
        ),
        "softmax",
        {"layers": SHALLOW + "dense 30 softmax init=uniform"},
    ),
    Program(
        *("so-44755431", "so:44755431", "digits"),
        *("dropout of the logits, before the softmax", "leave it out", "reading"),
        *("dropout-output", "config"),
        Setup("digits 28 onehot", DIGITS + "drop 0.5; act softmax", ENTROPY, "adam", "4 20 1000"),
        "remove|dropout",
        {"layers": DIGITS + "act softmax"},
    ),
    Program(
        *("so-44758894", "so:44758894", "whether a row of seven values is right"),
        *("ReLU output and MSE for two classes, ReLU twice", "sigmoid and cross-entropy"),
        *("reading", "relu-output", "config"),
        Setup(
            "groups 2 7",
            "dense 16; act relu; act relu; dense 1; act relu",
            *("mse", "sgd", "5 32 800"),
        ),
        f"sigmoid|cross.?entropy|{REGULAR}",
        {
            "layers": "dense 16; act relu; dense 1; act sigmoid",
            "loss": BINARY,
            "train": "15 32 800",
        },
    ),
    Program(
        *("so-46247619", "so:46247619", "a number by fifty values of a signal"),
        *("ReLU output for numbers of both signs; five rows", "linear output", "reading"),
        *("relu-output", "config"),
        Setup(
            *("responses", SPECTRA + "dense 1 relu", "mse", "adam", "100 4096 5"),
            metric="",
        ),
        REGULAR,
        {"layers": SPECTRA + "dense 1", "train": "30 32 800"},
    ),
    Program(
        *("so-46359741", "so:46359741", "whether a number is 1 and not 2"),
        *("twenty steps at 0.009", "more epochs", "reading", "undertrained", "training"),
        Setup(
            *("pair", "dense 1 sigmoid; dense 1 sigmoid", BINARY),
            *("sgd 0.009 momentum=0.9 nesterov", "20 32 2"),
        ),
        f"{LONGER}|learning.?rate",
        {"optimizer": "sgd 0.5 momentum=0.9 nesterov", "train": "800 32 2"},
    ),
    Program(
        *("so-46869312", "so:46869312", "the answer of a circuit to 64 bits"),
        *("labels of -1 to 1 with a sigmoid and binary cross-entropy", "labels of 0 and 1"),
        *("reading", "output-range", "data"),
        Setup(
            *("circuit signed", "dense 64 relu; dense 32 relu; dense 1 sigmoid", BINARY, "adam"),
            "3 200 4000",
        ),
        "0 and 1|labels|tanh|hinge",
        {"data": "circuit"},
    ),
    Program(
        *("so-47704695", "so:47704695", "two kinds of pictures"),
        *("softmax over one output unit", "sigmoid", "reading", "softmax-one-unit", "config"),
        Setup("scenes 32 2", DEEP + "dense 1 softmax", BINARY, "adam", "4 32 500"),
        "sigmoid|each class|two units|2 units",
        {"layers": DEEP + "dense 1 sigmoid", "train": "8 32 500"},
    ),
    Program(
        *("so-48486598", "so:48486598", "a polynomial of degree five"),
        *("no activations: only a line can be fitted", "nonlinear ones", "reading"),
        *("linear-stack", "config"),
        Setup("quintic", "dense 1; dense 5; dense 1 linear", "mae", "adam", "60 10 200"),
        "activation|relu",
        {
            "layers": "dense 32 tanh; dense 32 tanh; dense 1 linear",
            "train": "150 10 200",
            "metric": "",
        },
    ),
    Program(
        *("so-48976413", "so:48976413", "the price of a car"),
        *("a sigmoid for numbers of up to 30,000", "linear output, scaled targets", "reading"),
        *("output-range", "data"),
        Setup(
            "prices",
            "dense 12 relu init=normal; dense 8 relu; dense 1 sigmoid",
            *("mse", "adam", "60 50 900"),
        ),
        REGULAR + "|scal",
        {
            "data": "prices target",
            "layers": "dense 12 relu init=normal; dense 8 relu; dense 1",
            "metric": "mae",
        },
    ),
    Program(
        *("so-49583466", "so:49583466", "a sine, scaled to 0 to 1"),
        *("three sigmoid layers, two epochs of SGD", "tanh, Adam, longer", "reading"),
        *("undertrained", "training"),
        Setup("unitsine", SINE.format("sigmoid"), "mse", "sgd", "2 32 3000", metric=""),
        f"{LONGER}|adam|relu|tanh|learning.?rate",
        {"layers": SINE.format("tanh"), "optimizer": "adam 0.01", "train": "60 32 3000"},
    ),
    Program(
        *("so-50338865", "so:50338865", "XOR"),
        *("two units without activation and MAE for two classes", "softmax, cross-entropy"),
        *("reading", "loss-choice", "data"),
        Setup("xor row onehot", "lstm 10 seq; lstm 10; dense 2", "mae", "adam", "50 32 4"),
        "softmax|cross.?entropy",
        {
            "layers": "lstm 10 seq; lstm 10; dense 2 softmax",
            "loss": ENTROPY,
            "optimizer": "adam 0.01",
            "train": "100 32 64",
        },
    ),
    Program(
        *("so-50555434", "so:50555434", "six shares by 28 features"),
        *("ReLU, then sigmoids with MAE, for shares that add up to one", "softmax", "reading"),
        *("loss-choice", "data"),
        Setup(
            "mixtures",
            SHARES + "dense 6 relu init=normal; dense 6 sigmoid init=normal",
            *("mae", "adam", "60 32 1000"),
            metric="",
        ),
        "softmax",
        {"layers": SHARES + "dense 6 softmax init=normal", "loss": "kl_divergence"},
    ),
    Program(
        *("so-50914860", "so:50914860", "three kinds of pictures"),
        *("sigmoid output with categorical cross-entropy", "softmax", "reading", *HEAD),
        Setup("scenes 24 3 onehot", PICTURES + "dense 3 sigmoid", ENTROPY, "adam", "4 32 600"),
        "softmax",
        {"layers": PICTURES + "dense 3 softmax"},
    ),
)
