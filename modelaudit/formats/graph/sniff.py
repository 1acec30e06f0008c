"""Detection of SavedModel, MetaGraph and GraphDef files from their first fields."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.facts import Format
from modelaudit.formats.graph.wire import BYTES, VARINT, WireError, WireField, fields
from modelaudit.formats.io.file_window import FileWindow

# Field numbers of SavedModel, MetaGraphDef, SaverDef, GraphDef and NodeDef.
_SCHEMA_VERSION, _META_GRAPHS = 1, 2
_META_INFO, _GRAPH, _SAVER, _OBJECT_GRAPH = 1, 2, 3, 7
_SAVER_VERSION, _SAVER_V2 = 7, 2
_NODE = 1
_GRAPH_FIELDS = frozenset({_NODE, 2, 3, 4})  # with library, version and versions
_LIBRARY, _FUNCTION = 2, 1
# Fields of a GraphDef with their wire types.
_TYPED = frozenset({(_NODE, BYTES), (_LIBRARY, BYTES), (3, VARINT), (4, BYTES), (5, BYTES)})
_FIELDS = 64
_NODE_NAME, _NODE_OP = 1, 2

_OP_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_>.]{0,255}\Z")
_TEXT_GRAPH = re.compile(rb"\s*(?:#[^\n]*\n\s*)*node\s*:?\s*\{")
_TEXT_SAVED_MODEL = re.compile(rb"\s*(?:#[^\n]*\n\s*)*(?:saved_model_schema_version|meta_graphs)\b")
_TEXT_BYTES = 64 << 20


def saved_model_graph(window: FileWindow) -> Format:
    """TF1 or TF2, depending on an object graph in any MetaGraph; `CORRUPT_SAVEDMODEL` if malformed.

    `FROZEN_GRAPH` for a GraphDef that has the name of a SavedModel's graph.

    Raises:
        ReadError: the file cannot be read.
    """
    head = window.head(512)
    if _TEXT_SAVED_MODEL.match(head):
        return Format.SAVEDMODEL_TF2 if _mentions_object_graph(window) else Format.SAVEDMODEL_TF1
    if _TEXT_GRAPH.match(head):
        return Format.FROZEN_GRAPH
    try:
        if _has_node(window) and _is_graph_alone(window):
            return Format.FROZEN_GRAPH
        graphs = [
            field
            for field in fields(window, 0, window.size)
            if field.number == _META_GRAPHS and field.wire_type == BYTES
        ]
        if not graphs:
            return Format.CORRUPT_SAVEDMODEL
        objects = any(_has_field(window, graph, _OBJECT_GRAPH) for graph in graphs)
    except WireError:
        return Format.CORRUPT_SAVEDMODEL
    return Format.SAVEDMODEL_TF2 if objects else Format.SAVEDMODEL_TF1


def _is_graph_alone(window: FileWindow) -> bool:
    """Whether the whole file is a GraphDef in which TensorFlow finds no MetaGraph with content.

    A library of functions has the field number of the MetaGraphs, and a function that of what is
    known about a MetaGraph, so a library must hold nothing else: its gradients have the number of
    a MetaGraph's graph.
    """
    return all(
        (field.number, field.wire_type) in _TYPED
        and (
            field.number != _LIBRARY
            or all(
                (each.number, each.wire_type) == (_FUNCTION, BYTES)
                for each in _every(window, field.start, field.start + field.size)
            )
        )
        for field in _every(window, 0, window.size)
    )


def _every(window: FileWindow, start: int, end: int) -> Iterator[WireField]:
    """All fields between two offsets.

    Raises:
        WireError: as `fields`, or there are too many of them.
    """
    reached = start
    for field in fields(window, start, end):
        reached = field.start + field.size
        yield field
    if reached < end:
        raise WireError(f"more fields after byte {reached} than are looked at")


def graph_file(window: FileWindow, head: bytes) -> Format | None:
    """Format of a SavedModel or frozen graph file of any name; None if it is neither.

    Raises:
        ReadError: the file cannot be read.
    """
    if _TEXT_GRAPH.match(head):
        return Format.FROZEN_GRAPH
    if _TEXT_SAVED_MODEL.match(head):
        return saved_model_graph(window)
    try:
        first = next(fields(window, 0, window.size), None)
        if first is None:
            return None
        if (first.number, first.wire_type) == (_SCHEMA_VERSION, VARINT):
            form = saved_model_graph(window)
            return None if form is Format.CORRUPT_SAVEDMODEL else form
        if first.number in _GRAPH_FIELDS and _has_node(window):
            return Format.FROZEN_GRAPH
    except WireError:
        return None
    return None


def checkpoint_meta(window: FileWindow) -> Format | None:
    """Checkpoint format that the saver in a `.meta` file writes; None if it is not a MetaGraph.

    Raises:
        ReadError: the file cannot be read.
    """
    try:
        top = {field.number: field for field in fields(window, 0, window.size)}
        if _META_INFO not in top and _GRAPH not in top:
            return None
        saver = top.get(_SAVER)
        version = _SAVER_V2
        if saver is not None and saver.wire_type == BYTES:
            inner = fields(window, saver.start, saver.start + saver.size)
            # An absent version is 0, the legacy format, which is V1.
            version = next((f.value for f in inner if f.number == _SAVER_VERSION), 0)
    except WireError:
        return None
    return Format.TF1_CHECKPOINT if version == _SAVER_V2 else Format.TF1_CHECKPOINT_V1


def _has_field(window: FileWindow, message: WireField, number: int) -> bool:
    inner = fields(window, message.start, message.start + message.size)
    return any(field.number == number and field.size > 0 for field in inner)


def _has_node(window: FileWindow) -> bool:
    """Whether the file is a GraphDef up to its first node; TensorFlow writes nodes first."""
    for field in fields(window, 0, window.size, most=_FIELDS):
        if (field.number, field.wire_type) == (_NODE, BYTES):
            return _is_node(window, field)
        if field.number not in _GRAPH_FIELDS:
            return False
    return False


def _is_node(window: FileWindow, message: WireField) -> bool:
    inner = {
        field.number: field
        for field in fields(window, message.start, message.start + message.size, most=64)
    }
    name, op = inner.get(_NODE_NAME), inner.get(_NODE_OP)
    if name is None or op is None or BYTES not in {name.wire_type} & {op.wire_type}:
        return False
    return bool(_OP_NAME.match(window.head(min(op.size, 257), op.start)))


def _mentions_object_graph(window: FileWindow) -> bool:
    needle, tail = b"object_graph_def", b""
    for offset in range(0, min(window.size, _TEXT_BYTES), 1 << 20):
        piece = window.head(1 << 20, offset)
        if needle in tail + piece:
            return True
        tail = piece[-len(needle) :]
    return False
