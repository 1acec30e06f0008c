"""Builders of the sixth set of the restore benchmark: families that no earlier set has."""

from __future__ import annotations

from typing import Any

from benchmarks.restore import nets as data
from benchmarks.restore.builders import fifth, fourth
from benchmarks.restore.nets import CLASSES, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
SAME = {"padding": "same"}


def ghost(k: Any) -> Any:
    """Half of the channels are cheap depthwise copies of the others."""
    of, i = k.layers, k.Input((16, 16, 3))
    x = i
    for n, width in enumerate((8, 12)):
        y = of.Conv2D(width, 3, strides=2, activation="relu", name=f"main{n}", **SAME)(x)
        x = of.Concatenate()([y, of.DepthwiseConv2D(3, activation="relu", **SAME)(y)])
    x = of.Dense(24, activation="relu", name="neck")(of.GlobalAveragePooling2D()(x))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def aspp(k: Any) -> Any:
    """Dilated convolutions side by side, and the mean of the image beside them."""
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(12, 3, activation="relu", kernel_initializer="he_normal", **SAME)(i)
    sides = [
        of.Conv2D(8, 3, dilation_rate=rate, activation="relu", name=f"rate{rate}", **SAME)(x)
        for rate in (1, 2, 4)
    ]
    mean = of.Dense(8, activation="relu", name="mean")(of.GlobalAveragePooling2D()(x))
    sides.append(of.UpSampling2D(16)(of.Reshape((1, 1, 8))(mean)))
    x = of.Conv2D(16, 1, activation="relu")(of.Concatenate()(sides))
    return k.Model(i, of.Conv2D(1, 1, name="mask")(x))


def pyramid(k: Any) -> Any:
    """Coarse features are added to finer ones (FPN)."""
    of, i = k.layers, k.Input((16, 16, 3))
    draw = {"kernel_initializer": "he_uniform", **SAME}
    levels, x = [], i
    for n, width in enumerate((12, 16, 24)):
        x = of.Conv2D(width, 3, strides=1 if n == 0 else 2, name=f"down{n}", **draw)(x)
        x = of.LeakyReLU()(x)
        levels.append(of.Conv2D(16, 1, **draw)(x))
    y = levels[2]
    for level in (levels[1], levels[0]):
        y = of.Add()([of.UpSampling2D()(y), level])
    y = of.Conv2D(12, 3, activation="relu", name="smooth", **draw)(y)
    return k.Model(i, of.Conv2D(1, 1)(y))


def averaged_maps(k: Any) -> Any:
    """A network in network: the classes are the means of maps, without a dense layer."""
    of, i = k.layers, k.Input((16, 16, 3))
    draw = {"activation": "relu", "kernel_initializer": "lecun_normal", **SAME}
    x = i
    for n, width in enumerate((16, 24)):
        x = of.Conv2D(width, 3, strides=2, name=f"wide{n}", **draw)(x)
        x = of.Conv2D(width, 1, **draw)(x)
    x = of.GlobalAveragePooling2D()(of.Conv2D(CLASSES, 1, name="maps")(x))
    return k.Model(i, of.Softmax()(x))


def maxout(k: Any) -> Any:
    of, i = k.layers, k.Input((12, 12, 1))
    x = of.Flatten()(i)
    for n, units in enumerate((40, 24)):
        x = of.Maximum()([of.Dense(units, name=f"piece{n}_{p}")(x) for p in range(2)])
        x = of.Dropout(0.1)(x)
    return k.Model(i, of.Dense(10, activation="softmax")(x))


def deep_sets(k: Any) -> Any:
    of, i = k.layers, k.Input((64, 3))
    x = of.TimeDistributed(of.Dense(32, activation="elu"), name="each")(i)
    x = of.TimeDistributed(of.Dense(32, activation="elu"))(x)
    x = of.GlobalAveragePooling1D()(x)
    x = of.Dense(32, activation="elu", kernel_initializer="glorot_normal", name="all")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def instances(k: Any) -> Any:
    """A weighted mean of tokens, whose weights are learnt (attention of multiple instances)."""
    of, i = k.layers, k.Input((24,), dtype="int32")
    x = of.Embedding(120, 16, name="words")(i)
    x = of.Dense(24, activation="tanh", name="features")(x)
    gate = of.Multiply()([of.Dense(12, activation="tanh")(x), of.Dense(12, "sigmoid")(x)])
    weight = of.Softmax(axis=1)(of.Dense(1, use_bias=False, name="weight")(gate))
    x = of.Flatten()(of.Dot(axes=1)([weight, x]))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def residues(k: Any) -> Any:
    """Blocks that subtract what they explain of a series and add forecasts (N-BEATS)."""
    of, i = k.layers, k.Input((40, 2))
    x, forecasts = of.Flatten()(i), []
    for n in range(2):
        y = of.Dense(48, activation="relu", kernel_initializer="he_uniform", name=f"block{n}")(x)
        y = of.Dense(48, activation="relu")(y)
        forecasts.append(of.Dense(4, name=f"forecast{n}")(y))
        if n == 0:
            x = of.Subtract()([x, of.Dense(80, name="backcast")(y)])
    return k.Model(i, of.Add()(forecasts))


def crossed(k: Any) -> Any:
    """Layers that multiply the features with the input (deep and cross)."""
    of, i = k.layers, k.Input((20,))
    x = i
    for n in range(2):
        x = of.Add()([x, of.Multiply()([i, of.Dense(20, name=f"cross{n}")(x)])])
    deep = of.Dense(48, activation="relu")(i)
    deep = of.Dense(24, activation="relu", kernel_initializer="he_normal", name="deep")(deep)
    return k.Model(i, of.Dense(**SOFTMAX)(of.Concatenate()([x, deep])))


def factors(k: Any) -> Any:
    """Products of learnt factors, and a bias for each shop and product."""
    of = k.layers
    shop, product = (k.Input((1,), dtype="int32", name=x) for x in ("shop", "product"))
    numbers = k.Input((8,), name="numbers")
    tastes = of.Flatten()(of.Embedding(24, 12, name="tastes")(product))
    wishes = of.Dense(12, name="wishes")(numbers)
    bias = of.Flatten()(of.Embedding(fourth.SHOPS, 1, name="shop_bias")(shop))
    total = of.Add()([of.Dot(axes=1)([tastes, wishes]), bias])
    return k.Model([shop, product, numbers], of.Dense(1, name="scale")(total))


def experts(k: Any) -> Any:
    """Four small networks, and a gate that mixes them for each row."""
    of, i = k.layers, k.Input((20,))
    each = [of.Dense(24, activation="relu", name=f"expert{n}")(i) for n in range(4)]
    stack = of.Reshape((4, 24))(of.Concatenate()(each))
    gate = of.Dense(4, activation="softmax", name="gate")(of.Dense(16, activation="relu")(i))
    x = of.LayerNormalization()(of.Dot(axes=1)([gate, stack]))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def recurrences(k: Any) -> Any:
    of, i = k.layers, k.Input((40, 2))
    x = of.Conv1D(12, 5, strides=2, activation="relu", name="frames")(i)
    x = of.Bidirectional(of.SimpleRNN(16, return_sequences=True), name="both")(x)
    x = of.GRU(20, reset_after=False, name="last")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(x))


_MOMENTUM = (("momentum", 0.9),)
SIXTH = (
    Net("ghost", data.images, ghost, epochs=10, optimizer="Nadam"),
    Net("aspp", data.masks, aspp, ("mse",), epochs=5, enough=0.6),
    Net("pyramid", data.masks, pyramid, ("mse",), epochs=5, enough=0.6, optimizer="RMSprop"),
    Net("averaged_maps", data.images, averaged_maps, epochs=10, optimizer="SGD", rate=5e-2,
        options=_MOMENTUM),
    Net("maxout", fifth.digits, maxout, epochs=15, optimizer="Adamax", rate=5e-3),
    Net("deep_sets", fourth.cloud, deep_sets, epochs=15),
    Net("instances", data.tokens, instances, epochs=8, optimizer="AdamW", rate=5e-3),
    Net("residues", data.forecast, residues, ("mse",), epochs=20, enough=0.7),
    Net("crossed", data.table, crossed, epochs=25, options=(("clipnorm", 1.0),)),
    Net("factors", fourth.sales, factors, ("mse",), epochs=40, rate=1e-2, enough=0.7),
    Net("experts", data.table, experts, epochs=25, options=(("amsgrad", True),)),
    Net("recurrences", data.series, recurrences, epochs=6, rate=5e-3, enough=0.7),
)  # fmt: skip
