"""Builders of set 11 of the restore benchmark: families that no earlier set has."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.restore import nets as data
from benchmarks.restore.nets import CLASSES, Arrays, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
SAME = {"padding": "same"}


def _drawn(name: str, **config: Any) -> dict[str, Any]:
    """An initializer as its config: one instance would draw the same values for each layer."""
    return {"class_name": name, "config": config}


def facts(rng: np.random.Generator, n: int) -> Arrays:
    """Six pairs of a key and a value, and one of the keys; its value."""
    keys = np.argsort(rng.uniform(size=(n, 10)), axis=1)[:, :6]
    values, asked = rng.integers(0, 6, (n, 6)), rng.integers(0, 6, n)
    rows = np.arange(n)
    x = keys, values, keys[rows, asked][:, None]
    return [v.astype(np.int32) for v in x], [values[rows, asked]]


def integrals(rng: np.random.Generator, n: int) -> Arrays:
    """A function at 20 points and a place; the integral of the function up to there."""
    size = rng.normal(size=(n, 4, 1)) / np.arange(1, 5)[:, None] ** 0.5
    wave = np.pi * np.arange(1, 5)[:, None]
    x, t = np.linspace(0, 1, 20), rng.uniform(0, 1, (n, 1, 1))
    u = (size * np.cos(wave * x)).sum(axis=1)
    y = (size * np.sin(wave * t) / wave * 3).sum(axis=1)
    return [v.astype(np.float32) for v in (u, t[:, 0])], [y.astype(np.float32)]


def halves(rng: np.random.Generator, n: int) -> Arrays:
    """Two times four numbers, each half bent by the other; what becomes of both."""
    a, b = rng.normal(size=(2, n, 4))
    mix = np.random.default_rng(12).normal(size=(2, 4, 4)) * 0.7
    c = a + np.tanh(b @ mix[0])
    y = np.concatenate([c, b + np.tanh(c @ mix[1])], axis=1)
    return [v.astype(np.float32) for v in (a, b)], [y.astype(np.float32)]


def marked(rng: np.random.Generator, n: int) -> Arrays:
    """16 numbers, two of them marked; the sum of these."""
    x = rng.uniform(0, 1, (n, 16))
    rank = np.argsort(np.argsort(rng.uniform(size=(n, 16)), axis=1), axis=1)
    mark = (rank < 2).astype(float)
    y = (x * mark).sum(axis=1, keepdims=True)
    return [np.stack([x, mark], axis=-1).astype(np.float32)], [y.astype(np.float32)]


def octaves(k: Any) -> Any:
    """A fine and a coarse group of channels that inform one another (octave convolution)."""
    of, i = k.layers, k.Input((16, 16, 3))
    fine = of.Conv2D(12, 3, use_bias=False, name="stem", **SAME)(i)
    coarse = of.Conv2D(12, 3, use_bias=False, **SAME)(of.AveragePooling2D(2)(i))
    for n in range(2):
        up = of.UpSampling2D(2)(of.Conv2D(12, 1, name=f"rise{n}")(coarse))
        down = of.Conv2D(16, 3, name=f"sink{n}", **SAME)(of.AveragePooling2D(2)(fine))
        fine = of.Add()([of.Conv2D(12, 3, use_bias=False, **SAME)(fine), up])
        fine = of.ReLU()(of.BatchNormalization(momentum=0.9, name=f"fine_norm{n}")(fine))
        coarse = of.Add()([of.Conv2D(16, 3, use_bias=False, **SAME)(coarse), down])
        coarse = of.ReLU()(of.BatchNormalization(momentum=0.9)(coarse))
    x = of.Concatenate()([of.GlobalAveragePooling2D()(y) for y in (fine, coarse)])
    return k.Model(i, of.Dense(name="kind", **SOFTMAX)(x))


def blurred(k: Any) -> Any:
    """Convolutions with learnt leaks, and a fixed blur before each smaller map."""
    of, i = k.layers, k.Input((16, 16, 3))
    x = i
    for n, width in enumerate((16, 24)):
        x = of.Conv2D(width, 3, kernel_initializer="he_normal", name=f"see{n}", **SAME)(x)
        x = of.BatchNormalization(scale=False, momentum=0.9)(x)
        x = of.PReLU(shared_axes=[1, 2], name=f"leak{n}")(x)
        x = of.DepthwiseConv2D(
            3, strides=2, use_bias=False, trainable=False, name=f"blur{n}",
            depthwise_initializer=_drawn("Constant", value=1 / 9), **SAME,
        )(x)  # fmt: skip
    x = of.Conv2D(32, 3, kernel_initializer="he_normal", activation="relu")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalMaxPooling2D()(x)))


def gated_places(k: Any) -> Any:
    """Dense layers along the places gate those along the channels (gMLP)."""
    of, i = k.layers, k.Input((24,), dtype="int32")
    x = of.Embedding(120, 24, name="words")(i)
    for n in range(2):
        y = of.LayerNormalization(epsilon=1e-6)(x)
        y = of.Dense(48, activation="gelu", name=f"widen{n}")(y)
        u, v = of.Dense(24)(y), of.Dense(24, name=f"gate{n}")(y)
        v = of.Permute((2, 1))(of.LayerNormalization(name=f"gate_norm{n}")(v))
        v = of.Dense(
            24, name=f"places{n}", bias_initializer="ones",
            kernel_initializer=_drawn("RandomNormal", stddev=0.02),
        )(v)  # fmt: skip
        y = of.Multiply()([u, of.Permute((2, 1))(v)])
        x = of.Add()([x, of.Dense(24)(y)])
    x = of.LayerNormalization(name="end")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalAveragePooling1D()(x)))


def recall(k: Any) -> Any:
    """Facts are kept by key and read twice (a memory network)."""
    of = k.layers
    keys, values, asked = (
        k.Input((size,), dtype="int32", name=name)
        for name, size in (("keys", 6), ("values", 6), ("asked", 1))
    )
    small = {"embeddings_initializer": _drawn("RandomNormal", stddev=0.3)}
    kept = of.Embedding(10, 24, name="kept", **small)(keys)
    held = of.Embedding(6, 24, **small)(values)
    q = of.Flatten()(of.Embedding(10, 24, name="question", **small)(asked))
    for n in range(2):
        look = of.Softmax()(of.Dot(axes=(2, 1))([kept, q]))
        q = of.Add()([of.Dense(24, name=f"turn{n}")(q), of.Dot(axes=(1, 1))([look, held])])
    q = of.Dense(32, activation="relu")(q)
    return k.Model([keys, values, asked], of.Dense(6, activation="softmax", name="answer")(q))


def operator(k: Any) -> Any:
    """One network reads a function, one a place; their product is the answer (DeepONet)."""
    of = k.layers
    function, place = k.Input((20,), name="function"), k.Input((1,), name="place")
    draw = {"kernel_initializer": "glorot_normal"}
    branch = of.Dense(40, activation="relu", name="branch", **draw)(function)
    branch = of.Dense(24, **draw)(branch)
    trunk = of.Dense(40, activation="tanh", **draw)(place)
    trunk = of.Dense(40, activation="tanh", name="trunk", **draw)(trunk)
    trunk = of.Dense(24, activation="tanh", **draw)(trunk)
    both = of.Concatenate()([of.Multiply()([branch, trunk]), of.Dense(8, name="aside")(trunk)])
    return k.Model([function, place], of.Dense(1, name="integral")(both))


def self_normalizing(k: Any) -> Any:
    """SELU, `lecun_normal` and alpha dropout: no normalization is needed."""
    of, i = k.layers, k.Input((20,))
    x = i
    for n, width in enumerate((64, 48, 48, 32)):
        named = {"name": f"deep{n}"} if n % 2 == 0 else {}
        x = of.Dense(width, activation="selu", kernel_initializer="lecun_normal", **named)(x)
        x = of.AlphaDropout(0.03)(x)
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def coupled(k: Any) -> Any:
    """Each half is bent by what the other one says, in turn (reversible blocks)."""
    of = k.layers
    a, b = one, other = k.Input((4,), name="one"), k.Input((4,), name="other")
    for n in range(4):
        y = of.Dense(32, activation="relu", kernel_initializer="he_uniform", name=f"read{n}")(b)
        y = of.Dense(4, use_bias=False, kernel_regularizer="l2" if n == 3 else None)(y)
        a, b = b, of.Add()([a, y])
    x = of.Dense(24, activation="elu", name="gather")(of.Concatenate()([a, b]))
    x = of.Concatenate()([x, a, b])
    return k.Model([one, other], of.Dense(8, name="ends")(x))


def identity_rnn(k: Any) -> Any:
    """A recurrent layer of ReLU that starts with the identity."""
    of, i = k.layers, k.Input((16, 2))
    x = of.SimpleRNN(
        28, activation="relu", name="keep", recurrent_initializer="identity",
        kernel_initializer=_drawn("RandomNormal", stddev=0.1),
    )(i)  # fmt: skip
    x = of.Dense(16, activation="relu")(x)
    return k.Model(i, of.Dense(1, name="sum")(x))


ELEVENTH = (
    Net("operator", integrals, operator, ("mse",), epochs=20, rate=5e-3,
        options=(("use_ema", True),)),
    Net("self_normalizing", data.table, self_normalizing, epochs=20, optimizer="AdamW",
        options=(("amsgrad", True),)),
    Net("coupled", halves, coupled, ("huber",), epochs=15, optimizer="Nadam",
        options=(("clipnorm", 1.0),)),
    Net("recall", facts, recall, epochs=15, rate=1e-2),
    Net("gated_places", data.tokens, gated_places, epochs=6, optimizer="Adamax", rate=5e-3),
    Net("blurred", data.scenes, blurred, epochs=8, optimizer="RMSprop", rate=2e-3,
        options=(("centered", True),)),
    Net("octaves", data.images, octaves, epochs=5, optimizer="SGD", rate=3e-2,
        options=(("momentum", 0.9), ("weight_decay", 1e-4))),
    Net("identity_rnn", marked, identity_rnn, ("mse",), epochs=20, optimizer="Adam",
        options=(("clipnorm", 1.0),)),
)  # fmt: skip
