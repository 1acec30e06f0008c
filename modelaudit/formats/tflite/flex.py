"""Operations of TensorFlow in a TensorFlow Lite model, as a graph.

A converter that may select TensorFlow's operations stores each as a custom operator whose options
are a FlexBuffer (https://flatbuffers.dev/flexbuffers): a vector of the operation's name and of its
serialized NodeDef.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence, Set

from modelaudit.errors import ReadError
from modelaudit.facts import Graph, GraphNode, Problem, Tensor
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.tflite.flatbuffer import FlatTable
from modelaudit.graphs import LiteSubgraph, LiteTensor
from modelaudit.settings import Limits
from modelaudit.structs import replace

_MOST_BYTES = 1 << 20  # of an operation's attributes
_MOST_PLACES = 10_000  # of outputs, in all
_VECTOR, _STRING = 10, 5
_WIDTHS = {1: "B", 2: "<H", 4: "<I", 8: "<Q"}


def node_def(options: bytes) -> bytes:
    """The serialized NodeDef in the options of a Flex operator; b"" if there is none.

    The last byte of a FlexBuffer is the width of its root, and the one before the root's type: the
    kind, times 4, plus the logarithm of its elements' width. A vector has its length before its
    elements and their types behind them; an element of a vector or text is the distance back to it.
    """
    if len(options) < 3:
        return b""
    kind, width = options[-2], options[-1]
    try:
        if kind >> 2 != _VECTOR:
            return b""
        at, size = _back(options, len(options) - 2 - width, width), 1 << (kind & 3)
        count = _number(options, at - size, size)
        types = options[at + count * size : at + count * size + count]
        if count < 2 or len(types) != count or types[1] >> 2 != _STRING:
            return b""
        start = _back(options, at + size, size)
        wide = 1 << (types[1] & 3)
        length = _number(options, start - wide, wide)
    except (IndexError, KeyError, struct.error):
        return b""
    return options[start : start + length] if start + length <= len(options) else b""


def _number(data: bytes, at: int, width: int) -> int:
    if at < 0:
        raise IndexError(at)
    value: int = struct.unpack_from(_WIDTHS[width], data, at)[0]
    return value


def _back(data: bytes, at: int, width: int) -> int:
    target = at - _number(data, at, width)
    if target < 0:
        raise IndexError(target)
    return target


def flex_graph(
    model: FlatTable,
    graphs: Sequence[LiteSubgraph],
    constants: Mapping[str, Tensor],
    limits: Limits,
) -> tuple[Graph | None, list[Problem]]:
    """The operations that TensorFlow runs, and where their inputs come from; None without any.

    Operators of TensorFlow Lite are IdentityN: each runs, and only passes on what it is given.
    """
    if not any(operator.flex for graph in graphs for operator in graph.operators):
        return None, []
    nodes: list[GraphNode] = []
    problems: list[Problem] = []
    taken: set[str] = set()
    for table, graph in zip(model.tables("subgraphs"), graphs, strict=True):
        own = [*_nodes(table, graph, constants, limits, problems, taken)]
        taken |= {node.name for node in own}
        nodes += own
    return Graph((), tuple(nodes)), problems


def _nodes(
    table: FlatTable,
    graph: LiteSubgraph,
    constants: Mapping[str, Tensor],
    limits: Limits,
    problems: list[Problem],
    taken: Set[str],
) -> Iterator[GraphNode]:
    """The operations of one subgraph; names that earlier subgraphs have begin with its own."""
    makers = {
        out: f"{graph.name}/{i}:{place}"
        for i, operator in enumerate(graph.operators)
        for place, out in enumerate(operator.outputs)
    }
    used = {index for operator in graph.operators for index in operator.inputs}
    inputs_of_graph = {*graph.inputs}
    read: dict[tuple[int, int], GraphNode | None] = {}
    for index in sorted(used - {*makers, -1}):
        tensor = graph.tensors[index]
        given = index in inputs_of_graph
        name = _node_name(tensor)[0]
        own = given and name not in taken
        makers[index] = name if own else f"{graph.name}/tensor {index}"
        yield _source(makers[index], tensor, constants)
    for i, (operator, stored) in enumerate(
        zip(graph.operators, table.tables("operators"), strict=True)
    ):
        inputs = tuple(makers[index] for index in operator.inputs if index in makers)
        name = f"{graph.name}/{i}"
        if not operator.flex:
            yield GraphNode(name, "IdentityN", inputs)
            continue
        span = stored.span("custom_options")
        if span and span not in read:  # operators may share their options
            data = stored.buffer.read(*span) if span[1] <= _MOST_BYTES else b""
            try:
                read[span] = _node(node_def(data), stored.buffer.file, limits)
            except ReadError as error:
                read[span] = None
                problems.append(problem_of(error, route=name))
        node = read.get(span) if span else None
        if node is None:
            yield GraphNode(name, operator.flex, inputs)
        else:
            yield replace(node, name=name, inputs=inputs)
    yield from _results(graph, makers, taken)


def _results(
    graph: LiteSubgraph, makers: Mapping[int, str], others: Set[str]
) -> Iterator[GraphNode]:
    """Nodes whose outputs have the names of the subgraph's outputs, which signatures refer to."""
    found: dict[str, dict[int, str]] = {}
    for index in graph.outputs:
        if index in makers:
            name, place = _node_name(graph.tensors[index])
            found.setdefault(name, {})[place] = makers[index]
    taken, left = {*makers.values(), *others}, _MOST_PLACES
    for name, places in found.items():
        first = min(places)
        last = min(max(places), left)  # names come from the file
        left -= last
        inputs = tuple(places.get(i, places[first]) for i in range(last + 1))
        if name not in taken:
            yield GraphNode(name, "IdentityN", inputs)


def _node_name(tensor: LiteTensor) -> tuple[str, int]:
    """Name of the operation, and place among its outputs, of a tensor as converters name it."""
    name, _, place = tensor.name.rpartition(":")
    return (name, int(place)) if name and place.isdecimal() else (tensor.name, 0)


def _node(data: bytes, file: str, limits: Limits) -> GraphNode | None:
    """The operation in a NodeDef, without a name and inputs, which are those of its operator."""
    if not data:
        return None
    from modelaudit.formats.graph.graph_def import NodeAttributes  # imports protobuf
    from modelaudit.formats.graph.parse import parse
    from modelaudit.formats.graph.protos import saved_messages_pb2 as pb

    message = parse(pb.NodeDef, data, file, limits)
    return GraphNode("", message.op, (), NodeAttributes(message), message.device)


def _source(name: str, tensor: LiteTensor, constants: Mapping[str, Tensor]) -> GraphNode:
    constant = constants.get(tensor.constant)
    if constant is None:
        return GraphNode(name, "Placeholder", ())
    return GraphNode(
        name, "Const", (), {"value": {"dtype": constant.dtype, "shape": [*constant.shape]}}
    )
