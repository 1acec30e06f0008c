"""Lengths that references to heaps claim are compared before libhdf5 reserves them."""

from __future__ import annotations

import re
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.hdf5.heap_references import HeapReferences
from modelaudit.formats.hdf5.open_file import opened_hdf5
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.hdf5_reader import read_hdf5
from modelaudit.settings import Limits
from tests.formats.hdf5_files import LIMITS
from tests.made.files import minimal_h5

TEXT = h5py.string_dtype()
CLAIM = 2_800_000_000
PAIR = np.dtype([("label", TEXT), ("n", "<i4"), ("more", TEXT, (2,))])
WORDS = ["some words", "others", "and the last of them"]


def references(data: bytes, length: int) -> list[bytes]:
    """References to values of a length: that length, then the address of a heap, then a number."""
    heaps = [at.start() for at in re.finditer(b"GCOL", data)]
    found: set[bytes] = set()
    for heap in heaps:
        for at in re.finditer(re.escape(struct.pack("<IQ", length, heap)), data):
            found.add(data[at.start() : at.start() + 16])
    return sorted(found)


def one(thing: h5py.Group) -> None:
    thing.attrs["value"] = WORDS[-1]


def several(thing: h5py.Group) -> None:
    thing.attrs.create("value", WORDS, dtype=TEXT)


def numbers(thing: h5py.Group) -> None:
    rows = np.empty(2, object)
    rows[:] = [np.arange(20, dtype="u1"), np.arange(3, dtype="u1")]
    thing.attrs.create("value", rows, dtype=h5py.vlen_dtype(np.uint8))


def pairs(thing: h5py.Group) -> None:
    values = [("a label", 1, WORDS[1:]), ("another", 2, ["one more", "two"])]
    thing.attrs.create("value", np.array(values, PAIR))


def crowded(thing: h5py.Group) -> None:
    """So many attributes that the latest format moves them out of the object's header."""
    for number in range(30):
        thing.attrs[f"value{number}"] = f"the text {number:03}"
    one(thing)


def continued(thing: h5py.Group) -> None:
    """Another object is made in between, so that the header goes on elsewhere."""
    for number in range(4):
        thing.attrs[f"value{number}"] = np.arange(200.0)
        thing.create_group(f"below{number}")
    one(thing)


FORMS = [one, several, numbers, pairs, crowded, continued]
LIBRARIES = ["earliest", "v108", "latest"]


def made(folder: Path, form: Callable[[h5py.Group], None], libver: str, **options: int) -> Path:
    path = folder / "a.h5"
    with h5py.File(path, "w", libver=libver, **options) as file:
        form(file.create_group("inside"))
    return path


def check(path: Path, limits: Limits = LIMITS, base: int = 0, read: Path | None = None) -> None:
    window = FileWindow.of_file(read or path)
    with opened_hdf5(FileWindow.of_file(path)) as file:
        thing = file["inside"]
        stored = h5py.h5a.open(thing.id, b"value")
        HeapReferences(window, base).check(thing, b"value", stored, stored.get_type(), limits)


@pytest.mark.parametrize("libver", LIBRARIES)
@pytest.mark.parametrize("form", FORMS)
def test_honest_lengths_are_found(tmp_path: Path, form, libver: str) -> None:
    """The sum of all lengths is exact: h5py's values have so many bytes, and no more."""
    path = made(tmp_path, form, libver)
    with h5py.File(path) as file:
        total = nbytes(file["inside"].attrs["value"])
    check(path, Limits(config_bytes=total))
    with pytest.raises(LimitExceeded, match=f"{total:,} over {total - 1:,}"):
        check(path, Limits(config_bytes=total - 1))


def nbytes(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, np.void):
        return sum(nbytes(value[name]) for name in ("label", "more"))
    assert isinstance(value, np.ndarray)
    return value.nbytes if value.dtype == np.uint8 else sum(map(nbytes, value))


@pytest.mark.parametrize("libver", LIBRARIES)
@pytest.mark.parametrize("form", FORMS)
def test_a_claim_of_more_than_the_file_is_told(tmp_path: Path, form, libver: str) -> None:
    path = made(tmp_path, form, libver)
    data = path.read_bytes()
    (reference,) = references(data, 20)  # the longest value
    changed = tmp_path / "changed.h5"
    changed.write_bytes(data.replace(reference, struct.pack("<I", CLAIM) + reference[4:]))
    # libhdf5 has the first file open: it would compare checksums, which a forger makes anew.
    with pytest.raises(ReadError, match="2,800,000,000 bytes, more than the file has") as caught:
        check(path, read=changed)
    assert caught.value.kind == ProblemKind.CORRUPT


def test_a_user_block_moves_all_addresses(tmp_path: Path) -> None:
    path = made(tmp_path, one, "earliest", userblock_size=1024)
    check(path, Limits(config_bytes=20), base=1024)
    with pytest.raises(ReadError, match="not known"):
        check(path)


def test_a_file_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    """Found by fuzzing: a config, a list of names, and an attribute of a layer."""
    path = minimal_h5(tmp_path / "m.h5")
    honest = read_hdf5(path, LIMITS)
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"]
        file.attrs["model_config"] = config if isinstance(config, bytes) else config.encode()
        file["model_weights"].attrs.create("note", ["x" * 77], dtype=TEXT)
    data = path.read_bytes()
    for length in (len(config), 77):
        (reference,) = references(data, length)
        data = data.replace(reference, struct.pack("<I", CLAIM) + reference[4:])
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    artifact = read_hdf5(path, LIMITS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    told = [each.route for each in artifact.problems if "2,800,000,000" in each.detail]
    assert told == ["model_weights@note", ""]
    assert not artifact.complete and len(artifact.tensors) == len(honest.tensors)


def test_an_attribute_in_a_packed_heap_begins_at_one_place(tmp_path: Path) -> None:
    """A byte later, its sizes are others, and what they lead to is no reference."""
    path = tmp_path / "m.h5"
    names = [f"text_{n}" for n in range(11)]
    with h5py.File(path, "w", libver="latest") as file:
        for n, name in enumerate(names):
            file.attrs.create(name, "some text", dtype=TEXT)
            file.attrs[f"words_{n}"] = np.full(40, b"x" * 14)
    with h5py.File(path, "a", libver="latest") as file:
        file["behind"] = np.full(20_000, 0xAA, "u1")
    with opened_hdf5(FileWindow.of_file(path)) as file:
        found = HeapReferences(FileWindow.of_file(path))
        for name in names:
            stored = h5py.h5a.open(file.id, name.encode())
            found.check(file, name.encode(), stored, stored.get_type(), LIMITS)
