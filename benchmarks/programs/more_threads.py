"""A second set of faulty programs, of threads and repositories; for a later first look.

None of them is in the first set. Fault and fix are those of the thread, of the commit or of the
benchmark that lists the program; where nobody answered, `basis` is reading. Layers and settings are
the programs', widths and data are smaller. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
STATS = "https://stats.stackexchange.com/revisions/2bda6552-783b-4fb7-ba2b-a03d2266e69b/view-source"
LENET = "conv 8 3 relu same; pool 2; conv 16 3 relu same; pool 2; flatten; dense 32 relu;"
REGULAR = "linear|no activation|without.*activation"
ONE = ("softmax-one-unit", "config")
CHOICE = ("loss-choice", "config")

MORE_THREADS = (
    Program(
        *("tn-485530", "https://techfeed.net/es/485530/", "a price by the steps before"),
        *("ReLU in two LSTMs with small weights: the output is a constant", "tanh", "reading"),
        *("recurrent-activation", "config"),
        Setup(
            "quotes",
            "lstm 48 relu seq init=uniform dropout=0.5 recurrent_dropout=0.2;"
            "lstm 32 relu init=uniform dropout=0.5 recurrent_dropout=0.2; dense 64 init=uniform;"
            "bn; drop 0.5; dense 1 init=normal",
            *("mse", "rmsprop", "3 32 600"),
            metric="",
        ),
        "tanh",
    ),
    Program(
        *("tf-47586", "gh:tensorflow/tensorflow/issues/47586", "texts of one character"),
        *("normalizing each row left all inputs equal", "do not normalize", "answer"),
        *("inputs-constant", "data"),
        Setup(
            *("letters one onehot", "dense 32 relu; dense 16 relu; dense 2 softmax", ENTROPY),
            *("adam", "10 32 500"),
        ),
        "input|scal|preprocess|normali",
    ),
    Program(
        *("ds-38604", "https://datascience.stackexchange.com/questions/38604", "digits"),
        *("one sigmoid unit for ten classes", "ten units with softmax", "answer"),
        *("output-units", "data"),
        Setup(
            *("digits 20 flat byte", "dense 64 relu; dense 1 sigmoid", BINARY, "adam"),
            *("5 32 1500",),
        ),
        "softmax|unit|class",
        {
            "data": "digits 20 flat onehot",
            "layers": "dense 64 relu; dense 10 softmax",
            "loss": ENTROPY,
        },
    ),
    Program(
        *("stats-one-unit", STATS, "majority of three bits"),
        *("softmax over one output unit", "sigmoid, more epochs", "answer", *ONE),
        Setup("bits flat", "dense 10 relu; dense 1 softmax", BINARY, "rmsprop", "20 16 300"),
        "sigmoid",
        {"layers": "dense 10 relu; dense 1 sigmoid", "train": "100 16 300"},
    ),
    Program(
        *("so-51749207", "so:51749207", "two classes of sequences"),
        *("softmax over one output unit", "sigmoid", "paper", *ONE),
        Setup(
            "waves 60",
            "conv1d 20 4 relu same; pool1d 2; drop 0.3; flatten; dense 50 relu; dense 1 softmax",
            *(BINARY, "nadam", "5 8 400"),
        ),
        "sigmoid",
        {"layers": "conv1d 20 4 relu same; pool1d 2; flatten; dense 50 relu; dense 1 sigmoid"},
    ),
    Program(
        *("so-58844149", "so:58844149", "two kinds of pictures"),
        *("softmax over one output unit", "sigmoid", "paper", *ONE),
        Setup(
            "scenes 24 2",
            "conv 8 11 relu same; pool 3; conv 16 3 relu same; pool 2; conv 16 3 relu same; pool 2;"
            "flatten; dense 30 relu; drop 0.2; dense 1; act softmax",
            *(BINARY, "adam", "4 32 400"),
        ),
        "sigmoid",
    ),
    Program(
        *("so-42081257", "so:42081257", "digits"),
        *("binary cross-entropy of a softmax over ten classes", "categorical cross-entropy"),
        *("answer", *CHOICE),
        Setup(
            *("digits 20 onehot", LENET + "drop 0.5; dense 10 softmax", BINARY, "adam"),
            *("3 64 1500",),
        ),
        "categorical",
        {"loss": ENTROPY, "train": "6 32 1500"},
    ),
    Program(
        *("so-41327601", "so:41327601", "topics of texts"),
        *("binary cross-entropy of a softmax over the topics", "categorical cross-entropy"),
        *("answer", *CHOICE),
        Setup("flows onehot", "dense 64 relu; dense 5 softmax", BINARY, "rmsprop", "5 64 1000"),
        "categorical",
        {"loss": ENTROPY, "train": "15 32 1000"},
    ),
    Program(
        *("so-45632549", "so:45632549", "a price by a table"),
        *("accuracy as the metric of a regression is 0", "mean absolute error", "answer"),
        *("metric-choice", "config"),
        Setup(
            *("houses target", "dense 32 relu; dense 16 relu; dense 1", "mse", "adam"),
            *("20 32 500",),
        ),
        "absolute|mae",
        {"metric": "mae"},
    ),
    Program(
        *("so-37232782", "so:37232782", "a number of 0 to 125"),
        *("large targets with SGD at 0.01: the weights overflow", "clip, scale, Adam"),
        *("answer", "unscaled-target", "training"),
        Setup(
            "parabola",
            "dense 64 relu; drop 0.1; dense 64 relu; drop 0.1; dense 1",
            *("mse", "sgd 0.01 momentum=0.9 nesterov", "10 32 600"),
            metric="",
        ),
        "scal|standardi|clip|learning rate",
        {
            "data": "parabola standard target",
            "layers": "dense 64 relu; dense 64 relu; dense 1",
            "train": "40 32 600",
        },
    ),
    Program(
        *("d4ml-046", "gh:DanilaEremenko/NeuralNetwork/commit/eba6bed", "learns XOR"),
        *("sigmoid where a hard sigmoid is faster", "hard sigmoid", "paper"),
        *("activation-choice", "none"),
        Setup("corners", "dense 8 tanh; dense 1 sigmoid", BINARY, "sgd 0.1", "100 1 4"),
        "hard_sigmoid",
    ),
    Program(
        *("d4ml-048", "gh:AlexGidiotis/Keras-tutorial-on-CNNs/commit/b5acb01", "digits"),
        *("windows of 7x7 in the first layers", "3x3", "paper", "capacity", "none"),
        Setup(
            "digits 20 onehot",
            "conv 8 7 relu; conv 8 7 relu; conv 16 3 relu; flatten; dense 32 relu;"
            "dense 10 softmax",
            *(ENTROPY, "adam", "2 32 1500"),
        ),
        "3x3",
    ),
    Program(
        *("rk-30", "gh:rstudio/keras3/issues/30", "prices of houses"),
        *("accuracy as the metric of a regression is 0", "leave it out", "answer"),
        *("metric-choice", "config"),
        Setup("smooth", "dense 13; act relu; dense 1", "mse", "adam", "20 5 400"),
        "absolute|mae",
        {"metric": "mae"},
    ),
    Program(
        *("pr-13233417", "http://pullrequest.ru/13233417/predskazanie-impulsnogo-signala-lstm"),
        *("a pulse in a sequence", "one LSTM unit, trained for a few epochs", "10,000 epochs"),
        *("answer", "undertrained", "training"),
        Setup("bits", "lstm 1", "mse", "adam", "10 32 200", metric="mse"),
        "longer|epoch|[Tt]rain the model",
    ),
    Program(
        *("bh-80265", "https://boohere.com/ru/detail/80265.html", "opinions by words"),
        *("softmax over one unit with categorical cross-entropy", "two units, or a sigmoid"),
        *("answer", *ONE),
        Setup("reviews 100", "dense 32 relu; dense 1 softmax", ENTROPY, "adam", "5 32 600"),
        "sigmoid|K exclusive|each class",
        {"layers": "dense 32 relu; dense 1 sigmoid", "loss": BINARY},
    ),
    Program(
        *("pml-203", "gh:ProteomicsML/ProteomicsML/pull/203", "a time by a sequence of letters"),
        *("ReLU output of a regression: always 0", "linear output", "answer"),
        *("relu-output", "config"),
        Setup(
            *("tokens", "embed 50 8; lstm 16; dense 16 relu; dense 1 relu", "mse", "adam"),
            *("6 32 800",),
            metric="",
        ),
        REGULAR,
        {"layers": "embed 50 8; lstm 16; dense 16 relu; dense 1"},
    ),
    Program(
        *("kb-5", "gh:fchollet/keras-blog/issues/5", "an autoencoder of digits"),
        *("Adadelta at 0.001 with a penalty on activity hardly learns", "Adam", "reading"),
        *("learning-rate-low", "training"),
        Setup(
            *("digits 20 flat itself", "dense 32 relu; dense 400 sigmoid", BINARY),
            *("adadelta", "10 256 1500"),
            metric="",
        ),
        "learning rate|adam|longer|epoch",
    ),
    Program(
        *("ds-67599", "https://datascience.stackexchange.com/questions/67599"),
        *("the share of steps that are not 0", "masking the zeros leaves only ones", "no mask"),
        *("reading", "masked-away", "data"),
        Setup("shares", "mask 0; lstm 10; dense 1 relu", "mse", "adam", "15 8 45", metric="mae"),
        "mask",
        {"layers": "lstm 10; dense 1", "train": "60 8 400"},
    ),
)  # fmt: skip
