"""Slots: the variables that an architecture should have, in Keras's storage orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Architecture, Layer, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import is_operation
from modelaudit.formats.keras.dialects import to_keras2
from modelaudit.formats.keras.variables.specs import NON_TRAINABLE, RULES, is_untold
from modelaudit.layer_classes import Trait, has


class ExpectedVariable(Struct, frozen=True):
    """A variable that a layer should have, with the shape that the config implies."""

    route: str
    role: str
    shape: Shape

    @property
    def variable(self) -> str:
        """Last part of the role: `kernel` for `query/kernel`."""
        return self.role.rpartition("/")[2]

    @property
    def part(self) -> str:
        """Sublayer of the variable: `query` for `query/kernel`; "" for the layer itself."""
        return self.role.rpartition("/")[0]


class LayerTree:
    """Layers of an architecture as a tree of models and wrappers.

    Siblings are in config order, which is the order of Keras's `model.layers` and of stored
    weights. It can differ from the execution order. `attributes`: the top layers are attributes
    of a subclassed model, and no list.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.attributes = architecture.assumed
        self.children: dict[str, list[Layer]] = {"": []}
        self.parent: dict[str, Layer | None] = {}
        self.layers: dict[str, Layer] = {}
        latest: dict[str, Layer] = {}  # both directions of a Bidirectional have one config route
        for layer in architecture.layers:
            above, nested, _ = layer.config_route.rpartition("/config/")
            parent = latest.get(above) if nested else None
            latest[layer.config_route] = layer
            self.parent[layer.route] = parent
            self.layers[layer.route] = layer
            self.children.setdefault(parent.route if parent else "", []).append(layer)
        self._functional = {r for r, layer in self.layers.items() if "input_layers" in layer.config}
        if "input_layers" in kj.mapping(architecture.config.get("config")):
            self._functional.add("")
        for siblings in self.children.values():
            siblings.sort(key=_position)

    def below(self, route: str) -> list[Layer]:
        """Inner layers of the model or wrapper at `route` ("" for the whole model)."""
        return self.children.get(route, [])

    def subtree(self, layer: Layer) -> Iterator[Layer]:
        """`layer`, followed by all its inner layers."""
        todo = [layer]
        while todo:
            item = todo.pop()
            yield item
            todo.extend(reversed(self.below(item.route)))

    def has_weights(self, layer: Layer) -> bool:
        """Whether the layer has variables according to the config; True for custom layers.

        Keras 2 counts a table of words among the weights, unless the words are in the config.
        """
        return any(
            item.expected
            or item.custom
            or (has(item.class_name, Trait.VOCABULARY) and not item.config.get("vocabulary"))
            for item in self.subtree(layer)
        )

    def stored_layers(self, route: str) -> list[Layer]:
        """`model.layers`: no operations, and no InputLayer at the start of a Sequential model."""
        layers = self.below(route)
        if layers and layers[0].class_name == "InputLayer" and route not in self._functional:
            layers = layers[1:]
        return [x for x in layers if not is_operation(x.class_name, x.module, x.config)]

    def weight_order(self, layer: Layer) -> list[ExpectedVariable]:
        """Slots in the order of a legacy HDF5 group: trainable weights first."""
        return [*self._trainable(layer), *self._non_trainable(layer)]

    def _trainable(self, layer: Layer) -> list[ExpectedVariable]:
        if not layer.trainable:
            return []
        frozen = NON_TRAINABLE | {slot.role for slot in _adapted(layer)}
        own = [slot for slot in own_variables(layer) if slot.role not in frozen] + adapters(layer)
        return own + [s for inner in self.below(layer.route) for s in self._trainable(inner)]

    def _non_trainable(self, layer: Layer) -> list[ExpectedVariable]:
        inner_layers = self.below(layer.route)
        if not layer.trainable:
            inner = [s for x in inner_layers for s in self.weight_order(x)]
            return own_variables(layer) + adapters(layer) + inner
        own = [slot for slot in own_variables(layer) if slot.role in NON_TRAINABLE]
        own = _adapted(layer) + own
        return own + [s for x in inner_layers for s in self._non_trainable(x)]


def own_variables(layer: Layer) -> list[ExpectedVariable]:
    """The layer's own slots, in order of creation."""
    return [ExpectedVariable(layer.route, role, shape) for role, shape in layer.expected.items()]


def _adapted(layer: Layer) -> list[ExpectedVariable]:
    """The weight of a layer with LoRA, which `enable_lora` freezes."""
    if not layer.config.get("lora_rank"):
        return []
    return [slot for slot in own_variables(layer) if slot.role in {"kernel", "embeddings"}]


def adapters(layer: Layer) -> list[ExpectedVariable]:
    """The two factors that `enable_lora` adds; of Keras' formats, only legacy HDF5 stores them."""
    rank = layer.config.get("lora_rank")
    return [
        ExpectedVariable(layer.route, f"lora_{slot.role}_{letter}", shape)
        for slot in _adapted(layer)
        if isinstance(rank, int) and slot.shape
        for letter, shape in (("a", (*slot.shape[:-1], rank)), ("b", (rank, slot.shape[-1])))
    ]


def is_open(layer: Layer) -> bool:
    """Whether the layer may have variables that are not in the tables of this package."""
    if layer.is_model:
        return False
    name = to_keras2(layer.class_name, layer.config)[0]
    return layer.custom or name not in RULES or is_untold(name, layer.expected)


def _position(layer: Layer) -> int:
    last = layer.config_route.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def variable_aliases(slot: ExpectedVariable) -> frozenset[str]:
    """Names of a slot's variable in Keras 1, 2 and 3."""
    gate = slot.variable.rpartition("_")[2]
    for prefix, letter in (("recurrent_kernel_", "U"), ("kernel_", "W"), ("bias_", "b")):
        if slot.variable == prefix + gate:
            return frozenset({slot.variable, f"{letter}_{gate}"})
    return frozenset({slot.variable}) | _ALIASES.get(slot.variable, frozenset())


_ALIASES: Mapping[str, frozenset[str]] = {
    "kernel": frozenset({"W", "w"}),
    "bias": frozenset({"b"}),
    "recurrent_kernel": frozenset({"U"}),
    "depthwise_kernel": frozenset({"kernel"}),
    "embeddings": frozenset({"W"}),
    "moving_mean": frozenset({"running_mean"}),
    "moving_variance": frozenset({"running_std", "running_var", "running_variance"}),
    "alpha": frozenset({"alphas"}),
    "scale": frozenset({"gamma"}),
}
