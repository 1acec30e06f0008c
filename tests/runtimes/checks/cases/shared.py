"""Networks, changes and calls that cases of several causes share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.runtimes.checks.cases.case import Way
from tests.runtimes.checks.making import (
    Config,
    Keras,
    changed,
    new,
    old,
    saved,
    stack,
    version,
    without_modules,
)


def in_keras2(path: Path, **options: Any) -> Any:
    return old().models.load_model(path, **{"compile": False, **options})


def in_keras3(path: Path, **options: Any) -> Any:
    return new().models.load_model(path, **{"compile": False, **options})


def after(change: Callable[[Config], Any], load: Way) -> Way:
    """Loads the file after a change of its config."""
    return lambda path: load(changed(path, change))


def given(load: Way, *names: str) -> Way:
    """Loads the file with objects of somebody's own."""
    return lambda path: load(path, custom_objects={name: own(name) for name in names})


def own(name: str) -> Any:
    """An object of the program: a layer, or a function of one tensor."""
    if name[0].isupper():
        return layer_of_its_own(old() if name.startswith("Old") else new(), name)
    return lambda value, *_: value * 2


def layer_of_its_own(keras: Keras, name: str) -> Any:
    return type(name, (keras.layers.Layer,), {"call": lambda self, value: value * 2})


def h5(
    build: Callable[[Keras], Any],
    *changes: Callable[[Config], Any],
    keras2: bool = True,
    plain: bool = False,
    keras: str = "",
) -> Callable[[Path], Path]:
    """A maker of an HDF5 file: the model that `build` makes, with changes of its config."""

    def make(folder: Path) -> Path:
        path = saved(build(old() if keras2 else new()), folder / "m.h5")
        for change in (*([without_modules] if plain else []), *changes):
            changed(path, change)
        return version(path, keras) if keras else path

    return make


def archive(
    build: Callable[[Keras], Any], *changes: Callable[[Config], Any], keras2: bool = True
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = saved(build(old() if keras2 else new()), folder / "m.keras")
        for change in changes:
            changed(path, change)
        return path

    return make


def dense(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3, name="dense"), k.layers.Dense(2, name="last"))


def functional(
    compute: Callable[[Keras, Any], Any], shape: tuple[int, ...] = (4,)
) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        value = k.Input(shape)
        return k.Model(value, compute(k, value))

    return build


def layer(name: str, **options: Any) -> Callable[[Keras, Any], Any]:
    return lambda k, value: getattr(k.layers, name)(**options)(value)


def tensorflow() -> Any:
    import tensorflow as tf

    return tf


def without_input(config: Config) -> None:
    """A Sequential model whose first layer has the shape, as Keras 2.2.3 to 2.3 wrote it."""
    given, first, *others = config["config"]["layers"]
    first["config"]["batch_input_shape"] = given["config"]["batch_input_shape"]
    config["config"]["layers"] = [first, *others]


def image(k: Keras) -> Any:
    return stack(k, (8, 6, 3), k.layers.Conv2D(4, 3), k.layers.Flatten(), k.layers.Dense(2))


def by_layer(path: Path) -> Any:
    return new().layers.TFSMLayer(str(path), call_endpoint="serving_default")(
        np.ones((1, 4), "float32")
    )


def by_signature(path: Path) -> Any:
    signature = tensorflow().saved_model.load(str(path)).signatures["serving_default"]
    _, specs = signature.structured_input_signature
    return signature(
        **{
            name: tensorflow().ones([1 if n is None else n for n in spec.shape], spec.dtype)
            for name, spec in specs.items()
        }
    )


def into(k: Callable[[], Keras], build: Callable[[Keras], Any] = dense, **options: Any) -> Way:
    """Loads weights into the model that the code builds."""

    def load(path: Path) -> Any:
        model = build(k())
        model.load_weights(path, **options)
        return model

    return load


def mixed(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3, dtype="mixed_float16"), k.layers.Dense(2))
