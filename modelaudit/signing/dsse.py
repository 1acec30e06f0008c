"""DSSE envelopes, version 1: a payload with its type, and signatures over both."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec
from msgspec import Struct

from modelaudit.errors import ProblemKind, ReadError
from modelaudit.facts import Json
from modelaudit.formats.io.bounded import json_loads
from modelaudit.settings import Limits

IN_TOTO = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"

T = TypeVar("T")


class SignatureEntry(Struct, frozen=True):
    """One signature of an envelope as it is written; `keyid` is a hint that nothing relies on."""

    sig: str
    keyid: str | None = ""


class EnvelopeEntry(Struct, frozen=True, rename="camel"):
    """An envelope as it is written; texts are in base64."""

    payload: str
    payload_type: str
    signatures: tuple[SignatureEntry, ...]


class Envelope(Struct, frozen=True):
    """An envelope with a single signature, decoded."""

    payload: bytes
    payload_type: str
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over (pre-authentication encoding)."""
        kind = self.payload_type.encode("utf-8", "surrogatepass")
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


def unusable(file: str, reason: str) -> ReadError:
    """The error for a signature that cannot be used, with the reason."""
    return ReadError(ProblemKind.CONFIG_INVALID, file, reason)


def parse(data: bytes, kind: type[T], limits: Limits, file: str) -> T:
    """A JSON text of this type; further keys are allowed, equal ones are not.

    Raises:
        ReadError: it is something else, or exceeds a limit.
    """
    twice: list[str] = []
    value = json_loads(data, limits, file, twice)
    if twice:
        raise unusable(file, f"the key {twice[0][:40]!r} occurs twice in one object")
    return converted_json(value, kind, file)


def converted_json(value: Json, kind: type[T], file: str) -> T:
    """A JSON value as this type.

    Raises:
        ReadError: it is something else.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise unusable(file, f"not of the expected form: {error}") from error


def open_envelope(entry: EnvelopeEntry, file: str) -> Envelope:
    """The decoded envelope of an in-toto statement.

    Raises:
        ReadError: it has another payload, or not exactly one signature.
    """
    if entry.payload_type != IN_TOTO:
        raise unusable(file, f"the signed payload is {entry.payload_type[:80]!r}, not {IN_TOTO}")
    if len(entry.signatures) != 1:
        raise unusable(file, f"has {len(entry.signatures):,} signatures where one is expected")
    return Envelope(
        payload=decoded(entry.payload, file),
        payload_type=entry.payload_type,
        signature=decoded(entry.signatures[0].sig, file),
    )


def decoded(text: str, file: str) -> bytes:
    """The bytes of a text in base64.

    Raises:
        ReadError: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise unusable(file, "contains text that is not base64") from error
