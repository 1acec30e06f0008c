"""References between layers in a config, for the translations to both generations."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.repairs.translate.operations import FUNCTIONS
from modelaudit.repairs.translate.translation import Config, Untranslatable
from modelaudit.runtimes.checks.sizes import as_integers
from modelaudit.runtimes.saved_config import is_model


def saved_name(item: Config) -> str:
    """The name of a layer in a model's list."""
    return text(item.get("name")) or text(mapping(item.get("config")).get("name"))


def named(saved: Config) -> Config:
    """The config of a model; a list of layers, as Keras up to 2.2.2 wrote it, gets a name."""
    config = saved.get("config")
    if isinstance(config, list):
        return {"name": text(saved.get("name")) or "sequential", "layers": config}
    return mapping(config)


def is_operation(name: str, module: str, config: Config) -> bool:
    """Whether an entry of a list of layers is an operation of Keras 3.

    HDF5 states no modules. Unlike those of layers, configs of operations have no `trainable`, and
    only a Cast has a `dtype`.
    """
    if module:
        return module.startswith("keras.src.ops")
    of_layers = ("trainable", "batch_shape", *(() if name == "Cast" else ("dtype",)))
    return name in FUNCTIONS and config.keys().isdisjoint(of_layers)


def implied_input(item: Config) -> tuple[Config, list[Json] | None]:
    """The first layer of a model's first layer that is no model, and its shape of inputs."""
    while is_model(item) or isinstance(item.get("config"), list):
        config = item.get("config")
        listed = config if isinstance(config, list) else mapping(config).get("layers")
        layers = sequence(listed)
        if not layers:
            return {}, None
        item = mapping(layers[0])
    shape = as_integers(mapping(item.get("config")).get("batch_input_shape"))
    return item, shape if isinstance(shape, list) else None


def as_functional(values: Config, route: str) -> Config:
    """A Sequential model's config as that of a Functional model, in the dialect of Keras 2.

    Raises:
        Untranslatable: the shape of its input is not stated.
    """
    items = [mapping(item) for item in sequence(values.get("layers"))]
    if not items or text(items[0].get("class_name")) != "InputLayer":
        shape = implied_input(items[0])[1] if items else None
        if shape is None:
            raise Untranslatable(route, "the shape of its input is not stated")
        first_name = f"{saved_name(items[0])}_input"
        config: dict[str, Json] = {"name": first_name, "batch_input_shape": shape}
        config["dtype"] = "float32"
        items.insert(0, {"class_name": "InputLayer", "config": config})
    layers: list[Json] = []
    before: list[Json] = []
    for item in items:
        name = saved_name(item)
        nodes: list[Json] = [[[*before, {}]]] if before else []
        layers.append({**item, "name": name, "inbound_nodes": nodes})
        # Keras 2 counts the calls of an inner model from 1.
        before = [name, int(is_model(item)), 0]
    first: list[Json] = [saved_name(items[0]), 0, 0]
    ends: dict[str, Json] = {"input_layers": [first], "output_layers": [before]}
    return {"name": values.get("name"), "trainable": True, "layers": layers, **ends}


def refuse(route: str) -> Callable[[str], NoReturn]:
    """What the parser of calls does with a config that it cannot read."""

    def fail(reason: str) -> NoReturn:
        raise Untranslatable(route, reason)

    return fail
