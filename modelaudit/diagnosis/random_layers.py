"""Which parts of a model draw random numbers at inference, as far as the file shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.rules.security.graph.reachability import CallGraph, Reach, every_node

NAMED = 5
# Operations that draw random numbers; those that only provide seeds accompany one of them.
_DRAWS = re.compile(r"(?:Stateless|Parameterized|Stateful)?(?:Random|Truncated|Multinomial)\w*")
_SEEDS = re.compile(r"\w*(?:GetKeyCounter\w*|GetAlg|Seed\w*|Dataset\w*)")
# The ends of an operation's name that describe how it draws, not where.
_HOW = re.compile(
    r"(?:/(?:stateless_|stateful_)?(?:random_(?:uniform|normal)|truncated_normal|random_shuffle)"
    r"(?:_\d+)?)?/[^/]+$"
)


def drawing(artifact: Artifact) -> tuple[str, ...]:
    """Layers that are always called in training mode, and parts of the graph that draw."""
    return tuple(dict.fromkeys((*_in_training(artifact), *_in_graph(artifact))))[:NAMED]


def _in_training(artifact: Artifact) -> Iterator[str]:
    for layer in artifact.architecture.layers if artifact.architecture else ():
        if any(kwargs.get("training") is True for kwargs in layer.call_kwargs):
            yield layer.route


def _in_graph(artifact: Artifact) -> Iterator[str]:
    """Parts of what a signature runs: other functions of a SavedModel may be for training."""
    for graph in artifact.graphs:
        calls = CallGraph(graph, artifact)
        for function, node in every_node(graph):
            if not _DRAWS.fullmatch(node.op) or _SEEDS.fullmatch(node.op):
                continue
            reach, root = calls.reach(function, node.name)
            if reach is Reach.RUN and (root.startswith("signature ") or not artifact.signatures):
                place = _HOW.search(node.name)
                yield node.name[: place.start()] if place else node.name
