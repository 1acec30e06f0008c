"""Faulty programs from Stack Overflow that are in the benchmarks of published tools.

The posts are those of DeepLocalize (ICSE 2021), DeepFD (ICSE 2022), Defects4ML (2023), NeuraLint
(TOSEM 2021) and DEFault (ICSE 2025); fault and fix as those or the answers state them. Layers and
settings are the posts', widths and data are smaller.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

POSTS = (
    Program(
        *("so-31880720", "so:31880720", "tells 128 ones from 128 zeros"),
        *("softmax over one output unit is 1 for every input", "sigmoid; more epochs", "answer"),
        *("softmax-one-unit", "config"),
        Setup(
            "constant",
            "dense 50 relu; act relu; drop 0.2; dense 50; act relu; drop 0.2; dense 1; act softmax",
            *("binary_crossentropy", "rmsprop", "3 16 2000"),
        ),
        "sigmoid",
        {"layers": "dense 50 relu; drop 0.2; dense 50 relu; drop 0.2; dense 1 sigmoid"},
    ),
    Program(
        *("so-33969059", "so:33969059", "learns a weighted sum of three numbers"),
        *("softmax over one output unit, for regression", "linear output", "answer"),
        *("softmax-one-unit", "config"),
        Setup(
            "weights",
            "dense 3 init=uniform; act tanh; drop 0.5; dense 2 init=uniform; act tanh; drop 0.5;"
            "dense 1 init=uniform; act softmax",
            *("mse", "sgd 0.1 momentum=0.9 nesterov", "20 32 1000"),
        ),
        "linear|no activation|without.*activation|sigmoid",
    ),
    Program(
        *("so-34311586", "so:34311586", "learns XOR from six rows"),
        *("softmax over one output unit; learning rate and epochs too low", "sigmoid, 0.1"),
        *("answer", "softmax-one-unit", "config"),
        Setup(
            "corners",
            "dense 2 init=uniform; act sigmoid; dense 3 init=uniform; act sigmoid;"
            "dense 1 init=uniform; act softmax",
            *("mse", "sgd 0.001 momentum=0.9 nesterov", "20 32 6"),
            metric="",
        ),
        "sigmoid",
    ),
    Program(
        *("so-45442843", "so:45442843", "finds on which side of a limit a number is"),
        *("softmax over one unit, MAE as the loss, input not scaled", "sigmoid, cross-entropy"),
        *("paper", "softmax-one-unit", "config"),
        Setup(
            *("ramp", "dense 1; act sigmoid; dense 1 init=normal; act softmax"),
            *("mae", "rmsprop", "60 100 400"),
        ),
        "sigmoid",
    ),
    Program(
        *("so-45378493", "so:45378493", "1-D convolutions on ten steps of four prices"),
        *("softmax over one output unit", "sigmoid, or two units", "answer"),
        *("softmax-one-unit", "config"),
        Setup(
            "quotes",
            "conv1d 16 4 same; bn; leaky; drop 0.2; conv1d 8 4 same; bn; leaky; drop 0.2; flatten;"
            "dense 64; bn; leaky; dense 1; act softmax",
            *("binary_crossentropy", "adam", "15 128 1500"),
        ),
        "sigmoid",
        {
            "data": "quotes standard",
            "layers": "conv1d 16 4 same; bn; leaky; drop 0.2; conv1d 8 4 same; bn; leaky; drop 0.2;"
            "flatten; dense 64; bn; leaky; dense 1; act sigmoid",
        },
    ),
    Program(
        *("so-46620813", "so:46620813", "an LSTM predicts the next bit of a sequence"),
        *("softmax over one output unit; always answers 0", "sigmoid", "answer"),
        *("softmax-one-unit", "config"),
        Setup(
            *("bits", "lstm 1; dense 1 softmax", "binary_crossentropy"),
            *("adagrad 0.01", "20 256 1000"),
        ),
        "sigmoid",
    ),
    Program(
        *("so-48221692", "so:48221692", "approximates the square of a number"),
        *("sigmoid output, but targets far above 1", "linear output", "answer"),
        *("output-range", "data"),
        Setup(
            *("square", "dense 5; act sigmoid; dense 1; act sigmoid"),
            *("mse", "sgd", "300 201 201"),
        ),
        "linear|no activation|without.*activation|range",
    ),
    Program(
        *("so-48251943", "so:48251943", "predicts a signed return from two numbers"),
        *("ReLU output for targets below 0", "tanh (or linear) output", "paper"),
        *("relu-output", "config"),
        Setup(
            *("returns", "dense 4; act relu; dense 1; act relu", "mse"),
            *("sgd", "50 10 300"),
            metric="mse",
        ),
        "linear|tanh|no activation|without.*activation",
        {"layers": "dense 4 relu; dense 1 tanh"},
    ),
    Program(
        *("so-44066044", "so:44066044", "classifies network packets"),
        *("ReLU output with binary cross-entropy; features not scaled", "sigmoid; scale"),
        *("answer", "loss-activation", "config"),
        Setup(
            "packets",
            "dense 12 init=normal; act relu; dense 12 init=normal; act relu; dense 1 init=normal;"
            "act relu",
            *("binary_crossentropy", "adam", "20 5 600"),
        ),
        "sigmoid|from_logits",
        {
            "data": "packets standard",
            "layers": "dense 12 init=normal relu; dense 12 init=normal relu; dense 1 sigmoid",
        },
    ),
    Program(
        *("so-47352366", "so:47352366", "a convolutional net for digits"),
        *("ReLU output with categorical cross-entropy", "softmax", "answer"),
        *("loss-activation", "config"),
        Setup(
            "digits 20 onehot",
            "conv 8 5 relu same; pool 2; conv 16 5 relu same; pool 2; flatten; dense 64 relu;"
            "drop 0.5; dense 10; act relu",
            *("categorical_crossentropy", "adam", "2 50 1500"),
        ),
        "softmax|from_logits",
        {
            "layers": "conv 8 5 relu same; pool 2; conv 16 5 relu same; pool 2; flatten;"
            "dense 64 relu; drop 0.5; dense 10 softmax",
            "train": "8 50 1500",
        },
    ),
    Program(
        *("so-55328966", "so:55328966", "a dense net for digits"),
        *("sigmoid output with categorical cross-entropy; pixels 0 to 255; slow SGD",),
        *("softmax; divide by 255; Adam", "paper", "loss-activation", "config"),
        Setup(
            *("digits 20 flat byte onehot", "dense 400; dense 50; act relu; dense 10; act sigmoid"),
            *("categorical_crossentropy", "sgd 0.0001", "10 32 1500"),
        ),
        "softmax|binary",
        {
            "data": "digits 20 flat onehot",
            "layers": "dense 400 relu; dense 50 relu; dense 10 softmax",
            "optimizer": "adam",
        },
    ),
    Program(
        *("so-59278771", "so:59278771", "three species of iris"),
        *("sigmoid output with categorical cross-entropy; four hidden units; not scaled",),
        *("softmax; scale; more units", "answer", "loss-activation", "config"),
        Setup(
            *("iris onehot", "dense 4 init=normal; act relu; dense 3 init=normal; act sigmoid"),
            *("categorical_crossentropy", "adam", "60 5 150"),
        ),
        "softmax|binary",
        {
            "data": "iris standard onehot",
            "layers": "dense 4 init=normal relu; dense 8 init=normal relu; dense 3 softmax",
        },
    ),
    Program(
        *("so-38648195", "so:38648195", "any of three topics by twenty counts"),
        *("softmax and MSE, but several labels are true at once", "sigmoid, binary cross-entropy"),
        *("answer", "loss-choice", "config"),
        Setup(
            "counts",
            "dense 20; act relu; drop 0.5; dense 20; act relu; drop 0.5; dense 3; act softmax",
            *("mse", "sgd", "20 20 2000"),
        ),
        "cross-?entropy|crossentropy",
        {
            "layers": "dense 20 relu; drop 0.2; dense 20 relu; drop 0.2; dense 3 sigmoid",
            "loss": "binary_crossentropy",
            "optimizer": "adam",
        },
    ),
    Program(
        *("so-44164749", "so:44164749", "a dense net for digits, a few updates"),
        *("too few epochs at too low a learning rate", "more epochs, 0.05", "paper"),
        *("undertrained", "training"),
        Setup(
            "digits 20 flat onehot",
            "dense 300; act relu; drop 0.1; dense 60; act relu; drop 0.1; dense 10; act softmax",
            *("categorical_crossentropy", "sgd 0.01 momentum=0.9 nesterov", "1 100 1500"),
        ),
        "longer|epoch|learning rate",
    ),
    Program(
        *("so-50079585", "so:50079585", "three degrees of damage in pictures"),
        *("one sigmoid unit with binary cross-entropy for three classes", "three softmax units"),
        *("answer", "output-units", "data"),
        Setup(
            "scenes 24 3",
            "conv 16 3; act relu; pool 2; conv 16 3; act relu; pool 2; conv 32 3; act relu;"
            "flatten; dense 64; act relu; drop 0.5; dense 1; act sigmoid",
            *("binary_crossentropy", "rmsprop", "4 16 600"),
        ),
        "softmax|unit|class",
        {
            "data": "scenes 24 3 onehot",
            "layers": "conv 16 3 relu; pool 2; conv 16 3 relu; pool 2; conv 32 3 relu; flatten;"
            "dense 64 relu; drop 0.5; dense 3 softmax",
            "loss": "categorical_crossentropy",
            "train": "8 16 600",
        },
    ),
    Program(
        *("so-48385830", "so:48385830", "a net of two layers for digits"),
        *("no activations, MSE, learning rate 3", "sigmoid, softmax, cross-entropy", "answer"),
        *("learning-rate-high", "config"),
        Setup(
            *(
                "digits 20 flat onehot",
                "dense 30 init=wide bias=wide; dense 10 init=wide bias=wide",
            ),
            *("mse", "sgd 3", "2 10 1000"),
        ),
        "rate|sigmoid|softmax|activation",
    ),
    Program(
        *("so-39525358", "so:39525358", "classifies rows of three raw numbers"),
        *("features not scaled", "standardize the features", "answer", "unscaled-input", "data"),
        Setup(
            "outputs",
            "dense 12 init=uniform; act relu; dense 3 init=uniform; act relu;"
            "dense 1 init=uniform; act sigmoid",
            *("binary_crossentropy", "adam", "40 4 300"),
        ),
        "scal|standardi|normali",
        {"data": "outputs standard"},
    ),
    Program(
        *("so-39217567", "so:39217567", "answers each 8-bit code by another"),
        *("three sigmoid layers with MSE and SGD do not learn", "ReLU inside; cross-entropy"),
        *("answer", "saturating-hidden", "config"),
        Setup(
            "codes",
            "dense 8 init=normal; act sigmoid; dense 8 init=normal; act sigmoid;"
            "dense 8 init=normal; act sigmoid",
            *("mse", "sgd", "150 50 256"),
        ),
        "relu|cross-?entropy|crossentropy",
    ),
    Program(
        *("so-48934338", "so:48934338", "fits a parabola"),
        *("learning rate 0.1 makes the weights overflow", "0.001 or lower", "answer"),
        *("learning-rate-high", "training"),
        Setup(
            *(
                "parabola",
                "dense 50; act relu; dense 30 init=uniform; act relu; dense 1; act linear",
            ),
            *("mse", "sgd 0.1", "60 32 50"),
        ),
        "learning rate|clip",
        {"optimizer": "sgd 0.001", "train": "300 32 50"},
    ),
    Program(
        *("so-47724077", "so:47724077", "income from a census table"),
        *("features not scaled", "standardize; learning rate 0.01", "paper"),
        *("unscaled-input", "data"),
        Setup(
            *("adult onehot", "dense 21; act relu; dense 2; act softmax"),
            *("categorical_crossentropy", "adam", "15 100 2000"),
        ),
        "scal|standardi|normali",
        {"data": "adult standard onehot"},
    ),
    Program(
        *("so-59325381", "so:59325381", "a convolutional net for digits"),
        *("the labels were divided by 255 with the pixels: all are class 0", "divide x only"),
        *("answer", "labels-wrong", "data"),
        Setup(
            "digits 20 divided",
            "conv 16 3 same; pool 2; conv 8 3 same; pool 2; flatten; dense 32; act relu; dense 10;"
            "act softmax",
            *("sparse_categorical_crossentropy", "adam", "2 16 1500"),
        ),
        "label|target|class",
        {"data": "digits 20", "train": "6 16 1500"},
    ),
    Program(
        *("so-52800582", "so:52800582", "approximates the fourth power"),
        *("inputs to 100 and targets to 1e8 are not scaled", "standardize both", "answer"),
        *("unscaled-input", "data"),
        Setup(
            *("quartic", "dense 50; act sigmoid; dense 50; act elu; dense 1", "mse", "adam"),
            *("150 400 400",),
            metric="",
        ),
        "scal|standardi|normali",
        {
            "data": "quartic standard target",
            "layers": "dense 50 relu; dense 50 elu; dense 1",
            "train": "60 32 400",
        },
    ),
    Program(
        *("so-34673164", "so:34673164", "tells two letters apart"),
        *("MSE with a softmax; no normalization", "cross-entropy; batch normalization", "paper"),
        *("loss-choice", "config"),
        Setup(
            "letters onehot",
            "dense 64 init=uniform; act tanh; drop 0.5; dense 64 init=uniform; act tanh; drop 0.5;"
            "dense 2 init=uniform; act softmax",
            *("mse", "sgd 0.1 momentum=0.9 nesterov", "15 16 1000"),
        ),
        "cross-?entropy|crossentropy",
        {
            "data": "letters standard onehot",
            "layers": "dense 64 tanh; drop 0.5; dense 64 tanh; drop 0.5; dense 2 softmax",
            "loss": "categorical_crossentropy",
        },
    ),
    Program(
        *("so-50306988", "so:50306988", "tells two squares in the plane apart"),
        *("five epochs with the default learning rate", "0.01, more epochs", "paper"),
        *("undertrained", "training"),
        Setup(
            *("squares onehot", "dense 2; act sigmoid; dense 2; act softmax"),
            *("categorical_crossentropy", "adam", "5 32 200"),
        ),
        "longer|epoch|learning rate",
    ),
)
