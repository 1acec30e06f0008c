"""Checkpoints of several models, such as a generator and a discriminator, and one architecture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Architecture, Artifact, Json, ObjectNode, Tensor, fits
from modelaudit.formats.checkpoint.object_graph import tensor_name
from modelaudit.formats.keras.variables.matching import Binding, bind
from modelaudit.formats.keras.variables.slots import LayerTree
from modelaudit.graphs import VALUE, reachable
from modelaudit.structs import replace

# Children of Keras models, in the object graphs of Keras 2 and 3.
_LAYERS = ("layer-", "layer_with_weights-")
_NUMBERED = re.compile(r"layer-\d{1,9}")
_LISTS = frozenset({"_functional", "_layers", "_operations", "layers"})


def model_tensors(nodes: Sequence[ObjectNode]) -> dict[str, frozenset[str]]:
    """Names of the tensors that each Keras model among the root's children holds, by its name.

    There are none if the root is a model itself, as in `save_weights`: it holds its layers.
    """
    by_index = {node.index: node for node in nodes}
    root = by_index.get(0)
    if root is None or _is_model(root):
        return {}
    return {
        name: frozenset(_reachable(by_index, start))
        for name, start in root.children.items()
        if _is_model(by_index[start])
    }


def _is_model(node: ObjectNode) -> bool:
    return bool(node.children.keys() & _LISTS) or any(
        child.startswith(_LAYERS) for child in node.children
    )


def _reachable(by_index: Mapping[int, ObjectNode], start: int) -> set[str]:
    """Names of the variables below a node, without those that only the root has."""
    reached = reachable(
        [start], lambda index: [child for child in by_index[index].children.values() if child]
    )
    keys = (by_index[index].attributes.get(VALUE, {}).get("key", "") for index in reached)
    return {tensor_name(key) for key in keys if key}


def bind_one_model(
    artifact: Artifact, architecture: Architecture, names: Mapping[str, str]
) -> tuple[Artifact, Binding]:
    """Match an architecture to the model of a checkpoint that fits it best.

    The weights of the other models get the role `other`; their names are in `extra["models"]`.
    """
    models = model_tensors(artifact.object_graph)
    if len(models) < 2:
        alone = next(iter(models), "")
        binding = bind(architecture, artifact.tensors, "checkpoint", var_names=names)
        return _with_lost_layers(artifact, architecture, alone), binding
    fitting = {
        name: bind(architecture, _only(artifact.tensors, held), "checkpoint", var_names=names)
        for name, held in models.items()
    }
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    # `load_checkpoint` tries them in the same order.
    chosen = max(fitting, key=lambda name: (_score(fitting[name], tensors), name == "model"))
    others = frozenset[str]().union(*models.values()) - models[chosen]
    kept = tuple(
        replace(tensor, role="other")
        if tensor.name in others and tensor.role == "weight"
        else tensor
        for tensor in artifact.tensors
    )
    told: Json = {"read": chosen, "all": [*models]}
    extra = {**artifact.extra, "models": told}
    artifact = replace(artifact, tensors=kept, extra=extra)
    return _with_lost_layers(artifact, architecture, chosen), fitting[chosen]


def _with_lost_layers(artifact: Artifact, architecture: Architecture, name: str) -> Artifact:
    """Add the keys of layers that the model of this name has, but the config has not."""
    lost: list[Json] = [*lost_layers(artifact.object_graph, architecture, name)]
    return replace(artifact, extra={**artifact.extra, "lost_layers": lost}) if lost else artifact


def lost_layers(
    nodes: Sequence[ObjectNode], architecture: Architecture, name: str
) -> Iterator[str]:
    """Keys of layers of a checkpoint's model that the config lacks, with or without weights.

    The checkpoint lists all layers in order, and says which have weights. Where the config has
    fewer, the first ones that differ in that are lost.
    """
    by_index = {node.index: node for node in nodes}
    root = by_index.get(0)
    model = by_index.get(root.children.get(name, 0)) if root else None
    if model is None:
        return
    stored, tree = _listed(by_index, model), LayerTree(architecture)
    own = tree.below("") if "_operations" in _holder(by_index, model).children else None
    layers = own if own is not None else tree.stored_layers("")
    if own and own[0].class_name != "InputLayer" and architecture.class_name == "Sequential":
        stored = stored[1:]  # built without one in the config
    left = len(stored) - len(layers)
    if left <= 0 or not layers:
        return
    place = 0
    for key, node in stored:
        layer = layers[place] if place < len(layers) else None
        weights = len(_reachable(by_index, node)) > 0
        alike = layer is not None and (layer.custom or tree.has_weights(layer) == weights)
        if alike:
            place += 1
        elif left:
            left -= 1
            yield key


def _holder(by_index: Mapping[int, ObjectNode], model: ObjectNode) -> ObjectNode:
    """What lists the layers: in Keras 3, a Sequential has a functional model inside."""
    return by_index[model.children.get("_functional", model.index)]


def _listed(by_index: Mapping[int, ObjectNode], model: ObjectNode) -> list[tuple[str, int]]:
    """(key, node) of each layer of a model, in order."""
    holder = _holder(by_index, model)
    if (operations := holder.children.get("_operations")) is not None:
        found = by_index[operations].children.items()
        return sorted(
            ((f"_operations/{key}", node) for key, node in found if key.isdecimal()),
            key=lambda each: int(each[0].rpartition("/")[2]),
        )
    layers = [(key, node) for key, node in holder.children.items() if _NUMBERED.fullmatch(key)]
    return sorted(layers, key=lambda each: int(each[0].rpartition("-")[2]))


def _only(tensors: Sequence[Tensor], held: frozenset[str]) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor.name in held]


def _score(binding: Binding, tensors: Mapping[str, Tensor]) -> int:
    """Variables with a weight of their shape, less those with another and weights left over."""
    score = -len(binding.unclaimed)
    for layer in binding.architecture.layers:
        for role, name in layer.variables.items():
            expected = layer.expected.get(role)
            score += 1 if expected is None or fits(tensors[name].shape, expected) else -1
    return score
