"""Layers that no gradient can have reached, for reasons that other rules tell."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.rules.architecture.constant_layers import behind_constants, constant_reasons
from modelaudit.rules.initial_weights.untrained_bodies import layer_of
from modelaudit.rules.model import Facts
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.rules.training.still_statistics import around_single


def without_gradient(facts: Facts) -> Callable[[KernelInitialization], bool]:
    """Whether a kernel reaches the outputs only through what lets no gradient pass.

    That is a constant (MA305, MA314), a kernel of zeros (MA406) or a normalization of batches of one
    input (MA439).
    """
    constant, single, zeros = behind_constants(facts), around_single(facts), _before_zeros(facts)

    def is_cut(kernel: KernelInitialization) -> bool:
        return constant(kernel.route) or single(layer_of(kernel)) or kernel.tensor in zeros

    return is_cut


def _before_zeros(facts: Facts) -> set[str]:
    """The weights of layers that reach the outputs through kernels of zeros, or a constant, alone."""
    shown, tensors = shown_architecture(facts.artifact), facts.artifact.by_name
    zeros = {
        name
        for name, tensor in tensors.items()
        if tensor.size > 1 and tensor.stats and tensor.stats.constant and not tensor.stats.maximum
    }
    if shown is None:
        return set()
    graph = layer_graph(shown)
    stops = {x.route for x in graph.layers if x.variables.get("kernel") in zeros}
    if facts.artifact.architecture is None:  # of a graph, whose routes are not those of kernels
        stops |= {*constant_reasons(graph)}
    open_ones = graph.above((x for x in graph.outputs if x not in stops), around=stops)
    cut = graph.above(graph.outputs) - open_ones - stops if stops else ()
    return {name for route in cut for name in graph.layer(route).variables.values()}
