"""Execution order of the layer calls of a functional model."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from msgspec import Struct

from modelaudit.facts import Shape
from modelaudit.formats.keras.inbound_nodes import Fail, LayerCall, TensorReference

OutputIndex = tuple[int, int, int]
"""Indices of a layer, of its call, and of the call's output tensor."""


class ExecutionStep(Struct, frozen=True):
    """A layer call, the outputs it takes as inputs, and their shapes if the config saves them."""

    entry: int
    node: int
    sources: tuple[OutputIndex, ...]
    saved_shapes: tuple[Shape | None, ...]


class ExecutionGraph(Struct, frozen=True):
    """Result of `connect`. Layer indices in `steps` and `ends` are positions in `order`."""

    order: tuple[int, ...]
    steps: tuple[ExecutionStep, ...]
    ends: tuple[tuple[OutputIndex, ...], ...]


def connect(
    names: Sequence[str],
    calls: Sequence[tuple[LayerCall, ...]],
    ends: Sequence[tuple[TensorReference, ...]],
    fail: Fail,
) -> ExecutionGraph:
    """Resolve references and sort the calls topologically (Kahn, 1962), ties in config order.

    A shared layer can be an indirect input of itself, so calls are sorted rather than layers. A
    layer has the position of its first call.

    Args:
        names: layer names, as in the config.
        calls: calls of each layer; a layer without calls is an input.
        ends: the model's inputs and outputs.
        fail: raises the error for dangling references and cycles.
    """
    index: dict[str, int] = {}
    for i, name in enumerate(names):
        index.setdefault(name, i)
    counts = [max(1, len(layer_calls)) for layer_calls in calls]
    everything = [ref for layer_calls in calls for call in layer_calls for ref in call.inputs]
    everything += [ref for refs in ends for ref in refs]
    offsets = _offsets(everything, index, counts, fail)

    def place(ref: TensorReference) -> OutputIndex:
        layer = index[ref.layer]
        return layer, max(0, ref.node - offsets[layer]), ref.tensor

    nodes = [(i, n) for i, count in enumerate(counts) for n in range(count)]
    sources: dict[tuple[int, int], tuple[OutputIndex, ...]] = {}
    for i, n in nodes:
        inputs = calls[i][n].inputs if calls[i] else ()
        sources[i, n] = tuple(place(ref) for ref in inputs)
    ordered = _sort(nodes, sources, fail)

    first_seen = list(dict.fromkeys(i for i, _ in ordered))
    position = {i: k for k, i in enumerate(first_seen)}

    def moved(places: tuple[OutputIndex, ...]) -> tuple[OutputIndex, ...]:
        return tuple((position[i], n, t) for i, n, t in places)

    steps = tuple(
        ExecutionStep(
            position[i],
            n,
            moved(sources[i, n]),
            tuple(ref.shape for ref in (calls[i][n].inputs if calls[i] else ())),
        )
        for i, n in ordered
    )
    return ExecutionGraph(
        tuple(first_seen),
        steps,
        tuple(moved(tuple(place(ref) for ref in refs)) for refs in ends),
    )


def _offsets(
    refs: Sequence[TensorReference], index: dict[str, int], counts: Sequence[int], fail: Fail
) -> list[int]:
    """The number to subtract from the node indices of each layer.

    Keras 2 counts the creation of a nested model as call 0, but does not save it in the config:
    the saved calls are then numbered from 1. At least one output of each saved call is used (Keras
    drops the other calls when saving), so the highest index that occurs shows which case it is.
    """
    offsets = [0] * len(counts)
    for ref in refs:
        layer = index.get(ref.layer)
        if layer is None:
            fail(f"a layer takes an output of {ref.layer[:80]!r}, which does not exist")
        offsets[layer] = max(offsets[layer], ref.node - counts[layer] + 1)
        if offsets[layer] > 1:
            fail(f"a layer takes call {ref.node} of {ref.layer[:80]!r}, which has fewer calls")
    return offsets


def _sort(
    nodes: Sequence[tuple[int, int]],
    sources: dict[tuple[int, int], tuple[OutputIndex, ...]],
    fail: Fail,
) -> list[tuple[int, int]]:
    waiting = {node: len({(i, n) for i, n, _ in sources[node]}) for node in nodes}
    users: dict[tuple[int, int], list[tuple[int, int]]] = {node: [] for node in nodes}
    for node in nodes:
        for source in {(i, n) for i, n, _ in sources[node]}:
            users[source].append(node)
    ready = [node for node in nodes if not waiting[node]]
    heapq.heapify(ready)
    ordered: list[tuple[int, int]] = []
    while ready:
        node = heapq.heappop(ready)
        ordered.append(node)
        for user in users[node]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, user)
    if len(ordered) < len(nodes):
        fail("the layer graph has a cycle")
    return ordered
