"""MetaGraphs of a SavedModel: graphs, signatures, versions and exporter."""

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
from modelaudit.formats.graph.message_bytes import byte_size, canonical
from modelaudit.formats.graph.nested_graphs import nested_graphs
from modelaudit.formats.graph.parse import parse, parse_text
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.tf_dtypes import dtype_name
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.formats.io.density import ENDPOINTS, NODES
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.saved_model.files import BINARY, SPLIT, SPLIT_UNREAD, TEXT
from modelaudit.settings import Limits

# Signatures that are not functions of the model but name init ops; see `Graph.init_ops`.
_INTERNAL = frozenset({"__saved_model_init_op", "__saved_model_train_op"})

_Own: TypeAlias = Literal["asset_file_def", "unpacked_any"]
_OWN: tuple[_Own, ...] = ("asset_file_def", "unpacked_any")  # of this package's schema, for text


def read_message(paths: Mapping[str, Path], limits: Limits) -> tuple[pb.SavedModel, str]:
    """Read the SavedModel message; return it and its file name. The binary file has priority.

    Raises:
        ReadError: `missing-file`, or the file is not a SavedModel.
    """
    for file in (BINARY, TEXT):
        if file in paths:
            return _message(paths, file, limits), file
    reason = "neither this file nor saved_model.pbtxt exists"
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
    """Compare `saved_model.pbtxt` with the binary message, if there are both.

    TensorFlow ignores the text file, but other tools and people read it, and so does TensorFlow if
    the binary file is lost. Thus all fields of TensorFlow's schema must be equal. Evidence has
    `saved_model` = differs, and `ops`, the operations that only the text contains. Unknown fields,
    and `Any` messages in expanded form, cannot be compared and are reported as `unsupported`.
    """
    if file == TEXT or TEXT not in paths:
        return []
    try:
        other, known = _text(paths, limits)
    except ReadError as error:
        return [problem_of(error, TEXT)]
    mine, theirs = _copy(message, _OWN), _copy(other)
    for here, there in zip(_packed(mine), _packed(theirs), strict=False):
        if there.HasField("unpacked_any") and not here.HasField("asset_file_def"):
            known = False
            here.Clear()
            there.Clear()
    if canonical(mine) == canonical(theirs):
        reason = f"has fields of an unknown schema, which are not compared with {file}"
        return [] if known else [Problem(ProblemKind.UNSUPPORTED, TEXT, reason)]
    ops = sorted(_ops(other) - _ops(message))
    added = f"; only the text contains {', '.join(ops[:16])}" if ops else ""
    detail = f"differs from {file}, which TensorFlow loads instead{added}"
    evidence: dict[str, Json] = {"saved_model": "differs", "ops": [*ops[:64]]}
    return [Problem(ProblemKind.DUPLICATE_MEMBER, TEXT, detail, evidence=evidence)]


def _text(paths: Mapping[str, Path], limits: Limits) -> tuple[pb.SavedModel, bool]:
    """The message in the text file, and whether all of its fields are known.

    Raises:
        ReadError: the file is not a SavedModel.
    """
    try:
        return _message(paths, TEXT, limits, skip=False), True
    except LimitExceeded:
        raise
    except ReadError:
        return _message(paths, TEXT, limits), False


def _copy(message: pb.SavedModel, less: Sequence[_Own] = ()) -> pb.SavedModel:
    """A normalised copy for comparison; in text, an `Any` can contain an asset in expanded form.

    Args:
        message: the message from either file.
        less: fields of packed messages to drop, since TensorFlow does not know them.
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
    """All packed messages, in an order that is the same for equal messages."""
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


_MOST_GRAPHS = 20  # a model has one or two, and rules compare each with all signatures


def read_graphs(
    message: pb.SavedModel, file: str, limits: Limits
) -> tuple[tuple[Graph, ...], list[Problem]]:
    """The graph of each MetaGraph in order, followed by graphs nested in their strings."""
    graphs: list[Graph] = []
    nested: list[Graph] = []
    problems: list[Problem] = []
    if len(message.meta_graphs) > _MOST_GRAPHS:
        detail = f"{len(message.meta_graphs):,} MetaGraphs; those after {_MOST_GRAPHS} are not read"
        problems.append(Problem(ProblemKind.LIMIT_EXCEEDED, file, detail))
    for meta in message.meta_graphs[:_MOST_GRAPHS]:
        tags = tuple(meta.meta_info_def.tags)
        try:
            graphs.append(graph_facts(meta.graph_def, file, limits, tags, meta))
            nested.extend(nested_graphs(meta.graph_def, file, limits))
        except ReadError as error:
            route = f"meta_graphs/{','.join(tags)}"
            problems.append(problem_of(error, file, route))
    if not message.meta_graphs:
        problems.append(Problem(ProblemKind.CORRUPT, file, "a SavedModel without any MetaGraph"))
    return (*graphs, *nested), problems


def read_objects(message: pb.SavedModel, file: str, limits: Limits) -> tuple[ObjectNode, ...]:
    """The object graph; () for a TF1 SavedModel, which has none or only an empty root.

    Raises:
        ReadError: a reference points outside the object graph.
        LimitExceeded: too many objects.
    """
    for meta in message.meta_graphs:
        if len(meta.object_graph_def.nodes) > 1:
            size = byte_size(meta.object_graph_def)
            NODES.check(len(meta.object_graph_def.nodes), size, limits, file)
            return saved_objects(meta.object_graph_def, file)
    return ()


def read_signatures(message: pb.SavedModel, file: str, limits: Limits) -> tuple[Signature, ...]:
    """All signatures of all MetaGraphs, sorted by name within each MetaGraph.

    Raises:
        LimitExceeded: too many inputs and outputs.
    """
    defined = [
        each for meta in message.meta_graphs[:_MOST_GRAPHS] for each in meta.signature_def.values()
    ]
    count = sum(1 + len(each.inputs) + len(each.outputs) for each in defined)
    ENDPOINTS.check(count, sum(map(byte_size, defined)), limits, file)
    return tuple(
        Signature(
            name=name,
            method=signature.method_name,
            inputs=tuple(_endpoints(signature.inputs)),
            outputs=tuple(_endpoints(signature.outputs)),
            tags=tuple(meta.meta_info_def.tags),
        )
        for meta in message.meta_graphs[:_MOST_GRAPHS]
        for name, signature in sorted(meta.signature_def.items())
        if name not in _INTERNAL
    )


def _endpoints(infos: Mapping[str, pb.TensorInfo]) -> Iterator[Endpoint]:
    for name, info in sorted(infos.items()):
        for part, tensor in _tensors(name, info):
            shape = dims(tensor.tensor_shape) if tensor.HasField("tensor_shape") else None
            yield Endpoint(part, _tensor_of(tensor), dtype_name(tensor.dtype), shape)


def _tensors(name: str, info: pb.TensorInfo) -> Iterator[tuple[str, pb.TensorInfo]]:
    """The component tensors of a composite (ragged or sparse) endpoint, or the tensor itself."""
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
    """Versions in the MetaGraph, and the exporter, which is inferred from its structure."""
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
        # Attributes of ExportArchive, which Keras 2 has from 2.13 on too.
        children = objects[0].children.keys()
        return "keras3-export" if "_all_variables" in children else "tf-module"
    return "tf1-builder" if info.tensorflow_version else "unknown"
