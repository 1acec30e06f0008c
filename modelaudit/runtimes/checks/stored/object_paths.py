"""Object-based checkpoints: the paths of names on which restoring finds the weights."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.facts import Artifact, Tensor
from modelaudit.graphs import reachable


def weights(artifact: Artifact) -> list[Tensor]:
    """The tensors that are weights of layers."""
    return [tensor for tensor in artifact.tensors if tensor.role == "weight"]


def names(artifact: Artifact) -> set[str]:
    """The paths under which the file lists the weights of layers."""
    return {tensor.name.partition("/.ATTRIBUTES/")[0] for tensor in weights(artifact)}


def found_by_name(artifact: Artifact, known: Callable[[str, str], bool]) -> set[str]:
    """The weights that restoring finds: on a path of names that are all known there.

    `known` gets the name under which a part is held, and the name of a part of it.
    """
    nodes = {node.index: node for node in artifact.object_graph}

    def below(at: tuple[str, int]) -> list[tuple[str, int]]:
        held, index = at
        children = nodes[index].children if index in nodes else {}
        return [each for each in children.items() if known(held, each[0])]

    kept = names(artifact)
    if not nodes:  # the graph could not be read: the one path under which each is stored
        parts = {name: name.split("/") for name in kept}
        return {name for name, each in parts.items() if all(map(known, ("", *each[:-1]), each))}
    keys = (
        attribute.get("key", "").partition("/.ATTRIBUTES")[0]
        for _, index in reachable([("", 0)], below)
        if index in nodes
        for attribute in nodes[index].attributes.values()
    )
    return kept & set(keys)
