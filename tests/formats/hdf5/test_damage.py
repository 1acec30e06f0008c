"""Damaged HDF5 files are rejected before libhdf5 hangs or crashes."""

from __future__ import annotations

import random

import h5py
import numpy as np
import pytest

from modelaudit.errors import ModelAuditError, ReadError
from modelaudit.facts import Format
from modelaudit.formats.hdf5.contents import read_contents
from modelaudit.formats.hdf5.heaps import damaged_heaps
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.hdf5_reader import read_hdf5
from modelaudit.formats.reader import read
from modelaudit.settings import Limits
from tests.formats.hdf5_files import LIMITS, legacy, problem_words


def test_a_wrong_chunk_checksum_is_named(tmp_path):
    path = tmp_path / "w.h5"
    values = np.arange(4096, dtype=np.float32)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "layers/x/vars/0", data=values, chunks=(4096,), fletcher32=True
        )
        offset = dataset.id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[offset + 100] ^= 1
    path.write_bytes(data)
    artifact = read_hdf5(path, LIMITS)
    assert problem_words(artifact) == {"layers/x/vars/0": "tensor-unreadable"}
    assert artifact.tensors[0].sha256 is None and not artifact.complete


def test_truncation_is_reported_with_sizes(tmp_path):
    path = legacy(tmp_path / "m.h5")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2])
    artifact = read(path, LIMITS)
    assert artifact.format is Format.CORRUPT_HDF5 and not artifact.complete
    (problem,) = artifact.problems
    assert problem.kind == "truncated"
    assert f"{size // 2:,}" in problem.detail and f"{size:,}" in problem.detail


def test_a_zeroed_heap_is_rejected_before_libhdf5_hangs(tmp_path):
    path = legacy(tmp_path / "m.h5")
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    assert damaged_heaps(FileWindow.of_file(path)).texts is None
    data[heap + 16 : heap + 4096] = bytes(4096 - 16)
    path.write_bytes(data)
    artifact = read(path, LIMITS)
    assert {"hdf5": "heap", "measured": heap} in [dict(p.evidence) for p in artifact.problems]
    assert artifact.tensor("model_weights/dense/dense/kernel:0").sha256


def test_a_bfloat16_marker_in_a_zeroed_heap_is_not_read(tmp_path):
    """Found by fuzzing: the marker was read, and libhdf5 hung, before heaps were checked."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        half = file.create_dataset("layers/dense/vars/0", data=np.zeros(3, "V2"))
        half.attrs["dtype"] = "bfloat16"
    assert read(path, LIMITS).tensors[0].dtype == "bfloat16"
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    data[heap + 16 : heap + 4096] = bytes(4096 - 16)
    path.write_bytes(data)
    artifact = read(path, LIMITS)
    assert {"hdf5": "heap", "measured": heap} in [dict(p.evidence) for p in artifact.problems]
    assert artifact.tensors[0].dtype == "opaque"


def test_a_heap_inside_a_dataset_is_checked(tmp_path):
    """The address of a dataset is set to the heap, which so looks like the dataset's data."""
    path = legacy(tmp_path / "m.h5")
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    with h5py.File(path) as file:
        kernel = file["model_weights/dense/dense/kernel:0"].id.get_offset()
    at = data.index(kernel.to_bytes(8, "little"))
    data[at : at + 8] = heap.to_bytes(8, "little")
    data[heap + 16 : heap + 4096] = bytes(4096 - 16)
    path.write_bytes(data)
    artifact = read(path, LIMITS)
    assert {"hdf5": "heap", "measured": heap} in [dict(p.evidence) for p in artifact.problems]


def test_a_circular_free_list_is_rejected_before_libhdf5_hangs(tmp_path):
    """Found by fuzzing: a free block of a local heap is its own successor."""
    path = legacy(tmp_path / "m.h5")
    data = bytearray(path.read_bytes())
    heap = data.index(b"HEAP")
    free, address = (int.from_bytes(data[heap + at : heap + at + 8], "little") for at in (16, 24))
    assert damaged_heaps(FileWindow.of_file(path)).names is None
    data[address + free : address + free + 8] = free.to_bytes(8, "little")
    path.write_bytes(data)
    artifact = read(path, LIMITS)
    (problem,) = artifact.problems
    assert (artifact.format, problem.kind.value) == (Format.CORRUPT_HDF5, "corrupt")
    assert f"local heap (link names) at byte {heap:,}" in problem.detail
    with pytest.raises(ReadError, match="free list loops"):
        read_contents(FileWindow.of_file(path), LIMITS)


def test_a_circular_index_is_cut(tmp_path):
    """A group's tree lists the same node of links repeatedly."""
    path = legacy(tmp_path / "m.h5")
    data = bytearray(path.read_bytes())
    tree = data.index(b"TREE")
    data[tree + 6 : tree + 8] = (30).to_bytes(2, "little")  # entries in use; was one
    child = data[tree + 32 : tree + 40]
    for entry in range(1, 30):
        data[tree + 32 + 16 * entry : tree + 40 + 16 * entry] = child
    path.write_bytes(data)
    artifact = read(path, LIMITS)
    assert any("index is circular" in p.detail for p in artifact.problems)
    assert not artifact.complete


def test_damaged_bytes_raise_only_our_own_errors(tmp_path):
    original = legacy(tmp_path / "m.h5").read_bytes()
    path = tmp_path / "fuzzed.h5"
    generator = random.Random(0)
    for _ in range(150):
        data = bytearray(original)
        for _ in range(generator.choice((1, 3, 10))):
            data[generator.randrange(len(data))] = generator.choice(
                (0, 255, generator.randrange(256))
            )
        path.write_bytes(data[: generator.choice((len(data), generator.randrange(len(data))))])
        try:
            read(path, Limits(tensor_bytes=1 << 24))
        except ModelAuditError:
            pytest.fail("reading an existing path never raises")
