"""Small networks that are exported by `pairs.py`, each with its data and its input range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SIZE = 24


@dataclass(frozen=True)
class Net:
    """One network.

    `body` maps inputs from 0 to 1, or what `inside` makes of the inputs, to features. `span` is the
    range that inputs have; `inside` says that the network normalizes them itself. `classes` is the
    number of classes; `softmax` whether they are probabilities.
    """

    name: str
    family: str
    classes: int
    body: Callable[[Any, Any], Any]
    span: tuple[float, float] = (0.0, 1.0)
    inside: tuple[float, float] | None = None  # scale and offset
    softmax: bool = True
    seed: int = 1


def _normed(k, x, filters: int, stride: int = 1, activation: str = "relu"):
    x = k.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
    return k.layers.Activation(activation)(k.layers.BatchNormalization(momentum=0.9)(x))


def plain(k, x):
    """Convolutions with batch normalization."""
    for filters, stride in ((12, 2), (24, 2), (32, 1)):
        x = _normed(k, x, filters, stride)
    return k.layers.GlobalAveragePooling2D()(x)


def residual(k, x):
    """Two blocks with a shortcut."""
    x = _normed(k, x, 16, 2)
    for _ in range(2):
        y = _normed(k, x, 16)
        y = k.layers.BatchNormalization(momentum=0.9)(k.layers.Conv2D(16, 3, padding="same")(y))
        x = k.layers.ReLU()(k.layers.Add()([x, y]))
    return k.layers.Flatten()(k.layers.AveragePooling2D(3)(x))


def separable(k, x):
    """Depthwise convolutions, with activations that end at 6."""
    x = _normed(k, x, 16, 2, "relu6")
    for filters in (24, 32):
        x = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = k.layers.Activation("relu6")(k.layers.BatchNormalization(momentum=0.9)(x))
        x = k.layers.Conv2D(filters, 1, use_bias=False)(x)
        x = k.layers.Activation("relu6")(k.layers.BatchNormalization(momentum=0.9)(x))
        x = k.layers.MaxPooling2D()(x)
    return k.layers.Flatten()(x)


def flat(k, x):
    """Convolutions with biases, and two matrix products; no normalization."""
    x = k.layers.MaxPooling2D()(k.layers.Conv2D(12, 5, activation="relu")(x))
    x = k.layers.MaxPooling2D()(k.layers.Conv2D(20, 3, activation="relu")(x))
    x = k.layers.Dense(48, activation="relu")(k.layers.Flatten()(x))
    return k.layers.Dropout(0.2)(x)


def smooth(k, x):
    """Other activations, and strides in place of pooling."""
    x = _normed(k, x, 16, 2, "leaky_relu")
    x = k.layers.Conv2D(24, 3, strides=2, activation="tanh")(x)
    return k.layers.Dense(32, activation="relu")(k.layers.Flatten()(x))


def branches(k, x):
    """Branches that are joined."""
    x = k.layers.MaxPooling2D()(_normed(k, x, 12))
    parts = [k.layers.Conv2D(8, size, padding="same", activation="relu")(x) for size in (1, 3, 5)]
    x = _normed(k, k.layers.Concatenate()(parts), 24, 2)
    return k.layers.GlobalMaxPooling2D()(x)


def squeeze(k, x):
    """Inverted bottlenecks with squeeze and excitation, and swish."""
    x = _normed(k, x, 16, 2, "swish")
    y = k.layers.Conv2D(32, 1, use_bias=False)(x)
    y = k.layers.Activation("swish")(k.layers.BatchNormalization(momentum=0.9)(y))
    y = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
    y = k.layers.Activation("swish")(k.layers.BatchNormalization(momentum=0.9)(y))
    gate = k.layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = k.layers.Conv2D(8, 1, activation="relu")(gate)
    gate = k.layers.Conv2D(32, 1, activation="sigmoid")(gate)
    y = k.layers.Conv2D(16, 1)(k.layers.Multiply()([y, gate]))
    return k.layers.Flatten()(k.layers.AveragePooling2D(2)(k.layers.Add()([x, y])))


def preactivated(k, x):
    """Normalization and activation before each convolution, with shortcuts."""
    x = k.layers.Conv2D(16, 3, strides=2, padding="same")(x)
    for _ in range(2):
        y = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9)(x))
        y = k.layers.Conv2D(16, 3, padding="same", use_bias=False)(y)
        x = k.layers.Add()([x, y])
    x = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9)(x))
    return k.layers.Flatten()(k.layers.MaxPooling2D(2)(x))


def strided(k, x):
    """Large and dilated kernels, a separable convolution, dropout, and normalization after all."""
    x = k.layers.Conv2D(12, 5, strides=2, activation="relu")(x)
    x = k.layers.BatchNormalization(momentum=0.9)(x)
    x = k.layers.SeparableConv2D(24, 3, padding="same", activation="relu")(x)
    x = k.layers.BatchNormalization(momentum=0.9)(x)
    x = k.layers.Conv2D(24, 3, dilation_rate=2, activation="relu")(x)
    x = k.layers.Dropout(0.2)(k.layers.Flatten()(x))
    x = k.layers.Dense(40, activation="relu")(x)
    return k.layers.BatchNormalization(momentum=0.9)(x)


def dense(k, x):
    """Layers joined to their inputs, with average pooling between."""
    x = k.layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(x)
    for _ in range(2):
        y = k.layers.BatchNormalization(momentum=0.9)(x)
        y = k.layers.Conv2D(12, 3, padding="same", activation="relu")(y)
        x = k.layers.Concatenate()([x, y])
    x = k.layers.AveragePooling2D(2)(_normed(k, x, 24))
    return k.layers.Dense(32, activation="relu")(k.layers.Flatten()(x))


def transposed(k, x):
    """Downwards and upwards again, with a transposed convolution and a leaky activation."""
    x = _normed(k, x, 12, 2, "leaky_relu")
    y = _normed(k, x, 24, 2)
    y = k.layers.Conv2DTranspose(12, 3, strides=2, padding="same", use_bias=False)(y)
    y = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9)(y))
    x = k.layers.Conv2D(16, 3, strides=2, padding="same")(k.layers.Concatenate()([x, y]))
    return k.layers.Flatten()(k.layers.ReLU(6.0)(x))


def patches(k, x):
    """Patches that depthwise convolutions mix, normalized behind GELU, with shortcuts."""
    x = k.layers.Conv2D(24, 3, strides=3, activation="gelu")(x)
    x = k.layers.BatchNormalization(momentum=0.9)(x)
    for _ in range(2):
        y = k.layers.DepthwiseConv2D(5, padding="same", activation="gelu")(x)
        x = k.layers.Add()([k.layers.BatchNormalization(momentum=0.9)(y), x])
        x = k.layers.Conv2D(24, 1, activation="gelu")(x)
        x = k.layers.BatchNormalization(momentum=0.9)(x)
    return k.layers.Flatten()(k.layers.AveragePooling2D(2)(x))


def attention(k, x):
    """Convolutions, then attention between places, with layer normalization."""
    x = _normed(k, x, 16, 2)
    x = k.layers.Conv2D(24, 2, strides=2)(x)
    x = k.layers.Reshape((36, 24))(x)
    y = k.layers.LayerNormalization()(x)
    x = k.layers.Add()([x, k.layers.MultiHeadAttention(2, 12)(y, y)])
    y = k.layers.LayerNormalization()(x)
    y = k.layers.Dense(24)(k.layers.Dense(48, activation="relu")(y))
    x = k.layers.LayerNormalization()(k.layers.Add()([x, y]))
    return k.layers.Flatten()(x)


def recurrent(k, x):
    """Rows of features, read one after another by a gated recurrent layer."""
    x = k.layers.Reshape((12, 144))(_normed(k, x, 12, 2))
    return k.layers.Dropout(0.1)(k.layers.GRU(32, unroll=True)(x))


BYTES = (0.0, 255.0)
NETS = {
    net.name: net
    for net in (
        Net("plain", "signs", 8, plain),
        Net("residual", "photograph", 4, residual, BYTES, (1 / 127.5, -1.0)),
        Net("separable", "objects", 5, separable, (-1.0, 1.0)),
        Net("flat", "digits", 10, flat, BYTES, (1 / 255, 0.0)),
        Net("smooth", "letters", 6, smooth, softmax=False),
        Net("branches", "signs", 5, branches, (-1.0, 1.0), softmax=False, seed=7),
        Net("squeeze", "digits", 5, squeeze, BYTES, (1 / 255, 0.0), seed=8),
        Net("preactivated", "photograph", 6, preactivated, BYTES, (1 / 127.5, -1.0), seed=21),
        Net("dense", "signs", 8, dense, (-1.0, 1.0), seed=31),
        Net("transposed", "letters", 6, transposed, BYTES, (1 / 255, 0.0), False, 32),
        Net("strided", "objects", 6, strided, seed=22),
        Net("patches", "objects", 5, patches, BYTES, (1 / 127.5, -1.0), seed=41),
        Net("attention", "digits", 7, attention, softmax=False, seed=42),
        Net("recurrent", "letters", 5, recurrent, BYTES, (1 / 255, 0.0), seed=51),
    )
}
# Two for each look, and one for the last.
APART = (
    *("branches", "squeeze", "preactivated", "strided", "dense", "transposed"),
    *("patches", "attention", "recurrent"),
)
