"""Translation of a saved config to the dialect of Keras 3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.facts import Json
from modelaudit.formats.keras.inbound_nodes import LayerCall, parse_calls
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, has
from modelaudit.repairs.translate.batch_statistics import BatchStatistics, batch_statistics
from modelaudit.repairs.translate.dialect import DialectTranslator
from modelaudit.repairs.translate.graph_keras3 import Keras3Graph, tensor
from modelaudit.repairs.translate.lambdas.layers import LambdaLayer
from modelaudit.repairs.translate.objects import (
    HARD_SIGMOID,
    dtype_name,
    with_module,
)
from modelaudit.repairs.translate.operations import NUMPY
from modelaudit.repairs.translate.references import implied_input, is_operation, refuse
from modelaudit.repairs.translate.tensor_functions import as_operation, operation_layer
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable
from modelaudit.runtimes.checks.silent_differences import IN_TRAINING

LAYERS = "keras.layers"
FUNCTIONAL = "keras.src.models.functional"
_REPLACED = {"ThresholdedReLU": ("ReLU", {"theta": "threshold"})}
_MODEL_KEYS = ("name", "trainable", "dtype")


def to_keras3(saved: Config, translation: Translation) -> Node:
    """The config of a model in the dialect of Keras 3, with the modules of all objects.

    Args:
        saved: the config as saved, `{"class_name", "config", …}`.
        translation: the target, and the collector of changes.

    Raises:
        Untranslatable: a part has no equal in the target.
    """
    return _Keras3(translation).model(saved, "")


class _Keras3(DialectTranslator):
    modules = True
    forbidden = "the slash"

    def sequential(self, values: Config, route: str) -> Node:
        layers: list[Json] = []
        items = [mapping(item) for item in sequence(values.get("layers"))]
        first = items[0] if items else {}
        if text(first.get("class_name")) != "InputLayer":
            shaped, shape = implied_input(first)
            if shape is not None:
                layers.append(self._input_layer(shaped, shape, route))
                if shaped == first:  # the InputLayer has its shape now
                    kept = {**mapping(first.get("config"))}
                    kept.pop("batch_input_shape", None)
                    items[0] = {**first, "config": kept}
        for item in items:
            layers += [step for step, _ in self.steps(item, route)]
        new: Node = {key: values[key] for key in _MODEL_KEYS if key in values}
        if "dtype" in new:
            new["dtype"] = dtype_name(new["dtype"])
        new["layers"] = layers
        if "build_input_shape" in values and not _starts_with_input(layers):
            new["build_input_shape"] = values["build_input_shape"]
        return {
            "module": "keras",
            "class_name": "Sequential",
            "config": new,
            "registered_name": None,
        }

    def _input_layer(self, layer: Config, shape: list[Json], route: str) -> Node:
        config = mapping(layer.get("config"))
        dtype = "int32" if text(layer.get("class_name")) == "Embedding" else "float32"
        stated = config.get("input_dtype") or dtype
        self.translation.note(route, "added the InputLayer that only its first layer implied")
        name = f"{self.name(text(config.get('name')))}_input"
        return with_module(
            "InputLayer", {"batch_shape": shape, "dtype": stated, "name": name}, LAYERS
        )

    def functional(self, values: Config, route: str) -> Node:
        items = [mapping(item) for item in sequence(values.get("layers"))]
        graph = Keras3Graph(items, self.name)
        steps = [self.steps(item, route) for item in items]
        for item, parts in zip(items, steps, strict=True):
            if parts:
                graph.moved[graph.name_of(item)] = parts[-1][1]
        layers: list[Json] = []
        for item, parts in zip(items, steps, strict=True):
            here = f"{route}/{graph.name_of(item)}".strip("/")
            calls = parse_calls(item.get("inbound_nodes"), graph.names, refuse(here))
            self.check_addition(item, calls, here)
            statistics = self._statistics(item, calls, here)
            layers += self._with_nodes(item, parts, calls, graph, here, statistics)
        new: Node = {key: values[key] for key in _MODEL_KEYS if key in values and key != "dtype"}
        new["layers"] = layers
        for key in ("input_layers", "output_layers"):
            new[key] = graph.ends(values.get(key), flat=self._flat_ends)
        return {
            "module": FUNCTIONAL,
            "class_name": "Functional",
            "config": new,
            "registered_name": "Functional",
        }

    @property
    def _flat_ends(self) -> bool:
        return self.target.behaviour("takes_flat_outputs") is True

    def _statistics(
        self, item: Config, calls: Sequence[LayerCall], route: str
    ) -> BatchStatistics | None:
        """What computes a layer that is always in training mode; None for any other."""
        always = any(call.saved_kwargs.get("training") is True for call in calls)
        name = text(item.get("class_name"))
        if not (always and self.translation.from_keras2 and has(name, IN_TRAINING)):
            return None
        normalises, config = has(name, Trait.BATCH_NORMALISATION), mapping(item.get("config"))
        if normalises and config.get("trainable") is False:
            return None  # it uses its moving statistics nevertheless
        if config.get("rate", config.get("stddev")) == 0:
            return None  # it does nothing
        source = self.translation.source
        found = batch_statistics(source, route) if source and normalises else None
        if found is not None:
            self.translation.note(
                route, "computed the statistics of the batch by operations, as training=True did"
            )
            return found
        raise Untranslatable(
            route,
            "it is always called with training=True, which Keras 3 overrides in predict"
            + ("" if normalises else "; its outputs are random, so that equality cannot be shown"),
        )

    def _with_nodes(
        self,
        item: Config,
        steps: Sequence[tuple[Node, str]],
        calls: Sequence[LayerCall],
        graph: Keras3Graph,
        here: str,
        statistics: BatchStatistics | None,
    ) -> Iterator[Node]:
        """The layers for one saved layer, connected: the first takes its inputs."""
        if not steps:
            yield from self._operations(item, calls, graph, here)
        nodes = [self._node(item, call, graph) for call in calls]
        if statistics is not None:
            (first,) = sequence(nodes[0]["args"])
            for kind, config, args in statistics.operations(first, graph.name_of(item)):
                step = operation_layer(NUMPY, kind, config, self.translation)
                node: Node = {"args": args, "kwargs": {}}
                yield {**step, "name": config["name"], "inbound_nodes": [node]}
                nodes = [_call(text(config["name"]), 0)]
        for step, name in steps:
            yield {**step, "name": name, "inbound_nodes": [*nodes]}
            nodes = [_call(name, index) for index, _ in enumerate(calls)]

    def _operations(
        self, item: Config, calls: Sequence[LayerCall], graph: Keras3Graph, here: str
    ) -> Iterator[Node]:
        """Operations for a layer that calls functions of TensorFlow."""
        name = graph.name_of(item)
        if len(calls) != 1:
            raise Untranslatable(here, "a function of TensorFlow that is not called once")
        found = [(item, calls[0], name)]
        if text(item.get("class_name")) == "Lambda":
            code = LambdaLayer(item, here)
            code.note(self.translation, "operations")
            found = code.calls(name, calls[0].args[0])
        for function, call, own in found:
            step, args = as_operation(function, call, own, self.translation, here)
            if self._misaligns and step["class_name"] == "Add" and graph.is_column(args[-1]):
                args.reverse()
            given: list[Json] = [graph.argument(each) for each in args]
            inbound: list[Json] = [{"args": given, "kwargs": {}}]
            yield {**step, "name": own, "inbound_nodes": inbound}

    @property
    def _misaligns(self) -> bool:
        """Whether the target, unlike the writer, adds a column in the second place to channels."""
        writer = self.translation.writer
        there = writer.behaviour("add_misaligns") if writer else None
        return bool(self.target.behaviour("add_misaligns")) and not there

    def _node(self, item: Config, call: LayerCall, graph: Keras3Graph) -> Node:
        args = [graph.argument(each) for each in call.args]
        kwargs = {
            key: graph.argument(value)
            for key, value in call.kwargs.items()
            if value is not None and key != "name"
        }
        first = call.args[0] if call.args else None
        if self._misaligns and _is_add(item) and len(args) == 2 and graph.is_column(call.args[1]):
            args.reverse()
        name = text(item.get("class_name"))
        recurrent = has(name, Trait.RECURRENT) or name == "Bidirectional"
        if recurrent and isinstance(first, list) and len(first) > 1:  # a sequence and states
            args = [graph.argument(first[0])]
            kwargs["initial_state"] = [graph.argument(each) for each in first[1:]]
        return {"args": args, "kwargs": kwargs}

    def steps(
        self, item: Config, route: str, calls: Sequence[LayerCall] = ()
    ) -> list[tuple[Node, str]]:
        """As for every dialect; none for functions of TensorFlow, which depend on their calls."""
        if has(text(item.get("class_name")), Trait.TENSORFLOW_OPERATION):
            return []
        return super().steps(item, route, calls)

    def layer(self, item: Config, route: str, calls: Sequence[LayerCall] = ()) -> Node:
        """One layer that is not a model."""
        name, config = self.opened_layer(item, route)
        module = text(item.get("module"))
        if is_operation(name, module, config) or self._only_operation(name, config):
            return self._keras_operation(item, name, config, route)
        if name in _REPLACED and not self.target.is_public(LAYERS, name):
            other, keys = _REPLACED[name]
            self.translation.replace(route, f"replaced {name} by {other}, which computes the same")
            config = {keys.get(key, key): value for key, value in config.items()}
            name = other
        if not self.target.is_public(LAYERS, name):
            raise Untranslatable(route, self.translation.lacking(name))
        new = self.values(config, route)
        self._adjust(name, new, route)
        return with_module(name, self.translation.fitted("layers", name, new, route), LAYERS)

    def _only_operation(self, name: str, config: Config) -> bool:
        """Whether a class of that name is an operation in the target, and no layer."""
        layer = self.target.is_public(LAYERS, name) or "trainable" in config
        return not layer and bool(self.target.modules_of(name, "keras.src.ops"))

    def _keras_operation(self, item: Config, name: str, config: Config, route: str) -> Node:
        module = text(item.get("module"))
        modules = self.target.modules_of(name, "keras.src.ops")
        if not modules:
            raise Untranslatable(route, f"{self.target.name} has no operation {name}")
        if module not in modules:
            module = modules[0]
            self.translation.note(route, f"stated the module of the operation {name}")
        accepted = self.target.accepts("ops", name)
        if accepted is not None and "name" not in accepted:  # it gets the name of its layer
            config = {key: value for key, value in config.items() if key != "name"}
        kept = self.translation.fitted("ops", name, config, route)
        return {"module": module, "class_name": name, "config": kept, "registered_name": name}

    def _adjust(self, name: str, config: Node, route: str) -> None:
        """Arguments that have another form in Keras 3."""
        axis = config.get("axis")
        if isinstance(axis, list) and len(axis) == 1:
            config["axis"] = axis[0]
            self.translation.note(route, "wrote its axis as a number")
        if name == "InputLayer":
            shape = config.pop("batch_input_shape", None)
            if shape is not None:
                config["batch_shape"] = shape
                self.translation.note(route, "renamed batch_input_shape to batch_shape")
            config.setdefault("dtype", "float32")
        elif name == "GRU" and self.translation.from_keras2:
            config.setdefault("reset_after", False)
        if has(name, Trait.CATEGORIES) and "dtype" in config:
            del config["dtype"]  # each layer has its own, and refuses those of Keras 2
        gated = config.get("recurrent_activation") == HARD_SIGMOID
        if gated and self.translation.hard_sigmoid_scale != 1.0:
            self.translation.scale_gates(route)

    def dtype(self, name: Json) -> Json:
        """The name, which Keras 3 reads."""
        return name

    def name(self, name: str) -> str:
        """A layer name without slashes, where the target does not allow them."""
        if self.target.behaviour("slash_in_names") is False:
            return name.replace("/", "_")
        return name


def _call(source: str, number: int) -> Node:
    """A call with the output of a layer's call of that number."""
    args: list[Json] = [tensor(source, number)]
    return {"args": args, "kwargs": {}}


def _starts_with_input(layers: Sequence[Json]) -> bool:
    return bool(layers) and text(mapping(layers[0]).get("class_name")) == "InputLayer"


def _is_add(item: Config) -> bool:
    """Whether it is the operation Add of Keras 3, not the layer."""
    config, module = mapping(item.get("config")), text(item.get("module"))
    return text(item.get("class_name")) == "Add" and is_operation("Add", module, config)
