"""The .keras container: what is read, rejected and only reported."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib

import numpy as np
import pytest

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Format
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.archive import read_keras_archive
from modelaudit.formats.reader import read
from modelaudit.formats.zip.directory import read_directory
from modelaudit.settings import Limits
from tests.formats.keras.archives import CONFIG, KERNEL, LIMITS, kinds, members, weights, write
from tests.plain_rights import folder_of_a_plain_user


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_complete_model(tmp_path, method):
    artifact = read(write(tmp_path / "m.keras", members(), method), LIMITS)
    assert artifact.format is Format.KERAS_ARCHIVE
    assert artifact.complete and not artifact.problems
    assert artifact.provenance.keras == "3.4.1"
    assert artifact.training == {"loss": "mse"}
    kernel = artifact.tensor(artifact.architecture.layer("dense").variables["kernel"])
    assert kernel.name == "layers/dense/vars/0"
    assert kernel.sha256 == hashlib.sha256(KERNEL.tobytes()).hexdigest()
    # Sources stay readable after the reader has finished, also in compressed members.
    np.testing.assert_array_equal(kernel.source.array(), KERNEL)
    (entry,) = artifact.files
    assert entry.sha256 == hashlib.sha256((tmp_path / "m.keras").read_bytes()).hexdigest()


def test_unpacked_directory_reads_the_same(tmp_path):
    root = tmp_path / "model"
    for name, data in (members() | {"assets/layers/x/v.txt": b"a"}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    artifact = read(root, LIMITS)
    packed = read(write(tmp_path / "m.keras", members()), LIMITS)
    assert artifact.complete and not artifact.problems
    assert [t.sha256 for t in artifact.tensors] == [t.sha256 for t in packed.tensors]
    assert {f.path: f.role for f in artifact.files}["assets/layers/x/v.txt"] == "asset"
    (root / "assets" / "out").symlink_to(tmp_path / "m.keras")
    assert ("unsafe-path", "") in kinds(read(root, LIMITS))


@pytest.mark.parametrize("made", ["file", "folder", "link"])
def test_everything_in_a_directory_counts_towards_its_limit(tmp_path, made):
    root = tmp_path / "model"
    root.mkdir()
    for name, data in members().items():
        (root / name).write_bytes(data)
    for i in range(10):
        path = root / f"more{i}"
        if made == "file":
            path.write_bytes(b"")
        elif made == "folder":
            path.mkdir()
        else:
            path.symlink_to("/nowhere")
    count = len(members()) + 10
    assert read_keras_archive(root, Limits(archive_members=count)).tensors
    with pytest.raises(LimitExceeded, match="archive members"):
        read_keras_archive(root, Limits(archive_members=count - 1))


def test_a_folder_that_cannot_be_listed_is_reported():
    with folder_of_a_plain_user() as root:
        (root / "assets").mkdir()
        for name, data in members().items():
            (root / name).write_bytes(data)
        (root / "assets").chmod(0)
        try:
            assert [problem.file for problem in read(root, LIMITS).problems] == ["assets"]
        finally:
            (root / "assets").chmod(0o755)


def test_the_last_duplicate_counts_and_is_reported(tmp_path):
    parts = list(members().items())
    other = json.dumps(CONFIG | {"config": {**CONFIG["config"], "name": "second"}}).encode()
    with pytest.warns(UserWarning, match="Duplicate"):
        path = write(tmp_path / "m.keras", [*parts, ("config.json", other)])
    artifact = read(path, LIMITS)
    assert artifact.architecture.name == "second"
    assert ("duplicate-member", "config.json") in kinds(artifact)


def test_names_links_and_foreign_members(tmp_path):
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    extra = ["../up.txt", "/abs.txt", "assets/a\\b.txt", "C:/x", "run.py", "inner.zip"]
    parts = [*members().items(), *((name, b"PK\x03\x04") for name in extra), (link, b"/etc/passwd")]
    artifact = read(write(tmp_path / "m.keras", parts), LIMITS)
    unsafe = {route for kind, route in kinds(artifact) if kind == "unsafe-path"}
    assert unsafe == {"../up.txt", "/abs.txt", "assets/a\\b.txt", "C:/x", "assets/link"}
    foreign = {p.route: p.evidence["head"] for p in artifact.problems if p.kind == "leftover"}
    assert set(foreign) == {"../up.txt", "/abs.txt", "C:/x", "run.py", "inner.zip"}
    assert foreign["inner.zip"] == b"PK\x03\x04".hex()
    assert not list(tmp_path.glob("*up.txt"))


@pytest.mark.parametrize("name", ["config.json", "assets/v.txt"])
def test_decompression_bombs_are_not_inflated(tmp_path, name):
    path = write(tmp_path / "m.keras", members() | {name: b" " * (8 << 20)}, zipfile.ZIP_DEFLATED)
    artifact = read(path, LIMITS)
    assert ("limit-exceeded", name) in kinds(artifact)
    assert not artifact.complete


def test_wrong_sizes_are_found_while_inflating(tmp_path):
    path = write(tmp_path / "m.keras", members(), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02", 0, data.rindex(b"config.json"))
    struct.pack_into("<L", data, central + 24, 10)
    path.write_bytes(data)
    found = kinds(read(path, LIMITS))
    assert ("size-mismatch", "config.json") in found
    assert ("header-mismatch", "config.json") in found


def test_a_flipped_bit_in_the_weights_fails_their_checksum(tmp_path):
    path = write(tmp_path / "m.keras", members())
    data = bytearray(path.read_bytes())
    data[data.index(KERNEL.tobytes()) + 9] ^= 4
    path.write_bytes(data)
    artifact = read(path, LIMITS)
    assert ("crc-mismatch", "model.weights.h5") in kinds(artifact)
    assert not artifact.complete and not artifact.tensors


def test_local_and_central_names_are_compared(tmp_path):
    path = write(tmp_path / "m.keras", members())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"config.json", b"confiG.json", 1))
    assert ("header-mismatch", "config.json") in kinds(read(path, LIMITS))


@pytest.mark.parametrize("where", ["prefix", "suffix"])
def test_bytes_outside_the_archive(tmp_path, where):
    path = write(tmp_path / "m.keras", members())
    data, more = path.read_bytes(), b"#!/bin/sh\n" * 3
    path.write_bytes(more + data if where == "prefix" else data + more)
    artifact = read(path, LIMITS)
    assert artifact.format is Format.KERAS_ARCHIVE
    (problem,) = artifact.problems
    assert dict(problem.evidence) == {"zip": where, "measured": 30}
    assert len(artifact.tensors) == 2


def test_missing_parts(tmp_path):
    for name in members().keys() - {"metadata.json"}:
        parts = {key: value for key, value in members().items() if key != name}
        artifact = read_keras_archive(write(tmp_path / "m.keras", parts), LIMITS)
        assert ("missing-file", name) in kinds(artifact)
        assert not artifact.complete


def test_metadata_are_not_needed(tmp_path):
    """No version of Keras reads them when it loads an archive."""
    parts = {key: value for key, value in members().items() if key != "metadata.json"}
    artifact = read_keras_archive(write(tmp_path / "m.keras", parts), LIMITS)
    assert kinds(artifact) == {("other", "metadata.json")}
    assert artifact.complete


def test_sharded_weights(tmp_path):
    parts = members()
    del parts["model.weights.h5"]
    parts["model_00000.weights.h5"] = weights("dense")
    where = {"dense": ["model_00000.weights.h5"], "other": ["model_00001.weights.h5"]}
    parts["model.weights.json"] = json.dumps({"weight_map": where}).encode()
    artifact = read(write(tmp_path / "m.keras", parts), LIMITS)
    assert artifact.architecture.layer("dense").variables["kernel"] == "layers/dense/vars/0"
    assert kinds(artifact) == {("missing-shard", "model_00001.weights.h5")}


def test_archive_under_an_hdf5_name(tmp_path):
    artifact = read(write(tmp_path / "m.h5", members()), LIMITS)
    assert artifact.format is Format.KERAS_ARCHIVE
    assert kinds(artifact) == {("suffix-mismatch", "")}


def test_cut_off_archive(tmp_path):
    path = write(tmp_path / "m.keras", members())
    path.write_bytes(path.read_bytes()[:-100])
    artifact = read(path, LIMITS)
    assert artifact.format is Format.CORRUPT_ARCHIVE
    assert [p.kind.value for p in artifact.problems] == ["truncated"]


def test_duplicate_keys_in_the_config(tmp_path):
    text = json.dumps(CONFIG).replace('"units": 3', '"units": 9, "units": 3')
    artifact = read(write(tmp_path / "m.keras", members() | {"config.json": text}), LIMITS)
    (problem,) = artifact.problems
    assert problem.kind == "duplicate-member" and "units" in problem.detail


def test_directory_agrees_with_zipfile(tmp_path):
    parts = {f"assets/{i}": bytes(range(i)) * 50 for i in range(20)}
    path = write(tmp_path / "m.zip", parts, zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    directory = read_directory(FileWindow.of_file(path), LIMITS)
    assert (directory.prefix, directory.suffix, directory.gaps) == (0, 0, 0)
    with zipfile.ZipFile(path) as archive:
        assert [m.name for m in directory.members] == archive.namelist()
        for member, info in zip(directory.members, archive.infolist(), strict=True):
            assert (member.size, member.stored, member.crc) == (
                info.file_size,
                info.compress_size,
                info.CRC,
            )
            stored = data[member.start : member.start + member.stored]
            assert zlib.decompress(stored, -15) == archive.read(info)


def test_member_count_is_bounded_and_junk_is_a_read_error(tmp_path):
    path = write(tmp_path / "m.zip", {str(i): b"" for i in range(30)})
    with pytest.raises(LimitExceeded):
        read_directory(FileWindow.of_file(path), Limits(archive_members=29))
    path.write_bytes(b"PK\x05\x06" + b"\xff" * 18)
    with pytest.raises(ReadError):
        read_directory(FileWindow.of_file(path), LIMITS)


def test_a_member_without_a_name_is_looked_at(tmp_path):
    path = write(tmp_path / "m.keras", members() | {"x": b"#!/bin/sh"})
    data = bytearray(path.read_bytes())
    for at in (data.rfind(b"PK\x01\x02") + 46, data.rfind(b"PK\x03\x04") + 30):
        data[at] = 0  # the name of the last member, which then ends before it begins
    path.write_bytes(data)
    found = {problem.kind for problem in read(path, Limits()).problems}
    assert "leftover" in found


def test_the_directory_of_an_archive_is_read_with_one_opening(tmp_path, monkeypatch):
    """A registry of many archives is listed every night."""
    path, opened, real = tmp_path / "a.zip", [], os.open
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(9):
            archive.writestr(f"{number}.txt", b"text")
    window = FileWindow.of_file(path)
    monkeypatch.setattr(os, "open", lambda *given: opened.append(given[0]) or real(*given))
    assert [member.name for member in read_directory(window, Limits()).members] == [
        f"{number}.txt" for number in range(9)
    ]
    assert opened == [path]
