"""The heads of a model without a Keras config, from the operations of its graph."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.values import number
from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.facts import Artifact, Format, Graph, GraphNode, Json, Layer
from modelaudit.formats.graph.dataflow import GraphWalker, NodeOutput, node_name
from modelaudit.formats.graph.losses import cross_entropies
from modelaudit.rules.network.network_heads import POSITIVE, HeadStep, NetworkHead
from modelaudit.rules.plain_graphs.architecture import layer_scope
from modelaudit.structs import PerObject, replace

_ACTIVATIONS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Relu6": "relu",
    "LeakyRelu": "leaky_relu",
    "Elu": "elu",
    "Selu": "selu",
    "Tanh": "tanh",
    "Softplus": "softplus",
}
_NORMALIZATIONS = frozenset(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"))
_BIASES = frozenset(("BiasAdd", "Add", "AddV2"))
_WEIGHTS = frozenset(("MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative"))
_RESHAPES = frozenset(("Reshape", "Squeeze"))
_MOST = 32  # operations behind the last weights
# Operations that give no output of a model, although nothing takes their result.
_NO_OUTPUT = frozenset(("NoOp", "Const", "Placeholder", "Assert", "Assign"))


def _read(artifact: Artifact) -> list[NetworkHead]:
    found: dict[str, NetworkHead] = {}
    for graph in artifact.graphs:
        if graph.held_by:
            continue
        walker = GraphWalker(graph, {})
        read: list[GraphNode] = []  # signatures often give the same outputs
        for reference, units in output_references(artifact, graph):
            try:
                end = walker.value(walker.main, reference)
                if end is None or any(end.node is each for each in read):
                    continue
                head = _head(walker, end, units)
            except WorkSpent:
                raise
            except LimitExceeded:
                break
            if head is not None:
                read.append(end.node)
                found.setdefault(head.route, head)
        for loss in cross_entropies(graph):
            try:
                head = _head(walker, walker.value(walker.main, loss.inputs[0]), None)
            except WorkSpent:
                raise
            except LimitExceeded:
                break
            if head is not None:  # the loss applies the softmax; towers may share the layer
                step = HeadStep(Layer(loss.name, loss.name, "Softmax"), "softmax")
                found.setdefault(
                    f"{head.route}/loss",
                    replace(head, route=loss.name, steps=(*head.steps, step)),
                )
    return [*found.values()]


graph_heads = PerObject(_read)
"""The heads of the outputs of all signatures, of a frozen graph, and of losses over classes.

`layer.class_name` is the operation, but `BatchNormalization` for a fused one.
"""


def output_references(artifact: Artifact, graph: Graph) -> Iterator[tuple[str, int | None]]:
    """References of the outputs, and the size of their last axis."""
    for signature in artifact.signatures:
        for endpoint in signature.outputs if signature.tags == graph.tags else ():
            yield endpoint.tensor, endpoint.shape[-1] if endpoint.shape else None
    if artifact.format is Format.FROZEN_GRAPH:
        taken = {node_name(ref) for node in graph.nodes for ref in node.inputs}
        for node in graph.nodes:
            if node.name not in taken and node.op not in _NO_OUTPUT:
                yield node.name, None


def _head(walker: GraphWalker, place: NodeOutput | None, units: int | None) -> NetworkHead | None:
    behind: list[HeadStep] = []
    width, kept = None, True
    for _ in range(_MOST):
        if place is None or not place.node.inputs:
            return None
        op = place.node.op
        if op in _BIASES | _WEIGHTS:
            width = width or _width(walker, place)
            if op in _WEIGHTS:
                # Behind a reshape, the last axis is another one: of positions, not of channels.
                size = (units or width) if kept else None
                window: dict[str, Json] = {"kernel_size": _shape(walker, place)[:-2]}
                weights = replace(_layer(place, op), config=window if "Conv" in op else {})
                steps = (HeadStep(weights), *reversed(behind))
                last = steps[-1].layer
                return NetworkHead(last.route, last, size, steps)
        elif op in _ACTIVATIONS or op in _NORMALIZATIONS or _normalizes(walker, place):
            name = op if op in _ACTIVATIONS else "BatchNormalization"
            behind.append(HeadStep(_layer(place, name), _ACTIVATIONS.get(op, "")))
        elif (limit := _limit(walker, place)) is not None:
            capped = op == "Minimum"
            config: dict[str, Json] = {"max_value": limit} if capped else {}
            layer = replace(_layer(place, "ReLU"), config=config)
            # A limit from above alone, as of scores, takes no negative values away.
            relu = not capped or _positive(walker, walker.value(place.frame, place.node.inputs[0]))
            behind.append(HeadStep(layer, "relu" if relu else "linear"))
        elif op in _RESHAPES:
            kept = False
        else:
            return None
        place = walker.value(place.frame, place.node.inputs[0])
    return None


def _normalizes(walker: GraphWalker, place: NodeOutput) -> bool:
    """Whether it multiplies by gamma and the inverse root of a variance, as `batch_normalization`."""
    scale: NodeOutput | None = place
    for index in (1, 0):
        if scale is None or scale.node.op != "Mul" or len(scale.node.inputs) < 2:
            return False
        scale = walker.value(scale.frame, scale.node.inputs[index])
        if scale is not None and scale.node.op == "Rsqrt":
            return True
    return False


def _limit(walker: GraphWalker, place: NodeOutput) -> float | None:
    """The limit of a clipping; None if it is none, or none of a ReLU: from 0 up, or up to more."""
    if place.node.op not in {"Minimum", "Maximum"} or len(place.node.inputs) < 2:
        return None
    held = walker.value(place.frame, place.node.inputs[1])
    value = held.node.attrs.get("value") if held is not None else None
    kept = value.get("value") if isinstance(value, dict) else None
    found = number(kept[0]) if isinstance(kept, list) and len(kept) == 1 else None
    if found is None or (place.node.op == "Maximum" and found != 0) or found < 0:
        return None
    return found


def _positive(walker: GraphWalker, place: NodeOutput | None) -> bool:
    """Whether an operation gives no negative values."""
    if place is None:
        return False
    least = place.node.op == "Maximum" and _limit(walker, place) is not None
    return least or _ACTIVATIONS.get(place.node.op) in POSITIVE


def _layer(place: NodeOutput, class_name: str) -> Layer:
    scope = layer_scope(place.node.name).rpartition("/")[2]  # no name of a layer has a slash
    return Layer(place.node.name, scope or place.node.name, class_name)


def _width(walker: GraphWalker, place: NodeOutput) -> int | None:
    """Size of the last axis of the bias or kernel that an operation applies."""
    shape = _shape(walker, place)
    return shape[-1] if shape and isinstance(shape[-1], int) else None


def _shape(walker: GraphWalker, place: NodeOutput) -> list[Json]:
    """The shape of the bias or kernel that an operation applies; empty where it is not known."""
    if len(place.node.inputs) < 2 or place.node.attrs.get("transpose_b"):
        return []
    held = walker.value(place.frame, place.node.inputs[1])
    if held is None:
        return []
    value: Json = held.node.attrs.get("value", held.node.attrs.get("shape"))
    shape = value.get("shape") if isinstance(value, dict) else value
    return shape if isinstance(shape, list) else []
