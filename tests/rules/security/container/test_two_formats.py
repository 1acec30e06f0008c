"""Names and formats that two readers see differently: both are judged."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.facts import ProblemKind
from modelaudit.findings import Severity
from modelaudit.formats.reader import read
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.made.graphs import Graph

EVIL = {
    "module": "os",
    "class_name": "function",
    "config": "system",
    "registered_name": "function",
}


def config(activation: object = "relu") -> str:
    dense = {"name": "d", "units": 2, "activation": activation}
    layers = [{"module": "keras.layers", "class_name": "Dense", "config": dense}]
    model = {"name": "s", "layers": layers}
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": model})


def codes(path: Path) -> set[str]:
    results = run_rules(RULES, Facts(read(path, Limits())))
    return {
        finding.code
        for result in results
        for finding in result.findings
        if finding.severity.rank >= Severity.HIGH.rank
    }


def weights(path: Path, **options: int) -> Path:
    with h5py.File(path, "w", **options) as file:
        file.create_group("layers/dense/vars")["0"] = np.zeros((2, 2), "f4")
    return path


def archive(members: dict[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target.getvalue()


def keras_archive(folder: Path, activation: object = "relu", **more: str) -> bytes:
    inner = weights(folder / "inner.h5").read_bytes()
    members: dict[str, str | bytes] = {
        "metadata.json": '{"keras_version": "3.15.1"}',
        "config.json": config(activation),
        "model.weights.h5": inner,
    }
    return archive({**members, **more})


def renamed(data: bytes, old: str, new: str) -> bytes:
    """The archive with another name, of the same length, in every header."""
    assert len(old) == len(new)
    return data.replace(old.encode(), new.encode())


@pytest.mark.parametrize("name", ["config.json\0.txt", "config.json\0", "config.json\0\0\0\0x"])
def test_a_name_ends_at_nul(tmp_path: Path, name: str) -> None:
    """Python's zipfile reads the config under the name before the NUL."""
    visible = name.replace("\0", "_")
    members = {"metadata.json": "{}", visible: config(EVIL)}
    data = archive({**members, "model.weights.h5": weights(tmp_path / "w.h5").read_bytes()})
    path = tmp_path / "m.keras"
    path.write_bytes(renamed(data, visible, name))
    with zipfile.ZipFile(path) as file:
        assert "config.json" in file.namelist()
    assert {"MA705"} <= codes(path)
    assert any("NUL" in each.detail for each in read(path, Limits()).problems)


def test_the_second_of_two_names_that_end_at_nul(tmp_path: Path) -> None:
    more = {"config.json_a": config(EVIL)}
    path = tmp_path / "m.keras"
    data = keras_archive(tmp_path, **more)
    path.write_bytes(renamed(data, "config.json_a", "config.json\0a"))
    with zipfile.ZipFile(path) as file:
        assert file.read("config.json").decode() == config(EVIL)
    assert {"MA705"} <= codes(path)
    kinds = {each.kind for each in read(path, Limits()).problems}
    assert ProblemKind.DUPLICATE_MEMBER in kinds


def unicode_named(name: str, shown: str, content: str, others: dict[str, bytes]) -> bytes:
    """An archive with a member that has another name in its Unicode field."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for other, data in others.items():
            file.writestr(other, data)
        info = zipfile.ZipInfo(shown)
        body = b"\1" + struct.pack("<L", zlib.crc32(shown.encode())) + name.encode()
        info.extra = struct.pack("<HH", 0x7075, len(body)) + body
        file.writestr(info, content)
    return target.getvalue()


def test_the_name_in_the_unicode_field_is_judged_too(tmp_path: Path) -> None:
    others = {"metadata.json": b"{}", "model.weights.h5": weights(tmp_path / "w.h5").read_bytes()}
    path = tmp_path / "m.keras"
    path.write_bytes(unicode_named("config.json", "assets/note", config(EVIL), others))
    assert {"MA705"} <= codes(path)
    assert any("Unicode field" in each.detail for each in read(path, Limits()).problems)


def test_an_honest_archive_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(keras_archive(tmp_path))
    assert codes(path) == set()
    others = {"metadata.json": b"{}", "model.weights.h5": weights(tmp_path / "w.h5").read_bytes()}
    path.write_bytes(unicode_named("config.json", "config.json", config(), others))
    assert codes(path) == set()


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
def test_an_archive_behind_hdf5_data_is_read_as_well(tmp_path: Path, suffix: str) -> None:
    path = weights(tmp_path / f"m{suffix}")
    path.write_bytes(path.read_bytes() + keras_archive(tmp_path, EVIL))
    assert zipfile.is_zipfile(path)
    assert h5py.is_hdf5(path)
    assert {"MA705", "MA733"} <= codes(path)


def test_an_archive_behind_a_graph_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(Graph().graph.SerializeToString() + keras_archive(tmp_path, EVIL))
    assert zipfile.is_zipfile(path)
    assert {"MA705", "MA733"} <= codes(path)


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".hdf5"])
@pytest.mark.parametrize("farther", [1, 2, 8])
def test_hdf5_data_behind_an_archive_are_read_as_well(
    tmp_path: Path, suffix: str, farther: int
) -> None:
    """In a user block: zipfile needs the end record at the end, so a copy of it stands there."""
    path = tmp_path / f"m{suffix}"
    front = keras_archive(tmp_path)
    block = (1 << (max(len(front), 512) - 1).bit_length()) * farther
    with h5py.File(path, "w", userblock_size=block) as file:
        file.attrs["model_config"] = config(EVIL)
        file.create_group("model_weights")
    hdf5 = path.read_bytes()[block:]
    path.write_bytes(front.ljust(block, b"\0") + hdf5)
    assert h5py.is_hdf5(path)
    assert {"MA705"} <= codes(path)
    joined = path.read_bytes() + front
    path.write_bytes(joined)
    assert zipfile.is_zipfile(path)
    assert {"MA705", "MA733"} <= codes(path)


def test_weights_inside_an_archive_are_no_second_format(tmp_path: Path) -> None:
    """A stored member may begin where libhdf5 looks for data behind a user block."""
    inner = weights(tmp_path / "w.h5").read_bytes()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", config())
        name = "model.weights.h5"
        gap = 2048 - target.tell() - 30 - len(name)
        info = zipfile.ZipInfo(name)
        info.extra = struct.pack("<HH", 0xD935, gap - 4) + bytes(gap - 4)
        file.writestr(info, inner)
    path = tmp_path / "m.keras"
    path.write_bytes(target.getvalue())
    assert path.read_bytes()[2048:2056] == b"\x89HDF\r\n\x1a\n"
    assert codes(path) == set()


@pytest.mark.parametrize("shift", [0, 8, 4096])
def test_another_hdf5_file_in_a_dataset_is_not_damage(tmp_path: Path, shift: int) -> None:
    """The addresses of its local heaps count from its own start: here they lead to zeros."""
    with h5py.File(tmp_path / "inner.h5", "w") as file:
        file["first"] = np.ones(16384, "u1")
        file.create_group("later")["x"] = 1
    inner = (tmp_path / "inner.h5").read_bytes()
    path = tmp_path / "outer.weights.h5"
    with h5py.File(path, "w") as file:
        file["zeros"] = np.zeros(65536, "u1")
        file.create_group("layers/dense/vars")["0"] = np.zeros((2, 2), "f4")
        file["embedded"] = np.frombuffer(bytes(shift) + inner, "u1")
    (address,) = struct.unpack_from("<Q", inner, inner.rindex(b"HEAP") + 24)
    assert path.read_bytes()[address : address + 64] == bytes(64)
    problems = read(path, Limits()).problems
    assert not [each for each in problems if "heap" in each.detail]


@pytest.mark.parametrize(
    ("offset", "value", "told"),
    [
        (16, 0, "heap"),  # the free list begins at 0, and ends there
        (16, 1 << 20, "heap"),  # the free list begins behind its end
        (8, 1 << 40, "EOA"),  # it is longer than the file
        (24, 1 << 40, "addr overflow"),  # its data are behind the end of the file
    ],
)
def test_a_damaged_heap_of_the_file_itself_is_damage(
    tmp_path: Path, offset: int, value: int, told: str
) -> None:
    path = weights(tmp_path / "m.weights.h5")
    assert read(path, Limits()).problems == ()
    data = bytearray(path.read_bytes())
    heap = data.index(b"HEAP")
    (address,) = struct.unpack_from("<Q", data, heap + 24)
    data[heap + offset : heap + offset + 8] = struct.pack("<Q", value)
    if not value:
        data[address : address + 8] = bytes(8)
    path.write_bytes(bytes(data))
    assert [told in each.detail for each in read(path, Limits()).problems] == [True]
