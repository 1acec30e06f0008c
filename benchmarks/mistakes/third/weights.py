"""The mistakes in weights of the third set of `table.py`."""

import importlib
import math

import numpy as np

from benchmarks.mistakes.third.bodies import TABLES
from benchmarks.mistakes.third.build import Third, counted, dense, known, optimizer, wide

FLAT = (*TABLES, "fasttext", "crnn")


def changed(change, layer="hidden"):
    """The weights of a layer replaced by what `change` makes of kernel and bias."""

    def change_weights(model, rng):
        held = model.get_layer(layer)
        held.set_weights([np.float32(w) for w in change(*held.get_weights(), rng)])

    return change_weights


def fresh(part, value):
    """All weights whose path has the part set to a value, as if never updated."""

    def change(model, _):
        for weight in model.weights:
            path = getattr(weight, "path", "") or weight.name
            if part in path:
                weight.assign(np.full(weight.shape, value, np.float32))

    return change


def _frozen_trunk(model, _):
    for layer in model.layers:
        layer.trainable = layer.name in ("hidden", "head")
    for name in ("hidden", "head"):
        layer = model.get_layer(name)
        layer.set_weights([w + np.float32(0.2) for w in layer.get_weights()])


def _of(kl, package, name, *args, **options):
    """An initializer, constraint or regularizer of the generation of the layers."""
    keras = importlib.import_module(kl.__name__.split(".")[0])
    return getattr(getattr(keras, package), name)(*args, **options)


def _hidden(option: str, module: str, name: str, value: float):
    """One hidden layer with a constraint or a regularizer."""
    return lambda kl: [
        kl.Dense(16, activation="relu", name="hidden", **{option: _of(kl, module, name, value)})
    ]


def _drawn_as(activation, **initializers):
    """A hidden layer whose weights have these initializers: a name and its arguments."""
    return lambda kl: [
        kl.Dense(
            16,
            activation=activation,
            name="hidden",
            **{k: _of(kl, "initializers", *said) for k, said in initializers.items()},
        )
    ]


WEIGHTS = (
    Third(
        "bias-minus-10",
        "zeros|bias_initializer",
        hidden=_drawn_as("relu", bias_initializer=("Constant", -10.0)),
        drawn=True,
    ),
    Third(
        "wide-initial-weights",
        "glorot|he_|stddev|smaller",
        drawn=True,
        hidden=_drawn_as("tanh", kernel_initializer=("RandomNormal", 0.0, 20.0)),
    ),
    known(
        "equal-units", "random|glorot|he_", drawn=True, hidden=wide(16, kernel_initializer="ones")
    ),
    Third(
        "max-norm-0",
        "constraint|max_value",
        hidden=_hidden("kernel_constraint", "constraints", "MaxNorm", 0.0),
    ),
    Third(
        "activity-l1",
        "smaller|activity_regularizer|1e-",
        hidden=_hidden("activity_regularizer", "regularizers", "L1", 100.0),
    ),
    known(
        "frozen-head",
        "trainable = True|trainable=True",
        weights=lambda model, _: setattr(model.get_layer("head"), "trainable", False),
    ),
    Third(
        "frozen-untrained-trunk",
        "trainable = True|trainable=True|weights=|pretrained",
        drawn=True,
        weights=_frozen_trunk,
        bodies=("applied", "densenet", "squeeze"),
    ),
    known("dead-units", "learning|bias|he_|leaky", weights=changed(lambda k, b, _: [k, b - 80])),
    Third(
        "saturated-units",
        "learning|scale|normaliz|regulariz|smaller|initial",
        hidden=wide(16, activation="tanh"),
        weights=changed(lambda k, b, _: [k * 300, b * 300 + 200 * np.sign(k.sum(0))]),
    ),
    Third(
        "prior-learnt",
        "learning|scale|normaliz|features|inputs",
        weights=changed(lambda k, _b, _: [k * 0, np.log([0.5, 0.2, 0.15, 0.1, 0.05])], "head"),
    ),
    Third(
        "norm-never-updated",
        "training=True|training|momentum|moving",
        hidden=lambda kl: [kl.Dense(16, use_bias=False), kl.BatchNormalization(), kl.ReLU()],
        bodies=FLAT,
        weights=lambda m, r: (
            fresh("moving_mean", 0.0)(m, r),
            fresh("moving_variance", 1.0)(m, r),
            counted(m, r),
        ),
    ),
    known(
        "norm-momentum-1",
        "momentum=0",
        hidden=lambda kl: [
            kl.Dense(16, use_bias=False),
            kl.BatchNormalization(momentum=1.0),
            kl.ReLU(),
        ],
        bodies=FLAT,
    ),
    known(
        "nan", "learning|clip|NaN|nan", weights=changed(lambda k, b, _: [k * math.nan, b], "head")
    ),
    known("no-step", "train|weights|fit", drawn=True, bodies=FLAT),
    known(
        "few-steps",
        "train|epoch|longer|more",
        drawn=True,
        steps=3,
        bodies=("selu", "widedeep", "fasttext"),
    ),
    known(
        "exploded",
        "learning|clip|scale",
        drawn=True,
        steps=6,
        head=dense(1),
        loss="mse",
        optimizer=optimizer("SGD", learning_rate=30.0),
        bodies=("maxout", "towers", "textcnn"),
    ),
)
