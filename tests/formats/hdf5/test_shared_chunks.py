"""Chunks of a dataset that lie at one place in the file."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.facts import ProblemKind
from modelaudit.formats.reader import read
from modelaudit.settings import Limits

ROWS, COLUMNS = 1500, 1000
CHUNKS = 4


def _dataset(path: Path, *, shared: bool) -> Path:
    """A weights file of one kernel in chunks of 6 MB; all at the place of the first one."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"dense"])
        group = file.create_group("dense")
        group.attrs["weight_names"] = np.array([b"dense/kernel:0"])
        kernel = group.create_dataset(
            "dense/kernel:0", (CHUNKS * ROWS, COLUMNS), "f4", chunks=(ROWS, COLUMNS)
        )
        first = rng.normal(size=(ROWS, COLUMNS)).astype("f4")
        for n in range(1 if shared else CHUNKS):
            kernel[n * ROWS : (n + 1) * ROWS] = first
        for n in range(1, CHUNKS if shared else 1):
            kernel.id.write_direct_chunk((n * ROWS, 0), b"small")
        places = [kernel.id.get_chunk_info(n) for n in range(CHUNKS)]
    data = bytearray(path.read_bytes())
    for n, place in enumerate(places[1:] if shared else (), 1):
        # Of a node in the tree of chunks: size, filters, offsets, address.
        key = struct.pack("<IIQQQQ", 5, 0, n * ROWS, 0, 0, place.byte_offset)
        at = data.index(key)
        struct.pack_into("<I", data, at, places[0].size)
        struct.pack_into("<Q", data, at + 32, places[0].byte_offset)
    path.write_bytes(data)
    with h5py.File(path) as file:  # libhdf5 reads it
        assert np.array_equal(file["dense/dense/kernel:0"][-ROWS:], first)
    return path


@pytest.mark.parametrize("shared", [False, True])
def test_chunks_with_more_bytes_than_the_file_are_not_read(tmp_path: Path, shared: bool) -> None:
    artifact = read(_dataset(tmp_path / "m.h5", shared=shared), Limits())
    told = [each.kind for each in artifact.problems if "overlap" in each.detail]
    assert told == [ProblemKind.LIMIT_EXCEEDED] * shared
    (tensor,) = artifact.tensors
    assert tensor.shape == (CHUNKS * ROWS, COLUMNS)
