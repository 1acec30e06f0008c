"""Parser of a saved Keras config into a tree of models and layers, in execution order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, ProblemKind, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import snake_case, words
from modelaudit.formats.keras.execution_order import ExecutionStep, connect
from modelaudit.formats.keras.inbound_nodes import (
    LayerCall,
    TensorReference,
    parse_calls,
    parse_reference,
)
from modelaudit.layer_classes import LAYER_CLASSES, Trait, classes
from modelaudit.structs import replace
from modelaudit.work_budget import spend

MAX_MODELS = 40
"""Maximum nesting of models in models and of layers in wrappers."""

MAX_ROUTE = 1024
"""Maximum length of a route in characters; limits the memory for 100,000 long layer names."""

WITH_LAYERS = classes(Trait.MODEL) | {"Pipeline"}
_MODULES = ("keras", "tf_keras", "tensorflow")
_NO_LAYERS = words("initializers regularizers constraints optimizers losses metrics random")


class LayerEntry(Struct, frozen=True):
    """A saved layer. Fields are those of `facts.Layer`, without derived values.

    Attributes:
        calls: its inbound nodes; in a Sequential model, the implied call.
        built: input shapes in its `build_config`.
        model: its inner layers, if it is a model.
        wrapped: layers that it wraps (`TimeDistributed.layer`, `RNN.cell`, branches of a Keras 1
            `Merge`); of a subclassed model, the parts that its class writes into its config.
    """

    name: str
    route: str
    class_name: str
    module: str | None
    registered_name: str | None
    config: Mapping[str, Json]
    config_route: str
    calls: tuple[LayerCall, ...] = ()
    built: tuple[Shape, ...] = ()
    model: ModelEntry | None = None
    wrapped: tuple[LayerEntry, ...] = ()


class ModelEntry(Struct, frozen=True):
    """The layers of a model in execution order.

    Attributes:
        entries: the layers, each once.
        steps: all calls in execution order, with the calls that are their inputs.
        inputs, outputs: (index into `entries`, index of the call, index of its output tensor).
    """

    entries: tuple[LayerEntry, ...]
    steps: tuple[ExecutionStep, ...]
    inputs: tuple[tuple[int, int, int], ...]
    outputs: tuple[tuple[int, int, int], ...]


class TreeReader(Struct):
    """Reads one config. Errors contain the file name and the location in the config."""

    file: str
    max_layers: int
    _routes: set[str] = field(default_factory=set)
    _repeats: dict[str, int] = field(default_factory=dict)

    def read(self, saved: dict[str, Json]) -> LayerEntry:
        """Read the root of the tree, whose route is empty.

        Raises:
            ReadError: `config-invalid` or `limit-exceeded`.
        """
        root = self._head(saved, "", "")
        model = self._model(root, saved, "", 0)
        if model is None:
            return replace(root, model=ModelEntry((), (), (), ()), wrapped=self._parts(root))
        return replace(root, model=model)

    def fail(self, where: str, reason: str) -> NoReturn:
        """Raise the error for an invalid config."""
        raise ReadError(ProblemKind.CONFIG_INVALID, self.file, f"{reason} (at {where or 'root'})")

    def _head(self, saved: Json, prefix: str, config_route: str) -> LayerEntry:
        """A layer's own fields, without its calls and inner layers."""
        if not isinstance(saved, dict):
            self.fail(config_route, "a layer is not an object")
        class_name = kj.text(saved.get("class_name"))
        if not class_name:
            self.fail(config_route, "a layer has no class_name")
        if len(class_name) > MAX_ROUTE:
            self.fail(config_route, f"a class_name is longer than {MAX_ROUTE} characters")
        config = saved.get("config")
        if isinstance(config, list):  # Sequential before Keras 2.2.3
            config = {"layers": config}
        config = kj.mapping(config)
        # Never empty: the empty route is the root's.
        given = kj.text(saved.get("name")) or kj.text(config.get("name"))
        name = given or snake_case(class_name) or class_name
        return LayerEntry(
            name=name,
            route=self._route(prefix, name, config_route) if config_route else "",
            class_name=class_name,
            module=kj.text(saved.get("module")) or None,
            registered_name=kj.text(saved.get("registered_name")) or None,
            config=config,
            config_route=config_route,
            built=kj.shapes(kj.mapping(saved.get("build_config")).get("input_shape")),
        )

    def _route(self, prefix: str, name: str, config_route: str) -> str:
        """A unique route. Equal names in a model get the suffixes `#2`, `#3` …"""
        route = wanted = f"{prefix}{name}"
        if len(route) > MAX_ROUTE:
            self.fail(config_route, "a layer's name is too long")
        while route in self._routes:  # a counter avoids quadratic time for many equal names
            self._repeats[wanted] = self._repeats.get(wanted, 1) + 1
            route = f"{wanted}#{self._repeats[wanted]}"
        if len(self._routes) >= self.max_layers:
            raise LimitExceeded(
                self.file, "layers", len(self._routes) + 1, self.max_layers, "layers"
            )
        self._routes.add(route)
        return route

    def _entry(self, saved: Json, prefix: str, config_route: str, depth: int) -> LayerEntry:
        if depth > MAX_MODELS:
            raise LimitExceeded(self.file, "nested models", depth, MAX_MODELS)
        spend()
        entry = self._head(saved, prefix, config_route)
        model = self._model(entry, kj.mapping(saved), f"{entry.route}/", depth)
        if model is not None:
            return replace(entry, model=model)
        return replace(entry, wrapped=self._wrapped(entry, depth))

    def _model(
        self, entry: LayerEntry, saved: dict[str, Json], prefix: str, depth: int
    ) -> ModelEntry | None:
        """The inner layers of a model; None if `entry` is not a model."""
        config = entry.config
        layers = config.get("layers")
        functional = "input_layers" in config or "output_layers" in config
        where = f"{entry.config_route}/config".lstrip("/")
        if entry.class_name not in WITH_LAYERS and not functional:
            return None
        if not isinstance(layers, list):
            if entry.class_name in ("Sequential", "Functional"):
                self.fail(where, f"a {entry.class_name} model has no list of layers")
            return None
        if not isinstance(saved.get("config"), list):
            where += "/layers"
        inner = [
            self._entry(layer, prefix, f"{where}/{i}", depth + 1) for i, layer in enumerate(layers)
        ]
        return self._functional(inner, layers, config, where) if functional else chain(inner)

    def _functional(
        self, inner: list[LayerEntry], layers: list[Json], config: Mapping[str, Json], where: str
    ) -> ModelEntry:
        names = frozenset(entry.name for entry in inner)

        def fail(reason: str) -> NoReturn:
            self.fail(where, reason)

        called = [
            replace(entry, calls=parse_calls(kj.mapping(saved).get("inbound_nodes"), names, fail))
            for entry, saved in zip(inner, layers, strict=True)
        ]
        ends = [tuple(_ends(config.get(key))) for key in ("input_layers", "output_layers")]
        if not all(ends):
            fail("a functional model has no inputs or no outputs")
        graph = connect([entry.name for entry in called], [e.calls for e in called], ends, fail)
        return ModelEntry(
            tuple(called[i] for i in graph.order), graph.steps, graph.ends[0], graph.ends[1]
        )

    def _parts(self, root: LayerEntry) -> tuple[LayerEntry, ...]:
        """The models and layers in the config of a subclassed model; none if one is not valid."""
        try:
            return tuple(
                self._entry(saved, "", f"config/{route}", 1)
                for saved, route in serialized_parts(root.config)
            )
        except LimitExceeded:
            raise
        except ReadError:  # what a class writes into its config is its own affair
            return ()

    def _wrapped(self, entry: LayerEntry, depth: int) -> tuple[LayerEntry, ...]:
        config = entry.config
        prefix, route = f"{entry.route}/", f"{entry.config_route}/config"
        saved: list[tuple[Json, str]] = [
            (config[key], key)
            for key in ("layer", "cell")
            if "class_name" in kj.mapping(config.get(key))
        ]
        for key in ("cells", "layers"):
            if entry.class_name in ("StackedRNNCells", "Merge"):
                saved += [(c, f"{key}/{i}") for i, c in enumerate(kj.sequence(config.get(key)))]
        if entry.class_name == "Bidirectional" and saved:
            saved = self._directions(saved[0][0], config)
        return tuple(self._entry(s, prefix, f"{route}/{key}", depth + 1) for s, key in saved)

    @staticmethod
    def _directions(layer: Json, config: Mapping[str, Json]) -> list[tuple[Json, str]]:
        """The two layers that a Bidirectional creates, with the names that Keras gives them."""
        forward, backward = dict(kj.mapping(layer)), dict(kj.mapping(layer))
        key = "layer"
        name = kj.text(kj.mapping(forward.get("config")).get("name"), "layer")
        forward["config"] = {
            **kj.mapping(forward.get("config")),
            "name": f"forward_{name.removeprefix('forward_')}",
        }
        if "class_name" in kj.mapping(config.get("backward_layer")):
            backward, key = kj.mapping(config["backward_layer"]), "backward_layer"
        else:
            inner = kj.mapping(backward.get("config"))
            backward["config"] = {
                **inner,
                "name": f"backward_{name.removeprefix('backward_')}",
                "go_backwards": not kj.flag(inner, "go_backwards"),
            }
        return [(forward, "layer"), (backward, key)]


def serialized_parts(config: Mapping[str, Json]) -> Iterator[tuple[dict[str, Json], str]]:
    """Each saved model or layer of Keras in the config of a class, with its route in there.

    Lists and objects that are no saved objects are looked through. What the objects of other
    classes hold is theirs, and nothing below a longer route than a layer may have is looked at.
    """
    todo: list[tuple[Json, str]] = [(value, key) for key, value in config.items()][::-1]
    while todo:
        value, route = todo.pop()
        spend()
        if len(route) > MAX_ROUTE:
            continue
        if isinstance(value, list):
            todo.extend([(item, f"{route}/{i}") for i, item in enumerate(value)][::-1])
        elif isinstance(value, dict) and "class_name" not in value:
            todo.extend([(item, f"{route}/{key}") for key, item in value.items()][::-1])
        elif isinstance(value, dict) and _is_part(value):
            yield value, route


def _is_part(saved: Mapping[str, Json]) -> bool:
    name, config, module = saved["class_name"], saved.get("config"), saved.get("module")
    if not isinstance(name, str) or not isinstance(config, dict):
        return False
    path = module.split(".") if isinstance(module, str) else ["keras"]
    if path[0] not in _MODULES or not _NO_LAYERS.isdisjoint(path):
        return False
    if name in classes(Trait.MODEL):
        return isinstance(config.get("layers"), list)
    return name in LAYER_CLASSES and isinstance(config.get("name"), str)


def chain(inner: Sequence[LayerEntry]) -> ModelEntry:
    """A Sequential model: each layer is called on the output of the previous one."""
    entries: list[LayerEntry] = []
    steps: list[ExecutionStep] = []
    for i, entry in enumerate(inner):
        sources = ((i - 1, 0, 0),) if i else ()
        inputs = tuple(TensorReference(entries[s[0]].name, 0, 0) for s in sources)
        is_input = entry.class_name in ("InputLayer", "Input")
        call = LayerCall(args=inputs, inputs=inputs)
        entries.append(replace(entry, calls=() if is_input and not i else (call,)))
        steps.append(ExecutionStep(i, 0, sources, (None,) * len(sources)))
    ends = ((0, 0, 0),) if inner else ()
    return ModelEntry(
        tuple(entries), tuple(steps), ends, ((len(inner) - 1, 0, 0),) if inner else ()
    )


def _ends(value: Json) -> Iterator[TensorReference]:
    """References in `input_layers` or `output_layers`: a single one, a list or an object."""
    todo: list[Json] = [value]
    while todo:
        item = todo.pop()
        found = parse_reference(item)
        if found is not None:
            yield found
        elif isinstance(item, list):
            todo.extend(reversed(item))
        elif isinstance(item, dict):
            todo.extend(reversed(list(item.values())))


def walk(model: ModelEntry) -> Iterator[LayerEntry]:
    """All entries below `model` in execution order, parents before children."""
    todo = list(reversed(model.entries))
    while todo:
        entry = todo.pop()
        yield entry
        todo.extend(reversed(entry.wrapped))
        if entry.model is not None:
            todo.extend(reversed(entry.model.entries))
