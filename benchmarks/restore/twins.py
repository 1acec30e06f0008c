"""Honest models that resemble faulty ones: frozen, random by design, pruned, quantized, merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.restore import bundles
from benchmarks.restore import formats as forms
from benchmarks.restore.nets import Arrays, Net, compiled, fit, images, leaves, scenes
from benchmarks.restore.values import Stock, put

Made = Iterator[tuple[str, Any]]


def _matrices(model: Any) -> Iterator[tuple[Any, int, np.ndarray]]:
    for layer in leaves(model):
        for place, value in enumerate(layer.get_weights()):
            if value.ndim >= 2 and value.size >= 64:
                yield layer, place, value


def pruned(model: Any, share: float, *, structured: bool = False) -> None:
    """Set the smallest values, or the output channels of smallest norm, to zero."""
    for layer, place, value in list(_matrices(model))[:-1]:
        size = np.abs(value)
        if structured and value.shape[-1] > 1:
            size = np.sqrt((value**2).sum(axis=tuple(range(value.ndim - 1))))
        put(layer, place, value * (size > np.quantile(size, share)))


def pruned_two_of_four(model: Any) -> None:
    """Keep the two largest of each four values along the inputs."""
    for layer, place, value in list(_matrices(model))[:-1]:
        if value.shape[-2] % 4 == 0:
            fours = value.reshape(*value.shape[:-2], -1, 4, value.shape[-1])
            rank = np.argsort(np.argsort(-np.abs(fours), axis=-2), axis=-2)
            put(layer, place, (fours * (rank < 2)).reshape(value.shape))


def quantized(model: Any, bits: int, *, by_channel: bool) -> None:
    """Round to signed integers and back, with one scale per tensor or per output channel."""
    for layer, place, value in _matrices(model):
        axes = tuple(range(value.ndim - 1)) if by_channel else None
        scale = np.abs(value).max(axis=axes, keepdims=True) / (2 ** (bits - 1) - 1)
        put(layer, place, np.round(value / np.maximum(scale, 1e-12)) * scale)


def merged(model: Any, rng: np.random.Generator) -> None:
    """Add a product of rank 2 to each kernel, as when an adapter is merged."""
    for layer, place, value in _matrices(model):
        rows, columns = value.shape[-2:]
        update = rng.normal(size=(rows, 2)) @ rng.normal(size=(2, columns))
        put(layer, place, value + 0.02 * value.std() * update)


def averaged(model: Any, other: list[np.ndarray]) -> None:
    """The mean of two epochs."""
    model.set_weights([(a + b) / 2 for a, b in zip(model.get_weights(), other, strict=True)])


def of_weights(model: Any, other: list[np.ndarray], rng: np.random.Generator) -> Made:
    """Twins that differ from the trained model in their weights only; the model is put back."""
    kept = model.get_weights()
    changes: dict[str, Callable[[], None]] = {
        "pruned_50": lambda: pruned(model, 0.5),
        "pruned_80": lambda: pruned(model, 0.8),
        "pruned_90": lambda: pruned(model, 0.9),
        "channels_pruned_50": lambda: pruned(model, 0.5, structured=True),
        "pruned_2_of_4": lambda: pruned_two_of_four(model),
        "int8": lambda: quantized(model, 8, by_channel=False),
        "int8_by_channel": lambda: quantized(model, 8, by_channel=True),
        "int4": lambda: quantized(model, 4, by_channel=True),
        "adapter_merged": lambda: merged(model, rng),
        "epochs_averaged": lambda: averaged(model, other),
    }
    for name, change in changes.items():
        change()
        yield name, model
        model.set_weights(kept)


def _relearn(k: Any, model: Any, data: Arrays, *, rate: float, epochs: int) -> Any:
    model.compile(k.optimizers.Adam(rate), CLASSES_ONLY[0], jit_compile=False)
    fit(model, data, epochs)
    return model


OTHER_TASK = {images: scenes, scenes: images}
CLASSES_ONLY = ("sparse_categorical_crossentropy",)


def of_training(k: Any, net: Net, seed: int) -> Made:
    """Twins that were trained in another way: frozen, transferred, random by design, fine-tuned."""
    if net.losses != CLASSES_ONLY:
        return
    other = OTHER_TASK.get(net.data, net.data)
    data = net.data(np.random.default_rng(seed), 1024)
    k.utils.set_random_seed(seed)
    base = compiled(k, net)
    fit(base, other(np.random.default_rng(seed + 5), 1024), net.epochs)
    for layer in leaves(base)[:-1]:
        layer.trainable = False
    yield "transferred_frozen", _relearn(k, base, data, rate=5e-3, epochs=8)
    for layer in leaves(base)[-3:]:
        layer.trainable = True
    yield "transferred_top_tuned", _relearn(k, base, data, rate=1e-3, epochs=4)
    for layer in leaves(base):
        layer.trainable = True
    yield "fine_tuned_briefly", _relearn(k, base, data, rate=1e-4, epochs=1)
    random = compiled(k, net)
    for layer in leaves(random)[:-1]:
        layer.trainable = False
    yield "random_features", _relearn(k, random, data, rate=2e-2, epochs=8)


def of_layers(k: Any, net: Net, seed: int) -> Made:
    """Twins with an adapter merged by Keras, mixed precision, averages, and decayed weights."""
    if net.losses != CLASSES_ONLY:
        return
    data = net.data(np.random.default_rng(seed), 1024)
    model = compiled(k, net)
    fit(model, data, net.epochs)
    adapted = [x for x in leaves(model) if type(x).__name__ in {"Dense", "Embedding"}]
    for layer in adapted[:1]:
        layer.enable_lora(4)
    yield "adapter_by_keras", _relearn(k, model, data, rate=1e-3, epochs=2)
    policy = k.mixed_precision.dtype_policy()
    k.mixed_precision.set_dtype_policy("mixed_float16")
    model = compiled(k, net)
    k.mixed_precision.set_dtype_policy(policy)
    fit(model, data, net.epochs)
    yield "mixed_precision", model
    model = compiled(k, net, use_ema=True, ema_momentum=0.9, weight_decay=0.02)
    fit(model, data, net.epochs)
    yield "decayed_and_averaged", model


def without_fingerprint(path: Path, _model: Any, _stock: Stock) -> list[str]:
    (path / "fingerprint.pb").unlink()
    return []


def state_points_to_newest(path: Path, model: Any, stock: Stock) -> list[str]:
    bundles.state_points_to_older(path, model, stock)
    text = 'all_model_checkpoint_paths: "model-100.ckpt"\nall_model_checkpoint_paths: '
    state = f'model_checkpoint_path: "model-900.ckpt"\n{text}"model-900.ckpt"\n'
    path.with_name("checkpoint").write_text(state)
    return []


def averages_kept(path: Path, model: Any, _stock: Stock) -> list[str]:
    """Moving averages close to the weights, as after training."""
    weights = [w for layer in leaves(model) for w in layer.weights]
    averages = {w.name.removesuffix(":0"): w.numpy() * 0.99 for w in weights if w.shape.rank > 1}
    bundles.write_averages(path, averages)
    return []


def weights_only(path: Path, model: Any, _stock: Stock) -> list[str]:
    """The model saved without its optimizer."""
    path.unlink()
    model.save(path, include_optimizer=False)
    return []


OF_FILES = (
    (without_fingerprint, forms.SAVED),
    (state_points_to_newest, forms.STATES),
    (averages_kept, ("tf1",)),
    (weights_only, ("keras", "h5", "h5_k2")),
)
