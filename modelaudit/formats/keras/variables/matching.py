"""Matching stored tensors to the variables of layers, by name, position and shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct, field

from modelaudit.facts import Architecture, Kernel, Layer, Shape, Tensor, fits
from modelaudit.formats.keras.joined_parts import with_known_parts
from modelaudit.formats.keras.variables.kernels import kernels_of
from modelaudit.formats.keras.variables.names import (
    VariableName,
    VariableNames,
    is_renumbered,
    kind_of,
    shifted_kinds,
)
from modelaudit.formats.keras.variables.paths import (
    SPECTRAL,
    ObjectPaths,
    container_paths,
    numbered_variables,
    parts_elsewhere,
    plain_path,
)
from modelaudit.formats.keras.variables.slots import (
    ExpectedVariable,
    LayerTree,
    is_open,
    own_variables,
    variable_aliases,
)
from modelaudit.structs import replace

LAYOUTS = ("h5_legacy", "h5_v3", "saved_model", "checkpoint")

_SEED = "seed_generator"


class Binding(Struct, frozen=True):
    """Result of `bind`.

    Attributes:
        architecture: with `Layer.variables` set.
        kernels: all convolution and dense kernels that were found, in execution order.
        unclaimed: weight tensors that belong to no layer.
        misordered: names of tensors, or of layers' groups, at the position of another one: their
            own name is of another layer or role.
    """

    architecture: Architecture
    kernels: tuple[Kernel, ...]
    unclaimed: tuple[str, ...]
    misordered: tuple[str, ...]


def bind(
    architecture: Architecture,
    tensors: Sequence[Tensor],
    layout: str,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    var_names: Mapping[str, str] | None = None,
) -> Binding:
    """Match stored weights to the variables that the saved config implies.

    Args:
        architecture: from `parse_architecture`.
        tensors: all stored tensors; only those with role `weight` are matched.
        layout: `h5_legacy`, `h5_v3`, `saved_model` or `checkpoint`.
        groups: for `h5_legacy`, layer name (in the order of `layer_names`) -> tensor names (in
            the order of `weight_names`).
        var_names: tensor name -> variable name in the program that saved it. For `h5_v3`, the
            attribute `name` of the group that contains the tensor.

    Raises:
        ValueError: unknown `layout`.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}")
    binder = _Binder(architecture, [t for t in tensors if t.role == "weight"], var_names or {})
    if layout == "h5_legacy":
        binder.by_groups(groups or {})
    elif layout == "h5_v3":
        binder.by_containers()
    else:
        binder.by_objects()
    return binder.result()


_ATTENTION = {
    "query_dense": "query",
    "key_dense": "key",
    "value_dense": "value",
    "output_dense": "attention_output",
}


class _Binder(Struct, dict=True):
    architecture: Architecture
    weights: list[Tensor]
    var_names: Mapping[str, str]
    claims: dict[tuple[str, str], str] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    misordered: list[str] = field(default_factory=list)
    free: dict[tuple[str, str], int] = field(default_factory=dict)

    @cached_property
    def tree(self) -> LayerTree:
        return LayerTree(self.architecture)

    @cached_property
    def names(self) -> VariableNames:
        return VariableNames(self.tree)

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        return {tensor.name: tensor for tensor in self.weights}

    def claim(self, route: str, role: str, tensor: str) -> bool:
        """Assign a tensor to a variable, unless the variable has one already."""
        if (route, role) in self.claims:
            return False
        self.claims[route, role] = tensor
        self.claimed.add(tensor)
        return True

    def fits(self, slot: ExpectedVariable, tensor: str) -> bool:
        """Whether the stored shape is compatible with the shape in the config."""
        return fits(self.tensors[tensor].shape, slot.shape)

    # Legacy HDF5: one group per layer, weights in a fixed order.

    def by_groups(self, groups: Mapping[str, Sequence[str]]) -> None:
        waiting: dict[str, list[Layer]] = {}
        for layer in self.tree.below(""):
            waiting.setdefault(layer.name, []).append(layer)
        suspects: list[tuple[str, Layer, Layer]] = []
        scopes: dict[str, str] = {}
        layers = self.tree.layers
        for name, stored in groups.items():
            present = [tensor for tensor in stored if tensor in self.tensors]
            if not waiting.get(name):
                continue
            layer = waiting[name].pop(0)
            short = {tensor: _in_group(tensor, name) for tensor in present}
            for tensor, slot in self._group(layer, present, short):
                scopes.setdefault(slot.route, VariableName.parse(short[tensor]).scope)
                found = self.names.find(short[tensor])
                if found and slot not in found:
                    suspects.append((tensor, layers[slot.route], layers[found[0].route]))
            self._claim_open(layer, [t for t in present if t not in self.claimed], short)
        self._check_order([name for name, stored in groups.items() if stored])
        apart = {layers[route].name: scope.rpartition("/")[2] for route, scope in scopes.items()}
        counted_apart = shifted_kinds(apart)
        self.misordered += [
            tensor
            for tensor, owner, named in suspects
            if kind_of(owner.name) not in counted_apart and not _shifted(owner, named, scopes)
        ]

    def _check_order(self, stored: Sequence[str]) -> None:
        """Keras pairs the layers that have weights by position and ignores their names."""
        names = frozenset(stored)
        implied = [layer.name for layer in self.tree.stored_layers("") if layer.name in names]
        known = frozenset(implied)
        listed = [name for name in stored if name in known]
        if len(listed) == len(implied):
            self.misordered += [
                f"{name} (loaded into {owner})"
                for name, owner in zip(listed, implied, strict=True)
                if name != owner
            ]

    def _group(
        self, layer: Layer, present: Sequence[str], short: Mapping[str, str]
    ) -> list[tuple[str, ExpectedVariable]]:
        """Assign the weights of one group to the layer and its inner layers."""
        slots = self.tree.weight_order(layer)
        in_order = list(zip(present, slots, strict=False))
        if len(present) != len(slots) or not all(_says(short[t], s) for t, s in in_order):
            named = self._named(slots, present, short)
            fitting = len(present) == len(slots) and all(self.fits(s, t) for t, s in in_order)
            if named or not fitting:
                in_order = named
        for tensor, slot in in_order:
            self.claim(slot.route, slot.role, tensor)
        return in_order

    def _named(
        self, slots: Sequence[ExpectedVariable], present: Sequence[str], short: Mapping[str, str]
    ) -> list[tuple[str, ExpectedVariable]]:
        """Pairs matched by name. If they are not in the implied order, the file is misordered."""
        place = {slot: i for i, slot in enumerate(slots)}
        pairs: list[tuple[str, ExpectedVariable]] = []
        taken: set[ExpectedVariable] = set()
        for tensor in present:
            found = [s for s in self.names.find(short[tensor]) if s in place and s not in taken]
            if len(found) == 1 or (found and self.fits(found[0], tensor)):
                pairs.append((tensor, found[0]))
                taken.add(found[0])
        wanted = sorted(place[slot] for _, slot in pairs)
        self.misordered += [
            tensor for (tensor, slot), i in zip(pairs, wanted, strict=True) if place[slot] != i
        ]
        return pairs

    def _claim_open(self, layer: Layer, rest: Iterable[str], short: Mapping[str, str]) -> None:
        """Assign weights of a layer of unknown class under their own names."""
        inner = {item.name: item for item in self.tree.subtree(layer) if is_open(item)}
        first = next(iter(inner.values()), None)
        for tensor in rest:
            parsed = VariableName.parse(short[tensor])
            owner = inner.get(parsed.scope) or inner.get(parsed.scope.rpartition("/")[2], first)
            if owner is not None:
                self._claim_free(owner, parsed.variable, tensor)

    def _claim_free(self, layer: Layer, role: str, tensor: str) -> None:
        """Assign a tensor under a role named by the file; duplicates get `#2`, `#3` …"""
        role = role or "variable"
        count = self.free[layer.route, role] = self.free.get((layer.route, role), 0) + 1
        self.claim(layer.route, role if count == 1 else f"{role}#{count}", tensor)

    # Keras 2.12 and later: containers named by class, variables numbered.

    def by_containers(self) -> None:
        stored = {plain_path(tensor.name): tensor.name for tensor in self.weights}
        both = (container_paths(self.tree, twice=style) for style in (False, True))
        paths = max(both, key=lambda style: self._hits(style, stored))
        paths |= parts_elsewhere(self.tree, paths, self.weights)
        for route, path in paths.items():
            layer = self.tree.layers[route]
            for below, slot in numbered_variables(layer):
                tensor = stored.get(f"{path}/{below}")
                if tensor is not None and self.claim(route, slot.role, tensor):
                    self._check_group_name(layer, below, tensor)
        owners = {path: self.tree.layers[route] for route, path in paths.items()}
        for path in (path for path, tensor in stored.items() if tensor not in self.claimed):
            self._claim_below(owners, path, stored[path])

    def _hits(self, paths: Mapping[str, str], stored: Mapping[str, str]) -> int:
        return sum(
            f"{path}/{below}" in stored and self.fits(slot, stored[f"{path}/{below}"])
            for route, path in paths.items()
            for below, slot in numbered_variables(self.tree.layers[route])
        )

    def _check_group_name(self, layer: Layer, below: str, tensor: str) -> None:
        """Keras 3 stores the layer's name with its variables, and those of parts of attention."""
        name = self.var_names.get(tensor)
        own = below.startswith("vars/")
        said = _ATTENTION.get(below.partition("/vars/")[0])
        if said is not None and name in _ATTENTION.values() and name != said:
            self.misordered.append(tensor)
        if own and name is not None and name != layer.name and name in self.names.layers:
            self.misordered.append(tensor)

    def _claim_below(self, owners: Mapping[str, Layer], path: str, tensor: str) -> None:
        """A tensor below a layer's path without a slot: of a custom class, or a random seed."""
        above, _, rest = path.rpartition("/")
        while above:
            layer = owners.get(above)
            if layer is not None:
                if is_open(layer) or _SEED in rest or layer.class_name == SPECTRAL:
                    self._claim_free(layer, rest, tensor)
                return
            above, _, last = above.rpartition("/")
            rest = f"{last}/{rest}"

    # TensorFlow object graphs and plain variable names.

    def by_objects(self) -> None:
        paths = ObjectPaths(self.tree)
        sure = not any(layer.custom for layer in self.tree.layers.values())
        left: list[str] = []
        for tensor in self.weights:
            found = paths.find(plain_path(tensor.name))
            by_path = found[1] if found else None
            named = self.names.find(self.var_names.get(tensor.name) or plain_path(tensor.name))
            if by_path is not None and named and by_path not in named and sure:
                self.misordered.append(tensor.name)
            slot = by_path if by_path is not None and (sure or by_path in named) else None
            if slot is None and len(named) == 1:
                slot = named[0]
            if slot is None and _SEED in self.var_names.get(tensor.name, ""):
                self.claimed.add(tensor.name)  # state of a random number generator, not a weight
            elif slot is None:
                left.append(tensor.name)
            elif not self.claim(slot.route, slot.role, tensor.name):
                # An export stores some variables under two paths; this is the second one.
                self.claimed.add(tensor.name)
        for name in left:
            found = paths.find(plain_path(name))
            layer = found[0] if found else self.names.named_layer(self.var_names.get(name, name))
            if layer is not None and is_open(layer):
                self._claim_free(layer, found[2] if found else name.rpartition("/")[2], name)
        self._claim_by_shape()

    def _claim_by_shape(self) -> None:
        """Match a shape that exactly one remaining tensor and one remaining variable have."""
        slots: dict[Shape, list[ExpectedVariable]] = {}
        for layer in self.tree.layers.values():
            for slot in own_variables(layer):
                if (slot.route, slot.role) not in self.claims:
                    slots.setdefault(slot.shape, []).append(slot)
        by_shape: dict[tuple[int, ...], list[str]] = {}
        for tensor in self.weights:
            if tensor.name not in self.claimed:
                by_shape.setdefault(tensor.shape, []).append(tensor.name)
        for shape, names in by_shape.items():
            wanted = slots.get(shape, [])
            if len(names) == len(wanted) == 1 and shape:
                self.claim(wanted[0].route, wanted[0].role, names[0])

    def result(self) -> Binding:
        """The binding, with the tensors that were not matched."""
        variables: dict[str, dict[str, str]] = {}
        for (route, role), tensor in self.claims.items():
            variables.setdefault(route, {})[role] = tensor
        layers = self.architecture.layers
        layers = tuple(replace(each, variables=variables.get(each.route, {})) for each in layers)
        left = tuple(t.name for t in self.weights if t.name not in self.claimed)
        return Binding(
            architecture=with_known_parts(self.architecture, layers, left),
            kernels=kernels_of(layers, self.tree, self.tensors),
            unclaimed=left,
            misordered=tuple(dict.fromkeys(self.misordered)),
        )


def _in_group(tensor: str, group: str) -> str:
    """Name of a weight relative to its layer's group."""
    return tensor.removeprefix("model_weights/").removeprefix(f"{group}/")


def _says(name: str, slot: ExpectedVariable) -> bool:
    """Whether the last part of a weight's name is a name of the slot's variable."""
    variable = VariableName.parse(name).variable
    return any(
        variable == alias or variable.endswith(f"_{alias}") for alias in variable_aliases(slot)
    )


def _shifted(owner: Layer, named: Layer, scopes: Mapping[str, str]) -> bool:
    """Whether both layers' scopes are renumbered, so nothing is swapped; see `is_renumbered`."""
    if not is_renumbered(named.name, owner.name):
        return False
    return is_renumbered(scopes.get(named.route, "").rpartition("/")[2], named.name)
