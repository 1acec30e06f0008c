"""Archives that are inconsistent or hide something, and similar benign ones."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.findings import Outcome
from modelaudit.formats.reader import read
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.made.files import minimal_keras
from tests.made.saved_models import tf2_model

Change = Callable[[Path], None]
ELF = b"\x7fELF\2\1\1" + bytes(9)


def names(path: Path) -> set[str]:
    results = run_rules(RULES, Facts(read(path, Limits())))
    assert not [result for result in results if result.outcome is Outcome.ERROR]
    return {finding.name for result in results for finding in result.findings}


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def member(name: str, data: bytes, mode: int = 0o600) -> Change:
    def add(path: Path) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info, data)

    return add


def repacked(method: int, before: bytes = b"") -> Change:
    """With another method, and after other bytes included in the offsets."""

    def change(path: Path) -> None:
        parts = parts_of(path)
        path.write_bytes(before)
        with path.open("r+b") as stream, zipfile.ZipFile(stream, "a", method) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)

    return change


def local(offset: int, form: str, value: int) -> Change:
    """Another value in the local header of the first member."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        struct.pack_into(form, data, offset, value)
        path.write_bytes(data)

    return change


class Stream(io.RawIOBase):
    """A stream that is not seekable, like a pipe."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.data += data
        return len(data)


def streamed(path: Path) -> None:
    """With a data descriptor after each member."""
    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts_of(path).items():
            archive.writestr(name, part)
    path.write_bytes(stream.data)


def descriptor(offset: int) -> Change:
    def change(path: Path) -> None:
        streamed(path)
        data = bytearray(path.read_bytes())
        data[data.index(b"PK\x07\x08") + offset] ^= 1
        path.write_bytes(data)

    return change


def split(path: Path) -> tuple[bytes, int, tuple[int, int, int]]:
    """The archive before its end record, where that is, and its members, size and offset."""
    data = path.read_bytes()
    at = data.rindex(b"PK\x05\x06")
    return data[:at], at, struct.unpack_from("<HLL", data, at + 10)


def end_record(count: int, size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, 0)


def wide_end(*narrow: int) -> Change:
    """A zip64 end record, and a 32-bit one with the values `narrow`."""

    def change(path: Path) -> None:
        data, at, (count, size, offset) = split(path)
        wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
        path.write_bytes(data + wide + locator + end_record(*narrow))

    return change


def hidden_member(path: Path) -> None:
    """A complete member that the directory does not list."""
    data, _, (count, size, offset) = split(path)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("config.json", "{}")
    added = other.getvalue()[: other.getvalue().index(b"PK\x01\x02")]
    end = end_record(count, size, offset + len(added))
    path.write_bytes(data[:offset] + added + data[offset:] + end)


def miscounted(path: Path) -> None:
    data, _, (count, size, offset) = split(path)
    path.write_bytes(data + end_record(count - 1, size, offset))


def shared(path: Path) -> None:
    """Two members with the same data."""
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(data)


def comment(text: bytes) -> Change:
    def add(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = text

    return add


def encrypted(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (member("./config.json", b"{}"), {"duplicate-archive-member"}),
        (member("Config.JSON", b"{}"), {"duplicate-archive-member"}),
        (member("assets/device", b"", 0o020666), {"unsafe-path"}),
        (repacked(zipfile.ZIP_DEFLATED), set()),
        (repacked(zipfile.ZIP_BZIP2), {"unusual-archive-member"}),
        (repacked(zipfile.ZIP_LZMA), {"unusual-archive-member"}),
        (encrypted, {"unusual-archive-member"}),
        (repacked(zipfile.ZIP_STORED, b"#!/bin/sh\nexit\n" * 8), {"archive-polyglot"}),
        (local(6, "<H", 1), {"archive-header-mismatch"}),
        (local(8, "<H", 8), {"archive-header-mismatch"}),
        (local(14, "<L", 7), {"archive-header-mismatch"}),
        (local(18, "<L", 7), {"archive-header-mismatch"}),
        (local(22, "<L", 7), {"archive-header-mismatch"}),
        (streamed, set()),
        (descriptor(4), {"archive-header-mismatch"}),
        (descriptor(12), {"archive-header-mismatch"}),
        (wide_end(0xFFFF, 2**32 - 1, 2**32 - 1), set()),
        (wide_end(0, 0, 0), {"archive-header-mismatch"}),
        (hidden_member, {"archive-header-mismatch"}),
        (miscounted, {"archive-header-mismatch"}),
        (comment(b"trained on Tuesday"), set()),
        (comment(b"x" * 2000), {"archive-polyglot"}),
        (comment(b"first PK\x03\x04 then"), {"archive-polyglot"}),
        (member("assets/x.pkl", b"text"), {"program-in-model"}),
        (member("assets/words.txt", ELF), {"program-in-model"}),
        (member("assets/words.txt", pickle.dumps(print, 0)), {"program-in-model"}),
        (member("assets/words.txt", b"MZ\nother\nwords\n"), set()),
        (member("assets/words.txt", b"cat\ndog\npig\n"), set()),
        (member("model_00001.weights.h5", ELF), {"program-in-model"}),
    ],
)
def test_archives(tmp_path: Path, change: Change, expected: set[str]) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    change(path)
    assert names(path) == expected


def test_members_that_share_their_data(tmp_path: Path) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    shared(path)
    assert "archive-header-mismatch" in names(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_compression_supported_by_python_is_searched(tmp_path: Path, method: int) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    parts = parts_of(path)
    layer = {"class_name": "Lambda", "config": {"function": "lambda x: eval(x)"}}
    parts["config.json"] = json.dumps({"config": [layer]}).encode()
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert names(path) == {"dangerous-code", "unusual-archive-member"}
    member("assets/big", bytes(1 << 22))(path)
    assert "archive-bomb" in names(path)


def test_an_lzma_dictionary_is_bounded(tmp_path: Path) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    repacked(zipfile.ZIP_LZMA)(path)
    data = bytearray(path.read_bytes())
    properties = data.index(b"\x05\x00\x5d")
    data[properties + 3 : properties + 7] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    problems = [problem.detail for problem in read(path, Limits()).problems]
    assert any("LZMA dictionary" in detail for detail in problems)


@pytest.mark.parametrize("array", ["'O'", "[('a', '|O')]", "[('a', '<f4'), ('b', 'O')]", None])
def test_pickles_in_npz(tmp_path: Path, array: str | None) -> None:
    """In records or as a separate member, also next to weights that Keras prefers."""
    path = minimal_keras(tmp_path / "m.keras")
    pickled = pickle.dumps([1], 4)
    header = f"{{'descr': {array}, 'fortran_order': False, 'shape': (1,), }}".ljust(117).encode()
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x.npy", start + pickled if array else pickled)
    member("model.weights.npz", inner.getvalue())(path)
    assert names(path) == {"pickled-weights"}


@pytest.mark.parametrize(
    ("file", "data", "expected"),
    [
        ("assets/words.txt", ELF, {"program-in-model"}),
        ("assets/words.txt", b"a\nb\n", set()),
        ("data.bin", ELF, {"program-in-model"}),
    ],
)
def test_programs_in_a_saved_model(
    tmp_path: Path, file: str, data: bytes, expected: set[str]
) -> None:
    root = tf2_model(tmp_path / "m")
    place = root / file
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    assert names(root) == expected
