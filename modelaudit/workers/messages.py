"""Messages between a worker and its parent: JSON behind its length, on a pipe."""

from __future__ import annotations

import json
import os
import struct

from modelaudit.facts import Json

HEADER = struct.Struct("<Q")
ORDER = struct.Struct("<QddQ")  # a task: its number, what it may take, bytes that follow
MESSAGE_BYTES = 256 << 20  # the facts of the largest models take a few MB; more is an error


def read_exactly(fd: int, size: int) -> bytes:
    """`size` bytes, or fewer at the end of the stream."""
    parts = bytearray()
    while len(parts) < size:
        piece = os.read(fd, min(size - len(parts), 1 << 20))
        if not piece:
            break
        parts += piece
    return bytes(parts)


def packed(message: Json) -> bytes:
    """A message as bytes."""
    data = json.dumps(message).encode()
    return HEADER.pack(len(data)) + data


def send(fd: int, data: bytes) -> None:
    """Write all of `data`.

    Raises:
        BrokenPipeError: nobody reads it any more.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def first_message(buffer: bytearray) -> dict[str, Json] | None:
    """Remove the first message from what has arrived, if that is complete."""
    if len(buffer) < HEADER.size:
        return None
    size = HEADER.unpack(buffer[: HEADER.size])[0]
    if len(buffer) < HEADER.size + size:
        return None
    message = json.loads(buffer[HEADER.size : HEADER.size + size])
    del buffer[: HEADER.size + size]
    return message if isinstance(message, dict) else None
