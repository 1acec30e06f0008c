"""FarmHash Fingerprint64, the hash in a SavedModel's `fingerprint.pb`.

Geoff Pike's FarmHash (Google, 2014), variant `na`, whose results are platform-independent.
"""

from __future__ import annotations

import struct

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_SEED = 81
_BLOCK = 64
_WORDS = struct.Struct("<8Q")


def fingerprint64(data: bytes) -> int:
    """The 64-bit fingerprint of `data`. Takes linear time, about 1 s for 30 MB."""
    if len(data) <= 16:
        return _up_to_16(data)
    if len(data) <= 32:
        return _up_to_32(data)
    if len(data) <= _BLOCK:
        return _up_to_64(data)
    return _longer(data)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _half(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _rotated(value: int, by: int) -> int:
    return (value >> by | value << (64 - by)) & _MASK


def _shift_mix(value: int) -> int:
    return value ^ value >> 47


def _joined(u: int, v: int, multiplier: int) -> int:
    """Hash of two words (Murmur-inspired)."""
    a = _shift_mix((u ^ v) * multiplier & _MASK)
    b = _shift_mix((v ^ a) * multiplier & _MASK)
    return b * multiplier & _MASK


def _up_to_16(data: bytes) -> int:
    n = len(data)
    if n >= 8:
        multiplier = _K2 + n * 2
        a = _word(data, 0) + _K2 & _MASK
        b = _word(data, n - 8)
        c = _rotated(b, 37) * multiplier + a & _MASK
        d = (_rotated(a, 25) + b) * multiplier & _MASK
        return _joined(c, d, multiplier)
    if n >= 4:
        multiplier = _K2 + n * 2
        return _joined(n + (_half(data, 0) << 3), _half(data, n - 4), multiplier)
    if n > 0:
        y = data[0] + (data[n >> 1] << 8)
        z = n + (data[n - 1] << 2)
        return _shift_mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _up_to_32(data: bytes) -> int:
    n = len(data)
    multiplier = _K2 + n * 2
    a = _word(data, 0) * _K1 & _MASK
    b = _word(data, 8)
    c = _word(data, n - 8) * multiplier & _MASK
    d = _word(data, n - 16) * _K2 & _MASK
    u = _rotated(a + b & _MASK, 43) + _rotated(c, 30) + d & _MASK
    v = a + _rotated(b + _K2 & _MASK, 18) + c & _MASK
    return _joined(u, v, multiplier)


def _up_to_64(data: bytes) -> int:
    n = len(data)
    multiplier = _K2 + n * 2
    a = _word(data, 0) * _K2 & _MASK
    b = _word(data, 8)
    c = _word(data, n - 8) * multiplier & _MASK
    d = _word(data, n - 16) * _K2 & _MASK
    y = _rotated(a + b & _MASK, 43) + _rotated(c, 30) + d & _MASK
    z = _joined(y, a + _rotated(b + _K2 & _MASK, 18) + c & _MASK, multiplier)
    e = _word(data, 16) * multiplier & _MASK
    f = _word(data, 24)
    g = (y + _word(data, n - 32)) * multiplier & _MASK
    h = (z + _word(data, n - 24)) * multiplier & _MASK
    u = _rotated(e + f & _MASK, 43) + _rotated(g, 30) + h & _MASK
    v = e + _rotated(f + a & _MASK, 18) + g & _MASK
    return _joined(u, v, multiplier)


def _weak(w: int, x: int, y: int, z: int, a: int, b: int) -> tuple[int, int]:
    """Hash of four words with two seeds."""
    a = a + w & _MASK
    b = b + a + z & _MASK
    b = b >> 21 | b << 43
    c = a
    a = a + x + y & _MASK
    b += a >> 44 | a << 20
    return a + z & _MASK, b + c & _MASK


def _longer(data: bytes) -> int:
    n = len(data)
    x = _SEED
    y = _SEED * _K1 + 113 & _MASK
    z = _shift_mix(y * _K2 + 113 & _MASK) * _K2 & _MASK
    v = v2 = w = w2 = 0
    x = x * _K2 + _word(data, 0) & _MASK
    end = (n - 1) // _BLOCK * _BLOCK
    for a, b, c, d, e, f, g, h in _WORDS.iter_unpack(memoryview(data)[:end]):
        x = x + y + v + b & _MASK
        x = (x >> 37 | x << 27) * _K1 & _MASK ^ w2
        y = y + v2 + g & _MASK
        y = (y >> 42 | y << 22) * _K1 + v + f & _MASK
        z = z + w & _MASK
        z = (z >> 33 | z << 31) * _K1 & _MASK
        v, v2 = _weak(a, b, c, d, v2 * _K1, x + w)
        w, w2 = _weak(e, f, g, h, z + w2, y + c)
        z, x = x, z
    multiplier = _K1 + ((z & 0xFF) << 1) & _MASK
    # The last 64 bytes, which can overlap with the last block.
    a, b, c, d, e, f, g, h = _WORDS.unpack_from(data, n - _BLOCK)
    w = w + (n - 1 & 63) & _MASK
    v = v + w & _MASK
    w = w + v & _MASK
    x = _rotated(x + y + v + b & _MASK, 37) * multiplier & _MASK
    y = _rotated(y + v2 + g & _MASK, 42) * multiplier & _MASK
    x ^= w2 * 9 & _MASK
    y = y + v * 9 + f & _MASK
    z = _rotated(z + w & _MASK, 33) * multiplier & _MASK
    v, v2 = _weak(a, b, c, d, v2 * multiplier, x + w)
    w, w2 = _weak(e, f, g, h, z + w2, y + c)
    z, x = x, z
    first = _joined(v, w, multiplier) + _shift_mix(y) * _K0 + z & _MASK
    return _joined(first, _joined(v2, w2, multiplier) + x & _MASK, multiplier)
