"""The wire format: frames round-trip, and invalid ones are rejected."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelaudit.probe.child import frames

ARRAYS = st.dictionaries(
    st.text(max_size=20),
    hnp.arrays(
        st.sampled_from([np.dtype(name) for name in frames.DTYPES]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    max_size=4,
)


class Reader:
    """Reads exactly the requested number of bytes, like both ends of the channel."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __call__(self, count: int) -> bytearray:
        if count > len(self.data):
            raise EOFError
        piece, self.data = self.data[:count], self.data[count:]
        return bytearray(piece)


def framed(header: object, payload: bytes = b"") -> Reader:
    text = json.dumps(header).encode()
    return Reader(struct.pack("<I", len(text)) + text + payload)


@given(ARRAYS)
def test_frames_arrive_as_they_were_sent(arrays: dict[str, np.ndarray]) -> None:
    data = b"".join(bytes(piece) for piece in frames.encode({"verb": "x", "n": 1}, arrays))
    reader = Reader(data)
    header, received = frames.decode(reader)
    assert header == {"verb": "x", "n": 1}
    assert not reader.data
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert received[name].shape == array.shape
        assert received[name].dtype == array.dtype
        assert received[name].tobytes() == array.tobytes()


def test_strided_and_big_endian_arrays_are_sent_by_value() -> None:
    sent = {"flipped": np.arange(12.0).reshape(3, 4)[:, ::-1], "big": np.arange(3, dtype=">i4")}
    data = b"".join(bytes(piece) for piece in frames.encode({}, sent))
    _, received = frames.decode(Reader(data))
    np.testing.assert_array_equal(received["flipped"], sent["flipped"])
    np.testing.assert_array_equal(received["big"], [0, 1, 2])


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises((frames.FrameError, EOFError)):
        frames.decode(Reader(struct.pack("<I", len(data)) + data))


@pytest.mark.parametrize(
    "header",
    [
        [],
        {},
        {"arrays": {}},
        {"arrays": [None]},
        {"arrays": [{"name": "a", "dtype": "object", "shape": [1]}]},
        {"arrays": [{"name": "a", "dtype": ["f"], "shape": [1]}]},
        {"arrays": [{"name": "a", "dtype": "float32", "shape": 3}]},
        {"arrays": [{"name": "a", "dtype": "float32", "shape": [-1]}]},
        {"arrays": [{"name": "a", "dtype": "float32", "shape": [True]}]},
        {"arrays": [{"name": "a", "dtype": "float32", "shape": [1 << 20, 1 << 20]}]},
        {"arrays": [{"name": "a", "dtype": "float32", "shape": [1] * 40}]},
        {"arrays": [{"name": "a", "dtype": "int8", "shape": [0]}] * 2},
    ],
)
def test_impossible_descriptions_are_refused(header: object) -> None:
    with pytest.raises(frames.FrameError):
        frames.decode(framed(header, bytes(64)))


def test_no_memory_is_allocated_for_an_oversized_header() -> None:
    asked = []

    def read(count: int) -> bytearray:
        asked.append(count)
        return bytearray(struct.pack("<I", 0xFFFFFFFF))

    with pytest.raises(frames.FrameError):
        frames.decode(read)
    assert asked == [4]


def test_unsupported_values_are_not_sent() -> None:
    with pytest.raises(frames.FrameError, match="object"):
        list(frames.encode({}, {"a": np.array([None])}))
    zeros = np.broadcast_to(np.int8(0), (frames.PAYLOAD_BYTES + 1,))
    with pytest.raises(frames.FrameError, match="bytes"):
        list(frames.encode({}, {"a": zeros}))
