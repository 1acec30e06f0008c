"""Messages are counted in the bytes as protobuf finds them, and too many are not parsed."""

from __future__ import annotations

import random
import resource

import pytest
from google.protobuf.message import Message

from modelaudit.errors import LimitExceeded
from modelaudit.formats.graph.message_count import counted, message_count
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.density import MESSAGES
from modelaudit.settings import Limits

EVERY = 10**9
NODE = b"\x0a\x00"  # an empty NodeDef of a GraphDef
FUNCTION = b"\x12\x02\x0a\x00"  # a library of one empty FunctionDef


def plainly(message: Message) -> int:
    """Messages inside of a parsed one; an entry of a map is one too."""
    found = 0
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            (inner,) = (each for each in field.message_type.fields if each.number == 2)
            values = [value[key] for key in value]
            found += len(values)
            values = values if inner.message_type is not None else []
        else:
            values = list(value) if isinstance(value, list) or field.is_repeated else [value]
        found += sum(1 + plainly(each) for each in values)
    return found


def filled(message: Message, draw: random.Random, depth: int = 0) -> None:
    """Set some fields of a message, at any depth, to some values."""
    for field in message.DESCRIPTOR.fields:
        if draw.random() < 0.6 or depth > 6:
            continue
        value = getattr(message, field.name)
        kind = field.message_type
        if kind is None:
            if field.cpp_type == field.CPPTYPE_STRING:
                given: object = b"ab" if field.type == field.TYPE_BYTES else "ab"
                if field.is_repeated:
                    value.extend([given] * 200)
                else:
                    setattr(message, field.name, given)
        elif kind.GetOptions().map_entry:
            (inner,) = (each for each in kind.fields if each.number == 2)
            (key,) = (each for each in kind.fields if each.number == 1)
            if inner.message_type is not None and key.cpp_type == key.CPPTYPE_STRING:
                for name in "ab":
                    filled(value[name], draw, depth + 1)
                    value[name].SetInParent()
        elif field.is_repeated:
            for _ in range(draw.randrange(3)):
                filled(value.add(), draw, depth + 1)
        else:
            value.SetInParent()
            filled(value, draw, depth + 1)


@pytest.mark.parametrize("seed", range(40))
def test_as_many_are_counted_as_protobuf_parses(seed: int) -> None:
    draw = random.Random(seed)
    for kind in (pb.SavedModel, pb.GraphDef, pb.TrackableObjectGraph, pb.MetaGraphDef):
        message = kind()
        filled(message, draw)
        data = message.SerializeToString()
        assert counted(kind, data, EVERY) == plainly(message)
        assert message_count(kind, data, 10) >= min(plainly(message), 11)
        # What follows a fault is not counted, and what no schema knows is skipped as one.
        unknown = b"\xfa\x7f\x04\x0a\x00\x0a\x00" + b"\xfb\x7f" + NODE * 9 + b"\xfc\x7f"
        assert counted(kind, unknown + data, EVERY) == plainly(message)
        assert counted(kind, data + b"\x07" + data, EVERY) == plainly(message)
        cut = draw.randrange(len(data) + 1)
        assert counted(kind, data[:cut], EVERY) <= plainly(message)


@pytest.mark.parametrize("part", [NODE, FUNCTION, b"\x12\x04\x0a\x02\x1a\x00"])
def test_more_than_the_size_allows_are_not_parsed(part: bytes) -> None:
    size = 6_000_000 // len(part)
    most, _ = MESSAGES.most(size * len(part), Limits())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceeded, match="messages inside a protobuf message") as caught:
        parse(pb.GraphDef, part * size, "graph.pb", Limits())
    assert (caught.value.allowed, caught.value.setting) == (most, "density")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB


@pytest.mark.parametrize("more", [0, 1])
def test_the_bound_is_that_of_the_size(more: int) -> None:
    size = 4_000_000
    most, _ = MESSAGES.most(size, Limits())
    nodes = most + more
    data = NODE * nodes
    filler = b"\x7a" + _length(size - len(data) - 5) + bytes(size - len(data) - 5)
    data += filler  # bytes of an unknown field
    assert len(data) == size and MESSAGES.most(len(data), Limits())[0] == most
    if more:
        with pytest.raises(LimitExceeded):
            parse(pb.GraphDef, data, "graph.pb", Limits())
    else:
        assert len(parse(pb.GraphDef, data, "graph.pb", Limits()).node) == nodes


def _length(number: int) -> bytes:
    """A number in four bytes, as long as it is."""
    return bytes([*(number >> shift & 0x7F | 0x80 for shift in (0, 7, 14)), number >> 21])


def test_weights_are_not_counted() -> None:
    """The content of a tensor is skipped, though its bytes may look like keys."""
    graph = pb.GraphDef()
    node = graph.node.add(name="w", op="Const")
    node.attr["value"].tensor.tensor_content = NODE * 3_000_000
    data = graph.SerializeToString()
    assert message_count(pb.GraphDef, data, 100) == 4
    assert parse(pb.GraphDef, data, "graph.pb", Limits()) == graph
