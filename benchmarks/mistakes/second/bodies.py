"""The second set of bodies for `table.py`: networks as people write them.

A body goes from its inputs to features; `build.py` puts a head on it. `FORMS` says
what the features are: one vector for an example, a vector for each step, or a map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

import numpy as np

WORDS = [f"word{number}" for number in range(30)]


class Layer(Protocol):
    """A layer of either generation of Keras."""

    def __call__(self, inputs: object) -> object:
        """The output for an input."""


@dataclass(frozen=True)
class Change:
    """What a kind of mistake changes inside a body; the defaults change nothing."""

    act: str = ""  # activation of all layers of the body
    shape: tuple[int, ...] = ()  # of the (first) input
    keep: bool = False  # features of each position instead of pooled ones
    shrink: bool = False  # pool to one position, then convolve
    stride: int = 1  # of the first convolution
    window: int = 3  # of the first convolution, or what its dilation spans
    gate: bool = False  # weigh the positions by a softmax over one unit
    itself: bool = False  # subtract the features from themselves
    loose: bool = False  # lose the mask of padded steps
    room: int = 40  # rows of an embedding
    adapt: bool = False  # the normalization in front


@dataclass
class Ground:
    """A body being built: the Keras module, the change, layers in front, the inputs so far."""

    keras: ModuleType
    change: Change
    front: Callable[[ModuleType], list[Layer]]
    inputs: list[object] = field(default_factory=list)

    def enter(self, *shape: int, name: str = "given", dtype: str | None = None) -> object:
        """An input of this shape; numbers go through the layers in front."""
        x = self.keras.Input(shape, dtype=dtype, name=name)
        self.inputs.append(x)
        if dtype is None:
            for layer in first_layers(self, shape):
                x = layer(x)
        y: object = x
        return y

    def act(self, usual: str) -> str:
        """The activation of a layer of the body."""
        return self.change.act or usual


def first_layers(g: Ground, shape: tuple[int, ...]) -> list[Layer]:
    """The layers in front, their normalization adapted if the kind says so."""
    rows = np.random.default_rng(1).normal(3, 2, (64, *shape)).astype("float32")
    layers = g.front(g.keras)
    for layer in layers:
        if g.change.adapt and isinstance(layer, g.keras.layers.Normalization):
            layer.adapt(rows)
    return layers


def _pooled(g: Ground, x: object, flat: int) -> object:
    """One vector of a map or sequence, unless the kind keeps or weighs the positions."""
    kl = g.keras.layers
    if g.change.gate:
        weight = kl.Softmax(axis=-1, name="weights")(kl.Dense(1, name="scores")(x))
        x = kl.Multiply()([x, weight])
    if g.change.keep:
        return x
    y: object = getattr(kl, f"GlobalAveragePooling{flat}D")()(x)
    return y


def _shrunk(g: Ground, x: object, flat: int, times: int) -> object:
    """Halve until one position is left, with convolutions on the way."""
    kl = g.keras.layers
    for _ in range(times if g.change.shrink else 0):
        x = getattr(kl, f"AveragePooling{flat}D")(2, padding="same")(x)
        x = getattr(kl, f"Conv{flat}D")(8, 3, padding="same")(x)
        x = kl.ReLU()(x)
    return x


def _sepskip(g: Ground) -> object:
    """Depthwise and separable convolutions with shortcuts, as MobileNet and Xception have them."""
    kl, c = g.keras.layers, g.change
    x = g.enter(*(c.shape or (40, 40, 3)))
    x = kl.Conv2D(8, c.window, strides=c.stride, padding="same", use_bias=False)(x)
    x = kl.Activation(g.act("relu"))(kl.BatchNormalization()(x))
    for number in range(2):
        y = kl.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        y = kl.Activation(g.act("swish"))(kl.BatchNormalization()(y))
        y = kl.SeparableConv2D(8, 3, padding="same", name=f"separable{number}")(y)
        x = kl.Add()([x, y])
    return _pooled(g, _shrunk(g, x, 2, 6), 2)


def _unet(g: Ground) -> object:
    """A small U-Net: the features of each pixel."""
    kl = g.keras.layers
    x = g.enter(*(g.change.shape or (24, 24, 3)))
    kept = []
    for size in (6, 8):
        x = kl.Conv2D(size, 3, padding="same", activation=g.act("elu"))(x)
        kept.append(x)
        x = kl.Conv2D(size, 2, strides=2, padding="same")(x)
    x = kl.Conv2D(8, 3, padding="same", activation=g.act("elu"))(x)
    for size, before in zip((8, 6), reversed(kept), strict=True):
        x = kl.Conv2DTranspose(size, 2, strides=2, padding="same")(x)
        if g.change.shape:  # three or one rows do not double to what they were
            x = kl.Resizing(before.shape[1], before.shape[2])(x)
        x = kl.Concatenate()([before, x])
        x = kl.Conv2D(size, 3, padding="same", activation=g.act("elu"))(x)
    y: object = x
    return y


def _wavenet(g: Ground) -> object:
    """Gated, dilated, causal convolutions over a signal, summed over their skip outputs."""
    kl, c = g.keras.layers, g.change
    x = g.enter(64, 2)
    x = kl.Conv1D(8, 3, strides=c.stride, padding="same")(x)
    skips = []
    for power in range(3):
        rate = 40 if c.window > 30 and power == 0 else 2**power
        y = kl.Conv1D(8, 3, dilation_rate=rate, padding="causal", activation=g.act("tanh"))(x)
        if not c.act:
            z = kl.Conv1D(8, 3, dilation_rate=rate, padding="causal", activation="sigmoid")(x)
            y = kl.Multiply()([y, z])
        y = kl.Conv1D(8, 1)(y)
        skips.append(y)
        x = kl.Add()([x, y])
    x = kl.Activation(g.act("relu"))(kl.Add()(skips))
    return _pooled(g, _shrunk(g, x, 1, 7), 1)


def _bigru(g: Ground) -> object:
    """Words, their padding masked, through a recurrent layer in both directions."""
    kl, steps = g.keras.layers, g.change.keep or g.change.gate
    x = kl.Embedding(60, 8, mask_zero=not steps)(g.enter(14, dtype="int32"))
    said = g.act("tanh")
    x = kl.Bidirectional(kl.GRU(8, return_sequences=True, activation=said), merge_mode="sum")(x)
    x = kl.Bidirectional(kl.GRU(6, return_sequences=steps, activation=said))(x)
    return _pooled(g, x, 1) if g.change.gate or steps else x


def _tagger(g: Ground) -> object:
    """Features of each word of a sentence."""
    kl = g.keras.layers
    x = kl.SpatialDropout1D(0.2)(kl.Embedding(60, 8)(g.enter(14, dtype="int32")))
    said = g.act("tanh")
    y: object = kl.Bidirectional(kl.LSTM(8, return_sequences=True, activation=said))(x)
    return y


def _attended(kl: ModuleType, x: object, size: int) -> object:
    """A block of a transformer that normalizes first."""
    y = kl.LayerNormalization(epsilon=1e-6)(x)
    y = kl.MultiHeadAttention(num_heads=2, key_dim=4, dropout=0.1)(query=y, value=y, key=y)
    x = kl.Add()([x, y])
    y = kl.Dense(2 * size, activation="gelu")(kl.LayerNormalization(epsilon=1e-6)(x))
    z: object = kl.Add()([x, kl.Dropout(0.1)(kl.Dense(size)(y))])
    return z


def _encoder(g: Ground) -> object:
    """An encoder over words and their positions, both given."""
    kl = g.keras.layers
    words = kl.Embedding(60, 12)(g.enter(14, name="words", dtype="int32"))
    places = kl.Embedding(14, 12)(g.enter(14, name="places", dtype="int32"))
    x = _attended(kl, kl.Add()([words, places]), 12)
    return _pooled(g, kl.LayerNormalization(epsilon=1e-6)(_attended(kl, x, 12)), 1)


def _vit(g: Ground) -> object:
    """Patches of an image (the stride is the window) through an encoder."""
    kl = g.keras.layers
    x = kl.Conv2D(12, 8, strides=8, name="patches")(g.enter(32, 32, 3))
    x = _attended(kl, kl.Reshape((16, 12))(x), 12)
    return _pooled(g, kl.LayerNormalization(epsilon=1e-6)(x), 1)


def _tabular(g: Ground) -> object:
    """Two categories, embedded, beside numbers."""
    kl = g.keras.layers
    parts = []
    for name, many in (("town", 20), ("trade", 9)):
        x = kl.Embedding(many, 4, name=f"{name}_vector")(g.enter(1, name=name, dtype="int32"))
        parts.append(kl.Reshape((4,))(x))
    parts.append(g.enter(7, name="numbers"))
    x = kl.Concatenate()(parts)
    x = kl.Dropout(0.1)(kl.Dense(24, activation=g.act("relu"))(x))
    y: object = kl.Dense(12, activation=g.act("swish"))(x)
    return y


def _siamese(g: Ground) -> object:
    """Two inputs through one shared tower; their vectors, joined and subtracted."""
    keras, kl = g.keras, g.keras.layers
    tower = keras.Sequential(
        [
            kl.Dense(16, activation=g.act("tanh")), kl.LayerNormalization(),
            kl.Dense(8, activation=g.act("tanh")),
        ] if not g.change.act else [kl.Dense(16), kl.Activation(g.change.act), kl.Dense(8)],
        name="tower",
    )  # fmt: skip
    left, right = tower(g.enter(10, name="left")), tower(g.enter(10, name="right"))
    y: object = kl.Concatenate()([left, right, kl.Subtract()([left, right])])
    return y


def _nested(g: Ground) -> object:
    """A frozen base, nested, which runs as in inference."""
    keras, kl, c = g.keras, g.keras.layers, g.change
    shape = c.shape or (32, 32, 3)
    inner = keras.Input(shape)
    x = kl.Conv2D(8, c.window, strides=c.stride, padding="same", use_bias=False)(inner)
    x = kl.Activation(g.act("relu"))(kl.BatchNormalization()(x))
    x = kl.Conv2D(8, 3, padding="same", activation=g.act("relu"))(x)
    base = keras.Model(inner, _shrunk(g, x, 2, 5), name="backbone")
    base.trainable = False
    x = base(g.enter(*shape), training=False)
    return _pooled(g, x, 2)


def _borrowed(g: Ground) -> object:
    """A frozen text tower, nested, under layers that learn."""
    keras, kl = g.keras, g.keras.layers
    tower = keras.Sequential(
        [
            keras.Input((14,), dtype="int32"), kl.Embedding(60, 8),
            kl.Conv1D(8, 3, activation="relu"), kl.GlobalMaxPooling1D(),
        ],
        name="pretrained",
    )  # fmt: skip
    tower.trainable = False
    y: object = kl.Dropout(0.2)(tower(g.enter(14, dtype="int32")))
    return y


def _frames(g: Ground) -> object:
    """The same small network on each frame of a film, then a recurrent layer."""
    keras, kl, c = g.keras, g.keras.layers, g.change
    shape = (5, *(c.shape or (20, 20, 3)))
    frame = keras.Input(shape[1:])
    x = kl.Conv2D(6, c.window, strides=c.stride, padding="same", activation="relu")(frame)
    x = _shrunk(g, kl.Conv2D(6, 3, padding="same", activation="relu")(x), 2, 5)
    look = keras.Model(frame, kl.GlobalMaxPooling2D()(x), name="frame")
    y: object = kl.LSTM(8, activation=g.act("tanh"))(kl.TimeDistributed(look)(g.enter(*shape)))
    return y


def _cells(g: Ground) -> object:
    """A recurrent layer of stacked cells."""
    kl, steps = g.keras.layers, g.change.keep or g.change.gate
    cells = [kl.LSTMCell(8, activation=g.act("tanh")), kl.GRUCell(8, activation=g.act("tanh"))]
    x = kl.RNN(cells, return_sequences=steps)(g.enter(12, 4))
    return _pooled(g, x, 1) if steps else x


def _convgru(g: Ground) -> object:
    """Strided convolutions over a series, then a recurrent layer."""
    kl, steps = g.keras.layers, g.change.keep or g.change.gate
    x = kl.Conv1D(8, 4, strides=2, padding="same")(g.enter(24, 3))
    x = kl.LayerNormalization()(kl.LeakyReLU()(x))
    x = kl.GRU(8, return_sequences=steps, activation=g.act("tanh"))(x)
    return _pooled(g, x, 1) if steps else x


def plain_layers(keras: ModuleType, name: str, change: Change) -> list[Layer]:
    """The layers of a Sequential model; none is an input."""
    kl = keras.layers
    if name == "mlp":
        said = change.act or "selu"
        return [
            kl.Dense(24, activation=said, kernel_initializer="lecun_normal"), kl.AlphaDropout(0.1),
            kl.Dense(16, activation=said, kernel_initializer="lecun_normal"),
        ]  # fmt: skip
    said = change.act or "relu"
    layers = [
        kl.Conv2D(6, change.window, strides=change.stride, padding="same", activation=said),
        kl.AveragePooling2D(2, padding="same") if change.act else kl.MaxPooling2D(
            2, padding="same"
        ),
        kl.Conv2D(8, 3, padding="same"), kl.Activation(said),
    ]  # fmt: skip
    for _ in range(5 if change.shrink else 0):
        layers += [kl.MaxPooling2D(2, padding="same"), kl.Conv2D(8, 3, padding="same"), kl.ReLU()]
    return [*layers, *([] if change.keep else [kl.Reshape((-1,))])]


PLAIN: dict[str, tuple[int, ...]] = {"plain": (24, 24, 1), "mlp": (11,)}
FORMS = {"unet": "map", "tagger": "steps"}  # of the features; the others: a vector
FEATURES: dict[str, Callable[[Ground], object]] = {
    "sepskip": _sepskip, "unet": _unet, "wavenet": _wavenet, "bigru": _bigru, "tagger": _tagger,
    "encoder": _encoder, "vit": _vit, "tabular": _tabular, "siamese": _siamese, "nested": _nested,
    "borrowed": _borrowed, "frames": _frames, "cells": _cells, "convgru": _convgru,
    "multi": _tabular,
}  # fmt: skip
