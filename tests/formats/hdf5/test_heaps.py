"""Search for the start of heaps, compared with a simple search."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.formats.hdf5 import heaps
from modelaudit.formats.io.file_window import FileWindow

# Byte strings similar to the signatures: halves, and bytes that share bits.
NEAR = st.lists(st.sampled_from([b"GC", b"OL", b"HE", b"AP", b"G", b"CO", b"EA", b"@", b"\0"]))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("heaps") / "bytes"


def plainly(data: bytes) -> set[tuple[bytes, int]]:
    return {
        (kind, at)
        for kind in (b"GCOL", b"HEAP")
        for at in range(len(data))
        if data.startswith(kind, at)
    }


@given(data=st.one_of(NEAR.map(b"".join), st.binary()), piece=st.integers(4, 12))
def test_every_signature_is_found_once_whatever_the_block_size(place, data, piece):
    place.write_bytes(data)
    with mock.patch.object(heaps, "_PIECE_BYTES", piece):
        found = list(heaps._signatures(FileWindow.of_file(place)))
    assert len(found) == len(set(found))
    assert set(found) == plainly(data)


def test_a_signature_in_the_second_block(place):
    data = bytes(heaps._PIECE_BYTES - 1) + b"GCOL" + bytes(7) + b"HEAP"
    place.write_bytes(data)
    assert set(heaps._signatures(FileWindow.of_file(place))) == plainly(data)
