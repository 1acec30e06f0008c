"""Translation of a saved config to the dialect of Keras 2, which states no modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.formats.keras.inbound_nodes import (
    Argument,
    LayerCall,
    attended,
    parse_calls,
    tensor_references,
)
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, has
from modelaudit.repairs.translate.dialect import DialectTranslator
from modelaudit.repairs.translate.function_calls import FunctionCalls, name_in_scopes
from modelaudit.repairs.translate.graph_keras2 import Keras2Graph, listed
from modelaudit.repairs.translate.objects import (
    HARD_SIGMOID,
    plain,
)
from modelaudit.repairs.translate.references import (
    is_operation,
    refuse,
    saved_name,
)
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable

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


class _Keras2(DialectTranslator):
    modules = False
    forbidden = "characters that scopes cannot have"

    def __init__(self, translation: Translation) -> None:
        super().__init__(translation)
        self._functions = FunctionCalls(translation)

    def sequential(self, values: Config, route: str) -> Node:
        layers: list[Json] = [
            step
            for item in map(mapping, sequence(values.get("layers")))
            for step, _ in self.steps(item, route)
        ]
        new: Node = {key: values[key] for key in ("name",) if key in values}
        if self.target.keras < (2, 2, 3):
            raise Untranslatable(route, "Keras before 2.2.3 reads Sequential models as lists")
        new["layers"] = layers
        return plain("Sequential", new)

    def functional(self, values: Config, route: str) -> Node:
        items = [mapping(item) for item in sequence(values.get("layers"))]
        names = frozenset(map(saved_name, items))
        graph = Keras2Graph(items, self.name)
        calls = {
            saved_name(item): parse_calls(item.get("inbound_nodes"), names, refuse(route))
            for item in items
        }
        unused = self._masks(items, calls, values)
        for name in sorted(unused):
            self.translation.replace(
                f"{route}/{name}".strip("/"),
                "left out an operation that only computes a mask, which Keras 2 passes on itself",
            )
        used = [item for item in items if saved_name(item) not in unused]
        steps = {
            saved_name(item): self.steps(item, route, calls[saved_name(item)])
            for item in used
            if not self._is_operation(item)
        }
        graph.moved |= {name: parts[-1][1] for name, parts in steps.items() if parts}
        layers: list[Json] = []
        for item in used:
            name = saved_name(item)
            here = f"{route}/{self.name(name)}".strip("/")
            self.check_addition(item, calls[name], here)
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
        if self.target.keras < (2, 5):
            new_config.pop("trainable", None)
        new_config["layers"] = layers
        for key in ("input_layers", "output_layers"):
            ends = graph.ends(values.get(key))
            flat = bool(ends) and isinstance(ends, list) and isinstance(ends[0], str)
            new_config[key] = [ends] if flat else ends
        known = self.target.keras >= (2, 3) and self.target.tensorflow >= (2, 3)
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

    def dtype(self, name: Json) -> Json:
        """A mixed policy as an object, any other by its name."""
        if isinstance(name, str) and name.startswith("mixed_"):
            return plain("Policy", {"name": name})
        return name

    def name(self, name: str) -> str:
        """A layer name as TensorFlow allows it for scopes."""
        return name_in_scopes(name)

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
            # Callers of Keras 3 override it, while Keras 2 obeys the file.
            overridden = key == "training" and not self.translation.from_keras2
            if overridden and value is True:
                self.translation.note(
                    route, "left out training=True of its call, which callers of Keras 3 override"
                )
            if value is None or masked or overridden:
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
        name, config = self.opened_layer(item, route)
        if not self.target.knows("layers", name):
            raise Untranslatable(route, self.translation.lacking(name))
        new = self.values(config, route)
        self._adjust(name, new, item, calls, route)
        return plain(name, self.translation.fitted("layers", name, new, route))

    def _adjust(
        self, name: str, config: Node, item: Config, calls: Sequence[LayerCall], route: str
    ) -> None:
        """Arguments that have another form in Keras 2."""
        for key, other in _RENAMED.get(name, {}).items():
            if key in config:
                config[other] = config.pop(key)
        if name == "InputLayer" and "batch_shape" in config:
            config["batch_input_shape"] = config.pop("batch_shape")
        if name == "MultiHeadAttention" and not set(_SHAPES) <= set(config):
            built = mapping(item.get("build_config"))
            call = calls[0] if calls else LayerCall()
            shapes = [each.shape for each in call.inputs if each.shape]
            layer = self.translation.layer(route)
            if not shapes and layer is not None:  # before TensorFlow 2.5 the config has none
                shapes = [shape for shape in layer.input_shapes if shape]
            if len(shapes) == len(call.inputs) and (places := attended(call)):
                shapes = [shapes[place] for place in places if place is not None]
            config |= _attention_shapes(mapping(built.get("shapes_dict")) or built, shapes)
        if has(name, Trait.CATEGORIES | Trait.VOCABULARY) and "dtype" in config:
            del config["dtype"]  # each layer has its own, and refuses those of Keras 3
        gated = config.get("recurrent_activation") == HARD_SIGMOID
        if gated and self.translation.hard_sigmoid_scale != 1.0:
            self.translation.scale_gates(saved_name(item))


def _first_by_keyword(call: LayerCall) -> list[Argument]:
    """The first input of a call of Keras 3 that names all of them; Keras 2 states it by place."""
    for key in _FIRST:
        if key in call.kwargs:
            return [call.kwargs[key]]
    return []


def _attention_shapes(built: Config, shapes: Sequence[Sequence[int | None]]) -> Node:
    """Shapes that Keras 2 builds a MultiHeadAttention from, with those of its inputs."""
    found: Node = {key: built[key] for key in _SHAPES if built.get(key) is not None}
    if len(found) < len(_SHAPES) and shapes:
        query, value = shapes[0], shapes[1 if len(shapes) > 1 else 0]
        key = shapes[2] if len(shapes) > 2 else value
        stated = dict(zip(_SHAPES, (query, key, value), strict=True))
        for name, shape in stated.items():
            found.setdefault(name, [*shape])
    return found
