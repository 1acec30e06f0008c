"""Bodies of the networks that were trained for the sixth look: families that no look had before."""

from __future__ import annotations

import keras
from keras import layers


def _normed(x: keras.KerasTensor, act: str = "relu") -> keras.KerasTensor:
    return layers.Activation(act)(layers.BatchNormalization(momentum=0.9)(x))


def _conv(x: keras.KerasTensor, width: int, size: int = 3, stride: int = 1) -> keras.KerasTensor:
    return layers.Conv2D(width, size, stride, "same", use_bias=False)(x)


def network_in_network(x: keras.KerasTensor) -> keras.KerasTensor:
    """Large kernels, each followed by two dense layers over channels; dropout, no normalization."""
    for width, size in ((32, 5), (64, 5), (96, 3)):
        x = layers.Conv2D(width, size, padding="same", activation="relu")(x)
        x = layers.Conv2D(width, 1, activation="relu")(x)
        x = layers.Conv2D(width, 1, activation="relu")(x)
        x = layers.Dropout(0.2)(layers.MaxPooling2D(2)(x))
    return layers.GlobalAveragePooling2D()(x)


def _excited(x: keras.KerasTensor) -> keras.KerasTensor:
    width = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(max(8, width // 4), 1, activation="relu")(gate)
    return layers.Multiply()([x, layers.Conv2D(width, 1, activation="hard_sigmoid")(gate)])


def mobilenet_v3(x: keras.KerasTensor) -> keras.KerasTensor:
    """Inverted bottlenecks with hard swish, and squeeze and excitation in some of them."""
    x = _normed(_conv(x, 16, stride=2), "hard_swish")
    for width, stride, act, excite in (
        (16, 1, "relu", True),
        (24, 2, "relu", False),
        (24, 1, "relu", False),
        (48, 2, "hard_swish", True),
        (48, 1, "hard_swish", True),
    ):
        inner = _normed(_conv(x, 3 * x.shape[-1], 1), act)
        inner = _normed(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(inner), act)
        inner = _excited(inner) if excite else inner
        inner = layers.BatchNormalization(momentum=0.9)(_conv(inner, width, 1))
        x = layers.Add()([x, inner]) if inner.shape == x.shape else inner
    x = layers.GlobalAveragePooling2D()(_normed(_conv(x, 144, 1), "hard_swish"))
    return layers.Dropout(0.2)(layers.Dense(96, "hard_swish")(x))


def _window_attention(x: keras.KerasTensor, window: int, shift: int) -> keras.KerasTensor:
    """Attention within windows of the map (n, H, W, C), which `shift` moves first."""
    size, width = x.shape[1], x.shape[-1]
    count = size // window
    moved = keras.ops.roll(x, (-shift, -shift), (1, 2)) if shift else x
    parts = layers.Permute((1, 3, 2, 4, 5))(
        layers.Reshape((count, window, count, window, width))(moved)
    )
    parts = layers.Reshape((count * count, window * window, width))(parts)
    mixed = layers.MultiHeadAttention(4, width // 4, attention_axes=(2,))(parts, parts)
    mixed = layers.Reshape((count, count, window, window, width))(mixed)
    mixed = layers.Reshape((size, size, width))(layers.Permute((1, 3, 2, 4, 5))(mixed))
    return keras.ops.roll(mixed, (shift, shift), (1, 2)) if shift else mixed


def swin(x: keras.KerasTensor) -> keras.KerasTensor:
    """Attention in windows that are shifted in turn, and merged patches between two stages."""
    x = layers.LayerNormalization()(layers.Conv2D(64, 4, 4)(x))
    for width, window in ((64, 4), (96, 4)):
        if x.shape[-1] != width:
            x = layers.Conv2D(width, 2, 2)(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])  # where it is
        for shift in (0, window // 2 if x.shape[1] > window else 0):
            inner = layers.LayerNormalization()(x)
            x = layers.Add()([x, _window_attention(inner, window, shift)])
            inner = layers.Dense(2 * width, "gelu")(layers.LayerNormalization()(x))
            x = layers.Add()([x, layers.Dense(width)(inner)])
    return layers.GlobalAveragePooling2D()(layers.LayerNormalization()(x))


def _attended(x: keras.KerasTensor) -> keras.KerasTensor:
    """What the channels, and then the places, are multiplied with."""
    width = x.shape[-1]
    narrow, wide = layers.Dense(max(4, width // 8), "relu"), layers.Dense(width)
    pooled = [
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.GlobalMaxPooling2D(keepdims=True),
    ]
    gate = layers.Add()([wide(narrow(pool(x))) for pool in pooled])
    x = layers.Multiply()([x, layers.Activation("sigmoid")(gate)])
    places = [keras.ops.mean(x, -1, keepdims=True), keras.ops.max(x, -1, keepdims=True)]
    gate = layers.Conv2D(1, 5, padding="same", activation="sigmoid")(layers.Concatenate()(places))
    return layers.Multiply()([x, gate])


def block_attention(x: keras.KerasTensor) -> keras.KerasTensor:
    """Residual blocks with attention to channels and to places (CBAM)."""
    x = layers.MaxPooling2D()(_normed(_conv(x, 24)))
    for width, stride in ((24, 1), (48, 2), (96, 2)):
        inner = _normed(_conv(x, width, 3, stride))
        inner = _attended(layers.BatchNormalization(momentum=0.9)(_conv(inner, width)))
        short = x
        if inner.shape != x.shape:
            short = layers.BatchNormalization(momentum=0.9)(_conv(x, width, 1, stride))
        x = layers.Activation("relu")(layers.Add()([short, inner]))
    return layers.GlobalAveragePooling2D()(x)


def _separable(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x)


def xception(x: keras.KerasTensor) -> keras.KerasTensor:
    """Separable convolutions with max pooling, and linear shortcuts around them."""
    x = _normed(_conv(x, 32, 3, 2))
    for width in (48, 96):
        short = layers.BatchNormalization(momentum=0.9)(_conv(x, width, 1, 2))
        inner = _separable(_normed(_separable(x, width)), width)
        inner = layers.MaxPooling2D(3, 2, "same")(layers.BatchNormalization(momentum=0.9)(inner))
        x = layers.Add()([short, inner])
    return layers.GlobalAveragePooling2D()(_normed(_separable(layers.Activation("relu")(x), 144)))


def poolformer(x: keras.KerasTensor) -> keras.KerasTensor:
    """A transformer whose places are mixed by averages of neighbours instead of by attention."""
    x = layers.Conv2D(48, 3, 2, "same")(x)
    for width in (48, 96):
        if x.shape[-1] != width:
            x = layers.Conv2D(width, 3, 2, "same")(x)
        for _ in range(2):
            inner = layers.GroupNormalization(1)(x)
            mixed = layers.AveragePooling2D(3, 1, "same")(inner)
            x = layers.Add()([x, layers.Subtract()([mixed, inner])])
            inner = layers.Conv2D(3 * width, 1, activation="gelu")(layers.GroupNormalization(1)(x))
            x = layers.Add()([x, layers.Conv2D(width, 1)(inner)])
    return layers.GlobalAveragePooling2D()(layers.GroupNormalization(1)(x))
