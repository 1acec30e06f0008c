"""Honest twins from set 3 on: each is trained in another way, and has to answer right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.restore.nets import Arrays, Net, compiled, fit, leaves
from benchmarks.restore.twins import Made
from benchmarks.restore.values import put


def _copy(k: Any, net: Net, model: Any, rate: float, **options: Any) -> Any:
    new = compiled(k, net, rate=net.rate * rate, **options)
    new.set_weights(model.get_weights())
    return new


def random_features(k: Any, net: Net, _model: Any, data: Arrays) -> Any:
    """Every layer but the last is frozen at its initial values."""
    new = compiled(k, net)
    for layer in leaves(new)[:-1]:
        layer.trainable = False
    new.compile(compiled(k, net, rate=1e-2).optimizer, *_losses(net), jit_compile=False)
    fit(new, data, 15)
    return new


def _losses(net: Net) -> list[Any]:
    return [list(net.losses) if len(net.losses) > 1 else net.losses[0]]


def fine_tuned_at_small_rate(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """Trained on for one epoch at a hundredth of the rate."""
    new = _copy(k, net, model, 0.01)
    fit(new, data, 1)
    return new


def epochs_averaged(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """The mean of the weights of four further epochs (SWA)."""
    new, kept = _copy(k, net, model, 0.3), []
    for _ in range(4):
        fit(new, data, 1)
        kept.append(new.get_weights())
    new.set_weights([np.mean(values, axis=0) for values in zip(*kept, strict=True)])
    return new


def exponential_average(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """Trained on with an exponential moving average that replaces the weights."""
    new = _copy(k, net, model, 0.3, use_ema=True, ema_momentum=0.95)
    fit(new, data, 2)
    new.optimizer.finalize_variable_values(new.trainable_variables)
    return new


def head_learnt_anew(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """A trained body, frozen, under a head that starts again from its initial values."""
    new = compiled(k, net)
    for old, layer in list(zip(leaves(model), leaves(new), strict=True))[:-1]:
        layer.set_weights(old.get_weights())
        layer.trainable = False
    new.compile(compiled(k, net).optimizer, *_losses(net), jit_compile=False)
    fit(new, data, 8)
    return new


def pruned_and_tuned(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """60 % of each large kernel is 0; trained on under that mask."""
    new = _copy(k, net, model, 0.3)
    masks = [
        (layer, place, np.abs(value) > np.quantile(np.abs(value), 0.6))
        for layer in leaves(new)[:-1]
        for place, value in enumerate(layer.get_weights())
        if value.ndim >= 2 and value.size >= 200
    ]
    for rounds in range(4):
        for layer, place, mask in masks:
            put(layer, place, layer.get_weights()[place] * mask)
        if rounds < 3:
            fit(new, data, 1)
    return new


def adapter_merged_by_keras(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """LoRA on the dense layers and embeddings, trained, and merged when the model is saved."""
    new = _copy(k, net, model, 1)
    for layer in leaves(new):
        if type(layer).__name__ in {"Dense", "Embedding", "EinsumDense"}:
            layer.enable_lora(2)
    new.compile(compiled(k, net, rate=net.rate / 3).optimizer, *_losses(net), jit_compile=False)
    fit(new, data, 2)
    return new


def mixed_precision(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """Built with the policy mixed_float16, from the trained weights, and trained on."""
    policy = k.mixed_precision.dtype_policy()
    k.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        new = _copy(k, net, model, 0.1)
    finally:
        k.mixed_precision.set_dtype_policy(policy)
    fit(new, data, 1)
    return new


def _other_task(net: Net, data: Arrays) -> Arrays:
    """The same inputs with other targets: classes put together, numbers upside down."""
    x, truths = data
    pairs = zip(net.losses, truths, strict=True)
    return x, [y // 2 if loss.startswith("sparse") else y.max() - y for loss, y in pairs]


def _transferred(k: Any, net: Net, data: Arrays, frozen: int) -> Any:
    """Trained for another task, then for this one with new last layers, the first ones frozen."""
    base, new = compiled(k, net), compiled(k, net)
    fit(base, _other_task(net, data), net.epochs)
    pairs = list(zip(leaves(base), leaves(new), strict=True))
    for old, layer in pairs[:-1]:
        layer.set_weights(old.get_weights())
    for _, layer in pairs[:frozen]:
        layer.trainable = False
    new.compile(compiled(k, net).optimizer, *_losses(net), jit_compile=False)
    fit(new, data, 2 * net.epochs)
    return new


def transferred_frozen(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """Every layer but the last two is that of another task."""
    return _transferred(k, net, data, len(leaves(model)) - 2)


def transferred_tuned(k: Any, net: Net, _model: Any, data: Arrays) -> Any:
    """All layers were trained for another task first; the first one is frozen since."""
    return _transferred(k, net, data, 1)


def random_stem(k: Any, net: Net, model: Any, data: Arrays) -> Any:
    """The first third of the layers is frozen at initial values, the others are trained."""
    new = compiled(k, net)
    for layer in leaves(new)[: max(len(leaves(model)) // 3, 1)]:
        layer.trainable = False
    new.compile(compiled(k, net).optimizer, *_losses(net), jit_compile=False)
    fit(new, data, 2 * net.epochs)
    return new


WAYS: tuple[Callable[[Any, Net, Any, Arrays], Any], ...] = (
    *(random_features, fine_tuned_at_small_rate, epochs_averaged, exponential_average),
    *(head_learnt_anew, pruned_and_tuned, adapter_merged_by_keras, mixed_precision),
)
TRANSFERS = (transferred_frozen, transferred_tuned, random_stem)  # from set 9 on


def of_transfers(k: Any, net: Net, model: Any, seed: int, turn: int) -> Made:
    """Two of the three, others for each network."""
    k.utils.set_random_seed(seed)
    data = net.data(np.random.default_rng(seed), 1024)
    for place in range(2):
        way = TRANSFERS[(2 * turn + place) % len(TRANSFERS)]
        yield way.__name__, way(k, net, model, data)


def of_ways(k: Any, net: Net, model: Any, seed: int, turn: int, each: int) -> Made:
    """So many of the ways, others for each network; random features for every second network."""
    k.utils.set_random_seed(seed)
    data = net.data(np.random.default_rng(seed), 1024)
    for place in range(each):
        way = WAYS[(turn * each + place) % len(WAYS)]
        yield way.__name__, way(k, net, model, data)
    if turn % 2 == 0:
        for _ in range(1 + (each > 1)):  # in two formats
            yield random_features.__name__, random_features(k, net, model, data)
