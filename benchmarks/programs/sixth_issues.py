"""A sixth set of faulty programs: those of issues, and of changes that mend one.

What searches for networks that do not learn gave, in their order, if program, fault and fix can be
read and the program is in none of the first five sets. Layers and settings are the programs',
widths and data are smaller; where only the lines that matter are printed, hidden layers are ours.
All of this was written before any audit of them.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY, BINARY = "categorical_crossentropy", "binary_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
KERAS = "gh:keras-team/keras/"
HEAD = ("loss-activation", "config")
CHOICE = ("loss-choice", "config")
LOGITS = "from_logits|logits"
SCALE = "scal|255|normali|standardi|preprocess"
SPEAKER = "conv1d 16 8 strides=2 relu frozen; pool1d 2; drop 0.5; flatten;"
RESIDUAL = "conv 16 3 same; bn; act relu; conv 16 3 same; bn; act relu; gap; drop 0.5;"
ALL_CONV = (
    "conv 8 3 same; act relu; conv 8 3 same; act relu; conv 8 3 strides=2 same; drop 0.5;"
    "conv 16 3 same; act relu; conv 16 3 same; act relu; conv 16 3 strides=2 same; drop 0.5;"
    "conv 16 3 same; act relu; conv 16 1; act relu; conv 10 1; gap; act softmax"
)
CIFAR = (
    "conv 8 3 relu same; conv 16 3 relu same; pool 2; drop 0.25; conv 16 3 relu same; pool 2;"
    "conv 16 2 relu same; pool 2; drop 0.25; flatten; dense 64 relu; drop 0.5;"
)
UNET = (
    "conv 8 3 relu same; conv 8 3 relu same; pool 2; conv 16 3 relu same; drop 0.5; up;"
    "conv 8 3 relu same; conv 8 3 relu same;"
)
DIGITS = "conv 8 5 relu same; pool 2; conv 16 5 relu same; pool 2; flatten;"
PLANTS = "rescale 255 0; conv 8 3 relu; pool 2; conv 16 3 relu; pool 2; flatten; dense 32 relu;"
LAND = "conv 8 3 relu same; bn; conv 8 3 relu same; bn; conv 2 1 softmax"
BLOCKS = "conv 8 3 same; bn; act relu; conv 16 3 same; bn; act relu; pool 2; conv 16 3 same; bn;"

SIXTH_ISSUES = (
    Program(
        *("keras-2711", f"{KERAS}issues/2711", "two kinds of gray pictures"),
        *("SGD at 0.1 with momentum 0.9 on pixels of 0 to 255: the loss stays",),
        *("a lower rate, normalized inputs, batch normalization", "answer"),
        *("learning-rate-high", "training"),
        Setup(
            *("digits 28 2 byte onehot", "conv 16 10 same; flatten; dense 2; act softmax", ENTROPY),
            *("sgd 0.1 momentum=0.9", "10 64 600"),
        ),
        "learning.?rate|" + SCALE,
        {"data": "digits 28 2 onehot", "optimizer": "sgd 0.001 momentum=0.9"},
    ),
    Program(
        *("keras-13891", f"{KERAS}issues/13891", "a price by thirteen features"),
        *("a narrow ReLU layer before the output: the same value for all", "tanh", "author"),
        *("dead-units", "training"),
        Setup("boston", "dense 2 relu; dense 1", "mse", "sgd 0.05", "20 32 500", metric=""),
        "tanh|leaky|initial|units",
        {"layers": "dense 2 tanh; dense 1"},
    ),
    Program(
        *("minutes-133", "gh:ubclaunchpad/minutes/issues/133", "who speaks"),
        *("softmax in the hidden layer before the softmax", "ReLU", "author"),
        *("softmax-hidden", "config"),
        Setup(
            *("motion onehot", SPEAKER + "dense 32 softmax; dense 4 softmax", ENTROPY, "adam"),
            "15 16 400",
        ),
        "relu|hidden.*softmax|softmax.*hidden|one softmax|only.*(last|output)",
        {"layers": SPEAKER + "dense 32 relu; dense 4 softmax"},
    ),
    Program(
        *("allconv-1", "gh:getcrest/All-Conv-Keras/pull/1", "ten kinds of pictures"),
        *("the name of SGD, which drops the momentum that was set", "the object of SGD"),
        *("author", "learning-rate-low", "none"),
        Setup("scenes 16 10 onehot", ALL_CONV, ENTROPY, "sgd", "8 16 800"),
        "momentum|learning.?rate|optimizer",
        {"optimizer": "sgd 0.01 momentum=0.9 nesterov"},
    ),
    Program(
        *("docs-556", "gh:tensorflow/docs/pull/556", "ten classes by 32 features"),
        *("softmax in the hidden layer", "ReLU", "author", "softmax-hidden", "config"),
        Setup(
            *("groups 10 32 onehot", "dense 10 softmax; dense 10 softmax", ENTROPY, "rmsprop"),
            "10 32 1000",
        ),
        "relu|hidden.*softmax|softmax.*hidden|one softmax|only.*(last|output)",
        {"layers": "dense 10 relu; dense 10 softmax"},
    ),
    Program(
        *("kusiwu-1", "gh:kusiwu/Resnet50-Cifar10-Python-Keras/issues/1", "ten kinds of pictures"),
        *("binary cross-entropy of a softmax over ten classes", "categorical cross-entropy"),
        *("answer", *CHOICE),
        Setup(
            *("scenes 24 10 onehot", RESIDUAL + "dense 10 softmax", BINARY),
            *("sgd 0.001 momentum=0.8", "5 32 800"),
        ),
        "categorical",
        {"loss": ENTROPY},
    ),
    Program(
        *("davids-1", "gh:davidsbatista/ConvNets-for-Sentence-Classification/issues/1"),
        *("five opinions of sentences", "binary cross-entropy of a softmax over five classes"),
        *("categorical cross-entropy", "answer", *CHOICE),
        Setup(
            "topics 5 onehot",
            "embed 100 16; conv1d 32 3 relu; gmax1d; drop 0.5; dense 5 softmax",
            *(BINARY, "adam", "6 32 800"),
        ),
        "categorical",
        {"loss": ENTROPY},
    ),
    Program(
        *("katakana-3", "gh:wanasit/katakana/issues/3", "another spelling of words"),
        *("binary cross-entropy of a softmax over letters", "categorical cross-entropy"),
        *("answer", *CHOICE),
        Setup(
            "spelled onehot",
            "embed 30 16; lstm 32; repeat 6; lstm 32 seq; timed 24 softmax",
            *(BINARY, "adam", "10 64 800"),
        ),
        "categorical",
        {"loss": ENTROPY},
    ),
    Program(
        *("devtrack-927", "gh:Priyanshu-byte-coder/devtrack/issues/927", "six kinds of pictures"),
        *("pixels are divided by 255 for a model that does so itself", "leave them", "author"),
        *("served-otherwise", "data"),
        Setup(
            *("scenes 24 6 byte", PLANTS + "dense 6 softmax", SPARSE, "adam", "5 32 800"),
            served="scenes 24 6",
        ),
        SCALE,
        {"served": ""},
    ),
    Program(
        *("dubai-3", "gh:ayushdabra/dubai-satellite-imagery-segmentation/issues/3"),
        *("what each pixel shows", "trained on pixels of 0 to 1, used on 0 to 255"),
        *("normalize them", "author", "served-otherwise", "data"),
        Setup("regions onehot", LAND, ENTROPY, "adam", "5 16 300", served="regions byte onehot"),
        SCALE,
        {"served": ""},
    ),
    Program(
        *("nvidia-468", "gh:NVIDIA/DeepLearningExamples/issues/468", "masks of cells"),
        *("a loss from logits behind a softmax", "a loss of probabilities", "answer", *HEAD),
        Setup("regions onehot", UNET + "conv 2 1 softmax", "categorical_logits", "adam", "5 8 300"),
        LOGITS,
        {"loss": ENTROPY},
    ),
    Program(
        *("cges-1", "gh:jaehong31/CGES/issues/1", "digits"),
        *("a loss from logits behind a softmax", "no softmax", "answer", *HEAD),
        Setup(
            "digits 28 onehot",
            DIGITS + "dense 64 relu; drop 0.5; dense 10 softmax",
            *("categorical_logits", "sgd 0.05", "6 100 1500"),
        ),
        LOGITS,
        {"layers": DIGITS + "dense 64 relu; drop 0.5; dense 10"},
    ),
    Program(
        *("exelban-6", "gh:exelban/tensorflow-cifar-10/issues/6", "ten kinds of pictures"),
        *("a loss from logits behind a softmax", "no softmax", "answer", *HEAD),
        Setup(
            *("scenes 24 10 onehot", CIFAR + "dense 10 softmax", "categorical_logits", "adam"),
            "6 32 800",
        ),
        LOGITS,
        {"layers": CIFAR + "dense 10"},
    ),
    Program(
        *("tbt-9", "gh:martinwicke/tf-dev-summit-tensorboard-tutorial/pull/9", "digits"),
        *("the ReLU of the dense layer is computed and not used", "use it", "author"),
        *("linear-stack", "config"),
        Setup(
            "digits 28 onehot",
            DIGITS + "dense 64; dense 10",
            *("categorical_logits", "adam", "4 100 1500"),
        ),
        "activation|relu",
        {"layers": DIGITS + "dense 64 relu; dense 10"},
    ),
    Program(
        *("kapps-31", "gh:keras-team/keras-applications/issues/31", "ten kinds of pictures"),
        *("no ReLU behind the last batch normalization", "ReLU there", "answer"),
        *("activation-choice", "config"),
        Setup(
            *("scenes 24 10 onehot", BLOCKS + "gap; dense 10 softmax", ENTROPY),
            *("sgd 0.1 momentum=0.9", "6 32 800"),
        ),
        "relu|activation",
        {"layers": BLOCKS + "act relu; gap; dense 10 softmax"},
    ),
    Program(
        *("keras-17029", f"{KERAS}issues/17029", "two classes of a table"),
        *("categorical cross-entropy of one sigmoid unit: the loss is 0", "binary", "author"),
        *HEAD,
        Setup("groups 2 12", "dense 32 relu; dense 1 sigmoid", ENTROPY, "adam", "6 32 800"),
        "binary|unit for each class|softmax",
        {"loss": BINARY},
    ),
)
