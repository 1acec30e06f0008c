"""Variable names: the layer and variable that `block1/conv2d_3/kernel:0` refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Layer
from modelaudit.formats.keras.variables.slots import (
    ExpectedVariable,
    LayerTree,
    adapters,
    own_variables,
    variable_aliases,
)

MAX_CANDIDATES = 64
"""A name that matches more slots than this is ignored."""

_OUTPUT = re.compile(r":\d+$")
_CELL = re.compile(r"(^|/)(?:\w*_)?cell(_\d+)?$")
_COUNTED = re.compile(r"_\d{1,9}$")


class VariableName(Struct, frozen=True):
    """A variable name in two parts: `scope` is the path of layers, `variable` the last part."""

    scope: str
    variable: str

    @classmethod
    def parse(cls, name: str) -> VariableName:
        """Remove the output number and split at the last slash."""
        scope, _, variable = _OUTPUT.sub("", name).rpartition("/")
        return cls(scope, variable)


def ends_with(scope: str, name: str) -> bool:
    """Whether the path `scope` ends with `name`, which may contain slashes."""
    return scope == name or scope.endswith(f"/{name}")


class VariableNames:
    """Index of an architecture's slots by layer name and variable name."""

    def __init__(self, tree: LayerTree) -> None:
        self._tree = tree
        self._by_name: dict[tuple[str, str], list[ExpectedVariable]] = {}
        self._keras1: dict[str, list[ExpectedVariable]] = {}
        self.layers: dict[str, list[Layer]] = {}
        for layer in tree.layers.values():
            self.layers.setdefault(layer.name, []).append(layer)
            for slot in own_variables(layer) + adapters(layer):
                for alias in variable_aliases(slot):
                    name = f"{slot.part}/{alias}" if slot.part else alias
                    self._add(layer, name, slot)
                    _append(self._keras1.setdefault(f"{layer.name}_{alias}", []), slot)

    def _add(self, layer: Layer, name: str, slot: ExpectedVariable) -> None:
        """Also index under the wrapper's name, as in `time_distributed/kernel`."""
        _append(self._by_name.setdefault((layer.name, name), []), slot)
        wrapper = self._tree.parent[layer.route]
        while wrapper is not None and not wrapper.is_model:
            _append(self._by_name.setdefault((wrapper.name, name), []), slot)
            wrapper = self._tree.parent[wrapper.route]

    def find(self, name: str) -> list[ExpectedVariable]:
        """Slots that `name` can refer to; several only if nested models share layer names."""
        parsed = VariableName.parse(name)
        found = [slot for key in _keys(parsed) for slot in self._by_name.get(key, ())]
        if not parsed.scope:
            found += self._keras1.get(parsed.variable, ())
        found = list(dict.fromkeys(found))
        if len(found) < 2 or len(found) > MAX_CANDIDATES:
            return found if len(found) < 2 else []
        scores = [self._agreement(slot, parsed.scope) for slot in found]
        return [slot for slot, score in zip(found, scores, strict=True) if score == max(scores)]

    def _agreement(self, slot: ExpectedVariable, scope: str) -> int:
        """How many parts of the scope are names of layers on the path to the slot.

        Of `conv1/bn`, a layer with this name has both, one that is called `bn` the last only.
        """
        parts = set(scope.split("/"))
        count = 0
        layer: Layer | None = self._tree.layers[slot.route]
        while layer is not None:
            if layer.name in parts or ends_with(scope, layer.name):
                count += 1 + layer.name.count("/")
            layer = self._tree.parent[layer.route]
        return count

    def named_layer(self, name: str) -> Layer | None:
        """The layer that a variable name refers to; None if there is none."""
        parsed = VariableName.parse(name)
        for layer_name, _ in _keys(parsed):
            layers = self.layers.get(layer_name, [])
            if layers:
                return layers[0]
        return None


def _append(slots: list[ExpectedVariable], slot: ExpectedVariable) -> None:
    """Add a slot to an index entry, up to the length at which the entry is ignored."""
    if len(slots) <= MAX_CANDIDATES:
        slots.append(slot)


def _keys(parsed: VariableName) -> Iterator[tuple[str, str]]:
    """(layer name, variable name) pairs that a name can stand for, most likely first.

    `lstm/lstm_cell/kernel` is the `kernel` of `lstm`; `mha/query/kernel` is the `query/kernel` of
    `mha`; layer names may contain slashes.
    """
    scopes = [(parsed.scope, parsed.variable)]
    without_cell = _CELL.sub("", parsed.scope)
    if without_cell != parsed.scope:
        scopes.append((without_cell, parsed.variable))
    head, _, part = parsed.scope.rpartition("/")
    if head:
        scopes.append((head, f"{part}/{parsed.variable}"))
    for scope, variable in scopes:
        rest = scope
        while rest:
            yield rest, variable
            _, _, rest = rest.partition("/")


def is_renumbered(scope: str, own: str) -> bool:
    """Whether a scope is a layer name that TensorFlow 1 made unique by increasing its number.

    If a second model in the same graph has layers `dense` and `dense_1`, which are in use, their
    scopes become `dense_2` and `dense_1_1`.
    """
    if _COUNTED.sub("", scope) == own:
        return True
    (base, count), (own_base, own_count) = _split_count(scope), _split_count(own)
    return base == own_base and count > own_count


def shifted_kinds(scopes: Mapping[str, str]) -> set[str]:
    """Kinds of layers of which all scopes have another number, all by the same difference.

    `tf.keras` of TensorFlow 1 counts layers from 1 and scopes from 0: `dense_1` has the scope
    `dense`. Exchanged weights differ by more than one number.

    Args:
        scopes: the scope of each layer's variables, by the layer's name.
    """
    shifts: dict[str, set[int | None]] = {}
    for own, scope in scopes.items():
        (base, count), (own_base, own_count) = _split_count(scope), _split_count(own)
        shift = count - own_count if base == own_base else None
        shifts.setdefault(own_base, set()).add(shift)
    return {kind for kind, found in shifts.items() if len(found) == 1 and not found & {0, None}}


def kind_of(name: str) -> str:
    """The name of a layer without its number."""
    return _split_count(name)[0]


def _split_count(name: str) -> tuple[str, int]:
    found = _COUNTED.search(name)
    return (name[: found.start()], int(found.group()[1:])) if found else (name, 0)
