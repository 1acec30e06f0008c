"""Moving statistics that the calls of a SavedModel update, as in training."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact, GraphFunction
from modelaudit.graphs import reachable
from modelaudit.structs import PerObject

_ASSIGNS = frozenset(("AssignAddVariableOp", "AssignSubVariableOp", "AssignVariableOp"))
_STATISTICS = ("moving_mean", "moving_variance")
_ENDPOINT = "serve"


def _updated(artifact: Artifact) -> tuple[str, ...]:
    """The operations that assign a moving statistic that the endpoint `serve` does not answer by.

    Keras 3 exports a model by one call. A layer whose `call` has `training=True` as its default is
    exported in training mode: its batch normalizations use the statistics of the batch.
    """
    nodes = {node.index: node for node in artifact.object_graph}
    endpoint = nodes.get(nodes[0].children.get(_ENDPOINT, -1)) if 0 in nodes else None
    if artifact.provenance.exporter != "keras3-export" or endpoint is None:
        return ()
    captures = endpoint.detail.get("captures")
    found: list[str] = []
    for name, indices in captures.items() if isinstance(captures, dict) else ():
        names = [
            str(nodes[each].detail.get("name", ""))
            if isinstance(each, int) and each in nodes
            else ""
            for each in (indices if isinstance(indices, list) else ())
        ]
        for graph in artifact.graphs:
            if name in graph.functions:
                found += _assigned(graph.functions[name], names)
    return tuple(found)


def _assigned(function: GraphFunction, captured: list[str]) -> Iterator[str]:
    """The operations that assign a moving statistic on which no output depends."""
    first = len(function.args) - len(captured)
    statistics = {
        argument
        for argument, name in zip(function.args[max(first, 0) :], captured, strict=False)
        if name.rpartition("/")[2] in _STATISTICS
    }
    nodes = {node.name: node for node in function.nodes}

    def before(name: str) -> list[str]:
        sources = nodes[name].inputs if name in nodes else ()
        return [each.partition(":")[0] for each in sources if not each.startswith("^")]

    outputs = [each.partition(":")[0] for each in function.returns.values()]
    used: set[str] = set(reachable(outputs, before))
    statistics -= used
    for node in function.nodes:
        if node.op in _ASSIGNS and node.inputs and node.inputs[0] in statistics:
            yield node.name


updated_statistics: PerObject[Artifact, tuple[str, ...]] = PerObject(_updated)
"""As `_updated`; looked at once for all runtimes."""
