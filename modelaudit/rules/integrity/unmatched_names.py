"""Weights under names that tell no layer, and layers between others that are in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelaudit.facts import Artifact, Format, Json, Layer, fits
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.work_budget import spend


def lacking_weights(layers: Sequence[Layer]) -> list[tuple[Layer, list[str]]]:
    """Layers without some of their weights, and the roles of these."""
    found = [(x, sorted(x.expected.keys() - x.variables.keys())) for x in layers]
    return [(layer, absent) for layer, absent in found if absent]


def taken_out(artifact: Artifact, lacking: Sequence[tuple[Layer, Sequence[str]]]) -> bool:
    """Whether the file has layers before and behind all that it lacks, and nothing else is amiss.

    The weights of a part of the model, such as a body without its head, have none behind, and those
    of another model have other layers or shapes.
    """
    architecture = artifact.architecture
    if architecture is None or unclaimed_tensors(artifact) or artifact.extra.get("lost_layers"):
        return False
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    stored = [
        (shapes[name], layer.expected.get(role))
        for layer in architecture.layers
        for role, name in layer.variables.items()
        if name in shapes
    ]
    h5, graph = artifact.extra.get("h5"), layer_graph(architecture)
    listed = h5.get("layer_names") if isinstance(h5, Mapping) else None
    names = {*listed} if isinstance(listed, list) else set[Json]()
    routes = {layer.route for layer, _ in lacking}
    held = {x.route for x in graph.layers if x.variables or x.name in names} - routes
    before = all(graph.above([route]) & held for route in routes)
    behind = routes <= graph.above(held)
    return before and behind and all(shape is None or fits(own, shape) for own, shape in stored)


def unclaimed_tensors(artifact: Artifact) -> tuple[str, ...]:
    """Stored tensors of no layer."""
    unclaimed = artifact.extra.get("unclaimed")
    return tuple(map(str, unclaimed)) if isinstance(unclaimed, list) else ()


def under_other_names(artifact: Artifact, layers: Sequence[Layer]) -> set[str]:
    """Tensors that can be all the weights that layers lack, of no layer with known ones.

    None if one is absent.

    Objects hold their weights in a SavedModel or checkpoint, whatever these are called: a name that
    layers inside and outside of a nested model share does not tell whose they are.
    """
    if artifact.format not in (Format.SAVEDMODEL_TF2, Format.TF2_CHECKPOINT):
        return set()
    wanted = [layer.expected[role] for layer, absent in lacking_weights(layers) for role in absent]
    architecture, free = artifact.architecture, dict[tuple[int, ...], list[str]]()
    every = architecture.layers if architecture else ()
    others = {name for layer in every if not layer.expected for name in layer.variables.values()}
    others.update(unclaimed_tensors(artifact))
    for tensor in artifact.tensors:
        if tensor.name in others:
            free.setdefault(tensor.shape, []).append(tensor.name)
    found = set()
    for shape in sorted(wanted, key=lambda each: each.count(None)):  # those that are known first
        spend(len(free) if None in shape else 1)
        exact = tuple(n for n in shape if n is not None)
        held = exact if exact == shape else next((x for x in free if fits(x, shape)), None)
        if held is None or held not in free:
            return set()
        found.add(free[held].pop())
        if not free[held]:
            del free[held]
    return found
