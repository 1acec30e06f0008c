"""Paths of each layer's variables in Keras's object-based formats.

There are two families of paths. Both use positions rather than layer names:

* Weights files of Keras 2.12 and later (`layers/conv2d_1/vars/0`): members of a container are
  named by their class in snake case and a counter; variables are numbered, trainable ones first.
  The parts of a subclassed model have the names of its attributes.
* TensorFlow object graphs (`layer_with_weights-1/kernel`; Keras 3: `_operations/3/_kernel`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Layer, Shape, Tensor, fits
from modelaudit.formats.keras.builtin_layers import container_name
from modelaudit.formats.keras.variables.slots import (
    ExpectedVariable,
    LayerTree,
    own_variables,
    variable_aliases,
)
from modelaudit.formats.keras.variables.specs import GATES
from modelaudit.graphs import VARIABLE_KEY_END
from modelaudit.work_budget import spend

SPECTRAL = "SpectralNormalization"

_SUBLAYERS: Mapping[str, str] = {"attention_output": "output_dense"}
"""Attribute of a projection, if it is not `<part>_dense`."""


def plain_path(path: str) -> str:
    """Normalise a stored path, so that it is the same for all versions and systems.

    Windows writes `layers\\conv2d/vars/0`; Keras up to 2.14 `_layer_checkpoint_dependencies`
    instead of `layers`; Keras 2 has private attributes for sublayers (`_query_dense`), Keras 3
    for some variables (`_kernel`).
    """
    path = path.removesuffix(VARIABLE_KEY_END).replace("\\", "/")
    parts = [part for part in path.split("/") if part and part != "_functional"]
    return "/".join(
        "layers" if part == "_layer_checkpoint_dependencies" else part.lstrip("_") or part
        for part in parts
    )


def container_paths(tree: LayerTree, *, twice: bool) -> dict[str, str]:
    """Layer route -> its path in a v3 weights file, as normalised by `plain_path`.

    Args:
        twice: count like Keras 2.12, where a container had each layer with weights twice
            (`layer_with_weights-0` and `layer-0`), so that the second Dense is `dense_2`.
    """
    paths: dict[str, str] = {}
    todo = [("", "")]
    while todo:
        route, prefix = todo.pop()
        for layer, name in _members(tree, route, twice):
            paths[layer.route] = f"{prefix}{name}"
            todo.append((layer.route, f"{prefix}{name}/"))
    return paths


def parts_elsewhere(
    tree: LayerTree, paths: Mapping[str, str], weights: Sequence[Tensor]
) -> dict[str, str]:
    """The paths of the parts of a subclassed model that are stored under another name.

    Keras stores an object where it finds it first, and looks at attributes by name, at those after
    `layers` in that list; the class can hold a part under another name than that in its config.
    """
    stored = {plain_path(each.name): each.shape for each in weights}
    alike: dict[tuple[tuple[str, Shape], ...], list[dict[str, str]]] = {}
    for part in tree.below("") if tree.attributes else ():
        start = paths.get(part.route, "")
        own = {x.route: paths[x.route] for x in tree.subtree(part) if x.route in paths}
        below = {route: path.removeprefix(start) for route, path in own.items()}
        slots = tuple(
            (f"{path}/{end}", slot.shape)
            for route, path in below.items()
            for end, slot in numbered_variables(tree.layers[route])
        )
        if slots and not any(f"{start}{path}" in stored for path, _ in slots):
            alike.setdefault(slots, []).append(below)
    moved: dict[str, str] = {}
    taken = set(paths.values())
    for slots, parts in alike.items():
        spend(len(slots) + len(stored))
        first = slots[0][0]
        found = [
            place
            for place in (path.removesuffix(first) for path in stored if path.endswith(first))
            if place not in taken
            and all(
                f"{place}{path}" in stored and fits(stored[f"{place}{path}"], shape)
                for path, shape in slots
            )
        ]
        if len(found) == len(parts):
            taken.update(found)
            for place, part_below in zip(found, parts, strict=True):
                moved |= {route: f"{place}{path}" for route, path in part_below.items()}
    return moved


def _members(tree: LayerTree, route: str, twice: bool) -> Iterator[tuple[Layer, str]]:
    """Direct members of a model or wrapper, with their relative paths."""
    layer = tree.layers.get(route)
    if layer is not None and not layer.is_model:
        yield from _wrapped_members(tree, layer)
        return
    used: dict[str, int] = {}
    for member in tree.stored_layers(route):
        holder = "layers"
        if not route and tree.attributes:
            attribute, held, _ = member.config_route.removeprefix("config/").partition("/")
            holder = plain_path(attribute)
            if not held:
                yield member, holder
                continue
        name = f"{holder}/{container_name(member)}"
        count = used.get(name, -1) + 1
        used[name] = count + (1 if twice and tree.has_weights(member) else 0)
        yield member, f"{name}_{count}" if count else name


def _wrapped_members(tree: LayerTree, layer: Layer) -> Iterator[tuple[Layer, str]]:
    inner = tree.below(layer.route)
    if layer.class_name == "Bidirectional":
        yield from zip(inner, ("forward_layer", "backward_layer"), strict=False)
        return
    used: dict[str, int] = {}
    for member in inner:
        attribute = member.config_route.rpartition("/config/")[2]
        if not attribute.startswith("cells/"):
            yield member, attribute.split("/")[0]
            continue
        name = container_name(member)
        count = used[name] = used.get(name, -1) + 1
        yield member, f"cells/{name}_{count}" if count else f"cells/{name}"


def numbered_variables(layer: Layer) -> Iterator[tuple[str, ExpectedVariable]]:
    """(relative path, slot) of each variable in a v3 weights file (`query_dense/vars/1`)."""
    # SpectralNormalization also lists the kernel of the wrapped layer, before its own variable.
    counts: dict[str, int] = {"": 0} if layer.class_name == SPECTRAL else {}
    for slot in own_variables(layer):
        holder = _holder(layer, slot)
        index = counts[holder] = counts.get(holder, -1) + 1
        yield f"{holder}vars/{index}", slot


def _holder(layer: Layer, slot: ExpectedVariable) -> str:
    """Attribute between a layer and its variable: `cell/` of LSTM, `query_dense/` of attention."""
    if slot.part:
        return f"{_SUBLAYERS.get(slot.part, f'{slot.part}_dense')}/"
    fused = layer.class_name in GATES and not layer.class_name.endswith("Cell")
    if layer.class_name.startswith("ConvLSTM") or (fused and "CuDNN" not in layer.class_name):
        return "cell/"
    return ""


class ObjectPaths:
    """Finds the slot at a path of an object graph by descending the tree of layers."""

    def __init__(self, tree: LayerTree) -> None:
        self._tree = tree
        self._members: dict[str, dict[str, Layer]] = {}
        self._slots: dict[str, dict[str, ExpectedVariable]] = {}

    def find(self, path: str) -> tuple[Layer, ExpectedVariable | None, str] | None:
        """(layer, slot, rest of the path) for a path normalised by `plain_path`.

        The slot is None if the layer has no variable of that name. Leading parts that are not
        attributes of the model are the path to the model (`model/layer-1/kernel`).
        """
        parts = path.split("/")
        for start in range(len(parts)):
            layer, used = self._descend(parts[start:])
            if layer is not None:
                rest = "/".join(parts[start + used :])
                return layer, self._slots_of(layer).get(rest), rest
        return None

    def _descend(self, parts: list[str]) -> tuple[Layer | None, int]:
        layer: Layer | None = None
        used = 0
        while used < len(parts):
            names = self._names(layer.route if layer else "")
            for width in (1, 2):
                inner = names.get("/".join(parts[used : used + width]))
                if inner is not None:
                    layer, used = inner, used + width
                    break
            else:
                break
        return layer, used

    def _names(self, route: str) -> dict[str, Layer]:
        if route not in self._members:
            self._members[route] = dict(_attributes(self._tree, route))
        return self._members[route]

    def _slots_of(self, layer: Layer) -> dict[str, ExpectedVariable]:
        if layer.route not in self._slots:
            self._slots[layer.route] = {
                f"{_holder(layer, slot)}{alias}": slot
                for slot in own_variables(layer)
                for alias in variable_aliases(slot)
            }
        return self._slots[layer.route]


def _keeps_summary(layer: Layer) -> bool:
    """Whether Keras 2 counts what a layer saw of the data in `adapt` as a weight of it."""
    return layer.class_name == "Discretization" and layer.config.get("bin_boundaries") is None


def _attributes(tree: LayerTree, route: str) -> Iterator[tuple[str, Layer]]:
    """Attribute names of the direct members of a model or wrapper in an object graph.

    Members of a model have several: `layer_with_weights-1` and `layer-3` in Keras 2,
    `_operations/3` or `_layers/3` in Keras 3.
    """
    holder = tree.layers.get(route)
    if holder is not None and not holder.is_model:
        for member, path in _wrapped_members(tree, holder):
            yield path, member
            yield member.config_route.rpartition("/config/")[2], member
        return
    for i, layer in enumerate(tree.below(route)):
        yield f"operations/{i}", layer
        yield f"layers/{i}", layer
    with_weights = 0
    for i, layer in enumerate(tree.stored_layers(route)):
        yield f"layer-{i}", layer
        if tree.has_weights(layer) or _keeps_summary(layer):
            yield f"layer_with_weights-{with_weights}", layer
            with_weights += 1
