"""Format detection by content, and the entry point `read` for every path."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.errors import UsageError
from modelaudit.facts import Format
from modelaudit.formats.class_labels import read_labels
from modelaudit.formats.reader import read
from modelaudit.formats.sniff import sniff
from modelaudit.settings import Limits
from tests.plain_rights import folder_of_a_plain_user

LIMITS = Limits()
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 178000000\n"
)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(*fields: tuple[int, bytes | int]) -> bytes:
    """A protobuf message of varints and length-delimited fields."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


NODE = message((1, b"x"), (2, b"Placeholder"))
META_INFO = message((2, message((1, b"op"))), (5, b"2.15.0"))
TF1 = message((1, 1), (2, message((1, META_INFO), (2, message((1, NODE))))))
TF2 = message((1, 1), (2, message((1, META_INFO), (2, message((1, NODE))), (7, b"\x0a\x00"))))
MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Format.EMPTY_FILE),
        (POINTER, Format.GIT_LFS_POINTER),
        (b"\xef\xbf\xbdHDF\r\n\x1a\n" + b"\0" * 50, Format.CORRUPT_HDF5),
        (b"\x89HDF\n\x1a\n" + b"\0" * 50, Format.CORRUPT_HDF5),
        (b"\xc2\x89HDF\r\n\x1a\n" + b"\0" * 50, Format.CORRUPT_HDF5),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, Format.CORRUPT_HDF5),
        (b"PK\x03\x04" + b"\0" * 100, Format.CORRUPT_ARCHIVE),
        (message((1, NODE), (1, NODE)), Format.FROZEN_GRAPH),
        (b'node {\n  name: "x"\n  op: "NoOp"\n}\n', Format.FROZEN_GRAPH),
        (TF1, Format.SAVEDMODEL_TF1),
        (TF2, Format.SAVEDMODEL_TF2),
        (b"\0\0\x06\x08\x01\x1a\x02\x08\x01" + b"\0" * 99 + MAGIC, Format.TF1_CHECKPOINT),
        (b"\0\x1d\x1b_CHECKPOINTABLE_OBJECT_GRAPH" + b"\0" * 99 + MAGIC, Format.TF2_CHECKPOINT),
        (b"\0\0\x1c\x0a\x1a\x0a\x09" + b"\0" * 99 + MAGIC, Format.TF1_CHECKPOINT_V1),
        (b"hello world, this is no model", Format.UNKNOWN),
        (b'{"class_name": "Sequential"}', Format.UNKNOWN),
        (b"\x80\x04\x95\x17\x00", Format.UNKNOWN),
    ],
)
def test_sniff_by_content(tmp_path, data, expected):
    for name in ("model.h5", "model.keras", "model"):
        path = tmp_path / name
        path.write_bytes(data)
        assert sniff(path) is expected


def test_sniff_directories(tmp_path):
    assert sniff(tmp_path) is Format.UNKNOWN
    model = tmp_path / "sm"
    (model / "variables").mkdir(parents=True)
    index = model / "variables" / "variables.index"
    index.write_bytes(b"no table")
    assert sniff(model) is Format.CORRUPT_SAVEDMODEL
    index.write_bytes(MAGIC)  # without its graph a SavedModel is recognised by its checkpoint
    assert sniff(model) is Format.SAVEDMODEL_TF1
    index.write_bytes(b"\0\0\x08_CHECKPOINTABLE_OBJECT_GRAPH" + MAGIC)
    assert sniff(model) is Format.SAVEDMODEL_TF2
    for data, expected in ((TF1, "savedmodel_tf1_style"), (TF2, "savedmodel_tf2"), (b"", None)):
        (model / "saved_model.pb").write_bytes(data)
        assert sniff(model) == (expected or Format.CORRUPT_SAVEDMODEL)
    (model / "saved_model.pb").unlink()
    (model / "saved_model.pbtxt").write_text("saved_model_schema_version: 1\nmeta_graphs {\n}\n")
    assert sniff(model) is Format.SAVEDMODEL_TF1
    bundle = tmp_path / "00000123"
    bundle.mkdir()
    (bundle / "export.meta").write_bytes(META_INFO)
    assert sniff(bundle) is Format.SESSION_BUNDLE


def test_sniff_checkpoints_by_prefix(tmp_path):
    prefix = tmp_path / "model.ckpt"
    assert sniff(prefix) is Format.UNKNOWN
    (tmp_path / "model.ckpt.meta").write_bytes(message((1, META_INFO), (3, message((7, 2)))))
    assert sniff(prefix) is Format.TF1_CHECKPOINT
    (tmp_path / "model.ckpt.meta").write_bytes(message((1, META_INFO), (3, message((1, b"f")))))
    assert sniff(prefix) is Format.TF1_CHECKPOINT_V1
    prefix.write_bytes(b"")  # a placeholder that old code checks for
    (tmp_path / "model.ckpt.index").write_bytes(b"\0\0\x06\x08\x01" + b"\0" * 99 + MAGIC)
    assert sniff(prefix) is Format.TF1_CHECKPOINT


def test_hdf5_after_a_user_block_and_other_hdf5(tmp_path):
    path = tmp_path / "x"
    with h5py.File(path, "w", userblock_size=2048) as file:
        file["data"] = [1.0]
    assert sniff(path) is Format.HDF5_OTHER
    artifact = read(path, LIMITS)
    assert artifact.format is Format.HDF5_OTHER and not artifact.complete


def test_zip_that_is_not_a_model(tmp_path):
    path = tmp_path / "converted_keras.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("keras_model.h5", b"x")
    artifact = read(path, LIMITS)
    assert artifact.format is Format.ARCHIVE_OTHER and not artifact.complete


@given(st.binary(max_size=300))
def test_any_bytes_are_sniffed_and_read_without_an_exception(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(data)
    assert isinstance(sniff(path), Format)
    assert read(path, LIMITS).complete is False or sniff(path) is Format.FROZEN_GRAPH


def test_a_checkpoint_of_git_lfs_pointers_is_called_that(tmp_path):
    (tmp_path / "model.ckpt.index").write_bytes(POINTER)
    artifact = read(tmp_path / "model.ckpt", LIMITS)
    (problem,) = artifact.problems
    assert artifact.format is Format.GIT_LFS_POINTER
    assert (problem.kind, problem.file) == ("lfs-pointer", "model.ckpt.index")


def test_git_lfs_pointer_is_read_with_its_size(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(POINTER)
    artifact = read(path, LIMITS)
    assert artifact.extra["lfs"] == {"oid": "ab" * 32, "promised": 178_000_000}
    (problem,) = artifact.problems
    assert problem.kind == "lfs-pointer" and "178,000,000" in problem.detail


def test_mangled_file_is_reported_as_unrecoverable(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"\xef\xbf\xbdHDF\r\n\x1a\n" + b"\xef\xbf\xbd" * 20)
    (problem,) = read(path, LIMITS).problems
    assert problem.kind == "text-mangled" and problem.evidence["measured"] == 21


def test_a_missing_path_is_the_caller_s_error(tmp_path):
    with pytest.raises(UsageError):
        read(tmp_path / "nothing.h5", LIMITS)


def test_no_permission():
    with folder_of_a_plain_user() as folder:
        path = folder / "model.h5"
        path.write_bytes(b"\x89HDF\r\n\x1a\n")
        path.chmod(0)
        artifact = read(path, LIMITS)
    assert artifact.format is Format.UNREADABLE
    assert "Permission denied" in artifact.problems[0].detail


def test_saved_model_graph_under_another_name(tmp_path):
    path = tmp_path / "model.pb"
    path.write_bytes(TF2)
    (problem,) = read(path, LIMITS).problems
    assert problem.kind == "suffix-mismatch"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("labels.txt", "0 Cat\n1 Dog house\n2 Сова", ["Cat", "Dog house", "Сова"]),
        ("labels.txt", "0 Cat\n2 Dog", ["0 Cat", "2 Dog"]),
        ("class_names.txt", "cat\r\ndog\r\n", ["cat", "dog"]),
        ("class_indices.json", '{"dog": 1, "cat": 0}', ["cat", "dog"]),
        ("class_indices.json", '{"1": "dog", "0": "cat"}', ["cat", "dog"]),
        ("class_indices.json", '{"1": ["n2", "dog"], "0": ["n1", "cat"]}', ["cat", "dog"]),
        ("classes.json", '["cat", "dog"]', ["cat", "dog"]),
        ("labels.json", '{"labels": {"cat": 0, "dog": 1}, "author": "x"}', ["cat", "dog"]),
        ("metadata.json", '{"tfjsVersion": "1.3.1", "labels": ["cat", "dog"]}', ["cat", "dog"]),
        ("metadata.json", '{"labels": {"by": "x"}, "classes": ["cat", "dog"]}', ["cat", "dog"]),
        ("metadata.json", '{"id2label": {"0": "cat", "1": "dog"}}', ["cat", "dog"]),
        ("config.json", '{"id2label": {"1": "dog", "0": "cat"}, "hidden": 3}', ["cat", "dog"]),
        ("config.json", '{"label2id": {"cat": 0, "dog": 1}}', ["cat", "dog"]),
    ],
)
def test_labels_next_to_a_model(tmp_path: Path, name, content, expected):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    assert read_labels(tmp_path / "model.h5", LIMITS) == {
        "file": name,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "names": expected,
        "shared": False,
    }


def test_too_many_or_invalid_labels_are_ignored(tmp_path):
    (tmp_path / "labels.txt").write_text("x\n" * 100)
    assert read_labels(tmp_path / "m.h5", Limits(text_bytes=10)) is None
    (tmp_path / "class_indices.json").write_text("[1")
    assert read_labels(tmp_path / "m.h5", Limits(text_bytes=10)) is None
    (tmp_path / "labels.txt").unlink()
    (tmp_path / "class_indices.json").write_text(json.dumps({"1" * 5000: "cat"}))
    assert read_labels(tmp_path / "m.h5", LIMITS) is None
    (tmp_path / "labels.txt").write_text("\n".join(map(str, range(100))))
    assert read_labels(tmp_path / "m.h5", Limits(text_bytes=10)) is None
    assert len(read_labels(tmp_path / "m.h5", LIMITS)["names"]) == 100


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "0\n1\n1\n0\n1\n"),  # the labels of samples
        ("labels.txt", "one\n" + "x" * 500),
        ("labels.json", '{"a.png": 3, "b.png": 7}'),
        ("config.json", '{"classes": ["cat", "dog"]}'),
        ("config.json", '{"0": "cat", "1": "dog"}'),
        ("labels.json", '{"a": false, "b": true}'),
        ("labels.json", '{"model": {"accuracy": 0.9}}'),
        ("classes.json", "[1, 2, 3]"),
        ("class_indices.json", '{"cat": 1, "dog": 2}'),
        ("metadata.json", '{"keras_version": "3.0", "date_saved": "2026"}'),
        ("metadata.json", '["cat", "dog"]'),
        ("labels.json", '"cat"'),
    ],
)
def test_what_is_no_list_of_class_names_is_ignored(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_labels(tmp_path / "m.h5", LIMITS) is None


def test_data_of_a_checkpoint_without_its_index_is_reported(tmp_path) -> None:
    (tmp_path / "x.data-00000-of-00001").write_bytes(b"1234")
    (problem,) = read(tmp_path / "x", Limits()).problems
    assert (problem.kind, problem.detail) == ("missing-file", "has neither .index nor .meta")
    with pytest.raises(UsageError):
        read(tmp_path / "y", Limits())


def test_readers_are_imported_before_workers_are_forked():
    """After `import_readers`, reading the sample models imports none of our modules."""
    program = """
import sys
from pathlib import Path
from modelaudit.formats.reader import import_readers, read
from modelaudit.registry.discover import discover
from modelaudit.settings import Limits

candidates = discover(Path("sample_models"), Limits()).candidates
import_readers({each.format for each in candidates})
before = set(sys.modules)
for each in candidates:
    assert read(each.path, Limits()).format is each.format
late = {name for name in set(sys.modules) - before if name.startswith(("modelaudit", "h5py"))}
print(len({each.format for each in candidates}), sorted(late))
"""
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "6 []\n"
