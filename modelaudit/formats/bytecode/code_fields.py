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
    """Field order of a range of Python versions, `first` to `last`.

    `byte_names` is whether interned names are byte strings.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    fields: tuple[CodeField, ...]
    byte_names: bool = False

    @property
    def python(self) -> str:
        """The range for display: `3.8 to 3.10`."""
        return " to ".join(".".join(map(str, version)) for version in (self.first, self.last))


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
        (3, 11),
        (3, 14),
        _fields(
            "arguments positional_only keyword_only stack flags",
            "code:bytes constants:tuple names:names variables:names kinds:bytes "
            "filename:text name:text qualified_name:text",
            "lines exceptions",
        ),
    ),
    CodeLayout(
        (3, 8),
        (3, 10),
        _fields("arguments positional_only keyword_only locals stack flags", _CLASSIC, "lines"),
    ),
    CodeLayout(
        (3, 0), (3, 7), _fields("arguments keyword_only locals stack flags", _CLASSIC, "lines")
    ),
    CodeLayout((2, 3), (2, 7), _fields("arguments locals stack flags", _CLASSIC, "lines"), True),
)
"""Newest first. The layouts differ so much that a stream matches only one of them."""
