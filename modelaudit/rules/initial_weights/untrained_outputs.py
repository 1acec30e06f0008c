"""Outputs that no loss taught, beside others that were trained."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact
from modelaudit.findings import Severity
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.rules.initial_weights.initial_explained import OF_OUTPUT
from modelaudit.rules.initial_weights.silent_layers import behind_rectifiers
from modelaudit.rules.initial_weights.untrained_bodies import Untouched, behind_zeros
from modelaudit.rules.plain_graphs.architecture import shown_architecture


def explained_by_layers(
    artifact: Artifact, found: Sequence[Untouched], kernels: Sequence[KernelInitialization]
) -> tuple[Untouched, ...]:
    """The same; with what the layers around say of why no gradient reached some."""
    found = behind_zeros(artifact, behind_rectifiers(artifact, found, kernels))
    return of_one_output(artifact, found, kernels)


def of_one_output(
    artifact: Artifact, found: Sequence[Untouched], kernels: Sequence[KernelInitialization]
) -> tuple[Untouched, ...]:
    """The same; where nothing has moved that leads to one of several outputs alone, it had no loss."""
    shown = shown_architecture(artifact)
    graph = layer_graph(shown) if shown is not None and found else None
    if graph is None or len(graph.outputs) < 2:
        return tuple(found)
    taught = {
        k.tensor for k in kernels if False in (k.tests.get("fits"), k.tests.get("bias_initial"))
    }
    untaught: set[str] = set()
    for end in graph.outputs:
        others = graph.above(each for each in graph.outputs if each != end)
        own = [graph.layer(route) for route in graph.above([end]) - others]
        tensors = {name for layer in own for name in layer.variables.values()}
        if tensors.isdisjoint(taught):
            untaught |= tensors
    return tuple(
        Untouched(each.kernel, min(each.severity, Severity.MEDIUM, key=lambda x: x.rank), OF_OUTPUT)
        if not each.against and each.kernel.tensor in untaught
        else each
        for each in found
    )
