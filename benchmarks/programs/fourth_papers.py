"""A fourth set of faulty programs: those of the benchmarks of published tools.

Of DeepLocalize (ICSE 2021), DeepFD (ICSE 2022), Defects4ML (2023), DEFault (ICSE 2025) and
Repairing Deep Neural Networks (ICSE 2020), as far as they hold the program and are in none of the
first three sets. Fault and fix are those of the benchmark. Layers and settings are the programs',
widths and data are smaller; where a benchmark only prints the lines that matter, hidden layers are
ours. All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
REGULAR = "linear|no activation|without.*activation"
HEAD = ("loss-activation", "config")
ONE = ("softmax-one-unit", "config")
CHOICE = ("loss-choice", "config")
RECURRENT = ("recurrent-activation", "config")
METRIC = ("metric-choice", "config")
RESOLUTION = (
    "gh:kcct-fujimotolab/keras-super-resolution/commit/a7616b6342df4e3428e5e4d1be4cca591a82b0d7"
)
CATS = "gh:ronnyworm/keras_catsdogs/commit/2380e40d860a2a8e07a5555da307bfab28547e38"

FOURTH_PAPERS = (
    Program(
        *("so-31627380", "so:31627380", "who survived a shipwreck, by a table"),
        *("softmax and categorical cross-entropy with Adam", "sigmoids, SGD", "paper"),
        *("activation-choice", "none"),
        Setup(
            *("titanic onehot", "dense 128; act relu; drop 0.5; dense 2; act softmax", ENTROPY),
            *("adam", "10 4 700"),
        ),
        "sigmoid|sgd",
    ),
    Program(
        *("so-45337371", "so:45337371", "a share by five numbers"),
        *("softmax over one output unit", "sigmoid", "paper", *ONE),
        Setup(
            *("chances", "dense 60 relu; dense 50 relu; dense 1 softmax", BINARY, "adam"),
            *("5 8 800",),
        ),
        "sigmoid",
        {"layers": "dense 60 relu; dense 50 relu; dense 1 sigmoid", "metric": "mae"},
    ),
    Program(
        *("so-51930566", "so:51930566", "three species by four lengths"),
        *("sigmoid output with categorical cross-entropy", "softmax, standardized", "paper", *HEAD),
        Setup(
            "iris onehot",
            "dense 4 init=normal; act relu; dense 3 init=normal; act sigmoid",
            *(ENTROPY, "adam", "50 5 75"),
        ),
        "softmax|binary",
        {
            "data": "iris standard onehot",
            "layers": "dense 4 relu init=normal; dense 3 softmax init=normal",
            "train": "80 5 75",
        },
    ),
    Program(
        *("so-58609115", "so:58609115", "one of 69 classes by one number"),
        *("sigmoids in all layers, binary cross-entropy for classes that exclude one another",),
        *("ReLU, softmax, categorical cross-entropy", "paper", "loss-choice", "data"),
        Setup(
            "values onehot",
            "dense 69 init=normal; act sigmoid; dense 69 init=normal; act sigmoid;"
            "dense 20 init=normal; act sigmoid",
            *(BINARY, "adam", "1 50 1767"),
        ),
        "softmax|categorical",
        {
            "data": "values standard onehot",
            "layers": "dense 69 relu init=normal; dense 69 relu init=normal;"
            "dense 20 softmax init=normal",
            "loss": ENTROPY,
            "train": "60 50 1767",
        },
    ),
    Program(
        *("so-59282996", "so:59282996", "a mark for each step of a sequence"),
        *("twenty steps of SGD are too few; padding has a class of its own",),
        *("30 epochs, two marks", "paper", "undertrained", "training"),
        Setup(
            "marks",
            "mask; bilstm 20 seq; drop 0.2; timed 3 sigmoid",
            *(SPARSE, "sgd 0.01 momentum=0.9 nesterov", "10 20 40"),
            metric="",
        ),
        "longer|epoch",
        {
            "layers": "mask; bilstm 20 seq; drop 0.2; timed 3 softmax",
            "optimizer": "adam 0.01",
            "train": "30 20 400",
            "metric": "accuracy",
        },
    ),
    Program(
        *(
            "gh-gol",
            "gh:alexander-travov/gol_nn/commit/d9b30a0fed68e489e8c064b43a21ab9e7d80b649",
            "the next board of the game of life",
        ),
        *("two epochs at the usual rate, binary cross-entropy", "Adam at 0.01, MSE", "paper"),
        *("learning-rate-low", "none"),
        Setup(
            *("life", "conv 32 3 relu; conv 16 1 relu; conv 1 1 sigmoid", BINARY, "adam"),
            *("2 64 3000",),
        ),
        "longer|epoch|rate",
    ),
    Program(
        *("gh-resolution", RESOLUTION, "sharper images"),
        *("Adam at 0.0001 for 50 steps: too few, too slow", "0.001, 3000 epochs, MSE", "paper"),
        *("undertrained", "training"),
        Setup(
            "blurred",
            "conv 32 3 same; act relu; conv 16 5 same; act relu; conv 3 3 same; act sigmoid",
            *(BINARY, "adam 0.0001", "50 64 64"),
        ),
        "longer|epoch|rate",
        {"optimizer": "adam 0.001", "loss": "mse", "train": "60 16 300", "metric": "mae"},
    ),
    Program(
        *("gh-catsdogs", CATS, "cats and dogs"),
        *("batches of 100, windows of 7 and 5", "batches of 50, windows of 3", "paper"),
        *("batch-size", "none"),
        Setup(
            "scenes 48 2 onehot",
            "conv 16 7; act relu; pool 2; conv 10 5; act relu; pool 2; conv 10 3; act relu;"
            "pool 2; flatten; dense 2; act softmax",
            *(ENTROPY, "adam", "3 100 500"),
        ),
        "batch",
    ),
    Program(
        *("so-51971180", "so:51971180", "a price by the steps before"),
        *("ReLU output of a regression with negative targets", "linear output", "paper"),
        *("relu-output", "config"),
        Setup(
            *("following", "gru 50; act tanh; drop 0.2; dense 1; act relu", "mse", "adam"),
            *("6 32 600",),
            metric="",
        ),
        REGULAR,
        {"layers": "gru 50; act relu; drop 0.2; dense 1"},
    ),
    Program(
        *("so-68716219", "so:68716219", "three topics of texts"),
        *("MSE of a softmax, ReLU in a LSTM, Adam at 0.00005",),
        *("categorical cross-entropy, a larger GRU, 0.0001", "paper", *CHOICE),
        Setup(
            *("topics onehot", "embed 100 16; bilstm 16 relu; drop 0.2; dense 3 softmax", "mse"),
            *("adam 0.00005", "8 32 600"),
        ),
        "cross-?entropy|crossentropy",
        {
            "layers": "embed 100 16; bilstm 16; dense 32 relu; drop 0.2; dense 3 softmax",
            "loss": ENTROPY,
            "optimizer": "adam",
        },
    ),
    Program(
        *("so-64151679", "so:64151679", "two classes of a table"),
        *("softmax over one output unit, Adam at 0.1, dropout of 0.5",),
        *("two units and one-hot labels, lower rates", "paper", *ONE),
        Setup(
            *("pima standard", "dense 32 relu; drop 0.5; dense 1 softmax", BINARY, "adam 0.1"),
            *("10 32 768",),
            metric="equal",
        ),
        "sigmoid|each class|K exclusive|two units|2 units",
        {
            "data": "pima standard onehot",
            "layers": "dense 32 relu; drop 0.2; dense 2 softmax",
            "loss": ENTROPY,
            "optimizer": "adam",
            "metric": "accuracy",
        },
    ),
    Program(
        *("so-72965428", "so:72965428", "numbers in pictures"),
        *("convolutions without activation, ReLU on the values of the softmax",),
        *("ReLU behind the convolutions, none before the softmax", "paper"),
        *("linear-stack", "config"),
        Setup(
            "digits 20 onehot",
            "conv 16 3 same; conv 16 3 same; pool 2; flatten; dense 10 relu; act softmax",
            *(ENTROPY, "adam", "4 12 1000"),
        ),
        "activation|relu",
        {
            "layers": "conv 16 3 relu same; conv 16 3 relu same; pool 2; flatten; dense 10;"
            "act softmax",
        },
    ),
    Program(
        *("so-71494820", "so:71494820", "the next value of a series"),
        *("ReLU in two LSTMs", "tanh", "paper", *RECURRENT),
        Setup(
            *("following", "lstm 64 relu seq; lstm 32 relu; drop 0.2; dense 1", "mse", "adam"),
            *("6 32 600",),
            metric="",
        ),
        "tanh",
        {"layers": "lstm 64 seq; lstm 32; drop 0.2; dense 1"},
    ),
    Program(
        *("so-46642627", "so:46642627", "a number by a number of 0 to 100"),
        *("sigmoid output and binary cross-entropy for a regression with large targets",),
        *("linear output, MSE, Adam, scaled data", "paper", "output-range", "data"),
        Setup(
            "hundred",
            "dense 50 relu init=uniform; dense 1 sigmoid init=uniform",
            *(BINARY, "sgd", "50 100 500"),
        ),
        REGULAR + "|range|[Ss]cale the targets",
        {
            "data": "hundred standard target",
            "layers": "dense 50 relu; dense 1",
            "loss": "mse",
            "optimizer": "adam 0.01",
            "metric": "mae",
        },
    ),
    Program(
        *("so-70848143", "so:70848143", "a mask of a disk"),
        *("MeanIoU takes a probability below 1 for class 0", "BinaryIoU", "paper", *METRIC),
        Setup(
            *("masks", "conv 8 3 relu same; conv 8 3 relu same; conv 1 1 sigmoid", BINARY),
            *("adam 0.01", "4 32 300"),
            metric="mean_iou",
        ),
        "BinaryIoU|threshold|round",
        {"metric": "binary_iou"},
    ),
    Program(
        *("so-44998910", "so:44998910", "a polynomial of degree four"),
        *("SGD at 0.01 for 20 epochs: a straight line", "a higher rate, more epochs", "answer"),
        *("learning-rate-low", "none"),
        Setup(
            *("waves4", "dense 200; act relu; dense 45; act relu; dense 1", "mse", "sgd"),
            *("20 50 2000",),
            metric="",
        ),
        "longer|epoch|rate|adam",
    ),
    Program(
        *("malconv", "gh:j40903272/MalConv-keras/commit/a0c3f1c22a24599bcce809e979722875e55e9ceb"),
        *("malware by its bytes", "softmax over one output unit", "sigmoid", "paper", *ONE),
        Setup(
            *("bytecode", "embed 257 8; gated 16 10; gmax1d; dense 64; dense 1 softmax", BINARY),
            *("adam", "4 32 600"),
        ),
        "sigmoid",
        {
            "layers": "embed 257 8; gated 16 10; gmax1d; dense 64; dense 1 sigmoid",
            "train": "10 32 600",
        },
    ),
    Program(
        *("d4ml-038", "gh:NikhilM98/learning-deeplearning/commit/eb24906"),
        *("whether somebody is 65", "Adam with a learning rate of 100", "0.0001", "paper"),
        *("learning-rate-high", "config"),
        Setup(
            *("ages", "dense 16 relu; dense 32 relu; dense 2 softmax", SPARSE, "adam 100"),
            *("20 10 1000",),
        ),
        "learning.?rate",
        {"optimizer": "adam 0.0003"},
    ),
    Program(
        *("d4ml-010", "gh:vmelan/cifar-experiment/commit/d6f013c", "ten kinds of pictures"),
        *("a third convolution where LeNet has a dense layer", "a dense layer", "paper"),
        *("capacity", "none"),
        Setup(
            "scenes 32 10 onehot",
            "conv 6 5; act tanh; avgpool 2; conv 16 5; act tanh; avgpool 2; conv 120 5; act tanh;"
            "flatten; dense 84; act tanh; dense 10; act softmax",
            *(ENTROPY, "adam", "4 64 800"),
        ),
        "dense layer",
    ),
    Program(
        *("d4ml-041", "gh:dbczumar/mlflow-keras-mnist/commit/b29cab7", "digits"),
        *("a second dropout of 0.5", "without it", "paper", "regularization", "none"),
        Setup(
            "digits 28 onehot",
            "conv 8 3 relu; conv 16 3 relu; pool 2; drop 0.25; flatten; dense 64 relu; drop 0.5;"
            "dense 10 softmax",
            *(ENTROPY, "adadelta 1.0", "3 128 1500"),
        ),
        "dropout",
    ),
    Program(
        *("d4ml-049", "gh:alexchungio/Keras-Learning-Advance/commit/3cfbfaf"),
        *("the temperature of tomorrow", "one small GRU", "two GRUs with dropout", "paper"),
        *("capacity", "none"),
        Setup("following 40", "gru 32; dense 1", "mae", "rmsprop", "5 32 600", metric=""),
        "layer|units|dropout",
    ),
)
