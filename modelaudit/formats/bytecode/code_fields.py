"""Fields of a marshalled code object, in the order of each Python version."""

from __future__ import annotations

from msgspec import Struct


class CodeField(Struct, frozen=True):
    """A field. `kind` is integer (four bytes), bytes, text, tuple or names (a tuple of strings)."""

    name: str
    kind: str

    @property
    def integer(self) -> bool:
        """Whether the field is four bytes rather than an object."""
        return self.kind == "integer"


class CodeLayout(Struct, frozen=True):
    """Field order of a range of Python versions.

    `python` is the range for display; `byte_names` is whether interned names are byte strings.
    """

    python: str
    fields: tuple[CodeField, ...]
    byte_names: bool = False


def _fields(counts: str, parts: str, end: str) -> tuple[CodeField, ...]:
    """Leading integers, then `name:kind` fields, the first line, and trailing byte strings."""
    return (
        *(CodeField(name, "integer") for name in counts.split()),
        *(CodeField(*part.split(":")) for part in parts.split()),
        CodeField("first_line", "integer"),
        *(CodeField(name, "bytes") for name in end.split()),
    )


_CLASSIC = (
    "code:bytes constants:tuple names:names variables:names free:names cells:names "
    "filename:text name:text"
)

LAYOUTS = (
    CodeLayout(
        "3.11 to 3.14",
        _fields(
            "arguments positional_only keyword_only stack flags",
            "code:bytes constants:tuple names:names variables:names kinds:bytes "
            "filename:text name:text qualified_name:text",
            "lines exceptions",
        ),
    ),
    CodeLayout(
        "3.8 to 3.10",
        _fields("arguments positional_only keyword_only locals stack flags", _CLASSIC, "lines"),
    ),
    CodeLayout(
        "3.0 to 3.7", _fields("arguments keyword_only locals stack flags", _CLASSIC, "lines")
    ),
    CodeLayout("2.3 to 2.7", _fields("arguments locals stack flags", _CLASSIC, "lines"), True),
)
"""Newest first. The layouts differ so much that a stream matches only one of them."""
