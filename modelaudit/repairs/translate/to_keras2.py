"""Translation of a saved config to the dialect of Keras 2, which states no modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.formats.keras.dialects import is_keras1_layer
from modelaudit.formats.keras.inbound_nodes import (
    Argument,
    LayerCall,
    parse_calls,
    tensor_references,
)
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import ALIASES, Trait, has
from modelaudit.repairs.translate.function_calls import FunctionCalls, name_in_scopes
from modelaudit.repairs.translate.graph_keras2 import Keras2Graph, listed
from modelaudit.repairs.translate.objects import (
    HARD_SIGMOID,
    dtype_name,
    kind_of,
    number_of,
    plain,
    translated_object,
)
from modelaudit.repairs.translate.parts import opened, parts_of
from modelaudit.repairs.translate.references import (
    is_operation,
    refuse,
    saved_name,
)
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable
from modelaudit.runtimes.saved_config import is_model

_WRAPPED = ("layer", "cell", "backward_layer", "forward_layer")
_MODEL_KEYS = ("name", "trainable")
# Arguments with another name in Keras 2.
_RENAMED: Mapping[str, Mapping[str, str]] = {"LeakyReLU": {"negative_slope": "alpha"}}
_FIRST = ("inputs", "query", "sequences", "sequence")  # the first input's name in call()
_SHAPES = ("query_shape", "key_shape", "value_shape")


def to_keras2(saved: Config, translation: Translation) -> Node:
    """The config of a model in the dialect of Keras 2.

    Args:
        saved: the config as saved, `{"class_name", "config", …}`.
        translation: the target, and the collector of changes.

    Raises:
        Untranslatable: a part has no equal in the target.
    """
    return _Keras2(translation).model(saved, "")


class _Keras2:
    def __init__(self, translation: Translation) -> None:
        self._translation = translation
        self._target = translation.target
        self._functions = FunctionCalls(translation)

    def model(self, saved: Config, route: str) -> Node:
        """A Sequential or Functional model."""
        values, sequential = opened(saved, self._translation, route)
        return (self._sequential if sequential else self._functional)(values, route)

    def _sequential(self, values: Config, route: str) -> Node:
        layers: list[Json] = [
            step
            for item in map(mapping, sequence(values.get("layers")))
            for step, _ in self._steps(item, route)
        ]
        new: Node = {key: values[key] for key in ("name",) if key in values}
        if self._target.keras < (2, 2, 3):
            raise Untranslatable(route, "Keras before 2.2.3 reads Sequential models as lists")
        new["layers"] = layers
        return plain("Sequential", new)

    def _functional(self, values: Config, route: str) -> Node:
        items = [mapping(item) for item in sequence(values.get("layers"))]
        names = frozenset(map(saved_name, items))
        graph = Keras2Graph(items, self._name)
        calls = {
            saved_name(item): parse_calls(item.get("inbound_nodes"), names, refuse(route))
            for item in items
        }
        unused = self._masks(items, calls, values)
        for name in sorted(unused):
            self._translation.replace(
                f"{route}/{name}".strip("/"),
                "left out an operation that only computes a mask, which Keras 2 passes on itself",
            )
        used = [item for item in items if saved_name(item) not in unused]
        steps = {
            saved_name(item): self._steps(item, route, calls[saved_name(item)])
            for item in used
            if not self._is_operation(item)
        }
        graph.moved |= {name: parts[-1][1] for name, parts in steps.items() if parts}
        layers: list[Json] = []
        for item in used:
            name = saved_name(item)
            here = f"{route}/{self._name(name)}".strip("/")
            if name not in steps:
                layers.append(self._functions.operation(item, calls[name], graph, here))
                continue
            if not steps[name]:
                layers += self._functions.of_lambda(item, calls[name], graph, here)
                continue
            nodes = [self._node(item, call, graph, unused, here) for call in calls[name]]
            for step, its in steps[name]:
                layers.append({**step, "name": its, "inbound_nodes": nodes})
                nodes = [[[its, number, 0, {}]] for number, _ in enumerate(nodes)]
        new_config: Node = {key: values[key] for key in _MODEL_KEYS if key in values}
        if self._target.keras < (2, 5):
            new_config.pop("trainable", None)
        new_config["layers"] = layers
        for key in ("input_layers", "output_layers"):
            ends = graph.ends(values.get(key))
            flat = bool(ends) and isinstance(ends, list) and isinstance(ends[0], str)
            new_config[key] = [ends] if flat else ends
        known = self._target.keras >= (2, 3) and self._target.tensorflow >= (2, 3)
        return plain("Functional" if known else "Model", new_config)

    def _masks(
        self, items: Sequence[Config], calls: Mapping[str, tuple[LayerCall, ...]], values: Config
    ) -> frozenset[str]:
        """Operations that compute masks only, which Keras 2 passes on by itself."""
        kinds = {saved_name(item): text(item.get("class_name")) for item in items}
        masks = {
            reference.layer
            for each in calls.values()
            for call in each
            for reference in tensor_references(call.kwargs.get("mask"))
        }
        used = {
            reference.layer
            for each in calls.values()
            for call in each
            for key, value in (("", list(call.args)), *call.kwargs.items())
            if key != "mask"
            for reference in tensor_references(value)
        }
        ends = str(values.get("output_layers"))
        return frozenset(
            name
            for name in masks - used
            if kinds.get(name) in ("NotEqual", "Any") and f"'{name}'" not in ends
        )

    @staticmethod
    def _is_operation(item: Config) -> bool:
        name, module = text(item.get("class_name")), text(item.get("module"))
        return is_operation(name, module, mapping(item.get("config")))

    def _steps(
        self, item: Config, route: str, calls: Sequence[LayerCall] = ()
    ) -> list[tuple[Node, str]]:
        """The layers for one saved layer, with their names: mostly one."""
        saved = saved_name(item)
        name = self._name(saved)
        here = f"{route}/{name}".strip("/")
        if name != saved:
            self._translation.note(here, "replaced characters of its name that scopes cannot have")
            self._translation.renamed[f"{route}/{saved}".strip("/")] = here
        if is_model(item) or isinstance(item.get("config"), list):
            return [(self.model(item, here), name)]
        parts = parts_of(item, name, self._translation, here)
        return [(self.layer(part, here, calls), its) for part, its in parts]

    def _name(self, name: str) -> str:
        """A layer name as TensorFlow allows it for scopes."""
        return name_in_scopes(name)

    def _item(self, item: Config, route: str, calls: Sequence[LayerCall] = ()) -> Node:
        if is_model(item) or isinstance(item.get("config"), list):
            return self.model(item, route)
        return self.layer(item, route, calls)

    def _node(
        self,
        item: Config,
        call: LayerCall,
        graph: Keras2Graph,
        unused: frozenset[str],
        route: str,
    ) -> Json:
        kwargs: dict[str, Json] = {}
        args = list(call.args) or _first_by_keyword(call)
        for key, value in call.kwargs.items():
            if not call.args and args and value is args[0]:
                continue
            masked = key == "mask" and any(
                each.layer in unused for each in tensor_references(value)
            )
            if key == "training" and value is True:
                self._translation.note(
                    route, "left out training=True of its call, which callers of Keras 3 override"
                )
            # Keras 2 would obey the file.
            if value is None or masked or key == "training":
                continue
            if key == "initial_state" and has(text(item.get("class_name")), Trait.RECURRENT):
                states = listed(value)
                args = [[*args, *states]]
            else:
                kwargs[key] = graph.value(value)
        if not args:
            raise Untranslatable(route, "the inputs of its call are not stated")
        extra = args[1:]
        if extra and text(item.get("class_name")) == "MultiHeadAttention":
            kwargs |= dict(zip(("value", "key"), map(graph.value, extra), strict=False))
        elif extra:
            raise Untranslatable(route, "it is called with several arguments, as Keras 3 allows")
        first = args[0]
        if isinstance(first, dict):
            return {key: graph.input(value, kwargs) for key, value in first.items()}
        inputs = [graph.input(each, kwargs) for each in listed(first)]
        function = has(text(item.get("class_name")), Trait.TENSORFLOW_OPERATION)
        return inputs if isinstance(first, list) or not function else inputs[0]

    def layer(self, item: Config, route: str, calls: Sequence[LayerCall] = ()) -> Node:
        """One layer that is not a model."""
        name = text(item.get("class_name"))
        name = ALIASES.get(name, name)
        config = mapping(item.get("config"))
        if is_keras1_layer(name, config):
            raise Untranslatable(route, f"{name} has the arguments of Keras 1")
        if name == "Lambda":
            raise Untranslatable(route, "it is a Lambda inside another layer")
        if not self._target.knows("layers", name):
            raise Untranslatable(route, f"{name} is not a layer of {self._target.name}")
        new = {key: self._value(key, value, route) for key, value in config.items()}
        self._adjust(name, new, item, calls)
        return plain(name, self._translation.fitted("layers", name, new, route))

    def _value(self, key: str, value: Json, route: str) -> Json:
        kind, value = kind_of(key), number_of(value)
        if key == "dtype":
            return _policy(dtype_name(value))
        if key == "name":
            return self._name(text(value))
        if kind and value is not None:
            return translated_object(kind, value, self._translation, route, modules=False)
        if key in _WRAPPED and "class_name" in mapping(value):
            return self._item(mapping(value), f"{route}/{key}")
        if key == "cells":
            return [self._item(mapping(cell), f"{route}/{key}") for cell in sequence(value)]
        return value

    def _adjust(self, name: str, config: Node, item: Config, calls: Sequence[LayerCall]) -> None:
        """Arguments that have another form in Keras 2."""
        for key, other in _RENAMED.get(name, {}).items():
            if key in config:
                config[other] = config.pop(key)
        if name == "InputLayer" and "batch_shape" in config:
            config["batch_input_shape"] = config.pop("batch_shape")
        if name == "MultiHeadAttention" and not set(_SHAPES) <= set(config):
            built = mapping(item.get("build_config"))
            config |= _attention_shapes(mapping(built.get("shapes_dict")) or built, calls)
        if has(name, Trait.CATEGORIES | Trait.VOCABULARY) and "dtype" in config:
            del config["dtype"]  # each layer has its own, and refuses those of Keras 3
        gated = config.get("recurrent_activation") == HARD_SIGMOID
        if gated and self._translation.hard_sigmoid_scale != 1.0:
            self._translation.scale_gates(saved_name(item))


def _first_by_keyword(call: LayerCall) -> list[Argument]:
    """The first input of a call of Keras 3 that names all of them; Keras 2 states it by place."""
    for key in _FIRST:
        if key in call.kwargs:
            return [call.kwargs[key]]
    return []


def _policy(name: Json) -> Json:
    if isinstance(name, str) and name.startswith("mixed_"):
        return plain("Policy", {"name": name})
    return name


def _attention_shapes(built: Config, calls: Sequence[LayerCall]) -> Node:
    """Shapes that Keras 2 builds a MultiHeadAttention from."""
    found: Node = {key: built[key] for key in _SHAPES if built.get(key) is not None}
    shapes = [list(each.shape) for call in calls for each in call.inputs if each.shape]
    if len(found) < len(_SHAPES) and shapes:
        query, value = shapes[0], shapes[1 if len(shapes) > 1 else 0]
        key = shapes[2] if len(shapes) > 2 else value
        stated: dict[str, list[int | None]] = dict(zip(_SHAPES, (query, key, value), strict=True))
        for name, shape in stated.items():
            found.setdefault(name, [*shape])
    return found
