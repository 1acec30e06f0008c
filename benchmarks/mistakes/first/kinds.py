"""Kinds of mistakes for `table.py`: each changes a part of a small sound model.

A model is an input, a body, a hidden part, a head, and the settings of `compile`. The same kind is
put on five or more bodies. `codes` are the rules that name the mistake and `remedy` is what their
advice has to match; both were written before any of these models was scanned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

SIX = ("conv", "pooled", "dense", "recurrent", "attention", "transfer")
IMAGES = ("conv", "pooled", "strided", "separable", "transfer")
CROSS = r"softmax|from_logits"
SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"
ADAM = ("Adam", {"learning_rate": 0.001})


def _nothing(_model, _rng):
    """Leave the weights as they are."""


@dataclass(frozen=True)
class Kind:
    """A mistake, or without `codes` a sound model; the functions take Keras' module of layers."""

    name: str
    codes: tuple[str, ...] = ()
    remedy: str = ""
    head: Callable = lambda kl: [kl.Dense(3, activation="softmax", name="head")]
    loss: object = SPARSE
    hidden: Callable = lambda kl: [kl.Dense(16, activation="relu", name="hidden")]
    bodies: tuple[str, ...] = SIX
    front: Callable = lambda _: []
    options: tuple[tuple[str, object], ...] = ()  # of the body
    optimizer: tuple[str, dict] = ADAM
    compiled: tuple[tuple[str, object], ...] = ()  # further settings of compile
    weights: Callable = _nothing  # takes the model and a random generator, changes the weights
    drawn: bool = False  # all weights as their initializers drew them
    steps: int | None = None  # of an optimizer with its slots
    names: tuple[str, ...] = ()  # of the classes, in a file beside the model
    info: bool = False  # an info is enough: it does no harm, or may be meant
    sound: str = ""  # the name in TWINS of the sound model; empty: default


def dense(units, activation=None, *behind):
    """A head of a Dense layer, and layers behind it as functions of the layers' module."""
    return lambda kl: [
        kl.Dense(units, activation=activation, name="head"),
        *(b(kl) for b in behind),
    ]


def _hidden(*units, activation="relu", **options):
    return lambda kl: [
        kl.Dense(n, activation=activation, name="hidden" + "_" * i, **options)
        for i, n in enumerate(units)
    ]


def _loss(name, **options):
    return lambda losses: getattr(losses, name)(**options)


def _setting(name, optimizer=ADAM, codes=("MA319", "MA431"), remedy="", **compiled):
    return Kind(name, codes, remedy, optimizer=optimizer, compiled=tuple(compiled.items()))


def _l2(factor):
    return {"class_name": "L2", "config": {"l2": factor}}


def _changed(change):
    """Weights of the layer `hidden` replaced by `change(values, rng)` for kernel and bias."""

    def change_weights(model, rng):
        layer = model.get_layer("hidden")
        layer.set_weights([np.float32(change(w, rng)) for w in layer.get_weights()])

    return change_weights


def _frozen_head(model, _):
    model.get_layer("head").trainable = False


LOGITS = _loss("SparseCategoricalCrossentropy", from_logits=True)
MULTI = _loss("CategoricalCrossentropy")
HEADS = (
    Kind("softmax-one-unit-bce", ("MA305",), "sigmoid", dense(1, "softmax"), BINARY),
    Kind("softmax-one-unit-mse", ("MA305",), "sigmoid", dense(1, "softmax"), "mse"),
    Kind("relu-bce", ("MA306",), "sigmoid", dense(1, "relu"), BINARY),
    Kind("linear-bce", ("MA306",), "sigmoid|from_logits", dense(1), BINARY),
    Kind("tanh-bce", ("MA306",), "sigmoid", dense(1, "tanh"), BINARY),
    Kind("linear-cce", ("MA306",), CROSS, dense(3), MULTI),
    Kind("linear-scce", ("MA306",), CROSS, dense(3), SPARSE),
    Kind("relu-scce", ("MA306",), CROSS, dense(3, "relu"), SPARSE),
    Kind("tanh-cce", ("MA306",), CROSS, dense(3, "tanh"), MULTI),
    Kind("sigmoid-cce", ("MA306",), "softmax|binary", dense(3, "sigmoid"), MULTI),
    Kind("softmax-logits", ("MA306",), "from_logits=False|remove", dense(3, "softmax"), LOGITS),
    Kind("relu-logits", ("MA306",), "remove|linear", dense(3, "relu"), LOGITS),
    Kind("softmax-bce", ("MA306",), "categorical_cross|sigmoid", dense(3, "softmax"), BINARY),
    Kind("softmax-mse", ("MA306",), "crossentropy", dense(3, "softmax"), "mse"),
    Kind("sigmoid-mse", ("MA306",), BINARY + "|no activation", dense(1, "sigmoid"), "mse"),
    Kind("relu-mse", ("MA306",), "no activation|linear", dense(1, "relu"), "mse"),
    Kind("one-unit-scce", ("MA306",), "binary|unit for each", dense(1, "sigmoid"), SPARSE),
    Kind("one-unit-cce", ("MA306",), "binary|unit for each", dense(1, "sigmoid"), MULTI),
    Kind("sigmoid-hinge", ("MA306",), "tanh|no activation", dense(1, "sigmoid"), "hinge"),
    Kind("linear-poisson", ("MA306",), "exponential|softplus", dense(1), "poisson"),
    Kind("linear-dice", ("MA306",), "sigmoid|softmax", dense(3), _loss("Dice")),
    Kind("cosine-one-unit", ("MA306",), "mse|squared", dense(1), _loss("CosineSimilarity")),
    Kind("softmax-twice", ("MA307",), "remove", dense(3, "softmax", lambda kl: kl.Softmax())),
    Kind("softmax-of-relu", ("MA307",), "remove", dense(3, "relu", lambda kl: kl.Softmax())),
    Kind(
        *("sigmoid-of-relu", ("MA307",), "remove"),
        *(dense(1, "relu", lambda kl: kl.Activation("sigmoid")), BINARY),
    ),
    Kind(
        *("softmax-over-batch", ("MA305", "MA306"), r"axis=-1|over the classes"),
        dense(3, None, lambda kl: kl.Softmax(axis=0)),
    ),
    Kind(
        *("dropout-behind", ("MA308",), "move"),
        dense(3, "softmax", lambda kl: kl.Dropout(0.5)),
    ),
    Kind(
        *("batchnorm-behind", ("MA308",), "move"),
        dense(3, "softmax", lambda kl: kl.BatchNormalization()),
    ),
)
HIDDEN = (
    Kind(
        *("linear-stack", ("MA309",), "relu"), hidden=_hidden(16, activation=None),
        bodies=("conv", "pooled", "separable", "dense", "transfer"),
        options=(("act", "linear"),), sound="default",
    ),
    Kind(
        *("erasing-dropout", ("MA310",), "rate"),
        hidden=lambda kl: [*_hidden(16)(kl), kl.Dropout(0.95)], sound="dropout",
    ),
    Kind("bottleneck", ("MA312",), "more units", hidden=_hidden(1, 16)),
    Kind("hidden-softmax", ("MA315",), "relu", hidden=_hidden(16, activation="softmax")),
    Kind("deep-sigmoids", ("MA315",), "relu", hidden=_hidden(*[16] * 7, activation="sigmoid")),
    Kind("deep-relus", ("MA328",), "he_|normaliz|residual", hidden=_hidden(*[16] * 34)),
    Kind(
        *("bias-before-norm", ("MA326",), "use_bias=False"), info=True, sound="normalized",
        hidden=lambda kl: [
            *_hidden(16, activation=None)(kl), kl.BatchNormalization(), kl.ReLU()
        ],
    ),
    Kind(
        *("norm-momentum", ("MA322",), "momentum=0.9"), sound="normalized",
        hidden=lambda kl: [*_hidden(16)(kl), kl.BatchNormalization(momentum=1.0)],
    ),
    Kind(
        *("huge-l2", ("MA322",), "L2|smaller"), sound="regularized",
        hidden=_hidden(16, kernel_regularizer=_l2(10.0)),
    ),
    Kind(
        *("zero-kernel", ("MA323", "MA406", "MA437"), "initializer|random"),
        hidden=_hidden(16, kernel_initializer="zeros"), weights=_changed(lambda w, _: 0 * w),
    ),
    Kind(
        *("equal-units", ("MA323",), "random|glorot"),
        hidden=_hidden(16, kernel_initializer="ones"),
        weights=_changed(lambda w, rng: 0 * w + rng.normal(size=(*w.shape[:-1], 1))),
    ),
    Kind(
        *("nearly-equal-units", ("MA323",), "random|glorot"),
        weights=_changed(
            lambda w, rng: rng.normal(size=(*w.shape[:-1], 1)) + rng.normal(0, 1e-6, w.shape)
        ),
    ),
    Kind(
        *("not-adapted", ("MA313",), "adapt"), front=lambda kl: [kl.Normalization()],
        bodies=SIX, sound="adapted",
    ),
    Kind(
        *("scaled-twice", ("MA322",), "remove"), bodies=IMAGES, sound="scaled",
        front=lambda kl: [kl.Rescaling(1 / 255), kl.Rescaling(1 / 255)],
    ),
    Kind(
        *("channels-first", ("MA311",), "channels"), bodies=IMAGES,
        options=(("shape", (3, 32, 32)),),
    ),
    Kind(
        *("one-pixel", ("MA316",), "fewer|larger"), options=(("shrink", True),),
        bodies=("conv", "pooled", "strided", "separable", "series"),
    ),
    Kind(
        *("stride-skips", ("MA304",), "stride|window"), options=(("stride", 5),),
        bodies=("conv", "pooled", "strided", "separable", "transfer", "series"),
    ),
    Kind(
        *("window-beyond-input", ("MA304", "MA316"), "window|smaller|larger"),
        options=(("window", 33),), bodies=("conv", "pooled", "strided", "separable", "series"),
        info=True,
    ),
    Kind(
        *("recurrent-relu", ("MA315",), "tanh"), options=(("act", "relu"),),
        bodies=("recurrent", "gru", "simple", "bidirectional", "stacked"),
    ),
    Kind(
        *("position-outputs", ("MA327",), "pool|return_sequences|flatten"), dense(1), "mse",
        options=(("flat", False),), bodies=("conv", "series", "recurrent", "attention", "steps"),
        sound="number", info=True,  # a value for each step may be meant
    ),
    Kind(
        *("lost-mask", ("MA324",), "pool|mask"),
        bodies=("masked_flat", "masked_conv", "masked_max", "words_flat", "words_conv"),
    ),
    Kind(
        *("small-embedding", ("MA318",), "input_dim"), options=(("room", 4),),
        bodies=("lookup_mean", "lookup_lstm", "lookup_gru", "lookup_conv", "lookup_hash"),
    ),
    Kind("class-names", ("MA317",), "names", names=("cat", "dog", "cow", "hen"), sound="named"),
    Kind("frozen-head", ("MA321",), "trainable = True", weights=_frozen_head),
    Kind(
        *("constant-gate", ("MA314",), "axis|Remove|remove"), options=(("gate", True),),
        bodies=("attention", "recurrent", "gru", "series", "steps"),
    ),
)  # fmt: skip
SETTINGS = (
    _setting("rate-0", ("Adam", {"learning_rate": 0.0}), remedy="0.001|default"),
    _setting("rate-10", ("Adam", {"learning_rate": 10.0}), remedy="0.001|default"),
    _setting("rate-negative", ("SGD", {"learning_rate": -0.1}), remedy="0.01|default"),
    _setting("rate-tiny", ("Adam", {"learning_rate": 1e-10}), remedy="0.001|default"),
    _setting("clipped-to-0", ("Adam", {"clipnorm": 0.0}), remedy="clipnorm"),
    _setting("weight-0", loss_weights=[0.0], remedy="loss_weights"),
    replace(
        _setting("smoothed-away", remedy="label_smoothing=0.1"),
        loss=_loss("CategoricalCrossentropy", label_smoothing=1.0),
    ),
    replace(
        _setting("accuracy-of-numbers", codes=("MA320",), remedy="absolute", metrics=["accuracy"]),
        head=dense(1), loss="mse", info=True, sound="number",
    ),
    replace(
        _setting("thresholded", codes=("MA320",), remedy="threshold=0", metrics=["accuracy"]),
        head=dense(1), loss=_loss("BinaryCrossentropy", from_logits=True), info=True,
        sound="score",
    ),
)  # fmt: skip
TRACES = (
    Kind("nan", ("MA111",), "", weights=_changed(lambda w, _: w * np.nan)),
    Kind("exploded", ("MA435",), "learning rate|clip", weights=_changed(lambda w, _: w * 1e6)),
    Kind(
        *("dead-units", ("MA437",), "leaky|learning rate"),
        weights=_changed(lambda w, _: -np.abs(w) - (100 if w.ndim == 1 else 1)),
    ),
    Kind("shrunk", ("MA436",), "regulariz", weights=_changed(lambda w, _: w * 1e-7)),
    Kind("few-steps", ("MA432",), "train", steps=3),
    Kind("no-step", ("MA404", "MA430"), "train", steps=0, drawn=True),
)
MISTAKES: tuple[Kind, ...] = (*HEADS, *HIDDEN, *SETTINGS, *TRACES)

TWINS = {
    "default": Kind("default"),
    "dropout": Kind("dropout", hidden=lambda kl: [*_hidden(16)(kl), kl.Dropout(0.5)]),
    "normalized": Kind(
        "normalized",
        hidden=lambda kl: [
            *_hidden(16, activation=None, use_bias=False)(kl), kl.BatchNormalization(), kl.ReLU()
        ],
    ),
    "regularized": Kind(
        "regularized", hidden=_hidden(16, kernel_regularizer=_l2(1e-4)),
    ),
    "adapted": Kind("adapted", front=lambda kl: [kl.Normalization()], options=(("adapt", True),)),
    "scaled": Kind("scaled", front=lambda kl: [kl.Rescaling(1 / 255)]),
    "number": Kind("number", head=dense(1), loss="mse", compiled=(("metrics", ["mae"]),)),
    "score": Kind("score", head=dense(1), loss=_loss("BinaryCrossentropy", from_logits=True)),
    "named": Kind("named", names=("cat", "dog", "cow")),
}  # fmt: skip
SOUND_HEADS = (
    ("sigmoid", 1, (BINARY, "BinaryFocalCrossentropy", "Dice", "Tversky")),
    ("sigmoid", 3, (BINARY, "Dice", "mse")),
    ("softmax", 3, (SPARSE, "categorical_crossentropy", "CategoricalFocalCrossentropy",
                    "kl_divergence", "categorical_hinge")),
    (None, 1, ("mse", "mae", "Huber", "LogCosh", "MeanAbsolutePercentageError",
               "MeanSquaredLogarithmicError", "hinge", "squared_hinge")),
    (None, 3, ("mse", "CosineSimilarity", "categorical_hinge")),
    ("tanh", 1, ("hinge", "squared_hinge", "mse")),
    ("relu", 1, ("MeanSquaredLogarithmicError", "poisson")),
    ("softplus", 1, ("poisson", "mse")),
    ("exponential", 1, ("poisson",)),
)  # fmt: skip
SCORES = ("BinaryCrossentropy", "SparseCategoricalCrossentropy", "CategoricalCrossentropy")


def sound_heads():
    """Sound models of the heads and losses that Keras' documentation shows."""
    for activation, units, losses in SOUND_HEADS:
        for loss in losses:
            made = _loss(loss) if loss[0].isupper() else loss
            yield Kind(f"{activation}-{units}-{loss}", head=dense(units, activation), loss=made)
    behind = dense(1, "sigmoid", lambda kl: kl.ReLU())
    yield Kind("relu-of-sigmoid", head=behind, loss=BINARY)
    for loss in SCORES:
        made = _loss(loss, from_logits=True)
        yield Kind(f"logits-{loss}", head=dense(1 if loss[0] == "B" else 3), loss=made)
