"""What operations of a graph take, and the layer that several of them are."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from modelaudit.facts import Artifact, Format, Graph, GraphNode, Json, Shape, Tensor
from modelaudit.formats.graph.dataflow import GraphWalker, NodeOutput
from modelaudit.rules.plain_graphs.constants import axes, constant, stored_weights
from modelaudit.structs import replace


class OperationGroup(Struct, frozen=True):
    """What one layer computes.

    Attributes:
        sources: its inputs.
        route: the route of its kernel, if it has one.
        known: whether the operations are those of a layer of Keras with this config.
    """

    class_name: str
    sources: tuple[NodeOutput, ...]
    config: Mapping[str, Json] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    route: str = ""
    known: bool = True


class GraphReader:
    """Looks backwards from the operations of one graph."""

    def __init__(self, artifact: Artifact, graph: Graph) -> None:
        weights = stored_weights(artifact, graph)
        if artifact.format is Format.TFJS_GRAPH:
            graph = _without_values(graph, weights)
        self.walker = GraphWalker(graph, weights)
        self.kernels = {kernel.tensor: kernel for kernel in artifact.kernels}
        self.tensors = {tensor.name: tensor for tensor in artifact.tensors}

    def source(self, place: NodeOutput, index: int = 0) -> NodeOutput | None:
        """What computes an input of an operation."""
        given = _given(place, index)
        return self.walker.value(place.frame, given) if given else None

    def shape(self, place: NodeOutput | None) -> Shape | None:
        """The shape of a value, if the graph says it."""
        return self.walker.shape(place) if place is not None else None

    def sources(self, place: NodeOutput) -> tuple[NodeOutput, ...]:
        """What computes its inputs, constants included."""
        found = (self.walker.value(place.frame, x) for x in place.node.inputs if x[:1] != "^")
        return tuple(each for each in found if each is not None)

    def stored(self, place: NodeOutput, index: int) -> Tensor | None:
        """The stored tensor that an operation takes."""
        given = _given(place, index)
        name = self.walker.weight(place.frame, given) if given else None
        return self.tensors.get(name) if name else None

    def axes(self, place: NodeOutput, index: int) -> tuple[int, ...] | None:
        """Axes or sizes that an operation takes as a constant."""
        given = _given(place, index)
        return axes(self.walker, place.frame, given) if given else None

    def numbers(self, place: NodeOutput, index: int) -> tuple[float, ...] | None:
        """Numbers that an operation takes as a constant."""
        given = _given(place, index)
        return constant(self.walker, place.frame, given) if given else None

    def computed(self, place: NodeOutput) -> bool:
        """Whether a value is computed, not stored."""
        stored = place.frame is self.walker.main and place.node.name in self.walker.tensors
        return not stored and place.node.op not in {"Const", "VarHandleOp"}


def _without_values(graph: Graph, stored: Mapping[str, str]) -> Graph:
    """The graph of TensorFlow.js, whose constants are in other files and look like zeros here."""

    def unknown(node: GraphNode) -> GraphNode:
        value = node.attrs.get("value")
        if node.name not in stored or not isinstance(value, Mapping):
            return node
        return replace(node, attrs={**node.attrs, "value": {**value, "value": None}})

    return replace(graph, nodes=tuple(map(unknown, graph.nodes)))


def _given(place: NodeOutput, index: int) -> str:
    """The reference of an input; "" if there is none."""
    given = [each for each in place.node.inputs if not each.startswith("^")]
    return given[index] if index < len(given) else ""
