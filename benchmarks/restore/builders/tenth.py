"""Builders of set 10 of the restore benchmark: families that no earlier set has."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.restore import nets as data
from benchmarks.restore.builders import fifth
from benchmarks.restore.nets import CLASSES, Arrays, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
SAME = {"padding": "same"}


def _drawn(name: str, **config: Any) -> dict[str, Any]:
    """An initializer as its config: one instance would draw the same values for each layer."""
    return {"class_name": name, "config": config}


def noisy_waves(rng: np.random.Generator, n: int) -> Arrays:
    """Two waves of other periods and their noise, 48 steps; the target is the waves."""
    t = np.arange(48)
    clean = 0.0
    for least, most in ((6, 10), (18, 40)):
        period, phase = rng.uniform(least, most, (n, 1)), rng.uniform(0, 6.3, (n, 1))
        clean = clean + rng.uniform(0.4, 1.2, (n, 1)) * np.sin(2 * np.pi * t / period + phase)
    x = clean + rng.normal(0, 0.5, (n, 48))
    return [x[..., None].astype(np.float32)], [clean[..., None].astype(np.float32)]


def unsorted(rng: np.random.Generator, n: int) -> Arrays:
    """Seven numbers, their places, and what a sorter has said so far; what it says next."""
    x = rng.integers(2, 14, (n, 7))
    y = np.sort(x, axis=1)
    before = np.pad(y[:, :-1], ((0, 0), (1, 0)), constant_values=1)
    places = np.tile(np.arange(7), (n, 1))
    return [v.astype(np.int32) for v in (x, before, places)], [y]


def columns(rng: np.random.Generator, n: int) -> Arrays:
    """Six numbers, each with a curve of its own; the sum of the curves."""
    x = rng.uniform(-2, 2, (n, 6))
    curves = (
        np.sin(3 * x[:, 0]), np.abs(x[:, 1]), np.tanh(4 * x[:, 2]), x[:, 3] ** 2 / 2,
        (x[:, 4] > 0.5) * 1.5, np.exp(-3 * x[:, 5] ** 2),
    )  # fmt: skip
    y = np.sum(curves, axis=0) + rng.normal(0, 0.1, n)
    return [x.astype(np.float32)], [y[:, None].astype(np.float32)]


def bands(rng: np.random.Generator, n: int) -> Arrays:
    """Ten numbers; which of two sums of them lie near 0."""
    x = rng.normal(size=(n, 10))
    near = [np.abs(x[:, a : a + 4].sum(axis=1)) < 1.3 for a in (0, 5)]
    return [x.astype(np.float32)], [(2 * near[0] + near[1]).astype(np.int64)]


def orders(rng: np.random.Generator, n: int) -> Arrays:
    """Five numbers that say how eight others are to be weighed; both weighted sums."""
    said, x = rng.normal(size=(n, 5)), rng.normal(size=(n, 8))
    mix = np.random.default_rng(11).normal(size=(5, 2, 8)) / 2
    y = np.einsum("ni,ioj,nj->no", np.tanh(1.5 * said), mix, x)
    return [said.astype(np.float32), x.astype(np.float32)], [y.astype(np.float32)]


def echoes(rng: np.random.Generator, n: int) -> Arrays:
    """30 random steps; products and sums of the last ones."""
    x = rng.uniform(-1, 1, (n, 30, 1))
    a, b, c, d = (x[:, -place, 0] for place in (1, 2, 3, 4))
    y = np.stack([a + b * c, 0.7 * b - 0.5 * d + a * c], axis=1)
    return [x.astype(np.float32)], [y.astype(np.float32)]


def shuffled(k: Any) -> Any:
    """Grouped pointwise convolutions whose channels are shuffled between them (ShuffleNet)."""
    of, i = k.layers, k.Input((16, 16, 3))
    draw = {"kernel_initializer": _drawn("VarianceScaling", scale=2.0, mode="fan_out")}
    norm = {"momentum": 0.95, "epsilon": 1e-5}
    x = of.Conv2D(16, 3, strides=2, use_bias=False, name="stem", **draw, **SAME)(i)
    x = of.ReLU()(of.BatchNormalization(**norm)(x))
    for n in range(3):
        y = of.Conv2D(32, 1, groups=4, use_bias=False, name=f"enter{n}", **draw)(x)
        y = of.ReLU()(of.BatchNormalization(**norm)(y))
        y = of.Reshape((8, 8, 4, 8))(y)
        y = of.Reshape((8, 8, 32))(of.Permute((1, 2, 4, 3))(y))
        y = of.DepthwiseConv2D(3, use_bias=False, **SAME)(y)
        y = of.BatchNormalization(name=f"deep_norm{n}", **norm)(y)
        y = of.Conv2D(16, 1, groups=4, use_bias=False, **draw)(y)
        x = of.ReLU()(of.Add()([x, of.BatchNormalization(**norm)(y)]))
    return k.Model(i, of.Dense(name="kind", **SOFTMAX)(of.GlobalAveragePooling2D()(x)))


def side_by_side(k: Any) -> Any:
    """Two convolutions and the input itself, each normalized, are added (RepVGG before fusing)."""
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(24, 2, strides=2, kernel_initializer="he_normal", name="patches")(i)
    for n in range(2):
        a = of.Conv2D(24, 3, use_bias=False, name=f"three{n}", **SAME)(x)
        b = of.Conv2D(24, 1, use_bias=False, name=f"one{n}")(x)
        sides = [of.BatchNormalization(momentum=0.9)(y) for y in (a, b)]
        sides.append(of.BatchNormalization(momentum=0.9, name=f"same{n}")(x))
        x = of.AveragePooling2D(2)(of.LeakyReLU()(of.Add()(sides)))
    x = of.Dropout(0.1)(of.Flatten()(x))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def wave_unet(k: Any) -> Any:
    """Down and up again along time, with transposed convolutions and shortcuts."""
    of, i = k.layers, k.Input((48, 1))
    draw = {"kernel_initializer": "orthogonal", "activation": "swish", **SAME}
    first = of.Conv1D(12, 7, name="first", **draw)(i)
    second = of.Conv1D(20, 5, strides=2, name="down", **draw)(first)
    x = of.GroupNormalization(4)(of.Conv1D(28, 5, strides=2, **draw)(second))
    x = of.Conv1DTranspose(20, 4, strides=2, name="up", **draw)(x)
    x = of.GroupNormalization(5, name="calm")(of.Concatenate()([x, second]))
    x = of.Conv1DTranspose(12, 4, strides=2, **draw)(x)
    x = of.Conv1D(16, 5, **draw)(of.Concatenate()([x, first]))
    return k.Model(i, of.Conv1D(1, 1, name="clean")(x))


def conformer(k: Any) -> Any:
    """Attention, then gated convolutions along time, between two half steps of dense layers."""
    of, i = k.layers, k.Input((24, 16, 1))
    x = of.Dense(20, name="lift")(of.Reshape((24, 16))(i))
    for n in range(2):
        y = of.Dense(40, activation="swish", name=f"before{n}")(of.LayerNormalization()(x))
        x = of.Add()([x, of.Rescaling(0.5)(of.Dense(20)(y))])
        y = of.LayerNormalization(name=f"attend_norm{n}")(x)
        x = of.Add()([x, of.MultiHeadAttention(2, 10, dropout=0.05)(y, y)])
        y = of.LayerNormalization()(x)
        gates = of.Dense(20, activation="sigmoid", name=f"gates{n}")(y)
        y = of.Multiply()([of.Dense(20)(y), gates])
        y = of.DepthwiseConv1D(5, name=f"along{n}", **SAME)(y)
        y = of.Activation("swish")(of.BatchNormalization(momentum=0.9)(y))
        x = of.Add()([x, of.Dense(20)(y)])
        y = of.Dense(40, activation="swish")(of.LayerNormalization()(x))
        x = of.Add()([x, of.Rescaling(0.5)(of.Dense(20, name=f"after{n}")(y))])
        x = of.LayerNormalization(name=f"end{n}")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalAveragePooling1D()(x)))


def sorter(k: Any) -> Any:
    """A transformer of an encoder and a decoder, which sees what it said and the encoder."""
    of = k.layers
    names = ("source", "before", "places")
    source, before, places = (k.Input((7,), dtype="int32", name=name) for name in names)
    small = {"embeddings_initializer": _drawn("TruncatedNormal", stddev=0.1)}
    place = of.Embedding(7, 32, name="place", **small)(places)
    x = of.Add()([of.Embedding(14, 32, name="numbers", **small)(source), place])
    y = of.Add()([of.Embedding(14, 32, **small)(before), place])
    x = of.LayerNormalization()(of.Add()([x, of.MultiHeadAttention(4, 8, name="look")(x, x)]))
    z = of.Dense(32)(of.Dense(64, activation="relu", name="wide")(x))
    x = of.LayerNormalization(name="encoded")(of.Add()([x, z]))
    z = of.MultiHeadAttention(4, 8)(y, y, use_causal_mask=True)
    y = of.LayerNormalization()(of.Add()([y, z]))
    z = of.MultiHeadAttention(4, 8, name="across")(y, x)
    y = of.LayerNormalization(name="crossed")(of.Add()([y, z]))
    z = of.Dense(32, name="narrow")(of.Dense(64, activation="relu")(y))
    y = of.LayerNormalization()(of.Add()([y, z]))
    return k.Model([source, before, places], of.Dense(14, activation="softmax")(y))


def additive(k: Any) -> Any:
    """A small network for each column; the answer is the sum of theirs."""
    of, i = k.layers, k.Input((6,))
    one = of.Reshape((6, 1))(i)
    draw = {"kernel_initializer": _drawn("RandomUniform", minval=-0.5, maxval=0.5)}
    sides = []
    for n in range(6):
        x = of.Flatten()(of.Cropping1D((n, 5 - n))(one))
        x = of.Dense(24, activation="relu", name=f"bend{n}", **draw)(x)
        x = of.Dense(16, activation="relu", **draw)(x)
        sides.append(of.Dense(1, use_bias=False, name=f"curve{n}")(x))
    return k.Model(i, of.Dense(1, name="sum")(of.Concatenate()(sides)))


def radial(k: Any) -> Any:
    """Units that answer to a band of the inputs (Gaussian), all in double precision."""
    of, i = k.layers, k.Input((10,), dtype="float64")
    double = {"dtype": "float64"}
    x = of.Dense(48, kernel_initializer=_drawn("RandomNormal", stddev=0.4), name="far", **double)(i)
    x = of.Rescaling(-1.0, **double)(of.Multiply(**double)([x, x]))
    x = of.Activation("exponential", **double)(x)
    x = of.Dense(24, activation="tanh", kernel_initializer="lecun_uniform", **double)(x)
    return k.Model(i, of.Dense(name="sides", **SOFTMAX, **double)(x))


def cells(k: Any) -> Any:
    """An LSTM and a GRU cell in one recurrent layer, and a GRU without `reset_after`."""
    of, i = k.layers, k.Input((40, 2))
    stack = [of.LSTMCell(20), of.GRUCell(16, recurrent_initializer="glorot_uniform")]
    x = of.RNN(stack, return_sequences=True, name="stack")(i)
    x = of.GRU(20, reset_after=False, name="older")(x)
    x = of.Dense(16, activation="relu")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def weights_made(k: Any) -> Any:
    """One network makes the kernel of another (hypernetwork)."""
    of = k.layers
    said, x = k.Input((5,), name="said"), k.Input((8,), name="weighed")
    y = of.Dense(160, activation="relu", kernel_initializer="he_uniform", name="read")(said)
    y = of.Dense(160, activation="elu")(y)
    kernel = of.Dense(
        256, name="make", kernel_initializer=_drawn("VarianceScaling", scale=0.1, mode="fan_in")
    )(y)
    z = of.Dot(axes=(1, 1))([x, of.Reshape((8, 32))(kernel)])
    z = of.Concatenate()([z, of.Dense(16, name="beside")(x)])
    return k.Model([said, x], of.Dense(2)(z))


def reservoir(k: Any) -> Any:
    """A recurrent layer that is random by design and never trained, and what reads it."""
    of, i = k.layers, k.Input((30, 1))
    x = of.SimpleRNN(
        64, trainable=False, recurrent_initializer=_drawn("RandomNormal", stddev=0.09),
        kernel_initializer=_drawn("RandomUniform", minval=-0.7, maxval=0.7), name="echo",
    )(i)  # fmt: skip
    x = of.Dense(48, activation="tanh", name="read")(x)
    x = of.Dense(24, activation="relu")(x)
    return k.Model(i, of.Dense(2, name="sums")(x))


TENTH = (
    Net("shuffled", data.images, shuffled, epochs=8, optimizer="SGD", rate=3e-2,
        options=(("momentum", 0.9), ("nesterov", True))),
    Net("side_by_side", data.scenes, side_by_side, epochs=8, optimizer="Adadelta", rate=1.0),
    Net("wave_unet", noisy_waves, wave_unet, ("mean_absolute_error",), epochs=8, enough=0.7,
        optimizer="AdamW", options=(("weight_decay", 0.01),)),
    Net("conformer", fifth.spectrograms, conformer, epochs=6, options=(("clipvalue", 0.5),)),
    Net("sorter", unsorted, sorter, epochs=15, rate=2e-3, optimizer="Nadam"),
    Net("additive", columns, additive, ("huber",), epochs=20, rate=2e-3, optimizer="RMSprop",
        options=(("momentum", 0.5),)),
    Net("radial", bands, radial, epochs=25, rate=1e-2, optimizer="Adamax"),
    Net("cells", data.series, cells, epochs=8, rate=4e-3, options=(("epsilon", 1e-4),)),
    Net("weights_made", orders, weights_made, ("log_cosh",), epochs=15, rate=2e-3,
        options=(("beta_2", 0.95), ("global_clipnorm", 1.0))),
    Net("reservoir", echoes, reservoir, ("mse",), epochs=20, rate=5e-3, optimizer="Lion"),
)  # fmt: skip
