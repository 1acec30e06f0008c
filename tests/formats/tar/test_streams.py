"""Compressed streams, against the programs that write them, and beyond the limits."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os

import pytest
import zstandard

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.formats.tar import streams
from modelaudit.formats.tar.streams import opened
from modelaudit.settings import Limits

COMPRESS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "none": bytes,
}


def read(path, limits=None, size=70_000):
    with opened(path, limits or Limits()) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("data", [b"", b"x", os.urandom(300_000) + bytes(300_000)])
def test_the_bytes_are_those_that_were_compressed(tmp_path, kind, data):
    path = tmp_path / "a"
    path.write_bytes(COMPRESS[kind](data))
    assert read(path) == data


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "zstd"])
def test_several_parts_are_one_stream(tmp_path, kind):
    path = tmp_path / "a"
    path.write_bytes(COMPRESS[kind](b"one ") + COMPRESS[kind](b"two"))
    assert read(path) == b"one two"


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_stream_that_ends_too_early_is_an_error(tmp_path, kind):
    path = tmp_path / "a"
    path.write_bytes(COMPRESS[kind](os.urandom(50_000))[:-500])
    with pytest.raises(ReadError, match="cannot be decompressed"):
        read(path)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_damaged_data_are_an_error(tmp_path, kind):
    path = tmp_path / "a"
    data = bytearray(COMPRESS[kind](os.urandom(50_000)))
    data[9:60] = bytes(51)
    path.write_bytes(data)
    with pytest.raises(ReadError, match="cannot be decompressed"):
        read(path)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_bomb_stops_at_the_ratio(tmp_path, kind):
    path = tmp_path / "a"
    path.write_bytes(COMPRESS[kind](bytes(40_000_000)))
    with pytest.raises(LimitExceeded, match="compression ratio"):
        read(path)


def test_the_number_of_bytes_is_limited(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(os.urandom(5000)))
    with pytest.raises(LimitExceeded, match="archive bytes"):
        read(path, Limits(archive_bytes=4000), size=1000)


@pytest.mark.parametrize(
    "data",
    [
        lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]),
        zstandard.ZstdCompressor(
            compression_params=zstandard.ZstdCompressionParameters(window_log=28)
        )
        .compressobj()
        .compress(os.urandom(1 << 20)),
    ],
    ids=["xz", "zstd"],
)
def test_a_decompressor_that_wants_too_much_memory_is_an_error(tmp_path, data):
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.raises(ReadError, match="cannot be decompressed"):
        read(path)


def test_what_is_missing_for_zstandard_is_said(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(COMPRESS["zstd"](b"x"))
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(ReadError, match=r"tf-modelaudit\[zstd\]"):
        read(path)


def test_the_kinds_are_told_apart():
    assert len({*streams.COMPRESSED}) == 4
    assert COMPRESS["xz"](b"").startswith(streams.XZ)
