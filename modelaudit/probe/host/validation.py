"""Checks on what a child says: every field is untrusted until one of these returned it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modelaudit.facts import Json
from modelaudit.probe.protocol import Port, VariableDigest

NAME = 1000  # characters of a name that are kept
TEXT = 2000  # characters of an error that are kept
NOT_PERMITTED = ("PermissionError", "PermissionDeniedError")  # Python's and TensorFlow's
HELD = "(In the sandbox a model reads its own files alone, and starts and reaches nothing.)"
COUNT = 500_000  # entries of one list


_NODE_LINES = re.compile(
    r"^(Graph execution error:|<stack traces unavailable>|Detected at node .*|Node: .*"
    r"|\s*\[\[\{\{node .*\}\}\]\]|Original stack trace for .*)\n?",
    re.MULTILINE,
)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")


class UntrustedAnswer(ValueError):
    """An answer is not of the form that it must have."""


def require(condition: bool, otherwise: str) -> None:
    """Raise `UntrustedAnswer` unless the condition holds."""
    if not condition:
        raise UntrustedAnswer(otherwise)


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise UntrustedAnswer("something that is not an object")
    return value


def items(value: object) -> list[Any]:
    """A list of bearable length."""
    if not isinstance(value, list) or len(value) > COUNT:
        raise UntrustedAnswer("something that is not a list, or too long a one")
    return value


def text(value: object) -> str:
    """Text, cut at `NAME` characters."""
    if not isinstance(value, str):
        raise UntrustedAnswer("a name that is not text")
    return value[:NAME]


def error_text(value: object) -> str:
    """An error's text as far as it is the same in every run.

    Which of several failing nodes TensorFlow names is chance, and so are addresses.
    """
    return _ADDRESS.sub("0x…", _NODE_LINES.sub("", str(value))).strip()[:TEXT]


def failure_text(kind: str, value: object) -> str:
    """The same, and where something was not permitted, what the sandbox permits."""
    said = error_text(value)
    return f"{said[: TEXT - len(HELD) - 1]}\n{HELD}" if kind in NOT_PERMITTED else said


def size(value: object) -> int:
    """Length of an axis."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UntrustedAnswer("an axis that is not a size")
    return value


def port(value: object) -> Port:
    """A model's input or output."""
    entry = mapping(value)
    shape = entry.get("shape")
    if shape is not None:
        shape = tuple(None if n is None else size(n) for n in items(shape))
    return Port(text(entry.get("name")), text(entry.get("dtype")), shape)


def digest(value: object) -> VariableDigest:
    """A variable's digest."""
    entry = mapping(value)
    digest = text(entry.get("sha256"))
    require(len(digest) in {0, 64} and set(digest) <= set("0123456789abcdef"), "no sha256")
    shape = tuple(size(n) for n in items(entry.get("shape")))
    return VariableDigest(text(entry.get("path")), shape, text(entry.get("dtype")), digest)


def details(entry: Mapping[str, Any]) -> Mapping[str, Json]:
    """A restored layer's config and output shape; JSON is all that they can be."""
    config, shape = entry.get("config"), entry.get("shape")
    found: dict[str, Json] = {}
    if isinstance(config, dict):
        found["config"] = config
    if isinstance(shape, list):
        found["shape"] = [None if n is None else size(n) for n in shape]
    return found
