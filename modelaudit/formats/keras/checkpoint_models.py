"""Checkpoints of several models, such as a generator and a discriminator, and one architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelaudit.facts import Architecture, Artifact, Json, ObjectNode, Tensor, fits
from modelaudit.formats.checkpoint.object_graph import VALUE, tensor_name
from modelaudit.formats.keras.variables.matching import Binding, bind
from modelaudit.structs import replace

# Children of Keras models, in the object graphs of Keras 2 and 3.
_LAYERS = ("layer-", "layer_with_weights-")
_LISTS = frozenset({"_functional", "_layers", "_operations", "layers"})


def model_tensors(nodes: Sequence[ObjectNode]) -> dict[str, frozenset[str]]:
    """Names of the tensors that each Keras model among the root's children holds, by its name."""
    by_index = {node.index: node for node in nodes}
    root = by_index.get(0)
    found: dict[str, frozenset[str]] = {}
    for name, start in root.children.items() if root else ():
        children = by_index[start].children
        if children.keys() & _LISTS or any(child.startswith(_LAYERS) for child in children):
            found[name] = frozenset(_reachable(by_index, start))
    return found


def _reachable(by_index: Mapping[int, ObjectNode], start: int) -> set[str]:
    seen, queue, names = {0, start}, [start], set()
    while queue:
        node = by_index[queue.pop()]
        if key := node.attributes.get(VALUE, {}).get("key", ""):
            names.add(tensor_name(key))
        for child in node.children.values():
            if child not in seen:
                seen.add(child)
                queue.append(child)
    return names


def bind_one_model(
    artifact: Artifact, architecture: Architecture, names: Mapping[str, str]
) -> tuple[Artifact, Binding]:
    """Match an architecture to the model of a checkpoint that fits it best.

    The weights of the other models get the role `other`; their names are in `extra["models"]`.
    """
    models = model_tensors(artifact.object_graph)
    if len(models) < 2:
        return artifact, bind(architecture, artifact.tensors, "checkpoint", var_names=names)
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
    return replace(artifact, tensors=kept, extra=extra), fitting[chosen]


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
