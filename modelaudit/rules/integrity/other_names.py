"""Weights that are in a file under names that do not tell which layer has them."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.facts import Artifact, Format, Layer, fits
from modelaudit.work_budget import spend


def lacking_weights(layers: Sequence[Layer]) -> list[tuple[Layer, list[str]]]:
    """Layers without some of their weights, and the roles of these."""
    found = [(x, sorted(x.expected.keys() - x.variables.keys())) for x in layers]
    return [(layer, absent) for layer, absent in found if absent]


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
