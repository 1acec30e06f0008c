"""Losses that TensorFlow 1's training graphs hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.facts import Graph, GraphNode
from modelaudit.formats.graph.dataflow import PASSING, RESHAPING

_CROSS_ENTROPIES = ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")
_MOST = 16  # operations between scores and loss


def cross_entropies(graph: Graph) -> Iterator[GraphNode]:
    """Operations that compare scores, their first input, with classes."""
    return (node for node in graph.nodes if node.op in _CROSS_ENTROPIES and node.inputs)


def class_scores(graphs: Sequence[Graph]) -> frozenset[str]:
    """Names of the nodes that give the scores of a cross-entropy, before and after reshaping."""
    found: set[str] = set()
    for graph in graphs:
        nodes = {node.name: node for node in graph.nodes}
        for loss in cross_entropies(graph):
            name = loss.inputs[0].partition(":")[0]
            for _ in range(_MOST):
                found.add(name)
                node = nodes.get(name)
                if node is None or node.op not in PASSING | RESHAPING or not node.inputs:
                    break
                name = node.inputs[0].partition(":")[0]
    return frozenset(found)
