"""Faults of exports, each alone: another input, another output, other statistics, calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.exports.nets import SIZE, Net
from benchmarks.population.data import drawn

OFFSET = 3000.0  # of the score of a class that is never to be predicted
TINT = np.array([1.0, 0.75, 0.5], np.float32)  # so that the order of the channels matters
INTEGERS = ("int8", "int16x8")
Made = tuple[Any, np.ndarray, Any] | None  # the model to convert, calibration images, its source


@dataclass(frozen=True)
class Fault:
    """One fault: what makes it, the kinds of numbers that show it, and its causes."""

    name: str
    make: Callable[[Net, Any, np.ndarray], Made]
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = field(default=())

    def causes(self, net: Net) -> tuple[str, ...]:
        """Names of `PairCause` of which one must be named."""
        if self.name == "further" and net.inside is not None:
            return ("TWICE",)
        return self.names


def drawn_source(net: Net) -> tuple[Any, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """A trained network, images for calibration, and other images with labels."""
    import keras

    def images(n: int, seed: int):
        x, y = drawn(net.family, n, (SIZE, SIZE), net.classes, 3, seed)
        low, high = net.span
        unit = x.astype(np.float32) / 255 * TINT
        return (low + (high - low) * unit).astype(np.float32), y

    x, y = images(900, net.seed)
    model = built(net)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not net.softmax)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    told = model.fit(x, y, batch_size=32, epochs=8, verbose=0)
    probe = images(200, net.seed + 1000)
    right = (model.predict(probe[0], verbose=0).argmax(-1) == probe[1]).mean()
    print(net.name, f"train {told.history['accuracy'][-1]:.2f}, test {right:.2f}", flush=True)
    return model, x[:48], probe


def built(net: Net, softmax: bool | None = None, inside: bool = True) -> Any:
    """The network; its last layer and what it does to its inputs may be left out."""
    import keras

    inputs = keras.Input((SIZE, SIZE, 3))
    x = inputs
    if net.inside is not None and inside:
        x = keras.layers.Rescaling(*net.inside)(x)
    x = net.body(keras, x)
    last = "softmax" if (net.softmax if softmax is None else softmax) else None
    return keras.Model(inputs, keras.layers.Dense(net.classes, activation=last)(x))


def _copied(net: Net, source: Any, **other: Any) -> Any:
    model = built(net, **other)
    model.set_weights(source.get_weights())
    return model


def _behind(source: Any, before: Callable[[Any, Any], Any]) -> Any:
    """The network behind another step on its inputs."""
    import keras

    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, source(before(keras, inputs)))


def _right(_net: Net, source: Any, x: np.ndarray) -> Made:
    return source, x, None


def _rescaled(spans: dict[tuple[float, float], tuple[float, float]]):
    """The export expects another range, for each range that the source may have."""

    def make(net: Net, source: Any, x: np.ndarray) -> Made:
        low, high = spans[net.span]
        start, end = net.span
        scale = (end - start) / (high - low)
        offset = start - scale * low
        model = _behind(source, lambda k, i: k.layers.Rescaling(scale, offset)(i))
        return model, ((x - offset) / scale).astype(np.float32), None

    return make


def _further(net: Net, source: Any, x: np.ndarray) -> Made:
    """What the source does to its inputs is done twice; of others, what programs usually do."""
    scale, offset = net.inside or {1.0: (2.0, -1.0), 255.0: (1 / 255, 0.0)}[net.span[1]]
    if net.inside is None and net.span[0] < 0:
        return None
    model = _behind(source, lambda k, i: k.layers.Rescaling(scale, offset)(i))
    return model, ((x - offset) / scale).astype(np.float32), None


def _flipped(axis: int):
    def make(_net: Net, source: Any, x: np.ndarray) -> Made:
        model = _behind(source, lambda k, i: k.ops.flip(i, axis))
        return model, np.flip(x, axis).copy(), None

    return make


def _activated(_net: Net, source: Any, x: np.ndarray) -> Made:
    import keras

    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, keras.layers.Softmax()(source(inputs))), x, None


def _linear(net: Net, source: Any, x: np.ndarray) -> Made:
    return (_copied(net, source, softmax=False), x, None) if net.softmax else None


def _reordered(net: Net, source: Any, x: np.ndarray) -> Made:
    model = _copied(net, source)
    order = np.roll(np.arange(net.classes), 1)
    model.layers[-1].set_weights([each[..., order] for each in source.layers[-1].get_weights()])
    return model, x, None


def _batch_statistics(net: Net, source: Any, x: np.ndarray) -> Made:
    """The statistics of one training batch in place of the moving ones."""
    model = _copied(net, source)
    norms = [each for each in model.layers if "BatchNorm" in type(each).__name__]
    for norm in norms:
        norm.momentum = 0.0
    model(x[:32], training=True)
    return (model, x, None) if norms else None


def _dark(net: Net, source: Any, x: np.ndarray) -> Made:
    low = net.span[0]
    return source, (low + 0.15 * (x - low)).astype(np.float32), None


def _wide(_net: Net, source: Any, x: np.ndarray) -> Made:
    return source, (x * 100).astype(np.float32), None


def _headed(net: Net, source: Any, x: np.ndarray) -> Made:
    """A class that is never to be predicted, whose score takes the range of the head."""
    model = _copied(net, source)
    kernel, bias = source.layers[-1].get_weights()
    bias[-1] -= OFFSET * max(1.0, float(np.abs(kernel).max()))
    model.layers[-1].set_weights([kernel, bias])
    return model, x, model


_BYTES, _UNIT, _SIGNED = (0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)
FAULTS = (
    Fault("right", _right),
    Fault("range", _rescaled({_UNIT: _BYTES, _BYTES: _UNIT, _SIGNED: _BYTES}), ("VALUES",)),
    Fault("signed", _rescaled({_UNIT: _SIGNED, _BYTES: _SIGNED, _SIGNED: _UNIT}), ("VALUES",)),
    Fault("further", _further, ("VALUES", "TWICE")),
    Fault("bgr", _flipped(3), ("CHANNELS",)),
    Fault("mirrored", _flipped(2), ("ORIENTATION",)),
    Fault("softmax", _activated, ("ACTIVATION",)),
    Fault("linear", _linear, ("ACTIVATION",)),
    Fault("order", _reordered, ("CLASSES",)),
    Fault("norm", _batch_statistics, ("NORMALIZATION",)),
    Fault("dark", _dark, ("SATURATED",), INTEGERS),
    Fault("wide", _wide, ("COARSE",), ("int8",)),
    Fault("head", _headed, ("HEAD",), ("int8",)),
)
