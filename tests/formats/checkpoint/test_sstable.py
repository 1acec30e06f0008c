from __future__ import annotations

import struct

import cramjam
import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.formats.checkpoint.sstable import masked, read_table, varint
from modelaudit.settings import Limits
from tests.formats import bundle_writer as writer

LIMITS = Limits()
KEYS = st.lists(st.binary(max_size=20), unique=True, max_size=60).map(sorted)


def read(data: bytes, limits: Limits = LIMITS) -> list[tuple[bytes, bytes]]:
    return list(read_table(data, "x.index", limits))


@given(
    KEYS,
    st.integers(1, 9),
    st.integers(1, 5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_reads_back_what_was_written(keys, per_block, restart, snappy, random):
    entries = [(key, random.randbytes(random.randrange(40))) for key in keys]
    data = writer.table(entries, per_block=per_block, restart=restart, snappy=snappy)
    assert read(data) == entries


@given(KEYS, st.booleans(), st.data())
def test_damage_is_a_read_error_or_harmless(keys, snappy, data):
    entries = [(key, key * 2) for key in keys]
    good = writer.table(entries, snappy=snappy)
    position = data.draw(st.integers(0, len(good) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    bad = bytearray(good)
    bad[position] ^= bit
    try:
        result = read(bytes(bad))
    except ReadError:
        return
    # Changes may go undetected only in bytes that readers ignore (padding, meta-index, its handle).
    assert result == entries


@given(st.binary(max_size=200))
def test_random_bytes_are_not_a_table(data):
    with pytest.raises(ReadError):
        read(data + b"\0" * 8)


@given(KEYS.filter(len), st.data())
def test_truncation_at_any_byte_is_detected(keys, data):
    good = writer.table([(key, b"v") for key in keys])
    cut = data.draw(st.integers(0, len(good) - 1))
    with pytest.raises(ReadError) as caught:
        read(good[:cut])
    assert caught.value.kind in ("truncated", "empty")


def test_every_flipped_bit_of_a_block_fails_its_checksum():
    good = writer.table([(b"key", b"value")])
    for position in range(len(b"key") + len(b"value")):
        bad = bytearray(good)
        bad[position] ^= 0x10
        with pytest.raises(ReadError) as caught:
            read(bytes(bad))
        assert caught.value.kind == "crc-mismatch"


def test_snappy_size_is_checked_before_decompressing():
    bomb = writer.table([(b"k", bytes(1 << 20))], snappy=True)
    assert len(bomb) < 1 << 17
    with pytest.raises(LimitExceeded):
        read(bomb, Limits(config_bytes=1 << 19))


def test_snappy_header_with_a_wrong_size_is_corrupt():
    body = bytes(cramjam.snappy.compress_raw(bytes(1000)))
    lying = writer.varint(900) + body[2:]  # the true size takes two bytes too
    assert len(writer.varint(1000)) == 2
    stored = lying + b"\1"
    stored += struct.pack("<I", writer.mask(google_crc32c.value(stored)))
    footer = (writer.varint(0) + writer.varint(len(lying))) * 2
    data = stored + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    with pytest.raises(ReadError) as caught:
        read(data)
    assert caught.value.kind == "corrupt"


def test_number_of_entries_is_bounded():
    data = writer.table([(bytes([i]), b"") for i in range(50)])
    with pytest.raises(LimitExceeded):
        read(data, Limits(tensors=49))
    assert len(read(data, Limits(tensors=50))) == 50


def test_long_keys_are_refused():
    data = writer.table([(b"a" * 70_000, b"")])
    with pytest.raises(LimitExceeded):
        read(data)


@given(st.integers(0, (1 << 63) - 1))
def test_varint_matches_its_definition(value):
    coded = writer.varint(value)
    assert varint(b"x" + coded + b"y", 1, "") == (value, 1 + len(coded))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 10])
def test_unfinished_numbers_are_corrupt(data):
    with pytest.raises(ReadError):
        varint(data, 0, "x")


def test_masked_crc_of_a_known_answer():
    # CRC-32C of "123456789" is 0xe3069283 (RFC 3720's check value).
    crc = google_crc32c.value(b"123456789")
    assert crc == 0xE3069283
    # Rotate right by 15 and add the constant, written out by hand.
    bits = f"{crc:032b}"
    assert masked(crc) == (int(bits[-15:] + bits[:-15], 2) + 0xA282EAD8) % (1 << 32)
