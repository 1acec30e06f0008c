"""Changes of a FlatBuffer that keep most of its references valid."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

NUMBERS = (0, 1, 2, 3, 4, 127, 128, 255, 1 << 15, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 30)
_MOST = 4096  # references that are looked at


def changed_flatbuffer(rng: random.Random, data: bytes, raw: Callable[[bytes], bytes]) -> bytes:
    """Change a reference, a length, a field's place or a number, or bytes without references."""
    found = _references(data, rng)
    if not found or rng.random() < 0.1:
        return raw(data)
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, target = rng.choice(found)
        match rng.randrange(8):
            case 0 | 1:  # to what another one refers to, also backwards
                _put(out, at, (rng.choice(found)[1] - at) & 0xFFFFFFFF)
            case 2:  # into the middle, or out of the file
                _put(out, at, rng.choice((target - at + rng.randrange(-8, 9), *NUMBERS)))
            case 3:  # the length of a vector or text, or the distance to a vtable
                length = int.from_bytes(data[target : target + 4], "little")
                _put(out, target, rng.choice((length + 1, length - 1, 2 * length, *NUMBERS)))
            case 4:  # in a vtable
                table = target - int.from_bytes(data[target : target + 4], "little", signed=True)
                place = table + 2 * rng.randrange(12)
                if 0 <= place <= len(out) - 2:
                    out[place : place + 2] = rng.choice((0, 4, 6, 8, 255, 65535)).to_bytes(
                        2, "little"
                    )
            case 5:  # one reference many times, as of a vector of tables
                count = rng.choice((3, 50, 3000))
                start = min(at, len(out) - 4)
                for i in range(start, min(start + 4 * count, len(out) - 3), 4):
                    _put(out, i, (target - i) & 0xFFFFFFFF)
            case 6:
                place = 4 * rng.randrange(len(out) // 4)
                _put(out, place, rng.choice(NUMBERS))
            case _:
                place = rng.randrange(len(out))
                out[place] = rng.choice((0, 1, 3, 32, 127, 255))
    return bytes(out)


def _references(data: bytes, rng: random.Random) -> list[tuple[int, int]]:
    """(offset, target) of the words that may be references: distances within the file."""
    count = len(data) // 4
    words = struct.unpack_from(f"<{count}I", data)
    found = [
        (4 * i, 4 * i + word) for i, word in enumerate(words) if 4 <= word < len(data) - 4 * i - 4
    ]
    return rng.sample(found, _MOST) if len(found) > _MOST else found


def _put(out: bytearray, at: int, value: int) -> None:
    if 0 <= at <= len(out) - 4:
        out[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")
