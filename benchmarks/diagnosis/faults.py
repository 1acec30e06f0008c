"""Faults that the diagnosis benchmark injects into intact models or into their images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.diagnosis.nets import Net


class Unsuited(Exception):
    """The fault does not apply to the model."""


@dataclass(frozen=True)
class Bench:
    """What faults need: the images, the untrained network, and one from a separate training."""

    rng: np.random.Generator
    x: np.ndarray
    untrained: Callable[[], Any]
    foreign: Callable[[], Any]


def _layers(model: Any) -> Iterator[Any]:
    """All layers with weights, nested ones included, in the order in which they were built."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        elif layer.weights:
            yield layer


def _kernels(model: Any) -> list[Any]:
    return [x for x in _layers(model) if len(x.weights[0].shape) in {2, 3, 4}]


def _norms(model: Any) -> list[Any]:
    return [x for x in _layers(model) if type(x).__name__ == "BatchNormalization"]


def _set(layer: Any, **at: Any) -> None:
    """Overwrite weights by their index in `get_weights`: w0, w1, …."""
    weights = layer.get_weights()
    for place, value in at.items():
        weights[int(place[1:])] = np.asarray(value, np.float32)
    layer.set_weights(weights)


def never_loaded(model: Any, bench: Bench) -> None:
    model.set_weights(bench.untrained().get_weights())


def _redrawn(model: Any, bench: Bench, place: int) -> None:
    layers, anew = _kernels(model), _kernels(bench.untrained())
    layers[place].set_weights(anew[place].get_weights())


def redrawn_layer(model: Any, bench: Bench) -> None:
    _redrawn(model, bench, 1)


def redrawn_head(model: Any, bench: Bench) -> None:
    _redrawn(model, bench, -1)


def foreign_layer(model: Any, bench: Bench) -> None:
    """Replace a layer by that of another training of the same network."""
    _kernels(model)[1].set_weights(_kernels(bench.foreign())[1].get_weights())


def _lose(norm: Any) -> None:
    _set(norm, w2=np.zeros(norm.weights[2].shape), w3=np.ones(norm.weights[3].shape))


def statistics_lost(model: Any, _bench: Bench) -> None:
    for norm in _norms(model):
        _lose(norm)


def one_statistic_lost(model: Any, _bench: Bench) -> None:
    _lose(_norms(model)[1])


def unconverged(model: Any, _bench: Bench) -> None:
    """Set statistics to a few steps from their initial values, as after short fine-tuning."""
    for norm in _norms(model):
        mean, variance = norm.get_weights()[2:]
        _set(norm, w2=0.1 * mean, w3=0.9 + 0.1 * variance)


def _biased(model: Any, bench: Bench, by: float) -> int:
    """Raise the bias of one class; return the class."""
    head = _kernels(model)[-1]
    if len(head.get_weights()) < 2:
        raise Unsuited
    bias = head.get_weights()[1]
    place = int(bench.rng.integers(bias.size))
    bias[place] += by
    _set(head, w1=bias)
    return place


def head_bias(model: Any, bench: Bench) -> None:
    _biased(model, bench, 60)


def moderate_bias(model: Any, bench: Bench) -> None:
    """Raise a bias until one class is the answer to most images, but not to all."""
    kept = model.get_weights()
    for by in np.geomspace(0.5, 200, 25):
        model.set_weights(kept)
        again = Bench(np.random.default_rng(0), bench.x, bench.untrained, bench.foreign)
        place = _biased(model, again, float(by))
        answers = model.predict(bench.x, verbose=0).argmax(axis=1)
        share = float(np.mean(answers == place))
        if 0.7 <= share <= 0.95:
            return
    raise Unsuited


def dead(model: Any, _bench: Bench) -> None:
    """Set the bias before a rectifier far below zero: of a convolution or its normalization."""
    layer = _norms(model)[-1] if _norms(model) else _kernels(model)[-2]
    if len(layer.get_weights()) < 2:
        raise Unsuited
    _set(layer, w1=layer.get_weights()[1] * 0 - 60)


def permuted(model: Any, bench: Bench) -> None:
    """Permute the input channels of one layer, as if two files of weights were mixed up."""
    layer = _kernels(model)[1]
    kernel = layer.get_weights()[0]
    order = bench.rng.permutation(kernel.shape[-2])
    _set(layer, w0=kernel[..., order, :])


def exchanged(model: Any, _bench: Bench) -> None:
    """Swap two layers of the same shapes."""
    for a, b in combinations(_kernels(model), 2):
        if [w.shape for w in a.get_weights()] == [w.shape for w in b.get_weights()]:
            first, second = a.get_weights(), b.get_weights()
            a.set_weights(second)
            b.set_weights(first)
            return
    raise Unsuited


def turned_kernels(model: Any, _bench: Bench) -> None:
    """Rotate every kernel by 180°, as in libraries that compute true convolutions."""
    for layer in _kernels(model):
        kernel = layer.get_weights()[0]
        if kernel.ndim == 4:
            _set(layer, w0=kernel[::-1, ::-1])


def channels_first(model: Any, _bench: Bench) -> None:
    """Reorder the kernel after Flatten as in a channels-first library."""
    flat = next((x for x in model.layers if type(x).__name__ == "Flatten"), None)
    if flat is None or len(flat.input.shape) != 4:
        raise Unsuited
    height, width, channels = flat.input.shape[1:]
    size = height * width * channels
    layer = next((x for x in _kernels(model) if x.weights[0].shape[0] == size), None)
    if layer is None or height * width == 1 or channels == 1:
        raise Unsuited
    kernel = layer.get_weights()[0].reshape(height, width, channels, -1)
    _set(layer, w0=kernel.transpose(2, 0, 1, 3).reshape(size, -1))


@dataclass(frozen=True)
class Fault:
    """A fault of the weights (`harm`) or the images (`feed`), and the causes that identify it.

    `needs` is the condition on the network, see `suits`. With `labels`, the fault can only be
    identified with labelled images.
    """

    name: str
    accepted: tuple[str, ...]
    harm: Callable[[Any, Bench], None] | None = None
    feed: Callable[[np.ndarray], np.ndarray] | None = None
    transform: str = ""
    needs: str = ""
    labels: bool = False


# Fixed bodies: plain stacks of convolutions, and those with batch normalization.
FIXED_STACKS = {
    "plain", "residual", "bias_free", "no_norm", "max_logits", "flat_valid", "strided",
}  # fmt: skip
FIXED_NORMED = FIXED_STACKS - {"no_norm", "max_logits"} | {
    "depthwise", "trunk", "even", "odd", "unet",
}  # fmt: skip
WRONG = ("wrong-weights-upstream", "not-understood")  # the latter with labels
MISFED = ("orientation-mismatch",)
UNSETTLED = ("bn-statistics-unsettled", "bn-statistics-lost")
ONE_CLASS = "images of one class"
FAULTS = (
    Fault("never loaded", ("never-loaded",), never_loaded),
    Fault("layer reinitialised", ("partial-restore", *WRONG), redrawn_layer, needs="kernels"),
    Fault("head reinitialised", ("partial-restore", *WRONG), redrawn_head, needs="classes"),
    Fault("BN statistics lost", ("bn-statistics-lost",), statistics_lost, needs="norm"),
    Fault("one BN lost", ("bn-statistics-lost",), one_statistic_lost, needs="norm"),
    Fault("BN unconverged", (*UNSETTLED, *WRONG), unconverged, needs="norm"),
    Fault("head bias +60", ("head-bias",), head_bias, needs="classes"),
    Fault("head bias, moderate", ("head-bias",), moderate_bias, needs="classes"),
    Fault("dead layer", ("dead-units",), dead, needs="layers"),
    Fault("filters permuted", (*WRONG, "little-information"), permuted, needs="layers"),
    Fault("layers exchanged", (*WRONG, "little-information"), exchanged, needs="layers"),
    Fault("foreign layer", (*WRONG, "little-information"), foreign_layer, needs="layers"),
    Fault("Flatten order", (*WRONG, "little-information"), channels_first, needs="layers"),
    Fault("kernels rotated", MISFED, turned_kernels, transform="r180", needs="even"),
    Fault("images mirrored", MISFED, None, lambda x: x[:, :, ::-1], "H", "many"),
    Fault("images rotated", MISFED, None, lambda x: x[:, ::-1, ::-1], "r180", "many"),
    Fault("images mirrored, labelled", MISFED, None, lambda x: x[:, :, ::-1], "H", "few", True),
    Fault("images x255", ("input-domain",), None, lambda x: x * 255, "/255", "unit"),
    Fault("images /255", ("input-domain",), None, lambda x: x / 255, "*255", "byte"),
    Fault("images inverted", ("input-domain",), None, lambda x: 1 - x, "1-x", "unit"),
    Fault(ONE_CLASS, ("little-information",), needs="one class"),
)  # fmt: skip


def suits(fault: Fault, net: Net, way: str) -> bool:
    """Whether the fault applies to this network and its training does not make it harmless."""
    normed = net.norm == "batch" and net.body in {"levels", "levels1d", "dense"}
    normed |= net.body in FIXED_NORMED
    classes = net.classes > 2 and net.head in {"softmax", "logits"} and net.body != "odd"
    shapes = net.task in {"letters", "objects"}
    asymmetric = way == "plain" and shapes and net.body != "even"
    convolved = net.body in {"levels", "levels1d", *FIXED_STACKS}
    return {
        "": True,
        "kernels": net.body not in {"recurrent", "embedding", "embedding_recurrent"},
        "norm": normed,
        "classes": classes,
        "layers": classes and convolved and net.activation in {"relu"},
        "even": asymmetric and classes and net.body == "levels" and net.unit != "separable"
        and net.shrink != "stride" and net.top != "flat",
        "many": asymmetric and classes,
        "few": (asymmetric and net.classes == 2) or (net.task == "roads" and net.body != "odd"),
        "unit": classes and net.scale == "unit" and normed,
        "byte": classes and net.scale == "byte",
        "one class": classes and shapes,
    }[fault.needs]  # fmt: skip
