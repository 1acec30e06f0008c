"""Reader of Python code objects in a marshal stream, without unmarshalling them.

`marshal.loads` creates live objects, crashes on hostile bytes and supports only the format of the
running Python. This reader returns plain values, is bounded, and supports Python 2.3 to 3.14.
Type codes and field orders: CPython's Python/marshal.c and Objects/codeobject.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from modelaudit.formats.bytecode.code_fields import LAYOUTS, CodeLayout

MAX_BYTES = 4 << 20
SHORTEST = 24  # bytes of a code object; texts that encode one have more characters
MAX_OBJECTS = 200_000
MAX_DEPTH = 64  # nested code and tuples; real code has a few levels
MAX_DIGITS = 256  # of 15 bits each; no real constant is larger
_REF = 0x80

Value: TypeAlias = (
    "bool | int | float | complex | str | bytes | tuple[Value, ...] | list[Value] | Code | None"
)
"""A constant. Sets, dictionaries and slices are lists: CPython trusts tuples to be tuples."""


class Code(Struct, frozen=True):
    """A code object.

    Attributes:
        name: name of the function, `<lambda>` for a lambda.
        filename: path of the source on the machine that compiled it.
        first_line: first line in that file.
        names: globals, attributes and modules that the code uses, in order of first use.
        variables: arguments and local variables; from Python 3.11 on, also those of closures.
        closure: variables shared with inner or outer functions, before Python 3.11.
        constants: literals. Includes the code of inner functions.
        bytecode: the instructions, as stored.
        exceptions: the exception table, as stored; empty before Python 3.11.
        stack: values that the stack has room for.
        flags: of the kind of function.
        locals: number of local variables before Python 3.11.
        free: number of variables of outer functions, before Python 3.11.
        kinds: from Python 3.11 on, a byte for each variable: local, cell or free.
        arguments: number of arguments that can be given by position, the first of `variables`.
        lines: the table of line numbers, as stored.
    """

    name: str
    filename: str
    first_line: int
    names: tuple[str, ...]
    variables: tuple[str, ...]
    closure: tuple[str, ...]
    constants: tuple[Value, ...]
    bytecode: bytes
    exceptions: bytes = b""
    stack: int = 0
    flags: int = 0
    locals: int = 0
    free: int = 0
    kinds: bytes = b""
    arguments: int = 1
    lines: bytes = b""

    def nested(self) -> Iterator[Code]:
        """The code itself and the code of all inner functions and classes."""
        pending: list[Value] = [self]
        seen: set[int] = set()
        while pending:
            value = pending.pop()
            if id(value) in seen:  # the same object can occur several times
                continue
            if isinstance(value, Code):
                seen.add(id(value))
                yield value
                pending.extend(reversed(value.constants))
            elif isinstance(value, tuple | list):
                seen.add(id(value))
                pending.extend(reversed(value))


class Bytecode(Struct, frozen=True):
    """A readable stream: its outermost code object, and the Python versions of its format."""

    layout: CodeLayout
    code: Code

    @property
    def python(self) -> str:
        """The Python versions for display: `3.8 to 3.10`."""
        return self.layout.python

    def all_names(self) -> tuple[str, ...]:
        """Names used in the code and in all nested code, each once."""
        return tuple(dict.fromkeys(name for code in self.code.nested() for name in code.names))

    def texts(self) -> tuple[str, ...]:
        """String constants in the code and in all nested code, each once."""
        found: dict[str, None] = {}
        seen: set[int] = set()
        for code in self.code.nested():
            pending: list[Value] = list(reversed(code.constants))
            while pending:
                value = pending.pop()
                if isinstance(value, str | bytes):
                    found[_text(value)] = None
                elif isinstance(value, tuple | list) and id(value) not in seen:
                    seen.add(id(value))
                    pending.extend(reversed(value))
        return tuple(found)


class Unreadable(Struct, frozen=True):
    """Bytes that look like bytecode but are not in a known format."""

    reason: str


def looks_like_bytecode(data: bytes) -> bool:
    """Whether `data` starts like a marshalled code object: type code, small argument count."""
    return len(data) >= SHORTEST and data[0] & ~_REF == ord("c") and data[3:5] == b"\0\0"


def read_bytecode(data: bytes) -> Bytecode | Unreadable:
    """Read the code object in a marshal stream. Never raises."""
    if len(data) > MAX_BYTES:
        return Unreadable(f"{len(data):,} bytes, more than {MAX_BYTES:,}")
    best = (-1, "no code object")
    for layout in LAYOUTS:
        stream = _Stream(data, layout)
        try:
            value = stream.value(0)
        except _Malformed as error:
            # The layout that got furthest is probably the right one; report its error.
            best = max(best, (stream.position, str(error)))
            continue
        if isinstance(value, Code):
            return Bytecode(layout, value)
        best = max(best, (0, "the stream contains no code object"))
    return Unreadable(best[1])


class _Malformed(Exception):
    """The bytes do not match the layout."""


class _Stream:
    """An attempt to read the bytes with one layout."""

    def __init__(self, data: bytes, layout: CodeLayout) -> None:
        self.data = data
        self.layout = layout
        self.position = 0
        self.count = 0
        self.references: list[Value | _Malformed] = []
        self.interned: list[Value] = []  # Python 2 refers to interned strings only

    def value(self, depth: int) -> Value:
        """Read the next object."""
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_OBJECTS:
            raise _Malformed("nested too deeply" if depth > MAX_DEPTH else "too many objects")
        code = self.take(1)[0]
        kind = chr(code & ~_REF)
        if kind == "r":
            return self.reference(self.references)
        if kind == "R":
            return self.reference(self.interned)
        if not code & _REF:
            return self.body(kind, depth)
        # Numbered before its parts are read; a part that refers to it would be a cycle.
        number = len(self.references)
        self.references.append(_Malformed("an object that contains itself"))
        value = self.body(kind, depth)
        self.references[number] = value
        return value

    def body(self, kind: str, depth: int) -> Value:
        """Read an object after its type code."""
        if kind in "NS.0":
            return None  # None, StopIteration, Ellipsis, the end of a dictionary
        if kind in "FT":
            return kind == "T"
        if kind in "iI":
            return int.from_bytes(self.take(4 if kind == "i" else 8), "little", signed=True)
        if kind in "lfgxy":
            return self.number(kind)
        if kind in "stuaAzZ":
            return self.string(kind)
        if kind in "([<>)":
            size = self.take(1)[0] if kind == ")" else self.length()
            values = [self.value(depth + 1) for _ in range(size)]
            return tuple(values) if kind in "()" else values
        if kind == "{":
            return self.dictionary(depth)
        if kind == ":":  # a slice, Python 3.14 and later
            return [self.value(depth + 1) for _ in range(3)]
        if kind == "c":
            return self.code(depth)
        raise _Malformed(f"unknown type code {kind!r} at byte {self.position - 1}")

    def number(self, kind: str) -> Value:
        """Read a long integer, or a float or complex number as text or in binary."""
        if kind == "l":
            digits = self.integer()
            if abs(digits) > MAX_DIGITS:
                raise _Malformed(f"an integer of {abs(digits):,} digits")
            parts: tuple[int, ...] = struct.unpack(f"<{abs(digits)}H", self.take(2 * abs(digits)))
            total = sum(part << (15 * index) for index, part in enumerate(parts))
            return -total if digits < 0 else total
        if kind in "gy":
            form = struct.Struct("<d" if kind == "g" else "<2d")
            values: tuple[float, ...] = form.unpack(self.take(form.size))
        else:
            try:
                values = tuple(float(self.take(self.take(1)[0])) for _ in range(1 + (kind == "x")))
            except ValueError as error:
                raise _Malformed("an invalid float") from error
        return values[0] if len(values) == 1 else complex(*values)

    def string(self, kind: str) -> Value:
        """Read a byte string or text; in Python 2, names are byte strings."""
        size = self.take(1)[0] if kind in "zZ" else self.length()
        data = self.take(size)
        binary = kind == "s" or (kind == "t" and self.layout.byte_names)
        value: Value = data if binary else _text(data)
        if kind == "t":
            self.interned.append(value)
        return value

    def dictionary(self, depth: int) -> Value:
        """Read alternating keys and values up to the null object."""
        items: list[Value] = []
        while self.peek() & ~_REF != ord("0"):
            items.append(self.value(depth + 1))
        self.take(1)
        return items

    def code(self, depth: int) -> Code:
        """Read a code object: the fields in the order of the layout."""
        fields: dict[str, Value] = {}
        for field in self.layout.fields:
            if field.integer:
                fields[field.name] = self.integer()
            else:
                fields[field.name] = self.value(depth + 1)
                self.check(field.name, field.kind, fields[field.name])
        first_line, instructions = fields["first_line"], fields["code"]
        constants = fields["constants"]
        # `check` guarantees these types; the type checker needs the tests.
        if (
            not isinstance(first_line, int)
            or not isinstance(instructions, bytes)
            or not isinstance(constants, tuple)
        ):
            raise _Malformed("a code object with fields of other types")
        return Code(
            name=_text(fields["name"]),
            filename=_text(fields["filename"]),
            first_line=first_line,
            names=_texts(fields["names"]),
            variables=_texts(fields["variables"]),
            closure=(*_texts(fields.get("cells")), *_texts(fields.get("free"))),
            constants=constants,
            bytecode=instructions,
            exceptions=table if isinstance(table := fields.get("exceptions"), bytes) else b"",
            stack=self.count_of(fields, "stack"),
            flags=self.count_of(fields, "flags"),
            locals=self.count_of(fields, "locals"),
            free=len(_texts(fields.get("free"))),
            kinds=kinds if isinstance(kinds := fields.get("kinds"), bytes) else b"",
            arguments=self.count_of(fields, "arguments"),
            lines=lines if isinstance(lines := fields.get("lines"), bytes) else b"",
        )

    @staticmethod
    def count_of(fields: Mapping[str, Value], name: str) -> int:
        """An integer field; 0 if the layout has none."""
        number = fields.get(name)
        return number if isinstance(number, int) else 0

    def check(self, name: str, kind: str, value: Value) -> None:
        """Raise if a field has the wrong type, which rejects the wrong layouts."""
        right = {
            "bytes": isinstance(value, bytes),
            "text": isinstance(value, str | bytes),
            "tuple": isinstance(value, tuple),
            "names": isinstance(value, tuple) and all(isinstance(n, str | bytes) for n in value),
        }
        if not right[kind]:
            raise _Malformed(f"a code object's {name} field is not of type {kind}")

    def reference(self, table: list[Value | _Malformed] | list[Value]) -> Value:
        """Read a reference to an earlier object."""
        number = self.integer()
        if not 0 <= number < len(table):
            raise _Malformed(f"refers to object {number} of {len(table)}")
        value = table[number]
        if isinstance(value, _Malformed):
            raise value
        return value

    def length(self) -> int:
        """Read a number of parts, each of which takes at least one byte."""
        size = self.integer()
        if not 0 <= size <= len(self.data) - self.position:
            raise _Malformed(f"{size:,} parts or bytes declared, but fewer are present")
        return size

    def integer(self) -> int:
        """Read four bytes as a signed integer."""
        return int.from_bytes(self.take(4), "little", signed=True)

    def peek(self) -> int:
        """The next byte, without reading it."""
        if self.position >= len(self.data):
            raise _Malformed("the data are truncated")
        return self.data[self.position]

    def take(self, size: int) -> bytes:
        """Read `size` bytes."""
        end = self.position + size
        if end > len(self.data):
            raise _Malformed("the data are truncated")
        piece = self.data[self.position : end]
        self.position = end
        return piece


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else ""


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(_text(item) for item in value) if isinstance(value, tuple) else ()
