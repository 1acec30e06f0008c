"""How much a deflated chunk holds, counted in pieces."""

from __future__ import annotations

import random
import zlib

import h5py
import pytest

from modelaudit.formats.hdf5.decompression_bombs import bomb_in_chunk
from modelaudit.formats.hdf5.link_walk import DatasetEntry
from modelaudit.formats.hdf5.tensors import ElementType

PIECE = 1 << 18
DRAW = random.Random(5)


@pytest.mark.parametrize("size", [1, 5_000, PIECE - 64, PIECE - 63, PIECE, 3 * PIECE + 1])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("more", [64, 65], ids=["fits", "too much"])
def test_a_chunk_may_hold_its_elements_and_the_checksums(tmp_path, size, dense, more) -> None:
    held = DRAW.randbytes(size + more) if dense else bytes(size + more)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        made = file.create_dataset("x", (size,), "u1", chunks=(size,), compression="gzip")
        made.id.write_direct_chunk((0,), zlib.compress(held, 9), 0)
        entry = DatasetEntry("x", b"x", 0, (size,), ElementType("uint8", 1), chunks=(size,))
        found = bomb_in_chunk(file, entry, "m.h5")
    assert (found is None) == (more == 64)
