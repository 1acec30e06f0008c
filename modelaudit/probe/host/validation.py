"""Validation of a child's answers, in which every field is untrusted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modelaudit.audit_types.loading import Port
from modelaudit.facts import Json
from modelaudit.probe.protocol import HELD, VariableDigest
from modelaudit.terminal_text import plain

NAME = 1000  # maximum length of a name in characters
TEXT = 2000  # maximum length of an error message in characters
NOT_PERMITTED = ("PermissionError", "PermissionDeniedError")  # Python's and TensorFlow's
COUNT = 500_000  # maximum length of a list


_NODE_LINES = re.compile(
    r"^(Graph execution error:|<stack traces unavailable>|Detected at node .*|Node: .*"
    r"|\s*\[\[\{\{node .*\}\}\]\]|Original stack trace for .*)\n?",
    re.MULTILINE,
)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")


class UntrustedAnswer(ValueError):
    """An answer has an invalid form."""


def require(condition: bool, otherwise: str) -> None:
    """Raise `UntrustedAnswer` unless the condition holds."""
    if not condition:
        raise UntrustedAnswer(otherwise)


def mapping(value: object) -> Mapping[str, Any]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        raise UntrustedAnswer("something that is not an object")
    return value


def items(value: object) -> list[Any]:
    """`value` as a list of limited length."""
    if not isinstance(value, list) or len(value) > COUNT:
        raise UntrustedAnswer("something that is not a list, or is too long")
    return value


def text(value: object) -> str:
    """`value` as text, truncated to `NAME` characters."""
    if not isinstance(value, str):
        raise UntrustedAnswer("a name that is not text")
    return value[:NAME]


def error_text(value: object) -> str:
    """The reproducible part of an error message.

    Which of several failing nodes TensorFlow reports is random, and so are memory addresses.
    """
    return _ADDRESS.sub("0x…", _NODE_LINES.sub("", plain(str(value)))).strip()[:TEXT]


def failure_text(kind: str, value: object) -> str:
    """Like `error_text`, with a note about the sandbox if an operation was not permitted."""
    said = error_text(value)
    return f"{said[: TEXT - len(HELD) - 1]}\n{HELD}" if kind in NOT_PERMITTED else said


def size(value: object) -> int:
    """`value` as the length of an axis."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UntrustedAnswer("an axis that is not a size")
    return value


def port(value: object) -> Port:
    """`value` as an input or output of the model."""
    entry = mapping(value)
    shape = entry.get("shape")
    if shape is not None:
        shape = tuple(None if n is None else size(n) for n in items(shape))
    below = entry.get("below")
    limit = None if below is None else size(below)
    return Port(text(entry.get("name")), text(entry.get("dtype")), shape, limit)


def digest(value: object) -> VariableDigest:
    """`value` as the digest of a variable."""
    entry = mapping(value)
    digest = text(entry.get("sha256"))
    require(len(digest) in {0, 64} and set(digest) <= set("0123456789abcdef"), "no SHA-256 digest")
    shape = tuple(size(n) for n in items(entry.get("shape")))
    return VariableDigest(text(entry.get("path")), shape, text(entry.get("dtype")), digest)


def details(entry: Mapping[str, Any]) -> Mapping[str, Json]:
    """A restored layer's config and output shape, as JSON."""
    config, shape = entry.get("config"), entry.get("shape")
    found: dict[str, Json] = {}
    if isinstance(config, dict):
        found["config"] = config
    if isinstance(shape, list):
        found["shape"] = [None if n is None else size(n) for n in shape]
    return found
