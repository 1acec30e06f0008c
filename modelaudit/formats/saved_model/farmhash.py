"""FarmHash Fingerprint64, the hash in a SavedModel's `fingerprint.pb`.

Geoff Pike's FarmHash (Google, 2014), variant `na`, whose results are platform-independent.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_SEED = 81
_BLOCK = 64


def fingerprint64(data: bytes) -> int:
    """The 64-bit fingerprint of `data`. Takes linear time, about 1 s for 2 MB."""
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


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Hash of 32 bytes with two seeds."""
    w, x, y, z = (_word(data, at + 8 * i) for i in range(4))
    a = a + w & _MASK
    b = _rotated(b + a + z & _MASK, 21)
    c = a
    a = a + x + y & _MASK
    b = b + _rotated(a, 44) & _MASK
    return a + z & _MASK, b + c & _MASK


def _longer(data: bytes) -> int:
    n = len(data)
    x = _SEED
    y = _SEED * _K1 + 113 & _MASK
    z = _shift_mix(y * _K2 + 113 & _MASK) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = x * _K2 + _word(data, 0) & _MASK
    end = (n - 1) // _BLOCK * _BLOCK
    for at in range(0, end, _BLOCK):
        x = _rotated(x + y + v[0] + _word(data, at + 8) & _MASK, 37) * _K1 & _MASK
        y = _rotated(y + v[1] + _word(data, at + 48) & _MASK, 42) * _K1 & _MASK
        x ^= w[1]
        y = y + v[0] + _word(data, at + 40) & _MASK
        z = _rotated(z + w[0] & _MASK, 33) * _K1 & _MASK
        v = _weak(data, at, v[1] * _K1 & _MASK, x + w[0] & _MASK)
        w = _weak(data, at + 32, z + w[1] & _MASK, y + _word(data, at + 16) & _MASK)
        z, x = x, z
    multiplier = _K1 + ((z & 0xFF) << 1) & _MASK
    at = n - _BLOCK  # the last 64 bytes, which can overlap with the last block
    w = (w[0] + (n - 1 & 63) & _MASK, w[1])
    v = (v[0] + w[0] & _MASK, v[1])
    w = (w[0] + v[0] & _MASK, w[1])
    x = _rotated(x + y + v[0] + _word(data, at + 8) & _MASK, 37) * multiplier & _MASK
    y = _rotated(y + v[1] + _word(data, at + 48) & _MASK, 42) * multiplier & _MASK
    x ^= w[1] * 9 & _MASK
    y = y + v[0] * 9 + _word(data, at + 40) & _MASK
    z = _rotated(z + w[0] & _MASK, 33) * multiplier & _MASK
    v = _weak(data, at, v[1] * multiplier & _MASK, x + w[0] & _MASK)
    w = _weak(data, at + 32, z + w[1] & _MASK, y + _word(data, at + 16) & _MASK)
    z, x = x, z
    first = _joined(v[0], w[0], multiplier) + _shift_mix(y) * _K0 + z & _MASK
    return _joined(first, _joined(v[1], w[1], multiplier) + x & _MASK, multiplier)
