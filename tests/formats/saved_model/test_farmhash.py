"""FarmHash compared with TensorFlow's and with fingerprints written by TensorFlow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.facts import Json, Problem
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.wire import BYTES, varint
from modelaudit.formats.saved_model import canonical_form
from modelaudit.formats.saved_model.canonical_form import canonical_bytes
from modelaudit.formats.saved_model.farmhash import fingerprint64
from modelaudit.formats.saved_model.fingerprint import read_fingerprint
from modelaudit.settings import Limits
from tests.sharing import told_with_tensorflow

LENGTHS = [*range(140), 191, 192, 193, 1000, 4097]
PROGRAM = """
import json, sys
import numpy as np, tensorflow as tf
rng = np.random.default_rng(8)
data = [rng.bytes(n) for n in json.loads(sys.argv[1])]
hashes = tf.fingerprint(tf.constant(data), method="farmhash64").numpy()
print(json.dumps([[d.hex(), bytes(h).hex()] for d, h in zip(data, hashes)]))
"""


def paths_below(model: Path) -> dict[str, Path]:
    return {p.relative_to(model).as_posix(): p for p in model.rglob("*") if p.is_file()}


def message_of(model: Path) -> pb.SavedModel:
    return pb.SavedModel.FromString((model / "saved_model.pb").read_bytes())


def fingerprint_of(model: Path) -> tuple[dict[str, Json], list[Problem]]:
    return read_fingerprint(paths_below(model), message_of(model), Limits())


def message_fields(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of the payload of each field that is a varint or has a size."""
    position = 0
    while position < len(data):
        key, start = varint(data, position)
        number, end = varint(data, start)
        if key & 7 == BYTES:
            start, end = end, end + number
        yield key >> 3, start, end
        position = end


def entries_of(data: bytes, field: int) -> list[tuple[int, bytes, bytes]]:
    """The map entries of a field of the only function, in stored order."""
    for number in (2, 2, 2, 1):  # meta_graphs, graph_def, library, function
        (data,) = [data[at:end] for n, at, end in message_fields(data) if n == number]
    found = []
    for number, at, end in message_fields(data):
        if number == field:
            entry = data[at:end]
            (key,) = [entry[i:j] for n, i, j in message_fields(entry) if n == 1]
            found.append((varint(key, 0)[0] if field == 7 else 0, key, entry))
    return found


@pytest.mark.slow
def test_every_length_hashes_as_in_tensorflow() -> None:
    pairs = told_with_tensorflow("-c", PROGRAM, json.dumps(LENGTHS))
    assert len(pairs) == len(LENGTHS)
    for data, expected in pairs:
        assert fingerprint64(bytes.fromhex(data)).to_bytes(8, "little").hex() == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keras3_export", "keras2_savedmodel", "module_savedmodel"])
def test_fingerprints_written_by_tensorflow_match_the_index(made: Path, name: str) -> None:
    facts, problems = fingerprint_of(made / name)
    assert problems == []
    assert facts["index_hash"] == facts["checkpoint_hash"] != "0"
    assert facts["model_hash"] == facts["saved_model_checksum"] != "0"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keras3_export", "keras2_savedmodel", "module_savedmodel"])
def test_one_changed_operation_changes_the_hash_of_the_model(
    made: Path, tmp_path: Path, name: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(made / name, model)
    message = message_of(model)
    function = message.meta_graphs[0].graph_def.library.function[0]
    function.node_def[0].op += "V2"
    (model / "saved_model.pb").write_bytes(message.SerializeToString())
    facts, problems = fingerprint_of(model)
    assert problems == []
    assert facts["model_hash"] not in ("", facts["saved_model_checksum"])
    assert facts["index_hash"] == facts["checkpoint_hash"]


def test_maps_are_sorted_by_key_at_every_depth() -> None:
    """C++ sorts numbers by value and text by bytes; the entries' contents do not matter."""
    message = pb.SavedModel()
    function = message.meta_graphs.add().graph_def.library.function.add()
    for key in (10, 2, 300, 0):
        function.arg_attr[key].attr["name"].i = 1
    for word in ("a_1", "a", "b", "a/c"):
        function.control_ret[word] = "z"
    names = [number for number, _, _ in entries_of(canonical_bytes(message), 7)]
    assert names == [0, 2, 10, 300]
    words = [key for _, key, _ in entries_of(canonical_bytes(message), 6)]
    assert words == [b"a", b"a/c", b"a_1", b"b"]
    again = pb.SavedModel.FromString(canonical_bytes(message))
    assert again == message


def test_a_file_whose_fields_are_in_another_order_may_hash_its_own_bytes(tmp_path: Path) -> None:
    message = pb.SavedModel(saved_model_schema_version=1)
    message.meta_graphs.add().meta_info_def.tags.append("serve")
    graph = message.meta_graphs[0].SerializeToString()
    data = b"\x12" + bytes([len(graph)]) + graph + b"\x08\x01"  # field 2 before field 1
    assert pb.SavedModel.FromString(data) == message
    (tmp_path / "saved_model.pb").write_bytes(data)
    for written, producer, expected in (
        (fingerprint64(data), 1, fingerprint64(data)),
        (fingerprint64(message.SerializeToString()), 1, fingerprint64(message.SerializeToString())),
        (7, 1, fingerprint64(message.SerializeToString())),
        (7, 0, ""),  # TensorFlow 2.11 and 2.12 hash the GraphDef
    ):
        found = pb.FingerprintDef(saved_model_checksum=written)
        found.version.producer = producer
        (tmp_path / "fingerprint.pb").write_bytes(found.SerializeToString())
        facts, _ = read_fingerprint(paths_below(tmp_path), message, Limits())
        assert facts["model_hash"] == str(expected)


@given(st.binary(max_size=300), st.integers(0, 299), st.integers(1, 255))
def test_one_changed_byte_changes_the_hash(data: bytes, at: int, flip: int) -> None:
    if at < len(data):
        other = bytearray(data)
        other[at] ^= flip
        assert fingerprint64(data) != fingerprint64(bytes(other))


def test_hostile_and_absent_parts_are_facts(tmp_path: Path) -> None:
    assert read_fingerprint({}, pb.SavedModel(), Limits()) == ({}, [])
    (tmp_path / "fingerprint.pb").write_bytes(b"\xff\xff\xff")
    facts, (problem,) = read_fingerprint(paths_below(tmp_path), pb.SavedModel(), Limits())
    assert (facts, problem.file) == ({}, "fingerprint.pb")
    message = pb.FingerprintDef(checkpoint_hash=7)
    (tmp_path / "fingerprint.pb").write_bytes(message.SerializeToString())
    facts, problems = read_fingerprint(paths_below(tmp_path), pb.SavedModel(), Limits())
    assert (facts["checkpoint_hash"], facts["index_hash"], problems) == ("7", "", [])
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"abc")
    facts, _ = read_fingerprint(paths_below(tmp_path), pb.SavedModel(), Limits())
    assert facts["index_hash"] == str(fingerprint64(b"abc"))


def test_few_short_messages_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made file can have any number of them; those beyond the limit are sorted as they come."""
    message = pb.SavedModel()
    for number in range(50):
        node = message.meta_graphs.add().graph_def.node.add(name=f"n{number}")
        node.attr["b"].i, node.attr["a"].i = number, -number
    whole = canonical_bytes(message)
    known = canonical_form._schema()[2 << 3 | BYTES].known  # of meta_graphs
    known.clear()
    monkeypatch.setattr(canonical_form, "_MOST_KNOWN", 3)
    assert canonical_bytes(message) == whole
    assert len(known) in {1, 2, 3}


def test_maps_are_sorted_within_a_field_of_any_size() -> None:
    """Short ones are remembered, long ones not."""
    for size in (1, 40, 52, 53, 54, 70, 130, 900, 20_000):
        message, node = pb.SavedModel(), pb.NodeDef()
        function = node.attr["f"].func
        function.name = "n" * size
        keys = ["Tidx", "T", "", "b", "Tid", "é"]
        for key in keys:
            function.attr[key].i = 1
        message.meta_graphs.add().graph_def.node.append(node)
        for _ in range(2):
            data = canonical_bytes(message)
            places = [
                data.index(b"\n" + bytes([len(key.encode())]) + key.encode() + b"\x12")
                for key in keys
            ]
            assert sorted(keys, key=str.encode) == [
                key for _, key in sorted(zip(places, keys, strict=True))
            ]
            assert pb.SavedModel.FromString(data) == message


def test_a_field_of_another_kind_than_declared_is_left_as_it_is() -> None:
    """Protobuf keeps it as an unknown one, which looked like a message that is cut off."""
    message = pb.SavedModel.FromString(b"\x10\x0a")
    assert canonical_bytes(message) == b"\x10\x0a"
