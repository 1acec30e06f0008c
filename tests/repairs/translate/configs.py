"""Configs of small models as Keras 2 and 3 save them, and the state of a translation."""

from __future__ import annotations

from typing import Any

from modelaudit.repairs.translate.translation import Translation
from modelaudit.runtimes.catalogue import find_profile

KERAS_2, KERAS_3 = "tf==2.15", "tf==2.21"


def translation(target: str, writer: str) -> Translation:
    saved_by = find_profile(writer)
    return Translation(find_profile(target), saved_by, not saved_by.keras3)


def input2(*shape: int | None) -> dict[str, Any]:
    config = {"batch_input_shape": [None, *shape], "dtype": "float32", "name": "input_1"}
    return {"class_name": "InputLayer", "config": config}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(layers)}}


def dense(name: str = "dense", **others: Any) -> dict[str, Any]:
    config = {"name": name, "trainable": True, "dtype": "float32", "units": 2, **others}
    return {"class_name": "Dense", "config": config}


def layers_of(model: dict[str, Any]) -> list[dict[str, Any]]:
    layers = model["config"]["layers"]
    assert isinstance(layers, list)
    return layers


def node(name: str, number: int = 0, **kwargs: Any) -> list[Any]:
    return [name, number, 0, kwargs]


def functional(*layers: dict[str, Any], output: str, number: int = 0) -> dict[str, Any]:
    config = {"name": "model", "layers": list(layers), "input_layers": [["input_1", 0, 0]]}
    config["output_layers"] = [[output, number, 0]]
    return {"class_name": "Functional", "config": config}


def at(layer: dict[str, Any], *calls: Any) -> dict[str, Any]:
    return {**layer, "name": layer["config"]["name"], "inbound_nodes": list(calls)}


def tensor3(name: str, *shape: int) -> dict[str, Any]:
    stated = [None, *(shape or (5, 4))]
    config = {"shape": stated, "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}
