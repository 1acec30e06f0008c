"""Bytes of messages that were parsed: protobuf writes them to memory, also to count them."""

from __future__ import annotations

from google.protobuf.message import EncodeError, Message


def byte_size(message: Message) -> int:
    """The size of the serialized message in bytes.

    Raises:
        MemoryError: there is none left to write it to.
    """
    try:
        return message.ByteSize()
    except EncodeError as error:  # it was parsed, so nothing else is wrong with it
        raise MemoryError(str(error)) from error


def canonical(message: Message) -> bytes:
    """The message as Python's protobuf writes it deterministically.

    Raises:
        MemoryError: there is none left to write it to.
    """
    try:
        return message.SerializeToString(deterministic=True)
    except EncodeError as error:
        raise MemoryError(str(error)) from error
