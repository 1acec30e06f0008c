"""The MetaGraphs of a SavedModel: graphs, signatures, versions, who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import (
    Endpoint,
    Graph,
    Json,
    ObjectNode,
    Problem,
    ProblemKind,
    Provenance,
    Signature,
)
from modelaudit.formats.checkpoint.object_graph import saved_objects
from modelaudit.formats.graph.attr_values import dims
from modelaudit.formats.graph.graph_def import graph_facts, packed_asset
from modelaudit.formats.graph.nested_graphs import nested_graphs
from modelaudit.formats.graph.parse import parse, parse_text
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.tf_dtypes import dtype_name
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.formats.saved_model.files import BINARY, SPLIT, SPLIT_UNREAD, TEXT
from modelaudit.settings import Limits

# Signatures that are no calls but name what a loader runs; see `Graph.init_ops`.
_INTERNAL = frozenset({"__saved_model_init_op", "__saved_model_train_op"})

_Own: TypeAlias = Literal["asset_file_def", "unpacked_any"]
_OWN: tuple[_Own, ...] = ("asset_file_def", "unpacked_any")  # of our schema, for text


def read_message(paths: Mapping[str, Path], limits: Limits) -> tuple[pb.SavedModel, str]:
    """The SavedModel message and the name of its file; the binary one where both are there.

    Raises:
        ReadError: `missing-file`, or the file is no SavedModel.
    """
    for file in (BINARY, TEXT):
        if file in paths:
            return _message(paths, file, limits), file
    reason = "neither this nor saved_model.pbtxt is there"
    if SPLIT in paths:
        reason += f"; TensorFlow does not load {SPLIT}: {SPLIT_UNREAD}"
    raise ReadError(ProblemKind.MISSING_FILE, BINARY, reason)


def _message(
    paths: Mapping[str, Path], file: str, limits: Limits, *, skip: bool = True
) -> pb.SavedModel:
    data = read_bytes(paths[file], limits.proto_bytes, file, "proto_bytes")
    if not data:
        raise ReadError(ProblemKind.EMPTY, file, "0 bytes")
    if file == BINARY:
        return parse(pb.SavedModel, data, file, limits)
    return parse_text(pb.SavedModel, data, file, limits, skip=skip)


def second_graph(
    paths: Mapping[str, Path], message: pb.SavedModel, file: str, limits: Limits
) -> list[Problem]:
    """What is wrong where a text lies beside the binary message `message` that is read.

    TensorFlow passes over the text. Other tools, people, and TensorFlow where the binary file gets
    lost do not, so it has to say the same, in every field of TensorFlow's. Evidence has
    `saved_model` = differs, and `ops`, the kinds of operation that only the text has. Fields that
    are not known here, and packed messages that stand unpacked in the text, cannot be compared:
    `unsupported`.
    """
    if file == TEXT or TEXT not in paths:
        return []
    try:
        other, known = _text(paths, limits)
    except ReadError as error:
        return [Problem(ProblemKind(error.kind), TEXT, error.reason)]
    mine, theirs = _copy(message, _OWN), _copy(other)
    for here, there in zip(_packed(mine), _packed(theirs), strict=False):
        if there.HasField("unpacked_any") and not here.HasField("asset_file_def"):
            known = False
            here.Clear()
            there.Clear()
    if mine.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True):
        reason = f"has parts that are not known here, and not compared with those of {file}"
        return [] if known else [Problem(ProblemKind.UNSUPPORTED, TEXT, reason)]
    ops = sorted(_ops(other) - _ops(message))
    added = f"; only this one has {', '.join(ops[:16])}" if ops else ""
    detail = f"says something else than {file}, which TensorFlow loads{added}"
    evidence: dict[str, Json] = {"saved_model": "differs", "ops": [*ops[:64]]}
    return [Problem(ProblemKind.DUPLICATE_MEMBER, TEXT, detail, evidence=evidence)]


def _text(paths: Mapping[str, Path], limits: Limits) -> tuple[pb.SavedModel, bool]:
    """The message in the text, and whether our schema knows all of it.

    Raises:
        ReadError: it is no SavedModel.
    """
    try:
        return _message(paths, TEXT, limits, skip=False), True
    except LimitExceeded:
        raise
    except ReadError:
        return _message(paths, TEXT, limits), False


def _copy(message: pb.SavedModel, less: Sequence[_Own] = ()) -> pb.SavedModel:
    """What both forms can say of a message, in one way: text has an asset unpacked in its `Any`.

    Args:
        message: read from either.
        less: fields of packed messages that count for nothing, since TensorFlow does not know them.
    """
    copy = pb.SavedModel()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    for packed in _packed(copy):
        for name in less:
            packed.ClearField(name)
        if asset := packed_asset(packed):
            packed.Clear()
            packed.asset_file_def.CopyFrom(asset)
    return copy


def _packed(message: pb.SavedModel) -> Iterator[pb.Any]:
    """Every packed message, in an order that two that say the same have in common."""
    for meta in message.meta_graphs:
        if meta.meta_info_def.HasField("any_info"):
            yield meta.meta_info_def.any_info
        for _, collection in sorted(meta.collection_def.items()):
            yield from collection.any_list.value
        for node in meta.object_graph_def.nodes:
            if node.HasField("serialized_user_proto"):
                yield node.serialized_user_proto


def _ops(message: pb.SavedModel) -> set[str]:
    found: set[str] = set()
    for meta in message.meta_graphs:
        found.update(node.op for node in meta.graph_def.node)
        for function in meta.graph_def.library.function:
            found.update(node.op for node in function.node_def)
    return found


def read_graphs(
    message: pb.SavedModel, file: str, limits: Limits
) -> tuple[tuple[Graph, ...], list[Problem]]:
    """Each MetaGraph's graph, in order, then the graphs that string constants hold."""
    graphs: list[Graph] = []
    nested: list[Graph] = []
    problems: list[Problem] = []
    for meta in message.meta_graphs:
        tags = tuple(meta.meta_info_def.tags)
        try:
            graphs.append(graph_facts(meta.graph_def, file, limits, tags, meta))
            nested.extend(nested_graphs(meta.graph_def, file, limits))
        except ReadError as error:
            route = f"meta_graphs/{','.join(tags)}"
            problems.append(Problem(ProblemKind(error.kind), file, error.reason, route))
    if not message.meta_graphs:
        problems.append(Problem(ProblemKind.CORRUPT, file, "a SavedModel without any MetaGraph"))
    return (*graphs, *nested), problems


def read_objects(message: pb.SavedModel, file: str) -> tuple[ObjectNode, ...]:
    """The object graph; () for a TF1 SavedModel, which has none or an empty root.

    Raises:
        ReadError: references point outside of it.
    """
    for meta in message.meta_graphs:
        if len(meta.object_graph_def.nodes) > 1:
            return saved_objects(meta.object_graph_def, file)
    return ()


def read_signatures(message: pb.SavedModel) -> tuple[Signature, ...]:
    """Every signature of every MetaGraph, sorted by name within it."""
    return tuple(
        Signature(
            name=name,
            method=signature.method_name,
            inputs=tuple(_endpoints(signature.inputs)),
            outputs=tuple(_endpoints(signature.outputs)),
            tags=tuple(meta.meta_info_def.tags),
        )
        for meta in message.meta_graphs
        for name, signature in sorted(meta.signature_def.items())
        if name not in _INTERNAL
    )


def _endpoints(infos: Mapping[str, pb.TensorInfo]) -> Iterator[Endpoint]:
    for name, info in sorted(infos.items()):
        for part, tensor in _tensors(name, info):
            shape = dims(tensor.tensor_shape) if tensor.HasField("tensor_shape") else None
            yield Endpoint(part, _tensor_of(tensor), dtype_name(tensor.dtype), shape)


def _tensors(name: str, info: pb.TensorInfo) -> Iterator[tuple[str, pb.TensorInfo]]:
    """A composite (ragged, sparse) endpoint as its component tensors."""
    if info.WhichOneof("encoding") != "composite_tensor":
        yield name, info
        return
    for index, component in enumerate(info.composite_tensor.components):
        yield f"{name}/{index}", component


def _tensor_of(info: pb.TensorInfo) -> str:
    sparse = info.WhichOneof("encoding") == "coo_sparse"
    return info.coo_sparse.values_tensor_name if sparse else info.name


def read_provenance(
    meta: pb.MetaGraphDef,
    graph: Graph | None,
    objects: tuple[ObjectNode, ...],
    is_keras: bool,
) -> Provenance:
    """Versions as the MetaGraph gives them, and which exporter wrote it by its shape."""
    info = meta.meta_info_def
    return Provenance(
        tensorflow=info.tensorflow_version or None,
        tensorflow_git=info.tensorflow_git_version or None,
        producer=graph.producer if graph else None,
        min_consumer=graph.min_consumer if graph else None,
        exporter=_exporter(info, objects, is_keras),
    )


def _exporter(
    info: pb.MetaGraphDef.MetaInfoDef, objects: tuple[ObjectNode, ...], is_keras: bool
) -> str:
    if is_keras:
        return "keras2-save"
    if objects:
        # ExportArchive's own attributes; Keras 2 from 2.13 on has the class too.
        children = objects[0].children.keys()
        return "keras3-export" if "_all_variables" in children else "tf-module"
    return "tf1-builder" if info.tensorflow_version else "unknown"
