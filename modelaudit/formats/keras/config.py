"""Parser of a saved Keras config into an architecture, for all versions since Keras 1.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeGuard

from modelaudit.errors import ReadError
from modelaudit.facts import Architecture, Dialect, Json, Layer, ProblemKind, Shape
from modelaudit.formats.keras import dialects as keras_dialects
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import is_custom
from modelaudit.formats.keras.inbound_nodes import Argument
from modelaudit.formats.keras.joined_parts import joined_parts
from modelaudit.formats.keras.layer_tree import LayerEntry, ModelEntry, TreeReader, walk
from modelaudit.formats.keras.shapes.inference import CallShapes, ShapeInference
from modelaudit.formats.keras.variables.specs import expected_variables
from modelaudit.settings import Limits
from modelaudit.work_budget import spend


def parse_architecture(config: Json, *, limits: Limits, file: str = "") -> Architecture:
    """Parse the layer graph of a saved model.

    Args:
        config: the saved `{"class_name": ..., "config": ...}`, as parsed from JSON: an HDF5
            file's `model_config`, an archive's `config.json`, `model.to_json()`, or the root
            object of a SavedModel's `keras_metadata.pb`.
        limits: `layers` and `json_depth` apply.
        file: file name for errors.

    Returns:
        Every layer in execution order, the layers of a nested model after it, with static shapes
        (the batch axis is None unless the config sets it) and the variables that the config
        implies. A subclassed model has those that its class writes into its config.

    Raises:
        ReadError: `config-invalid`: not a config that Keras could have written.
        LimitExceeded: too many layers, nested too deep, or the audit has taken its work.
    """
    tidied = kj.tidy(config, max_depth=limits.json_depth, file=file)
    if not isinstance(tidied, dict) or not isinstance(tidied.get("class_name"), str):
        raise ReadError(ProblemKind.CONFIG_INVALID, file, "the saved config has no model class")
    root = TreeReader(file, limits.layers).read(tidied)
    assumed = bool(root.wrapped)
    root = joined_parts(root) if assumed else root
    model = root.model or ModelEntry((), (), (), ())
    flow = ShapeInference.of(root)
    layers = tuple(_layers(model, flow))
    routes = [entry.route for entry in model.entries]
    return Architecture(
        class_name=root.class_name,
        name=root.name,
        dialect=_dialect(root),
        layers=layers,
        inputs=tuple(routes[entry] for entry, _, _ in model.inputs),
        outputs=tuple(routes[entry] for entry, _, _ in model.outputs),
        config=config if isinstance(config, dict) else {},
        assumed=assumed,
    )


def _layers(model: ModelEntry, flow: ShapeInference) -> Iterator[Layer]:
    """Every layer below `model` in execution order, parents before children."""
    todo = list(zip(model.entries, _inbound(model), strict=True))[::-1]
    while todo:
        entry, inbound = todo.pop()
        spend()
        yield _layer(entry, inbound, flow)
        todo.extend((inner, inbound) for inner in reversed(entry.wrapped))
        if entry.model is not None:
            inner_inbound = _inbound(entry.model)
            todo.extend(reversed(list(zip(entry.model.entries, inner_inbound, strict=True))))


def _inbound(model: ModelEntry) -> list[tuple[tuple[str, ...], ...]]:
    """For each entry and each of its calls, the routes of the input layers."""
    calls: list[list[tuple[str, ...]]] = [[() for _ in entry.calls] for entry in model.entries]
    for step in model.steps:
        if calls[step.entry]:
            calls[step.entry][step.node] = tuple(model.entries[i].route for i, _, _ in step.sources)
    return [tuple(layer_calls) for layer_calls in calls]


def _layer(entry: LayerEntry, inbound: tuple[tuple[str, ...], ...], flow: ShapeInference) -> Layer:
    seen = flow.seen.get(entry.route)
    inputs = seen.inputs if seen else ()
    known = tuple(shape for shape in inputs if shape is not None)
    return Layer(
        route=entry.route,
        name=entry.name,
        class_name=entry.class_name,
        module=entry.module,
        registered_name=entry.registered_name,
        config=entry.config,
        config_route=entry.config_route,
        inbound=inbound,
        call_kwargs=tuple(call.saved_kwargs for call in entry.calls),
        input_shapes=known if len(known) == len(inputs) else (),
        output_shape=seen.outputs[0] if seen and seen.outputs else None,
        expected=_expected(entry, seen),
        trainable=kj.flag(entry.config, "trainable", True),
        is_model=entry.model is not None,
        custom=is_custom(entry.class_name, entry.module, entry.registered_name, entry.config),
        call_numbers=tuple(tuple(filter(_is_number, call.args)) for call in entry.calls),
    )


def _is_number(argument: Argument) -> TypeGuard[float]:
    return isinstance(argument, (int, float)) and not isinstance(argument, bool)


def _expected(entry: LayerEntry, seen: CallShapes | None) -> Mapping[str, Shape]:
    """Variables that the config implies, by role."""
    if entry.model is not None or is_custom(
        entry.class_name, entry.module, entry.registered_name, entry.config
    ):
        return {}
    name, config = keras_dialects.to_keras2(entry.class_name, entry.config)
    if seen is None:
        return expected_variables(name, config, ())
    return expected_variables(name, config, seen.inputs, seen.call)


def _dialect(root: LayerEntry) -> Dialect:
    """keras1, keras2 or keras3, recognised by keys that only this version writes."""
    if root.module is not None and root.module.startswith("keras.src.models."):
        return "keras3"
    entries = [root, *walk(root.model or ModelEntry((), (), (), ()))]
    if any(_speaks_keras3(entry) for entry in entries):
        return "keras3"
    old = keras_dialects.is_keras1([(entry.class_name, entry.config) for entry in entries])
    return "keras1" if old else "keras2"


def _speaks_keras3(entry: LayerEntry) -> bool:
    config = entry.config
    if "batch_shape" in config:
        return True
    if kj.mapping(config.get("dtype")).get("class_name") == "DTypePolicy":
        return True
    if entry.class_name == "Sequential":  # Keras 2 writes name, layers and build_input_shape
        return "trainable" in config and "dtype" in config
    return any(
        call.args and any(reference.shape is not None for reference in call.inputs)
        for call in entry.calls
    )
