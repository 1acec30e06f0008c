"""Conversion of GraphDef messages to `facts.Graph`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Graph, GraphFunction, GraphNode, Json
from modelaudit.formats.graph.attr_values import attr_json
from modelaudit.formats.graph.message_bytes import canonical
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.wire import BYTES, WireError, varint
from modelaudit.formats.io.density import EDGES, LONGEST_NAME, NODES
from modelaudit.settings import Limits
from modelaudit.work_budget import spend

# Collections of nodes that a TF1 loader, or any import of the MetaGraph, runs first.
_INITIALISERS = (
    *("saved_model_main_op", "legacy_init_op", "table_initializer", "init_op", "local_init_op"),
    *("ready_op", "ready_for_local_init_op"),
)
_EDGES = (3 << 3 | BYTES, 5 << 3 | BYTES)  # begin each input and each attribute of a node

T = TypeVar("T")


class NodeAttributes(Mapping[str, Json]):
    """Attributes of a node as JSON, converted on access.

    A graph has tens of thousands of nodes, and rules read few attributes of few nodes.
    """

    __slots__ = ("_node",)

    def __init__(self, node: pb.NodeDef) -> None:
        self._node = node

    def __getitem__(self, key: str) -> Json:
        attributes = self._node.attr
        if key not in attributes:  # access to a missing key would add it to the message
            raise KeyError(key)
        return attr_json(attributes[key])

    @overload
    def get(self, key: str, /) -> Json: ...

    @overload
    def get(self, key: str, /, default: Json) -> Json: ...

    @overload
    def get(self, key: str, /, default: T) -> Json | T: ...

    def get(self, key: str, /, default: object = None) -> object:
        """The attribute, without an exception for one that is missing, as most are."""
        attributes = self._node.attr
        return attr_json(attributes[key]) if key in attributes else default

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._node.attr

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._node.attr))

    def __len__(self) -> int:
        return len(self._node.attr)

    def __repr__(self) -> str:
        return repr(dict(self))


def graph_facts(
    message: pb.GraphDef,
    file: str,
    limits: Limits,
    tags: tuple[str, ...] = (),
    meta: pb.MetaGraphDef | None = None,
    held_by: str = "",
) -> Graph:
    """Convert a GraphDef, with the information in its MetaGraph if there is one.

    Args:
        message: the graph.
        file: file name for errors.
        limits: `graph_nodes` limits the number of functions, assets and nodes, also in functions.
        tags: tags of the MetaGraph.
        meta: source of saver, collections and assets.
        held_by: route of the constant that contains the graph, for nested graphs.

    Raises:
        LimitExceeded: too many nodes, a function whose name is too long, or the audit has taken its
            work.
    """
    spend()
    library = message.library.function
    count = node_count(message) + (len(meta.asset_file_def) if meta else 0)
    data = canonical(meta or message)
    size = len(data)
    NODES.check(count, size, limits, file)
    if sum(map(data.count, _EDGES)) > EDGES.most(size, limits)[0]:
        EDGES.check(_edge_count(message), size, limits, file)
    del data
    longest = max((len(each.signature.name) for each in library), default=0)
    if longest > LONGEST_NAME:
        raise LimitExceeded(file, "letters of a function's name", longest, LONGEST_NAME)
    versioned = message.HasField("versions")
    return Graph(
        tags=tags,
        nodes=_nodes(message.node),
        functions={function.signature.name: _function(function) for function in library},
        repeated=_repeated([function.signature.name for function in library]),
        producer=message.versions.producer if versioned else message.version or None,
        min_consumer=message.versions.min_consumer if versioned else None,
        saver=_saver(meta) if meta else {},
        init_ops=_init_ops(meta) if meta else (),
        assets=_assets(meta) if meta else {},
        trainable=_listed(meta, "trainable_variables") if meta else (),
        variables=_listed(meta, "variables") if meta else (),
        held_by=held_by,
    )


def node_count(message: pb.GraphDef) -> int:
    """Functions and nodes, including the nodes of functions."""
    library = message.library.function
    return len(message.node) + sum(1 + len(function.node_def) for function in library)


def _edge_count(message: pb.GraphDef) -> int:
    """Inputs and attributes of all nodes."""
    places = (message.node, *(function.node_def for function in message.library.function))
    return sum(len(node.input) + len(node.attr) for nodes in places for node in nodes)


def _nodes(messages: Iterable[pb.NodeDef]) -> tuple[GraphNode, ...]:
    return tuple(
        GraphNode(node.name, node.op, tuple(node.input), NodeAttributes(node), node.device)
        for node in messages
    )


def _function(message: pb.FunctionDef) -> GraphFunction:
    signature = message.signature
    return GraphFunction(
        name=signature.name,
        args=tuple(argument.name for argument in signature.input_arg),
        nodes=_nodes(message.node_def),
        returns={
            output.name: message.ret[output.name]
            for output in signature.output_arg
            if output.name in message.ret
        },
    )


def _repeated(names: list[str]) -> tuple[str, ...]:
    return tuple(name for name, count in Counter(names).items() if count > 1)


def _saver(meta: pb.MetaGraphDef) -> dict[str, Json]:
    if not meta.HasField("saver_def"):
        return {}
    saver = meta.saver_def
    return {
        "filename_tensor_name": saver.filename_tensor_name,
        "save_tensor_name": saver.save_tensor_name,
        "restore_op_name": saver.restore_op_name,
        "version": saver.version,
        "sharded": saver.sharded,
    }


def packed_asset(message: pb.Any) -> pb.AssetFileDef | None:
    """The AssetFileDef in an `Any`, from the binary or the text format; None for other types."""
    if not message.type_url:
        return message.asset_file_def if message.HasField("asset_file_def") else None
    if not message.type_url.endswith("AssetFileDef"):
        return None
    try:
        return parse(pb.AssetFileDef, message.value, "", Limits())
    except ReadError:
        return None


def _assets(meta: pb.MetaGraphDef) -> dict[str, str]:
    """Tensor -> file name, from `asset_file_def` and from TF1's collection."""
    assets = list(meta.asset_file_def)
    if "saved_model_assets" in meta.collection_def:
        packed = meta.collection_def["saved_model_assets"].any_list.value
        assets.extend(asset for asset in map(packed_asset, packed) if asset)
    return {asset.tensor_info.name: asset.filename for asset in assets}


def _listed(meta: pb.MetaGraphDef, collection: str) -> tuple[str, ...]:
    """Names in a collection of TF1's serialized VariableDefs, whose first field is the name."""
    if collection not in meta.collection_def:
        return ()
    found = []
    for packed in meta.collection_def[collection].bytes_list.value:
        try:
            key, start = varint(packed, 0)
            size, start = varint(packed, start)
        except WireError:
            continue
        if key == 1 << 3 | BYTES:
            name = packed[start : start + size].decode("utf-8", "replace")
            found.append(name.partition(":")[0])
    return tuple(found)


def _init_ops(meta: pb.MetaGraphDef) -> tuple[str, ...]:
    """Nodes that a loader runs, and functions that it calls to create and initialise resources."""
    names: list[str] = []
    for collection in _INITIALISERS:
        if collection in meta.collection_def:
            names.extend(meta.collection_def[collection].node_list.value)
    if "__saved_model_init_op" in meta.signature_def:
        outputs = meta.signature_def["__saved_model_init_op"].outputs
        names.extend(info.name.split(":")[0] for info in outputs.values())
    objects = meta.object_graph_def.nodes
    for node in objects:
        for child in node.children:
            runs = child.local_name in ("_create_resource", "_initialize", "initializer")
            if runs and 0 <= child.node_id < len(objects):
                target = objects[child.node_id]
                names.extend(target.function.concrete_functions)
                names.append(target.bare_concrete_function.concrete_function_name)
    return tuple(dict.fromkeys(name for name in names if name))
