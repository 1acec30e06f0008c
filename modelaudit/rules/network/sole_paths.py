"""Layers without which no output depends on an input: one that is all 0 is then no spare one."""

from __future__ import annotations

from modelaudit.facts import Artifact, TensorStats
from modelaudit.rules.model import Facts
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.structs import PerObject


def carries_alone(facts: Facts, route: str) -> bool:
    """Whether some output gets the inputs through this layer alone.

    Without a config and without layers in a graph, where it is the only one with a kernel.
    """
    if shown_architecture(facts.artifact) is None:
        return {kernel.route for kernel in facts.artifact.kernels} == {route}
    graph = saved_graph(facts)
    if graph.get(route) is None:
        return False
    inputs = {layer.route for layer in graph.layers if not graph.calls[layer.route]} - {route}
    fed = [out for out in graph.outputs if route in graph.above([out])]
    return any(out == route or not graph.above([out], around={route}) & inputs for out in fed)


def _biases(artifact: Artifact) -> dict[str, TensorStats | None]:
    """Statistics of the bias of each layer that has one, by its route."""
    stored = {tensor.name: tensor.stats for tensor in artifact.tensors}
    layers = artifact.architecture.layers if artifact.architecture else ()
    found = {each.route: stored.get(each.variables.get("bias", "")) for each in layers}
    return {each.route: stored.get(each.bias or "") for each in artifact.kernels} | found


biases_of = PerObject(_biases)
