"""Graphs stored as strings in other graphs, where tools that list operations do not look."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Graph
from modelaudit.formats.graph.attr_values import strings
from modelaudit.formats.graph.graph_def import graph_facts, node_count
from modelaudit.formats.graph.message_bytes import byte_size
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.density import NODES
from modelaudit.settings import MIB, Limits
from modelaudit.work_budget import spend

_OP = re.compile(r"[A-Za-z_][A-Za-z0-9_>.]*")
# Maximum nesting of graphs in graphs; deeper nesting raises LimitExceeded.
_NESTING = 4
_SHORTEST = 8
_TOGETHER = 40  # nodes that are looked at in the time of a part of work
# A graph has a field of nodes or functions somewhere; its key may be written with more bytes.
_KEYS = re.compile(rb"[\n\x12\x8a\x92]")
_INFLATED = 64 * MIB  # all strings of a file in total
_COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_SHORTEST_BASE64 = 16
_BASE64 = re.compile(rb"[A-Za-z0-9_-]{%d,}=*" % _SHORTEST_BASE64)


def nested_graphs(message: pb.GraphDef, file: str, limits: Limits) -> Iterator[Graph]:
    """Graphs in string constants and attributes of `message`: plain, compressed or in base64.

    `DatasetFromGraph` runs such a string, so it can hide operations.

    Raises:
        LimitExceeded: graphs are nested too deep, or the strings decompress to too many bytes.
    """
    yield from _Reader(file, limits, message).graphs(message, "", _NESTING)


class _Reader:
    """Reads one file, with common limits for all decompressed bytes and all nodes."""

    def __init__(self, file: str, limits: Limits, whole: pb.GraphDef) -> None:
        self.file = file
        self.whole = whole
        self.size: int | None = None  # of the whole, which few models have to know
        self.nodes = 0
        self.limits = limits
        self.left = _INFLATED

    def graphs(self, message: pb.GraphDef, route: str, levels: int) -> Iterator[Graph]:
        """Graphs in `message`, whose own location is `route`."""
        places = [(route, message.node)]
        places += [
            (f"{route}{function.signature.name}/", function.node_def)
            for function in message.library.function
        ]
        for prefix, nodes in places:
            for count, node in enumerate(nodes):
                if count % _TOGETHER == 0:
                    spend()
                for value in _texts(node):
                    inner = self.graph(value)
                    if inner is None:
                        continue
                    if levels == 0:
                        raise LimitExceeded(
                            self.file, "graphs inside graphs", _NESTING + 1, _NESTING
                        )
                    where = f"{prefix}{node.name}"
                    self.size = byte_size(self.whole) if self.size is None else self.size
                    self.nodes += node_count(inner)
                    NODES.check(self.nodes, self.size, self.limits, self.file)
                    yield graph_facts(inner, self.file, self.limits, held_by=where)
                    yield from self.graphs(inner, f"{where}/", levels - 1)

    def graph(self, value: bytes) -> pb.GraphDef | None:
        """The graph that a string contains in any encoding, else None."""
        short = len(value) < _SHORTEST_BASE64 and not value.startswith(_COMPRESSED)
        if short and not _KEYS.search(value):  # as most texts, of which a file may hold a million
            return None
        for data in self.readings(value):
            if (graph := _as_graph(data)) is not None:
                return graph
        return None

    def readings(self, value: bytes) -> Iterator[bytes]:
        """The string itself, and decoded as by `DecodeCompressed` and `DecodeBase64`."""
        yield value
        if value.startswith(_COMPRESSED):
            yield self.inflated(value)
        elif _BASE64.fullmatch(value):
            try:
                bare = value.rstrip(b"=")
                decoded = base64.urlsafe_b64decode(bare + b"=" * (-len(bare) % 4))
            except (binascii.Error, ValueError):
                return
            yield decoded
            if decoded.startswith(_COMPRESSED):
                yield self.inflated(decoded)

    def inflated(self, value: bytes) -> bytes:
        """Decompressed zlib or gzip data; empty if they are invalid."""
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            data = inflater.decompress(value, self.left + 1)
        except zlib.error:
            return b""
        self.left -= len(data)
        if self.left < 0:
            raise LimitExceeded(self.file, "inflated bytes of constants", _INFLATED + 1, _INFLATED)
        return data


def _texts(node: pb.NodeDef) -> list[bytes]:
    """Strings of a node's constant and attributes that are long enough to be a graph."""
    found: list[bytes] = []
    attributes = node.attr
    for key in attributes:  # the views of a protobuf map are slow
        value = attributes[key]
        kind = value.WhichOneof("value")
        if kind == "s":
            if len(value.s) >= _SHORTEST:
                found.append(value.s)
        elif kind == "tensor":
            found.extend(each for each in strings(value.tensor) if len(each) >= _SHORTEST)
    return found


def _as_graph(value: bytes) -> pb.GraphDef | None:
    """Parse a string as a graph: nodes or functions, all with names. None if it is not one.

    The first bytes are not checked, since fields may be in any order.
    """
    if not _KEYS.search(value):
        return None
    try:
        graph = parse(pb.GraphDef, value, "", Limits())
    except ReadError:
        return None
    functions = graph.library.function
    named = all(node.name and _OP.fullmatch(node.op) for node in graph.node) and all(
        function.signature.name for function in functions
    )
    return graph if named and (graph.node or functions) else None
