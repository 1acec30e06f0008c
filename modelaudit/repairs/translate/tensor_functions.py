"""Calls of TensorFlow functions that Keras 2 saved as layers, as operations of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Json, Layer
from modelaudit.formats.keras.inbound_nodes import Argument, LayerCall, TensorReference
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.repairs.translate.graph_nodes import as_function_call
from modelaudit.repairs.translate.operations import LISTS, NUMPY, Operation, operation_of
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable


def as_operation(
    item: Config, call: LayerCall, name: str, translation: Translation, route: str
) -> tuple[Node, list[Argument]]:
    """The operation of Keras 3 for a TensorFlow function saved as a layer, and its arguments.

    Raises:
        Untranslatable: there is no operation that computes the same.
    """
    if text(item.get("class_name")) == "TensorFlowOpLayer":
        item, call = as_function_call(item, call, route)
    config = mapping(item.get("config"))
    kind = text(item.get("class_name"))
    first: Argument = call.args[0] if call.args else None
    given = {key: value for key, value in call.kwargs.items() if key != "name"}
    function = text(config.get("function"))
    if kind == "SlicingOpLambda" and function.endswith("getitem"):
        translation.replace(route, "wrote its slice as the operation GetItem")
        spec: Argument = given.get("slice_spec")
        return operation_layer(NUMPY, "GetItem", {"name": name}, translation), [
            first,
            _slices(_without_ellipsis(spec, translation.layer(route))),
        ]
    operation = operation_of(function)
    if operation is None or kind != "TFOpLambda":
        what = f"the TensorFlow function {function}" if function else f"a {kind}"
        raise Untranslatable(route, f"it calls {what}, for which no equal operation is known")
    if not translation.target.has_class("ops", operation.name):
        raise Untranslatable(route, f"{translation.target.name} has no operation {operation.name}")
    tensors, values = _arguments(operation, given, route)
    args: list[Argument] = [first, *tensors]
    if function in LISTS and not isinstance(first, list):
        alone: list[Argument] = [first]
        args[0] = alone
    translation.replace(route, f"wrote its call of tf.{function} as the operation {operation.name}")
    named: Node = {"name": name, **values}
    return operation_layer(operation.module, operation.name, named, translation), args


def _arguments(
    operation: Operation, given: Mapping[str, Argument], route: str
) -> tuple[list[Argument], Node]:
    """Further tensors of the call, and arguments of the operation's constructor."""
    tensors: list[Argument] = []
    config: Node = {key: _json(value) for key, value in operation.fixed.items()}
    for key, value in given.items():
        if key in operation.tensors:
            tensors.append(_constant(value))
        elif key in operation.config and not _has_tensor(value):
            if value is not None:
                config[operation.config[key]] = _json(value)
        elif value is not None and value not in operation.ignored.get(key, ()):
            raise Untranslatable(route, f"the operation {operation.name} has no argument {key}")
    return tensors, config


def _constant(value: Argument) -> Argument:
    """A list of numbers as the tensor it stands for: Keras 3 takes a list for several tensors."""
    if not isinstance(value, list) or _has_tensor(value):
        return value
    dtype = "float32" if any(isinstance(each, float) for each in _numbers(value)) else "int32"
    config: dict[str, Argument] = {"value": value, "dtype": dtype}
    constant: dict[str, Argument] = {"class_name": "__tensor__", "config": config}
    return constant


def _numbers(value: Argument) -> list[Argument]:
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value]


def _has_tensor(value: Argument) -> bool:
    if isinstance(value, list):
        return any(map(_has_tensor, value))
    return isinstance(value, TensorReference)


def _json(value: object) -> Json:
    if isinstance(value, list):
        return [_json(each) for each in value]
    assert value is None or isinstance(value, (str, int, float, bool))
    return value


def operation_layer(module: str, name: str, config: Node, translation: Translation) -> Node:
    """An operation; some of Keras up to 3.8 take no name, and get that of their layer."""
    accepted = translation.target.accepts("ops", name)
    if accepted is not None and "name" not in accepted:
        config = {key: value for key, value in config.items() if key != "name"}
    return {"module": module, "class_name": name, "config": config, "registered_name": name}


def _without_ellipsis(spec: Argument, layer: Layer | None) -> Argument:
    """A slice with the axes that an ellipsis stands for: Keras 3 reads no ellipsis in HDF5."""
    shape = layer.input_shapes[0] if layer and layer.input_shapes else None
    items = spec if isinstance(spec, list) else [spec]
    places = [i for i, each in enumerate(items) if _is_ellipsis(each)]
    if shape is None or len(places) != 1:
        return spec
    taken = sum(each is not None for each in items) - 1  # None adds an axis
    axis: dict[str, Argument] = dict.fromkeys(("start", "stop", "step"))
    axes: list[Argument] = [axis for _ in range(len(shape) - taken)]
    return [*items[: places[0]], *axes, *items[places[0] + 1 :]]


def _is_ellipsis(spec: Argument) -> bool:
    return isinstance(spec, dict) and spec.get("class_name") == "__ellipsis__"


def _slices(spec: Argument) -> Argument:
    """A saved slice: `start`, `stop` and `step` of each axis."""
    if isinstance(spec, list):
        return [_slices(each) for each in spec]
    found: dict[str, Argument] = {}
    if isinstance(spec, dict) and "start" in spec:
        bounds: dict[str, Argument] = {key: spec.get(key) for key in ("start", "stop", "step")}
        found = {"class_name": "__slice__", "config": bounds}
    elif _is_ellipsis(spec):
        found = {"class_name": "__ellipsis__", "config": {}}
    return found or spec
