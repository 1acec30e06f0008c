"""Bounded parsing of untrusted bytes or text to protobuf messages; failures are `ReadError`."""

from __future__ import annotations

import re
from itertools import islice
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.graph.message_count import message_count
from modelaudit.formats.io.density import MESSAGES, TOKENS
from modelaudit.settings import Limits

M = TypeVar("M", bound=Message)

# Not structure in the text format: strings (terminated or not) and comments.
_OPAQUE = re.compile(r'"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?|#[^\n]*')

# What the text format's parser, which is written in Python, takes one by one: 8 µs each, and as
# much as 0.5 KB for each escape in a string.
_TOKEN = re.compile(rf"{_OPAQUE.pattern}|[\w.+-]+|[^\s\w.+-]")

# A message in an `Any` in expanded form: `[type.googleapis.com/tensorflow.AssetFileDef] {…}`.
# Messages of other types are skipped.
_UNPACKED = re.compile(r"\[\s*[\w.-]+/(?:[\w.]+\.)?(\w+)\s*\]")
_NO_MEMORY = "alloc failed"  # in protobuf's error about a sound message
_UNPACKED_FIELDS = {"AssetFileDef": "asset_file_def"}


def parse(message_type: type[M], data: bytes, file: str, limits: Limits) -> M:
    """Parse the binary (wire) format.

    protobuf's own parser limits the nesting to 100 levels.

    Raises:
        ReadError: `corrupt` if the bytes are not such a message.
        LimitExceeded: more than `proto_bytes`, or too many messages in it: an empty one has two
            bytes and takes as much as 180 in memory.
        MemoryError: there is none left for the message.
    """
    if len(data) > limits.proto_bytes:
        raise LimitExceeded(file, "protobuf bytes", len(data), limits.proto_bytes, "proto_bytes")
    most, setting = MESSAGES.most(len(data), limits)
    if message_count(message_type, data, most) > most:
        raise LimitExceeded(file, MESSAGES.what, most + 1, most, setting)
    try:
        return message_type.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        if _NO_MEMORY in str(error):
            raise MemoryError(str(error)) from error
        name = message_type.DESCRIPTOR.name
        raise ReadError(ProblemKind.CORRUPT, file, f"not a {name} message: {error}") from error


def parse_text(
    message_type: type[M], data: bytes, file: str, limits: Limits, *, skip: bool = True
) -> M:
    """Parse the text format.

    Args:
        message_type: expected message type.
        data: the text.
        file: file name for errors.
        limits: `config_bytes`, `density` and `proto_depth` apply.
        skip: whether unknown fields are skipped or an error.

    Raises:
        ReadError: `corrupt` if the text is not such a message.
        LimitExceeded: more than `config_bytes`, too many tokens, or nested deeper than
            `proto_depth`.
    """
    if len(data) > limits.config_bytes:
        raise LimitExceeded(
            file, "protobuf text bytes", len(data), limits.config_bytes, "config_bytes"
        )
    name = message_type.DESCRIPTOR.name
    message = message_type()
    try:
        text = data.decode("utf-8")
        most, setting = TOKENS.most(len(data), limits)
        left = most - text.count("\\")
        if left < 0 or next(islice(_TOKEN.finditer(text), left, None), None):
            raise LimitExceeded(file, TOKENS.what, most + 1, most, setting)
        depth = 0
        for character in re.findall(r"[{}<>\[\]]", _OPAQUE.sub("", text)):
            depth += 1 if character in "{<[" else -1
            if depth > limits.proto_depth:
                raise LimitExceeded(
                    file, "protobuf text depth", depth, limits.proto_depth, "proto_depth"
                )
        text_format.Parse(_with_fields(text), message, allow_unknown_field=skip)
    except (text_format.ParseError, ValueError, RecursionError, DecodeError) as error:
        raise ReadError(ProblemKind.CORRUPT, file, f"not {name} text: {error}") from error
    return message


def _with_fields(text: str) -> str:
    """The text with types in brackets replaced by field names, as in this package's schema."""
    if not _UNPACKED.search(text):
        return text
    either = re.compile(f"(?:{_OPAQUE.pattern})|{_UNPACKED.pattern}")
    return either.sub(
        lambda found: _UNPACKED_FIELDS.get(found[1], "unpacked_any") if found[1] else found[0], text
    )


def looks_textual(data: bytes) -> bool:
    """Whether the first bytes can be text: no control characters other than white space."""
    head = data[:512]
    return bool(head) and not any(byte < 0x20 and byte not in b"\t\n\r" for byte in head)
