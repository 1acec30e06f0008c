from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.formats.graph import protos
from modelaudit.formats.graph.parse import looks_textual, parse, parse_text
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.settings import Limits

TENSORFLOWS = (
    *("core.protobuf.fingerprint", "core.protobuf.saved_model", "core.protobuf.tensor_bundle"),
    "python.training.checkpoint_state",
)
LIMITS = Limits()
FOLDER = Path(protos.__path__[0])
ROOT = FOLDER.parents[3]


def test_committed_code_matches_the_schema(tmp_path):
    schema = FOLDER / "saved_messages.proto"
    out = tmp_path / "set"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}"),
            *(f"--descriptor_set_out={out}", str(schema)),
        ],
        check=True,
    )
    compiled = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]
    committed = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(committed)
    for file in (compiled, committed):  # derived names, which older compilers leave out
        for message in file.message_type:
            _forget_json_names(message)
    assert committed == compiled


def _forget_json_names(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        field.ClearField("json_name")
    for inner in message.nested_type:
        _forget_json_names(inner)


def test_type_stub_names_every_message_and_field():
    stub = (FOLDER / "saved_messages_pb2.pyi").read_text()
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        assert re.search(rf"^class {message.name}\(", stub, re.MULTILINE)
        for field in message.fields:
            assert f"{field.name.upper()}_FIELD_NUMBER" in stub


@pytest.mark.slow
def test_schema_agrees_with_tensorflows_own():
    from google.protobuf import descriptor_pool
    from tf_keras.protobuf import saved_metadata_pb2

    for name in TENSORFLOWS:  # importing registers the messages
        importlib.import_module(f"tensorflow.{name}_pb2")
    pool = descriptor_pool.Default()
    for name, ours in pb.DESCRIPTOR.message_types_by_name.items():
        if name == "Any":
            theirs = pool.FindMessageTypeByName("google.protobuf.Any")
            _assert_subset(ours, theirs, own={"asset_file_def", "unpacked_any"})  # text form only
        elif name == "Unpacked":
            continue
        elif name == "KerasMetadata":
            _assert_subset(ours, saved_metadata_pb2.SavedMetadata.DESCRIPTOR)
            theirs = saved_metadata_pb2.SavedObject.DESCRIPTOR
            _assert_subset(ours.nested_types_by_name["Node"], theirs)
        else:
            _assert_subset(ours, pool.FindMessageTypeByName(f"tensorflow.{name}"))
    types = pool.FindEnumTypeByName("tensorflow.DataType")
    for value in pb.DESCRIPTOR.enum_types_by_name["DataType"].values:
        assert types.values_by_name[value.name].number == value.number


@pytest.mark.slow
def test_schema_has_every_field_that_a_saved_model_can_have():
    """Text is parsed with the schema, so a field that it lacks would be skipped."""
    from google.protobuf import descriptor_pool

    importlib.import_module("tensorflow.core.protobuf.saved_model_pb2")
    theirs = descriptor_pool.Default().FindMessageTypeByName("tensorflow.SavedModel")
    pending, seen, lacking = [(theirs, pb.SavedModel.DESCRIPTOR)], set(), []
    while pending:
        message, ours = pending.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        for field in message.fields:
            if field.number not in ours.fields_by_number:
                lacking.append(f"{message.full_name}.{field.name}")
                continue
            own = ours.fields_by_number[field.number]
            if field.message_type:
                pending.append((field.message_type, own.message_type))
            if field.enum_type:  # text format uses the names of values
                assert own.enum_type.values_by_name.keys() >= field.enum_type.values_by_name.keys()
    assert lacking == []
    assert len(seen) > 50


def _assert_subset(ours, theirs, own=frozenset()):
    for field in (field for field in ours.fields if field.name not in own):
        other = theirs.fields_by_number[field.number]
        assert (other.name, other.type) == (field.name, field.type), ours.full_name
        assert other.is_repeated == field.is_repeated
    for inner in ours.nested_types:
        if inner.name in theirs.nested_types_by_name:
            _assert_subset(inner, theirs.nested_types_by_name[inner.name])


@given(st.binary(max_size=300))
def test_bytes_parse_or_are_a_read_error(data):
    try:
        parse(pb.SavedModel, data, "f", LIMITS)
    except ReadError as error:
        assert error.kind == "corrupt"


@given(st.text(max_size=200))
def test_text_parses_or_is_a_read_error(text):
    try:
        parse_text(pb.GraphDef, text.encode("utf-8", "replace"), "f", LIMITS)
    except ReadError as error:
        assert error.kind in ("corrupt", "limit-exceeded")


def test_deep_nesting_is_refused_in_both_formats():
    data = b""
    for _ in range(2000):  # field 10 (func), then field 2 (a map entry) with field 2 (its value)
        for tag in (0x12, 0x12, 0x52):
            data = bytes([tag]) + _size(len(data)) + data
        if len(data) > 60_000:
            break
    with pytest.raises(ReadError):
        parse(pb.AttrValue, data, "f", LIMITS)
    text = b"func { attr { value { " * 60 + b"} } } " * 60
    with pytest.raises(LimitExceeded):
        parse_text(pb.AttrValue, text, "f", LIMITS)


def _size(length: int) -> bytes:
    out = bytearray()
    while length > 127:
        out.append(length % 128 + 128)
        length //= 128
    return bytes([*out, length])


def test_braces_in_strings_and_comments_do_not_count_as_depth():
    text = b'node { name: "' + b"{" * 500 + b'" } # ' + b"{" * 500
    graph = parse_text(pb.GraphDef, text, "f", LIMITS)
    assert graph.node[0].name == "{" * 500


def test_unknown_fields_are_skipped_in_text():
    text = b'nobody_knows { x: 1 } node { op: "Const" later: "field" }'
    assert parse_text(pb.GraphDef, text, "f", LIMITS).node[0].op == "Const"
    with pytest.raises(ReadError, match="nobody_knows"):
        parse_text(pb.GraphDef, text, "f", LIMITS, skip=False)


def test_messages_expanded_in_text():
    text = b"""
    value { [type.googleapis.com/tensorflow.AssetFileDef] { filename: "[a/b] {" } }  # [a/b] {
    value { [type.googleapis.com/tensorflow.Elsewhere] < anything: 3 > }
    """
    first, second = parse_text(pb.CollectionDef.AnyList, text, "f", LIMITS).value
    assert first.asset_file_def.filename == "[a/b] {"
    assert second == pb.Any(unpacked_any=pb.Unpacked())


def test_size_is_checked_first():
    with pytest.raises(LimitExceeded):
        parse(pb.GraphDef, bytes(11), "f", Limits(proto_bytes=10))
    with pytest.raises(LimitExceeded):
        parse_text(pb.GraphDef, bytes(11), "f", Limits(config_bytes=10))


@pytest.mark.parametrize(
    ("data", "textual"), [(b"node {}", True), (b"\n\x05", False), (b"", False)]
)
def test_text_is_distinguished_from_bytes(data, textual):
    assert looks_textual(data) is textual
