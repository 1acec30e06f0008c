"""Instructions of a code object, for each Python version in whose bytecode it can be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct

_TABLE = Path(__file__).with_name("instructions.txt")
_WORDS = (3, 6)  # from this version on, each instruction has two bytes
_FIRST_WITH_ARGUMENT = 90  # before that: three bytes from this number on, one byte below
_MOST_ARGUMENT = 1 << 31

Version = tuple[int, int]


class Instruction(Struct, frozen=True):
    """An instruction and its argument, with the bytes of `EXTENDED_ARG` before it; 0 if none.

    `offset` is where it begins, with its `EXTENDED_ARG`, and `end` where it ends, with its caches.
    """

    name: str
    argument: int
    offset: int = 0
    end: int = 0


class _Encoding(Struct, frozen=True):
    """An instruction's name and the number of cache entries that follow it."""

    name: str
    caches: int


@cache
def _encodings() -> Mapping[Version, Mapping[int, _Encoding]]:
    """Version -> number -> instruction, for every version of the table."""
    changes: dict[str, list[tuple[Version, str]]] = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, *cells = line.split(" ")
        changes[name] = [(_version(when), what) for when, _, what in map(_split, cells)]
    versions = [(2, minor) for minor in range(3, 8)] + [(3, minor) for minor in range(15)]
    tables: dict[Version, dict[int, _Encoding]] = {version: {} for version in versions}
    for version in versions:
        for name, steps in changes.items():
            current = [what for when, what in steps if when <= version]
            if current and current[-1] != "-":
                number, _, caches = current[-1].partition("+")
                tables[version][int(number)] = _Encoding(name, int(caches or 0))
    return tables


def _split(cell: str) -> tuple[str, str, str]:
    return cell.partition("=")


def _version(text: str) -> Version:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def versions_between(first: Version, last: Version) -> tuple[Version, ...]:
    """The Python versions of the table from `first` to `last`, inclusive."""
    return tuple(version for version in _encodings() if first <= version <= last)


def instructions(bytecode: bytes, version: Version) -> tuple[Instruction, ...] | None:
    """The instructions of `bytecode` as `version` reads them, without caches and `EXTENDED_ARG`.

    None if it is not bytecode of that version: an unknown number, a cache entry that is missing or
    is not empty, or an incomplete last instruction.
    """
    found, whole = _read(bytecode, version)
    return tuple(found) if whole else None


def executed_part(bytecode: bytes, version: Version) -> tuple[Instruction, ...]:
    """The instructions that `version` can execute, as those of `instructions`.

    At the first number that it does not know, CPython raises an error; so a `RAISE_VARARGS` stands
    there.
    """
    found, whole = _read(bytecode, version)
    end = found[-1].end if found else 0
    return (*found, *[Instruction("RAISE_VARARGS", 0, end, end + 2)] * (not whole))


def _read(bytecode: bytes, version: Version) -> tuple[list[Instruction], bool]:
    """The instructions up to the first that is none, and whether these are all."""
    read = _in_words if version >= _WORDS else _in_bytes
    found: list[Instruction] = []
    try:
        found.extend(read(bytecode, _encodings()[version]))  # keeps those before an error
    except ValueError:
        return found, False
    return found, True


def _in_words(data: bytes, table: Mapping[int, _Encoding]) -> Iterator[Instruction]:
    if len(data) % 2:
        raise ValueError
    position, argument, start = 0, 0, 0
    while position < len(data):
        encoding = table.get(data[position])
        if encoding is None or encoding.name == "CACHE":
            raise ValueError
        argument = _joined(argument, 8, data[position + 1])
        position += 2
        if encoding.name == "EXTENDED_ARG":
            continue
        caches = data[position : position + 2 * encoding.caches]
        if len(caches) < 2 * encoding.caches or any(caches):
            raise ValueError
        position += len(caches)
        yield Instruction(encoding.name, argument, start, position)
        argument, start = 0, position


def _in_bytes(data: bytes, table: Mapping[int, _Encoding]) -> Iterator[Instruction]:
    position, argument, start = 0, 0, 0
    while position < len(data):
        number = data[position]
        encoding = table.get(number)
        size = 3 if number >= _FIRST_WITH_ARGUMENT else 1
        if encoding is None or position + size > len(data):
            raise ValueError
        argument = _joined(
            argument, 16, int.from_bytes(data[position + 1 : position + 3], "little")
        )
        argument *= size == 3
        position += size
        if encoding.name != "EXTENDED_ARG":
            yield Instruction(encoding.name, argument, start, position)
            argument, start = 0, position


def _joined(high: int, bits: int, low: int) -> int:
    if high >= _MOST_ARGUMENT >> bits:
        raise ValueError
    return high << bits | low
