"""Restore faults in the values of weights: each changes a model, which is then saved as usual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.restore.nets import leaves


class Unsuited(Exception):
    """The fault does not apply to the model."""


@dataclass(frozen=True)
class Stock:
    """What value faults draw from: the generator, an untrained network, other weights of it."""

    rng: np.random.Generator
    untrained: Any
    other: list[np.ndarray]  # of the same network, some epochs later
    visible: bool = False  # redraw only layers whose weights show that training changed them

    def one(self, choices: list[Any]) -> Any:
        if not choices:
            raise Unsuited
        return choices[int(self.rng.integers(len(choices)))]


Harm = Callable[[Any, Stock], list[Any]]
BATCH_NORM = "BatchNormalization"
RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")


def put(layer: Any, place: int, value: np.ndarray) -> None:
    weights = layer.get_weights()
    weights[place] = np.asarray(value, weights[place].dtype)
    layer.set_weights(weights)


def kernels(model: Any, least: int = 200) -> list[tuple[Any, int]]:
    """Layer and index of each weight with two axes or more and at least `least` values."""
    return [
        (layer, place)
        for layer in leaves(model)
        for place, value in enumerate(layer.get_weights())
        if value.ndim >= 2 and value.size >= least
    ]


def norms(model: Any) -> list[Any]:
    return [layer for layer in leaves(model) if type(layer).__name__ == BATCH_NORM]


def changed(trained: np.ndarray, fresh: np.ndarray) -> bool:
    """Whether training changed the distribution of a weight; otherwise no file shows a redraw."""
    if np.ptp(fresh) == 0:
        return fresh.size > 1 and bool(np.abs(trained - fresh).max() > 1e-3)
    one, other = np.sort(trained.ravel()), np.sort(fresh.ravel())
    both = np.concatenate([one, other])
    shares = [np.searchsorted(x, both, side="right") / x.size for x in (one, other)]
    limit = 1.95 * np.sqrt(2 / one.size)  # Kolmogorov-Smirnov, significance 0.001
    return bool(np.abs(shares[0] - shares[1]).max() > limit)


def _redraw(model: Any, stock: Stock, chosen: list[Any]) -> list[Any]:
    fresh = dict(zip(leaves(model), leaves(stock.untrained), strict=True))
    pairs = [
        pair
        for layer in chosen
        for pair in zip(layer.get_weights(), fresh[layer].get_weights(), strict=True)
    ]
    if stock.visible and not any(changed(*pair) for pair in pairs):
        raise Unsuited
    for layer in chosen:
        layer.set_weights(fresh[layer].get_weights())
    return chosen


def _owners(model: Any) -> list[Any]:
    return list(dict.fromkeys(layer for layer, _ in kernels(model)))


def layer_redrawn(model: Any, stock: Stock) -> list[Any]:
    return _redraw(model, stock, [stock.one(_owners(model)[:-1])])


def head_redrawn(model: Any, stock: Stock) -> list[Any]:
    head = leaves(model)[-1]
    if head.get_weights()[0].size < 64:
        raise Unsuited
    return _redraw(model, stock, [head])


def body_redrawn(model: Any, stock: Stock) -> list[Any]:
    return _redraw(model, stock, leaves(model)[:-1])


def half_redrawn(model: Any, stock: Stock) -> list[Any]:
    """Every second layer at initial values, as after a restore by names that half fit."""
    return _redraw(model, stock, leaves(model)[int(stock.rng.integers(2)) :: 2])


def all_redrawn(model: Any, stock: Stock) -> list[Any]:
    _redraw(model, stock, leaves(model))
    return []


def embedding_redrawn(model: Any, stock: Stock) -> list[Any]:
    found = [x for x in leaves(model) if type(x).__name__ == "Embedding"]
    return _redraw(model, stock, [stock.one(found)])


def recurrent_redrawn(model: Any, stock: Stock) -> list[Any]:
    """One kernel of a recurrent layer at initial values, its other weights trained."""
    found = [(a, i) for a, i in kernels(model) if type(a).__name__ in RECURRENT]
    layer, place = stock.one(found)
    fresh = dict(zip(leaves(model), leaves(stock.untrained), strict=True))
    new = fresh[layer].get_weights()[place]
    if stock.visible and not changed(layer.get_weights()[place], new):
        raise Unsuited
    put(layer, place, new)
    return [layer]


def statistics_reset(model: Any, _stock: Stock) -> list[Any]:
    return _statistics(norms(model), 0.0, 1.0)


def one_statistic_reset(model: Any, stock: Stock) -> list[Any]:
    return _statistics([stock.one(norms(model))], 0.0, 1.0)


def _statistics(chosen: list[Any], mean: float, variance: float) -> list[Any]:
    if not chosen:
        raise Unsuited
    for norm in chosen:
        shape = norm.get_weights()[-1].shape
        put(norm, -2, np.full(shape, mean))
        put(norm, -1, np.full(shape, variance))
    return chosen


def mean_or_variance_reset(model: Any, stock: Stock) -> list[Any]:
    norm, place = stock.one(norms(model)), int(stock.rng.integers(1, 3))
    put(norm, -place, np.full(norm.get_weights()[-1].shape, 2 - place))
    return [norm]


def statistics_swapped(model: Any, stock: Stock) -> list[Any]:
    norm = stock.one([n for n in norms(model) if n.get_weights()[-2].min() < 0])
    mean, variance = norm.get_weights()[-2:]
    put(norm, -2, variance)
    put(norm, -1, mean)
    return [norm]


def variance_negative(model: Any, stock: Stock) -> list[Any]:
    norm = stock.one(norms(model))
    variance = norm.get_weights()[-1]
    variance[stock.rng.integers(variance.size)] *= -1
    put(norm, -1, variance)
    return [norm]


def variance_zero(model: Any, stock: Stock) -> list[Any]:
    norm = stock.one(norms(model))
    put(norm, -1, 0 * norm.get_weights()[-1])
    return [norm]


def gamma_zero(model: Any, stock: Stock) -> list[Any]:
    kinds = (BATCH_NORM, "LayerNormalization", "GroupNormalization")
    found = [x for x in leaves(model) if type(x).__name__ in kinds and getattr(x, "scale", True)]
    norm = stock.one(found)
    put(norm, 0, 0 * norm.get_weights()[0])
    return [norm]


def _points(model: Any, stock: Stock, value: float, count: int) -> list[Any]:
    layer, place = stock.one(kernels(model))
    weight = layer.get_weights()[place]
    weight.flat[stock.rng.choice(weight.size, count, replace=False)] = value
    put(layer, place, weight)
    return [layer]


def nan_values(model: Any, stock: Stock) -> list[Any]:
    return _points(model, stock, np.nan, 3)


def infinite_value(model: Any, stock: Stock) -> list[Any]:
    return _points(model, stock, np.inf, 1)


def huge_value(model: Any, stock: Stock) -> list[Any]:
    return _points(model, stock, 1e38 * float(stock.rng.choice([-1, 1])), 1)


def kernel_zero(model: Any, stock: Stock) -> list[Any]:
    layer, place = stock.one(kernels(model))
    put(layer, place, 0 * layer.get_weights()[place])
    return [layer]


def penalized(layer: Any) -> bool:
    """Whether training is told to keep the layer's weights small, and may make all of them 0."""
    said = ("kernel_regularizer", "embeddings_regularizer", "kernel_constraint")
    return any(getattr(layer, key, None) for key in said)


def zero_block(model: Any, stock: Stock) -> list[Any]:
    """A run of zeros over 15 to 50 % of a kernel, as of a page that was never written."""
    layer, place = stock.one(kernels(model, 400))
    weight = layer.get_weights()[place]
    length = int(weight.size * stock.rng.uniform(0.15, 0.5))
    start = int(stock.rng.integers(weight.size - length))
    weight.reshape(-1)[start : start + length] = 0
    put(layer, place, weight)
    return [layer]


def bytes_swapped(model: Any, stock: Stock) -> list[Any]:
    layer, place = stock.one(kernels(model))
    put(layer, place, layer.get_weights()[place].byteswap())
    return [layer]


# The following show only against a golden record.


def layers_swapped(model: Any, stock: Stock) -> list[Any]:
    shapes = {x: [w.shape for w in x.get_weights()] for x in leaves(model)}
    a, b = stock.one([(a, b) for a, b in combinations(shapes, 2) if shapes[a] == shapes[b]])
    first = a.get_weights()
    a.set_weights(b.get_weights())
    b.set_weights(first)
    return [a, b]


def _altered(model: Any, stock: Stock, how: Callable[[np.ndarray], np.ndarray]) -> list[Any]:
    def changes(value: np.ndarray) -> bool:
        new = how(value)
        return new.shape == value.shape and not np.array_equal(new, value)

    found = [(a, i) for a, i in kernels(model, 64) if changes(a.get_weights()[i])]
    layer, place = stock.one(found)
    put(layer, place, how(layer.get_weights()[place]))
    return [layer]


def kernel_transposed(model: Any, stock: Stock) -> list[Any]:
    return _altered(model, stock, lambda w: np.swapaxes(w, -1, -2))


def kernel_rotated(model: Any, stock: Stock) -> list[Any]:
    return _altered(model, stock, lambda w: w[::-1, ::-1] if w.ndim == 4 else w[::-1])


def rows_permuted(model: Any, stock: Stock) -> list[Any]:
    return _altered(model, stock, lambda w: stock.rng.permutation(w, axis=w.ndim - 2))


def rounded_to_half(model: Any, _stock: Stock) -> list[Any]:
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])
    return []


def sign_flipped(model: Any, stock: Stock) -> list[Any]:
    layer, place = stock.one(kernels(model))
    weight = layer.get_weights()[place]
    weight.flat[int(np.abs(weight).argmax())] *= -1
    put(layer, place, weight)
    return [layer]


def tensor_of_other_epoch(model: Any, stock: Stock) -> list[Any]:
    weights = model.get_weights()
    place = stock.one([i for i, w in enumerate(weights) if w.ndim >= 2])
    weights[place] = stock.other[place]
    model.set_weights(weights)
    return []


def weights_of_other_epoch(model: Any, stock: Stock) -> list[Any]:
    model.set_weights(stock.other)
    return []


def affine_swapped(model: Any, stock: Stock) -> list[Any]:
    kinds = (BATCH_NORM, "LayerNormalization", "GroupNormalization")
    norm = stock.one([x for x in leaves(model) if type(x).__name__ in kinds])
    gamma, beta = norm.get_weights()[:2]
    put(norm, 0, beta)
    put(norm, 1, gamma)
    return [norm]


def stale_average(model: Any, stock: Stock) -> list[Any]:
    """An average that stopped half-way: the mean of initial and trained weights."""
    pairs = zip(model.get_weights(), stock.untrained.get_weights(), strict=True)
    model.set_weights([0.5 * (a + b) for a, b in pairs])
    return []
