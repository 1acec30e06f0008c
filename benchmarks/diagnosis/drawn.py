"""Random networks of the hold-out set: task, structure, size and training differ in each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.nets import Net, answers

# task -> (numbers of classes, heads, kinds of training)
TURNED = ("plain", "mirrored", "d4")
IMAGES = {
    "letters": ((3, 5, 8, 10, 14), ("softmax", "softmax", "logits"), TURNED),
    "objects": ((2, 3, 4, 6), ("softmax", "softmax", "logits", "sigmoid"), TURNED),
    "textures": ((2, 3, 4), ("softmax", "logits", "sigmoid"), ("plain",)),
    "pointers": ((2,), ("softmax", "sigmoid"), ("plain",)),
    "presence": ((3, 4), ("several",), ("plain", "mirrored")),
    "roads": ((0,), ("linear",), ("plain", "mirrored")),
    "sizes": ((0,), ("linear",), ("plain", "mirrored")),
    "blobs": ((0,), ("mask",), ("plain", "mirrored")),
}
OTHERS = {
    "waves": ((3, 4, 5), ("softmax", "logits"), ("plain",)),
    "tables": ((0, 3, 6), ("softmax", "linear"), ("plain",)),
    "tokens": ((2, 4), ("softmax", "sigmoid"), ("plain",)),
}
WEIGHTS = {"letters": 6, "objects": 6, "textures": 2, "pointers": 2, "presence": 2, "roads": 2,
           "sizes": 1, "blobs": 2, "waves": 4, "tables": 2, "tokens": 1}  # fmt: skip
SHAPES = ((16, 24), (20, 28), (24, 24), (24, 40), (28, 28), (32, 32))
FORMS = ("keras", "keras", "h5", "export", "tf_keras", "tf_keras_dir")


def drawn(number: int) -> tuple[Net, str]:
    """Network `number` of the hold-out set, and the kind of its training."""
    rng = np.random.default_rng(770_000 + number)

    def one(of: Any) -> Any:
        return of[int(rng.integers(len(of)))]

    names = list(WEIGHTS)
    task = names[rng.choice(len(names), p=np.array(list(WEIGHTS.values())) / sum(WEIGHTS.values()))]
    classes, heads, ways = (IMAGES | OTHERS)[task]
    k, way = one(classes), one(ways)
    head = one(heads)
    if task == "tables":
        head = "softmax" if k else "linear"
    if head == "sigmoid" and k != 2:
        head = "softmax"
    shape = one(SHAPES) if task in IMAGES else {"waves": (96,), "tables": (12,)}.get(task, (24,))
    levels = int(rng.integers(2, 4))
    widths = tuple(int(one((8, 12, 16, 24)) * (1 + level / 2)) for level in range(levels))
    top = "flat" if task == "roads" else one(("average", "average", "max", "flat"))
    if way == "d4":
        shape, top = (one((20, 24)),) * 2, one(("average", "max"))
    body = {
        "blobs": "unet",
        "tables": "dense",
        "tokens": one(("embedding", "embedding_recurrent")),
        "waves": one(("levels1d", "levels1d", "recurrent")),
    }.get(task, "levels")
    if task == "textures" and top == "flat":
        top = "average"
    if task == "objects" and way != "d4" and rng.random() < 0.15:
        body = "dense"
    scales = ("unit", "unit", "byte", "signed", "standard", "uint8")
    norm = one(("batch", "batch", "none", "layer"))
    net = Net(
        task, body, shape, k,
        one(scales) if task in IMAGES else "as it is",
        one(FORMS),
        (way,),
        channels=one((1, 3)) if task in IMAGES else 1,
        widths=widths,
        kernel=one((3, 3, 5)),
        activation=one(("relu", "relu", "relu", "elu", "leaky_relu", "tanh")),
        norm=norm,
        unit=one(("conv", "conv", "residual", "separable")),
        shrink=one(("max", "max", "average", "stride")),
        top=top,
        head=head,
        initializer=one(("glorot_uniform", "glorot_uniform", "he_normal", "he_uniform")),
        optimizer=one(("adam", "adam", "momentum")) if norm == "batch" else "adam",
        flips_inside=bool(way == "mirrored" and task in {"letters", "objects", "presence", "sizes"}
                          and rng.random() < 0.4),
    )  # fmt: skip
    return net, way


def _normed(k: Any, x: Any, net: Net) -> Any:
    if net.norm == "batch":
        return k.layers.BatchNormalization(momentum=0.9)(x)
    return k.layers.LayerNormalization()(x) if net.norm == "layer" else x


def _active(k: Any, x: Any, net: Net) -> Any:
    if net.activation == "tanh" and net.norm == "batch":
        return k.layers.Activation("elu")(x)  # TensorFlow's CPU kernels cannot fuse these two
    if net.activation == "leaky_relu":
        return k.layers.LeakyReLU()(x)
    return k.layers.Activation(net.activation)(x)


def _convolved(k: Any, x: Any, net: Net, width: int, strides: int, flat: bool) -> Any:
    """One convolution, its normalization and activation; `flat` for series."""
    separable = net.unit == "separable" and not flat
    kind = k.layers.Conv1D if flat else k.layers.SeparableConv2D if separable else k.layers.Conv2D
    options: dict[str, Any] = {"use_bias": net.norm == "none" or width % 3 > 0}
    if not separable:
        options["kernel_initializer"] = net.initializer
    x = kind(width, net.kernel, strides=strides, padding="same", **options)(x)
    return _active(k, _normed(k, x, net), net)


def levels(k: Any, x: Any, net: Net, flat: bool = False) -> Any:
    """Convolutions at decreasing resolution."""
    pools = {
        ("max", False): k.layers.MaxPooling2D, ("max", True): k.layers.MaxPooling1D,
        ("average", False): k.layers.AveragePooling2D, ("average", True): k.layers.AveragePooling1D,
    }  # fmt: skip
    for level, width in enumerate(net.widths):
        last = level == len(net.widths) - 1
        stride = 2 if net.shrink == "stride" and not last else 1
        y = _convolved(k, x, net, width, stride, flat)
        if net.unit == "residual":
            y = k.layers.Add()([y, _convolved(k, y, net, width, 1, flat)])
        x = y if last or net.shrink == "stride" else pools[net.shrink, flat](2)(y)
    return _topped(k, x, net, flat)


def _topped(k: Any, x: Any, net: Net, flat: bool) -> Any:
    if net.top == "flat":
        x = k.layers.Flatten()(x if flat else k.layers.AveragePooling2D(2)(x))
        x = k.layers.Dense(24, activation="relu", kernel_initializer=net.initializer)(x)
    elif net.top == "max":
        x = (k.layers.GlobalMaxPooling1D if flat else k.layers.GlobalMaxPooling2D)()(x)
    else:
        x = (k.layers.GlobalAveragePooling1D if flat else k.layers.GlobalAveragePooling2D)()(x)
    return answers(k, x, net)


def levels1d(k: Any, x: Any, net: Net) -> Any:
    """The same for series."""
    return levels(k, x, net, flat=True)


def dense(k: Any, x: Any, net: Net) -> Any:
    """A multilayer perceptron."""
    x = k.layers.Flatten()(x)
    for width in net.widths:
        x = k.layers.Dense(3 * width, kernel_initializer=net.initializer)(x)
        x = _active(k, _normed(k, x, net), net)
    return answers(k, k.layers.Dropout(0.1)(x), net)


def recurrent(k: Any, x: Any, net: Net) -> Any:
    """An LSTM or GRU over a series."""
    kind = k.layers.LSTM if net.widths[0] % 3 else k.layers.GRU
    return answers(k, kind(24)(x), net)


def embedding(k: Any, x: Any, net: Net) -> Any:
    """Tokens, embedded and averaged."""
    x = k.layers.GlobalAveragePooling1D()(k.layers.Embedding(64, 12)(x))
    return answers(k, k.layers.Dense(24, activation="relu")(x), net)


def embedding_recurrent(k: Any, x: Any, net: Net) -> Any:
    """Tokens, embedded and read by a recurrent layer."""
    return answers(k, k.layers.GRU(20)(k.layers.Embedding(64, 12)(x)), net)


DRAWN = {
    "levels": levels,
    "levels1d": levels1d,
    "dense": dense,
    "recurrent": recurrent,
    "embedding": embedding,
    "embedding_recurrent": embedding_recurrent,
}
