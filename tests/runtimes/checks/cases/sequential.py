"""Cases of the causes in `modelaudit/runtimes/checks/sequential.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from modelaudit.runtimes.collecting.configs import sequential_configs
from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import h5, image, in_keras2, without_input
from tests.runtimes.checks.making import new, old


def as_list(form: str) -> Callable[[Path], Path]:
    """An HDF5 file with a form of the config of a Sequential model."""

    def make(folder: Path) -> Path:
        path = folder / "m.h5"
        config = {"class_name": "Sequential", "config": sequential_configs()[form]}
        inner = form.startswith("inner")
        names = [f"{one}/{part}:0" for one in ("one", "two") for part in ("kernel", "bias")]
        shapes = [(3, 4), (4,), (4, 2), (2,)]
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
            weights = file.create_group("model_weights")
            weights.attrs["keras_version"], weights.attrs["backend"] = b"2.2.4", b"tensorflow"
            groups = {"inner": names} if inner else {"one": names[:2], "two": names[2:]}
            weights.attrs["layer_names"] = [each.encode() for each in sorted(groups)]
            for name, inside in groups.items():
                group = weights.create_group(name)
                group.attrs["weight_names"] = [each.encode() for each in inside]
                for each in inside:
                    group[each] = np.ones(shapes[names.index(each)], "float32")
        return path

    return make


def built_without_layers(path: Path) -> Path:
    """A model that Keras 2 fitted before any layer was added."""
    model = old().Sequential(name="m")
    model.build((None, 11))
    model.save(path / "m.h5")
    return path / "m.h5"


def from_code(path: Path) -> Any:
    keras = new()
    model = keras.Sequential([keras.layers.Dense(4, name="one"), keras.layers.Dense(2, name="two")])
    model(np.ones((1, 3)))
    model.load_weights(path)
    return model


def from_code_2(path: Path) -> Any:
    keras = old()
    model = keras.Sequential([keras.layers.Dense(4, name="one"), keras.layers.Dense(2, name="two")])
    model(np.ones((1, 3)))
    model.load_weights(path)
    return model


CASES = (
    Case("sequential-config", K3, as_list("list"), {"tf-keras": in_keras2}, note="list"),
    Case(
        "sequential-config",
        K3,
        as_list("first-layer"),
        {"tf-keras": in_keras2},
        later=(1, 3),
        note="first layer",
    ),
    Case(
        "sequential-config", K3, as_list("inner-list"), {"tf-keras": in_keras2}, note="inner list"
    ),
    Case(
        "sequential-config",
        K3,
        as_list("inner-first-layer"),
        {"tf-keras": in_keras2},
        later=(1, 3),
        note="inner first layer",
    ),
    Case("sequential-config", K3, as_list("unbuilt"), {"load_weights": from_code}, note="unbuilt"),
    Case(
        "sequential-config",
        K3,
        as_list("list-unbuilt"),
        {"load_weights": from_code},
        note="unbuilt list",
    ),
    Case(
        "sequential-config", K2, as_list("unbuilt"), {"load_weights": from_code_2}, note="unbuilt"
    ),
    Case(
        "sequential-config",
        K2,
        as_list("list-unbuilt"),
        {"load_weights": from_code_2},
        note="unbuilt list",
    ),
    Case(
        "sequential-config",
        K3,
        h5(image, without_input, plain=True, keras="2.2.4"),
        {"tf-keras": in_keras2},
        later=(1, 8, 6, 3),
        note="first layer of an image",
    ),
    Case("sequential-without-layers", K3, built_without_layers),
)
