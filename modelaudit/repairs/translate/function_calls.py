"""Operations of Keras 3, and Lambdas, as calls of TensorFlow functions that Keras 2 loads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.formats.keras.inbound_nodes import (
    Argument,
    LayerCall,
    TensorReference,
    tensor_references,
)
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.repairs.translate.graph_keras2 import Keras2Graph, listed
from modelaudit.repairs.translate.lambdas.layers import LambdaLayer
from modelaudit.repairs.translate.objects import plain
from modelaudit.repairs.translate.operations import FUNCTIONS, LISTS, OPERATIONS
from modelaudit.repairs.translate.references import saved_name
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable

_UNUSED = ("name", "dtype", "data_format", "initial", "where")
_NOT_IN_SCOPES = re.compile(r"[^A-Za-z0-9_.\\/>-]")
_SYMMETRIC = ("math.add", "math.multiply", "math.maximum", "math.minimum")


def name_in_scopes(name: str) -> str:
    """A layer name as TensorFlow allows it for scopes."""
    return _NOT_IN_SCOPES.sub("_", name)


class FunctionCalls:
    """Layers that call functions of TensorFlow."""

    def __init__(self, translation: Translation) -> None:
        self._translation = translation
        self._target = translation.target

    def operation(
        self, item: Config, calls: Sequence[LayerCall], graph: Keras2Graph, route: str
    ) -> Node:
        """An operation of Keras 3 as the call of a function of TensorFlow."""
        name, kind = saved_name(item), text(item.get("class_name"))
        if not self._target.knows("layers", "TFOpLambda"):
            raise Untranslatable(
                route, f"{self._target.name} has no layers for the operation {kind}"
            )
        function = FUNCTIONS.get(kind)
        if function is None or len(calls) != 1:
            raise Untranslatable(
                route, f"no function of TensorFlow is known that equals the operation {kind}"
            )
        self._translation.replace(route, f"wrote the operation {kind} as a call of tf.{function}")
        args = list(calls[0].args)
        given: dict[str, Json] = {}
        if kind == "GetItem":
            given["slice_spec"] = _slices(args[1])
            del args[1:]
        elif function in OPERATIONS:
            given |= self._keywords(item, function, args, graph, route)
        return self._layer(function, name_in_scopes(name), args[0], given, graph, route)

    def _layer(
        self,
        function: str,
        name: str,
        first: Argument,
        given: Mapping[str, Json],
        graph: Keras2Graph,
        route: str,
    ) -> Node:
        """A layer that calls a function of TensorFlow."""
        if not any(tensor_references(first)):
            raise Untranslatable(
                route, f"the first argument of {function} is a constant, which Keras 2 cannot load"
            )
        slicing = function == "__operators__.getitem"
        layer = plain(
            "SlicingOpLambda" if slicing else "TFOpLambda",
            {"name": name, "trainable": True, "dtype": "float32", "function": function},
        )
        node = [graph.input(each, given) for each in listed(first)]
        several = isinstance(first, list)
        return {**layer, "name": name, "inbound_nodes": [node if several else node[0]]}

    def of_lambda(
        self, item: Config, calls: Sequence[LayerCall], graph: Keras2Graph, route: str
    ) -> list[Node]:
        """A Lambda as calls of functions."""
        if len(calls) != 1:
            raise Untranslatable(route, "it is a Lambda that is not called once")
        code = LambdaLayer(item, route)
        code.note(self._translation, "calls of functions")
        layers = []
        for function, call, name in code.calls(name_in_scopes(saved_name(item)), calls[0].args[0]):
            path = text(mapping(function.get("config")).get("function"))
            first, given = call.args[0], dict(call.kwargs)
            if not any(tensor_references(first)) and path in _SYMMETRIC and len(given) == 1:
                (key,) = given
                first, given[key] = given[key], first
            values = {key: graph.value(value) for key, value in given.items()}
            layers.append(self._layer(path, name, first, values, graph, route))
        return layers

    def _keywords(
        self, item: Config, function: str, args: list[Argument], graph: Keras2Graph, route: str
    ) -> dict[str, Json]:
        """Keyword arguments of the function; a constant in the first place is moved behind."""
        kind, operation = text(item.get("class_name")), OPERATIONS[function]
        config = mapping(item.get("config"))
        if len(args) > 1 and not any(tensor_references(args[0])) and function in _SYMMETRIC:
            args[0], args[1] = args[1], args[0]
        given: dict[str, Json] = {}
        if len(args) > 1:
            keyword = "b" if kind == "Matmul" else operation.tensors[0]
            given[keyword] = graph.value(args[1])
            del args[1:]
        back = {there: here for here, there in operation.config.items()}
        for key, value in config.items():
            if key in back:
                given[back[key]] = value
            elif key not in _UNUSED and value is not None and value != operation.fixed.get(key):
                raise Untranslatable(route, f"tf.{function} has no argument {key}")
        if function not in LISTS and not operation.config:
            given["name"] = None
        return given


def _slices(spec: Argument) -> Json:
    """A slice of Keras 3 as `slice_spec`."""
    if isinstance(spec, list):
        return [_slices(each) for each in spec]
    if isinstance(spec, dict):
        if spec.get("class_name") == "__tuple__":
            return _slices(spec.get("items"))
        if spec.get("class_name") == "__ellipsis__":
            return {"class_name": "__ellipsis__"}
        bounds = spec.get("config")
        if isinstance(bounds, dict):
            return {key: _slices(bounds.get(key)) for key in ("start", "stop", "step")}
    if isinstance(spec, TensorReference):
        raise Untranslatable(spec.layer, "it is an index of a slice, which Keras 2 cannot save")
    return spec if not isinstance(spec, dict) else {}
