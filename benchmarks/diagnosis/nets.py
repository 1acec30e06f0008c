"""The fixed networks of the diagnosis benchmark: their tasks and how each is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Net:
    """One kind of network; the fields after `ways` are used by random networks only."""

    task: str
    body: str
    shape: tuple[int, ...]  # height and width; length; number of features
    classes: int  # 0 for regression and masks
    scale: str  # of the input: unit, byte, signed, uint8, standard
    form: str  # keras, h5, export, tf_keras, tf_keras_dir
    ways: tuple[str, ...] = ("plain", "mirrored")  # of training; also d4
    channels: int = 3
    widths: tuple[int, ...] = ()
    kernel: int = 3
    activation: str = "relu"
    norm: str = "batch"  # batch, layer, or none
    unit: str = "conv"  # block of each level: conv, residual, separable
    shrink: str = "max"  # downsampling between levels: max, average, stride
    top: str = "average"  # before the head: average, max, flat
    head: str = "softmax"  # softmax, logits, sigmoid (one unit for two classes)
    initializer: str = "glorot_uniform"
    optimizer: str = "adam"
    flips_inside: bool = False  # augmentation by a layer of the model


NETS = (
    Net("letters", "plain", (24, 40), 12, "unit", "keras"),
    Net("letters", "plain", (32, 32), 6, "byte", "h5", ("plain", "d4")),
    Net("letters", "residual", (32, 32), 8, "signed", "keras"),
    Net("letters", "depthwise", (24, 40), 5, "uint8", "keras"),
    Net("letters", "bias_free", (32, 32), 10, "unit", "export"),
    Net("letters", "no_norm", (24, 40), 6, "unit", "h5"),
    Net("letters", "max_logits", (32, 32), 12, "unit", "keras"),
    Net("letters", "flat_valid", (24, 40), 4, "byte", "tf_keras"),
    Net("objects", "plain", (32, 32), 6, "signed", "export", ("plain", "mirrored", "d4")),
    Net("objects", "trunk", (24, 40), 4, "unit", "keras"),
    Net("objects", "strided", (32, 32), 5, "unit", "tf_keras"),
    Net("objects", "no_norm", (32, 32), 3, "byte", "keras"),
    Net("objects", "even", (24, 40), 6, "unit", "keras", ("plain",)),
    Net("pointers", "plain", (24, 40), 2, "unit", "keras", ("plain",)),
    Net("pointers", "no_norm", (32, 32), 2, "byte", "h5", ("plain",)),
    Net("roads", "plain", (24, 40), 0, "signed", "keras", ("plain", "mirrored")),
    Net("roads", "no_norm", (24, 40), 0, "unit", "h5", ("plain", "mirrored")),
    Net("roads", "odd", (24, 40), 0, "unit", "keras", ("plain",)),
    Net("sizes", "plain", (32, 32), 0, "unit", "keras", ("mirrored",)),
    Net("blobs", "unet", (32, 32), 0, "unit", "keras"),
    Net("blobs", "unet", (24, 40), 0, "byte", "tf_keras"),
)


def _block(k: Any, x: Any, width: int, name: str, **options: Any) -> Any:
    norm = options.pop("norm", True)
    settings = {"padding": "same", "name": name} | options
    x = k.layers.Conv2D(width, 3, **settings)(x)
    if norm:
        x = k.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return k.layers.ReLU(name=f"{name}_relu")(x)


def answers(k: Any, x: Any, net: Net) -> Any:
    """The output layer."""
    if net.head == "several":
        return k.layers.Dense(net.classes, activation="sigmoid", name="head")(x)
    if net.head == "sigmoid":
        return k.layers.Dense(1, activation="sigmoid", name="head")(x)
    if not net.classes:
        return k.layers.Dense(1, name="head")(x)
    activation = "softmax" if net.head == "softmax" else None
    return k.layers.Dense(net.classes, activation=activation, name="head")(x)


def _plain(k: Any, x: Any, net: Net, **options: Any) -> Any:
    for i, width in enumerate((12, 20, 28)):
        x = _block(k, x, width, f"conv{i}", **options)
        x = k.layers.MaxPooling2D()(x) if i < 2 else x
    return _pooled(k, x, net)


def _pooled(k: Any, x: Any, net: Net) -> Any:
    """Averages over positions for classes and sizes; directions need the positions."""
    if net.task == "roads":
        x = k.layers.Flatten()(k.layers.AveragePooling2D(2)(x))
    else:
        x = k.layers.GlobalAveragePooling2D()(x)
    return answers(k, x, net)


def _residual(k: Any, x: Any, net: Net) -> Any:
    x = _block(k, x, 16, "stem")
    for i in range(3):
        inner = _block(k, x, 16, f"unit{i}_a")
        inner = k.layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"unit{i}_b")(inner)
        inner = k.layers.BatchNormalization(momentum=0.9, name=f"unit{i}_norm")(inner)
        x = k.layers.ReLU()(k.layers.Add()([x, inner]))
        x = k.layers.MaxPooling2D()(x) if i < 2 else x
    return _pooled(k, x, net)


def _depthwise(k: Any, x: Any, net: Net) -> Any:
    x = _block(k, x, 16, "stem")
    for i, width in enumerate((24, 32)):
        x = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"deep{i}")(x)
        x = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9, name=f"deep{i}_norm")(x))
        x = k.layers.Conv2D(width, 1, use_bias=False, name=f"point{i}")(x)
        x = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9, name=f"point{i}_norm")(x))
        x = k.layers.MaxPooling2D()(x)
    return _pooled(k, x, net)


def _max_logits(k: Any, x: Any, net: Net) -> Any:
    for i, width in enumerate((12, 24, 32)):
        x = _block(k, x, width, f"conv{i}", norm=False)
        x = k.layers.MaxPooling2D()(x) if i < 2 else x
    return k.layers.Dense(net.classes, name="head")(k.layers.GlobalMaxPooling2D()(x))


def _flat_valid(k: Any, x: Any, net: Net) -> Any:
    for i, width in enumerate((12, 20)):
        x = _block(k, x, width, f"conv{i}", padding="valid")
        x = k.layers.MaxPooling2D()(x)
    x = k.layers.Dense(32, activation="relu", name="hidden")(k.layers.Flatten()(x))
    return answers(k, k.layers.Dropout(0.2)(x), net)


def _trunk(k: Any, x: Any, net: Net) -> Any:
    """A nested trunk called twice: on the image and on a downsampled version of it."""
    inner = k.layers.Input((None, None, 3))
    y = _block(k, inner, 16, "trunk0")
    y = _block(k, k.layers.MaxPooling2D()(y), 24, "trunk1")
    trunk = k.Model(inner, k.layers.GlobalAveragePooling2D()(y), name="trunk")
    both = k.layers.Concatenate()([trunk(x), trunk(k.layers.AveragePooling2D(2)(x))])
    return answers(k, k.layers.Dense(24, activation="relu", name="hidden")(both), net)


def _strided(k: Any, x: Any, net: Net) -> Any:
    for i, width in enumerate((12, 20, 28)):
        x = _block(k, x, width, f"conv{i}", strides=2)
    return _pooled(k, x, net)


def _mirrored_pair(k: Any, x: Any, net: Net) -> tuple[Any, Any]:
    """Outputs of one trunk for the image and for its mirror image."""
    inner = k.layers.Input((*net.shape, 3))
    y = inner
    for i, width in enumerate((12, 20)):
        y = k.layers.MaxPooling2D()(_block(k, y, width, f"twin{i}"))
    y = k.layers.Flatten()(k.layers.AveragePooling2D(2)(y)) if net.body == "odd" else (
        k.layers.GlobalAveragePooling2D()(y)
    )  # fmt: skip
    trunk = k.Model(inner, k.layers.Dense(24, activation="relu", name="mix")(y), name="trunk")
    return trunk(x), trunk(k.ops.flip(x, axis=2))


def _even(k: Any, x: Any, net: Net) -> Any:
    return answers(k, k.layers.Average()(list(_mirrored_pair(k, x, net))), net)


def _odd(k: Any, x: Any, net: Net) -> Any:
    pair = k.layers.Subtract()(list(_mirrored_pair(k, x, net)))
    return k.layers.Dense(1, use_bias=False, name="head")(pair)


def _unet(k: Any, x: Any, _net: Net) -> Any:
    fine = _block(k, x, 12, "down0")
    coarse = _block(k, k.layers.MaxPooling2D()(fine), 20, "down1")
    up = k.layers.UpSampling2D()(coarse)
    x = _block(k, k.layers.Concatenate()([fine, up]), 12, "up0")
    return k.layers.Conv2D(1, 1, activation="sigmoid", name="head")(x)


BODIES: dict[str, Callable[[Any, Any, Net], Any]] = {
    "plain": _plain,
    "residual": _residual,
    "depthwise": _depthwise,
    "bias_free": lambda k, x, net: _plain(k, x, net, use_bias=False),
    "no_norm": lambda k, x, net: _plain(k, x, net, norm=False),
    "max_logits": _max_logits,
    "flat_valid": _flat_valid,
    "trunk": _trunk,
    "strided": _strided,
    "even": _even,
    "odd": _odd,
    "unet": _unet,
}
