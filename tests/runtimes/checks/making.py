"""Small files that have one cause each by which a Keras does not load them.

`old` is tf_keras and `new` is Keras 3. A maker saves a model with one of them and then edits what
another version would have written otherwise.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Keras = Any
Config = dict[str, Any]
CONFIG = "config.json"


def old() -> Keras:
    """Keras 2."""
    import tf_keras

    return tf_keras


def new() -> Keras:
    """Keras 3."""
    import keras

    return keras


def stack(keras: Keras, shape: tuple[int, ...], *layers: Any) -> Any:
    """A Sequential model with an input."""
    return keras.Sequential([keras.Input(shape), *layers])


def saved(model: Any, path: Path) -> Path:
    """The path, to which the model was saved, with weights that differ from one another."""
    for number, weight in enumerate(model.weights):
        if "float" in str(weight.dtype):
            values = np.random.default_rng(number).random(weight.shape, "float32") + 0.1
            weight.assign(values)
    model.save(path)
    return path


def config_of(path: Path) -> Config:
    """The saved config of an HDF5 file, an archive or a JSON file."""
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(CONFIG))
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])


def write_config(path: Path, config: Config) -> None:
    """Replace the saved config."""
    text = json.dumps(config)
    if path.suffix == ".json":
        path.write_text(text)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**members, CONFIG: text.encode()}.items():
                archive.writestr(name, data)
    else:
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = text.encode()


def changed(path: Path, change: Callable[[Config], Any]) -> Path:
    """The path, whose config was changed in place."""
    config = config_of(path)
    change(config)
    write_config(path, config)
    return path


def objects(value: Any) -> Iterator[Config]:
    """Every object of a config, the outer ones first."""
    if isinstance(value, dict):
        yield value
        for each in list(value.values()):
            yield from objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from objects(each)


def of_class(config: Config, name: str) -> Iterator[Config]:
    """Every object of a class."""
    return (each for each in objects(config) if each.get("class_name") == name)


def setting(name: str, **values: Any) -> Callable[[Config], None]:
    """The change that sets keys in the config of all objects of a class."""

    def change(config: Config) -> None:
        for each in of_class(config, name):
            each["config"].update(values)

    return change


def deleting(name: str, *keys: str) -> Callable[[Config], None]:
    """The change that deletes keys from the config of all objects of a class."""

    def change(config: Config) -> None:
        for each in of_class(config, name):
            for key in keys:
                each["config"].pop(key, None)

    return change


def without_modules(config: Config) -> None:
    """As Keras up to 2.12 wrote a config: no object states its module."""
    for each in objects(config):
        if "class_name" in each:
            for key in ("module", "registered_name", "build_config"):
                each.pop(key, None)


def version(path: Path, keras: str) -> Path:
    """The HDF5 file, as one of another version."""
    with h5py.File(path, "r+") as file:
        for holder in (file, file.get("model_weights")):
            if holder is not None:
                holder.attrs["keras_version"] = keras.encode()
    return path


def weights_of(path: Path, change: Callable[[h5py.File], None]) -> Path:
    """The archive, whose file of weights was changed in place."""
    name = "model.weights.h5"
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    beside = path.with_suffix(".part")
    beside.write_bytes(members[name])
    with h5py.File(beside, "r+") as file:
        change(file)
    members[name] = beside.read_bytes()
    beside.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return path
