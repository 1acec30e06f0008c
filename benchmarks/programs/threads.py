"""Faulty programs from the examples of published tools, from issues of Keras and from forums.

Fault and fix are those of the tool's paper or of the answers; where a thread has no accepted
answer, `basis` says whose reading it is. Widths and data are smaller.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY = "categorical_crossentropy"
SCENE = "conv 8 3 relu same; pool 2; conv 16 3 relu same; pool 2; gap"
UMLAUT = (
    "conv 16 3{0}; conv 16 3{0}; pool 2; drop {1}; conv 32 3{0}; conv 32 3{0}; pool 2; drop {1};"
    "flatten; dense 64{0}; dense 64{0}; drop {1}; dense 10{2}"
)
THREADS = (
    Program(
        *(
            "umlaut-a",
            "gh:BerkeleyHCI/umlaut/blob/main/user_eval/eval_a.py",
            "ten kinds of pictures",
        ),
        *("logits in a loss for probabilities; dropout 0.8; pixels 0 to 255",),
        *("softmax or from_logits; 0.2; divide", "paper", "loss-activation", "config"),
        Setup(
            *("scenes 24 10 byte", UMLAUT.format(" relu", 0.8, "")),
            *("sparse_categorical_crossentropy", "adam", "3 32 1000"),
        ),
        "softmax|from_logits",
        {
            "data": "scenes 24 10",
            "layers": UMLAUT.format(" relu", 0.2, " softmax"),
            "train": "6 32 1000",
        },
    ),
    Program(
        *(
            "umlaut-b",
            "gh:BerkeleyHCI/umlaut/blob/main/user_eval/eval_b.py",
            "ten kinds of pictures",
        ),
        *("learning rate -1000; no nonlinearity in any layer", "0.001; ReLU", "paper"),
        *("learning-rate-high", "config"),
        Setup(
            *("scenes 24 10", UMLAUT.format("", 0.2, "")),
            *("sparse_logits", "adam -1000", "2 32 600"),
        ),
        "rate|relu|activation",
    ),
    Program(
        *(
            "at-vanishing",
            "gh:shiningrain/AUTOTRAINER/tree/main/AutoTrainer/demo_case/Gradient_Vanish_Case",
        ),
        *("a ring in the plane", "eight narrow sigmoid layers: gradients vanish"),
        *("ReLU, or batch normalization", "paper", "saturating-hidden", "config"),
        Setup(
            *("ring", "; ".join(["dense 5 sigmoid init=he_uniform"] * 8 + ["dense 1 sigmoid"])),
            *("binary_crossentropy", "adam 0.001", "40 128 1000"),
        ),
        "relu|normali",
        {"layers": "dense 16 relu; dense 16 relu; dense 1 sigmoid"},
    ),
    Program(
        *(
            "at-activation",
            "gh:shiningrain/AUTOTRAINER/tree/main/AutoTrainer/demo_case/Improper_Activation_case",
        ),
        *("three blobs in the plane", "ReLU output with categorical cross-entropy", "softmax"),
        *("paper", "loss-activation", "config"),
        Setup(
            "blobs onehot",
            "; ".join(["dense 50 relu init=he_uniform"] * 4 + ["dense 3 relu"]),
            *(ENTROPY, "adam 0.0001", "30 64 1000"),
        ),
        "softmax|from_logits",
        {"layers": "; ".join(["dense 50 relu init=he_uniform"] * 4 + ["dense 3 softmax"])},
    ),
    Program(
        *(
            "at-oscillating",
            "gh:shiningrain/AUTOTRAINER/tree/main/AutoTrainer/demo_case/Oscillating_Loss_Case",
        ),
        *("three blobs in the plane", "batches of one with momentum: the loss oscillates"),
        *("larger batches or a lower learning rate", "paper", "batch-size", "none"),
        Setup(
            *("blobs onehot", "dense 50 relu init=he_uniform; dense 3 softmax"),
            *(ENTROPY, "sgd 0.01 momentum=0.9", "3 1 400"),
        ),
        "batch|learning rate",
    ),
    Program(
        *("at-dying", "gh:shiningrain/AUTOTRAINER/tree/main/Motivation/DyingReLU", "digits"),
        *("34 plain ReLU layers: units die and nothing is learnt", "normalization, he init"),
        *("paper", "dead-units", "training"),
        Setup(
            "digits 20 flat onehot",
            "; ".join(["dense 32; act relu"] * 34 + ["dense 10; act softmax"]),
            *(ENTROPY, "adam", "3 32 800"),
        ),
        "normali|he_|leaky|fewer|residual",
    ),
    Program(
        *("keras-5992", "gh:keras-team/keras/issues/5992", "two classes of a table"),
        *("dropout behind the softmax, with MSE: the same output for all rows", "remove it"),
        *("reading", "dropout-output", "config"),
        Setup(
            "pima onehot",
            "dense 14 relu; drop 0.5; dense 8 relu; drop 0.5; dense 2 softmax; drop 0.5",
            *("mse", "adam", "10 32 768"),
        ),
        "remove|dropout",
        {
            "data": "pima standard onehot",
            "layers": "dense 14 relu; drop 0.2; dense 8 relu; dense 2 softmax",
            "loss": ENTROPY,
            "train": "20 32 768",
        },
    ),
    Program(
        *("keras-12865", "gh:keras-team/keras/issues/12865", "pictures of two kinds"),
        *("softmax over one output unit: 1 for every image", "sigmoid", "answer"),
        *("softmax-one-unit", "config"),
        Setup(
            *("scenes 24 2", f"{SCENE}; dense 1 softmax", "binary_crossentropy"),
            *("adam", "4 32 600"),
        ),
        "sigmoid",
        {"layers": f"{SCENE}; dense 1 sigmoid", "train": "12 32 600"},
    ),
    Program(
        *("keras-2194", "gh:keras-team/keras/issues/2194", "labels of long sequences"),
        *("ReLU inside an LSTM over hundreds of steps: NaN", "tanh", "reading"),
        *("recurrent-activation", "config"),
        Setup(
            *("waves 200 onehot", "mask 0; lstm 32 relu; drop 0.2; dense 2; act softmax"),
            *(ENTROPY, "adam 0.01", "2 32 400"),
        ),
        "tanh|clip",
        {"data": "waves 20 onehot", "layers": "lstm 16; dense 2 softmax", "train": "8 32 400"},
    ),
    Program(
        *("keras-6447", "gh:keras-team/keras/issues/6447", "a regression by six features"),
        *("one NaN in the training data made all weights NaN", "remove it", "answer"),
        *("nan", "training"),
        Setup("smooth hole", "dense 32 relu; dense 16 relu; dense 1", "mse", "adam", "3 32 600"),
        "NaN|missing|finite",
        {"data": "smooth", "train": "20 32 600"},
    ),
    Program(
        *("keras-7005", "gh:keras-team/keras/issues/7005", "three kinds of pictures"),
        *("few small batches: the moving statistics of batch normalization are far from the data",),
        *("lower momentum or more steps", "reading", "bn-statistics", "training"),
        Setup(
            "scenes 24 3 onehot",
            "conv 8 3 relu strides=2; bn; pool 2; conv 16 3 relu; bn; flatten; dense 3 softmax",
            *(ENTROPY, "adam", "2 8 64"),
        ),
        "momentum|moving|longer|steps|statistics",
        {"train": "12 16 600"},
    ),
    Program(
        *("keras-16539", "gh:keras-team/keras/issues/16539", "digits"),
        *("all weights of a layer were set to one value, so its units stay the same",),
        *("random initial values", "reading", "constant-init", "training"),
        Setup(
            *("digits 20 flat onehot", "dense 10; dense 10", ENTROPY, "rmsprop", "6 32 800"),
            then="constant",
        ),
        "initial|symmetr|random",
    ),
    Program(
        *("keras-11590", "gh:keras-team/keras/issues/11590", "four kinds of pictures"),
        *("other preprocessing when the model is used than in training", "the same", "reading"),
        *("served-otherwise", "data"),
        Setup(
            *("scenes 24 4 onehot", f"{SCENE}; dense 16 relu; dense 4 softmax", ENTROPY),
            *("adam", "12 32 800"),
            served="scenes 24 4 byte",
        ),
        "scal|preprocess|normali|255|range",
    ),
    Program(
        *("keras-6634", "gh:keras-team/keras/issues/6634", "opinions by word numbers"),
        *("words have other numbers in the next session: random answers", "save the vocabulary"),
        *("reading", "served-otherwise", "none"),
        Setup(
            *("tokens", "embed 50 8; gru 8; dense 1 sigmoid", "binary_crossentropy", "adam 0.01"),
            *("6 32 800",),
            served="tokens renumbered",
        ),
        "vocabulary|preprocess",
    ),
    Program(
        *("tf-48308", "gh:tensorflow/tensorflow/issues/48308", "digits"),
        *("a schedule took the learning rate to 0 after one epoch", "the right schedule"),
        *("author", "learning-rate-low", "training"),
        Setup(
            *("digits 20 flat onehot", "dense 32 relu; dense 10 softmax", ENTROPY, "adam"),
            *("6 64 640",),
            then="scheduled",
        ),
        "learning rate",
        {"then": "", "train": "12 32 640"},
    ),
    Program(
        *("ds-19283", "https://datascience.stackexchange.com/questions/19283", "rare events"),
        *("12 % positives and weak features: all answers are negative", "weights, resampling"),
        *("reading", "imbalance", "data"),
        Setup(
            *("rare", "dense 8 relu; dense 8 relu; dense 8 relu; dense 1 sigmoid"),
            *("binary_crossentropy", "adam", "3 64 2500"),
        ),
        "weight|balanc|class|threshold",
    ),
    Program(
        *(
            "ds-57738",
            "https://datascience.stackexchange.com/questions/57738",
            "two classes of a table",
        ),
        *("tanh output with binary cross-entropy", "sigmoid", "answer"),
        *("loss-activation", "config"),
        Setup(
            *("pima standard", "dense 12 relu; dense 8 relu; dense 1 tanh"),
            *("binary_crossentropy", "adam", "15 32 768"),
        ),
        "sigmoid",
        {"layers": "dense 12 relu; dense 8 relu; dense 1 sigmoid"},
    ),
    Program(
        *("stats-418955", "https://stats.stackexchange.com/questions/418955", "fits a parabola"),
        *("two linear layers and targets to 10,000 that are not scaled: diverges",),
        *("scale the target; an activation", "answer", "unscaled-target", "training"),
        Setup("hundred standard", "dense 1; dense 1", "mse", "sgd", "30 32 100", metric=""),
        "scal|standardi|normali|learning rate",
        {
            "data": "hundred standard target",
            "layers": "dense 16 relu; dense 1",
            "train": "200 32 100",
        },
    ),
    Program(
        *("dlai-324182", "https://community.deeplearning.ai/t/loss-values-do-not-change/324182"),
        *("fits 2x - 1", "ReLU output, and ReLU units that die: often stuck", "linear output"),
        *("reading", "relu-output", "config"),
        Setup(
            *("line", "dense 4 relu; dense 2 relu; dense 1 relu", "mse", "adam", "150 32 7"),
            metric="",
        ),
        "linear|no activation|without.*activation",
    ),
)
