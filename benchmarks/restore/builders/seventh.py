"""Builders of set 8 of the restore benchmark: families that no earlier set has.

Set 7 consists of files of others.
"""

from __future__ import annotations

from typing import Any

from benchmarks.restore import nets as data
from benchmarks.restore.nets import CLASSES, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
SAME = {"padding": "same"}


def grouped(k: Any) -> Any:
    """Residual blocks whose convolutions see only a group of the channels (ResNeXt)."""
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(16, 3, strides=2, use_bias=False, name="stem", **SAME)(i)
    for n in range(2):
        y = of.ReLU()(of.BatchNormalization()(x))
        y = of.Conv2D(16, 3, groups=4, use_bias=False, name=f"groups{n}", **SAME)(y)
        y = of.Conv2D(16, 1, kernel_initializer="he_normal")(of.BatchNormalization()(y))
        x = of.Add()([x, y])
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalMaxPooling2D()(of.ReLU()(x))))


def gated_conv(k: Any) -> Any:
    """Convolutions whose outputs are multiplied with learnt gates, without recurrence."""
    of, i = k.layers, k.Input((40, 2))
    x = of.Conv1D(16, 1, name="lift")(i)
    for n in range(2):
        values = of.Conv1D(16, 5, kernel_initializer="he_uniform", name=f"values{n}", **SAME)(x)
        gates = of.Conv1D(16, 5, activation="sigmoid", **SAME)(x)
        x = of.Add()([x, of.Multiply()([values, gates])])
        x = of.AveragePooling1D(2)(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalAveragePooling1D()(x)))


def column_attention(k: Any) -> Any:
    """Each group of columns is a token; attention mixes the tokens (TabTransformer)."""
    of, i = k.layers, k.Input((20,))
    x = of.Reshape((10, 16))(of.Dense(160, activation="gelu", name="lift")(i))
    for n in range(2):
        y = of.LayerNormalization()(x)
        x = of.Add()([x, of.MultiHeadAttention(2, 8, name=f"mix{n}")(y, y)])
        y = of.Dense(24, activation="gelu", name=f"wide{n}")(of.LayerNormalization()(x))
        x = of.Add()([x, of.Dense(16)(y)])
    return k.Model(i, of.Dense(**SOFTMAX)(of.Flatten()(x)))


def scales(k: Any) -> Any:
    """A series at three resolutions, each with convolutions of its own."""
    of, i = k.layers, k.Input((40, 2))
    sides = []
    for n, pool in enumerate((1, 2, 4)):
        x = of.AveragePooling1D(pool)(i)
        x = of.Conv1D(12, 5, activation="relu", name=f"scale{n}", **SAME)(x)
        x = of.Conv1D(12, 3, activation="relu", **SAME)(x)
        sides.append(of.GlobalMaxPooling1D()(x))
    x = of.Dense(24, activation="tanh", name="neck")(of.Concatenate()(sides))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def attended_gru(k: Any) -> Any:
    """A weighted mean of the states of a GRU (Bahdanau)."""
    of, i = k.layers, k.Input((24,), dtype="int32")
    x = of.Embedding(120, 12, name="words")(i)
    x = of.GRU(20, return_sequences=True, name="states")(x)
    score = of.Dense(1, use_bias=False)(of.Dense(12, activation="tanh", name="score")(x))
    x = of.Flatten()(of.Dot(axes=1)([of.Softmax(axis=1)(score), x]))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def separable_text(k: Any) -> Any:
    of, i = k.layers, k.Input((24,), dtype="int32")
    x = of.Embedding(120, 16)(i)
    for n in range(2):
        x = of.SeparableConv1D(24, 3, activation="relu", name=f"apart{n}", **SAME)(x)
        x = of.LayerNormalization()(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalMaxPooling1D()(x)))


def bilinear(k: Any) -> Any:
    """The products of the channels of two branches, averaged over the image."""
    of, i = k.layers, k.Input((16, 16, 3))
    sides = []
    for n in range(2):
        x = of.Conv2D(12, 5, strides=2, activation="relu", name=f"side{n}", **SAME)(i)
        sides.append(of.Reshape((64, 12))(x))
    x = of.Flatten()(of.Dot(axes=1)(sides))
    x = of.Dense(24, activation="relu", name="neck")(of.Rescaling(1 / 16)(x))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def chained_heads(k: Any) -> Any:
    """Two outputs, the second of which also sees what the first one answers."""
    of = k.layers
    image, numbers = k.Input((16, 16, 3), name="image"), k.Input((6,), name="numbers")
    x = of.Conv2D(12, 3, strides=2, activation="relu", name="edges", **SAME)(image)
    x = of.Conv2D(16, 3, strides=2, activation="relu", kernel_initializer="he_normal", **SAME)(x)
    kind = of.Dense(name="kind", **SOFTMAX)(of.Flatten()(x))
    y = of.Concatenate()([kind, numbers])
    y = of.Dense(32, activation="swish", name="mixed")(y)
    y = of.Dense(32, activation="swish")(y)
    return k.Model([image, numbers], [kind, of.Dense(1, name="total")(y)])


def distance(k: Any) -> Any:
    """An encoder that is a model of its own, called on both images; their distance decides."""
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(12, 5, strides=2, activation="elu", name="wide", **SAME)(i)
    x = of.Conv2D(16, 3, strides=2, activation="elu", **SAME)(x)
    encoder = k.Model(i, of.Dense(16, name="code")(of.GlobalAveragePooling2D()(x)), name="encoder")
    first, second = k.Input((16, 16, 3)), k.Input((16, 16, 3))
    far = of.Subtract()([encoder(first), encoder(second)])
    near = of.Dense(24, activation="relu", name="far")(of.Multiply()([far, far]))
    return k.Model([first, second], of.Dense(2, activation="softmax")(near))


EIGHTH = (
    Net("grouped", data.images, grouped, epochs=10, optimizer="AdamW",
        options=(("weight_decay", 0.01),)),
    Net("gated_conv", data.series, gated_conv, epochs=10, optimizer="Adamax", rate=5e-3),
    Net("column_attention", data.table, column_attention, epochs=20, enough=0.7),
    Net("scales", data.series, scales, epochs=10, optimizer="Nadam"),
    Net("attended_gru", data.tokens, attended_gru, epochs=8, rate=5e-3, optimizer="RMSprop"),
    Net("separable_text", data.tokens, separable_text, epochs=8, rate=5e-3),
    Net("bilinear", data.images, bilinear, epochs=12, optimizer="SGD", rate=2e-2,
        options=(("momentum", 0.9), ("nesterov", True))),
    Net("chained_heads", data.both, chained_heads, ("sparse_categorical_crossentropy", "mse"),
        epochs=20, enough=0.7),
    Net("distance", data.pairs, distance, epochs=20, enough=0.7),
)  # fmt: skip
