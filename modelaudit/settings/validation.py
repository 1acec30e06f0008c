"""Typed access to the values of a settings file.

Everything here raises `UsageError`, with the file and the location in it, for a value of another
type. `where` is that location as text: `[limits]`, `[[ignore]] number 2`.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.findings import Severity

Table = dict[str, object]
KINDS: Mapping[type | tuple[type, ...], str] = {
    str: "text",
    bool: "true or false",
    int: "an integer",
    (int, float): "a number",
}
WHOLE = 1 << 63  # TOML integers range from minus this to this minus one


def whole_numbers(data: object, path: Path) -> None:
    """Reject integers outside of TOML's range, which Python's parser accepts.

    Neither floats nor system calls nor the database support them.
    """
    waiting: list[tuple[str, str, object]] = [("", "the file", data)]
    while waiting:  # no recursion: dotted keys can nest as deep as the file is long
        key, where, value = waiting.pop()
        if isinstance(value, dict):
            inside = f"[{key}]" if key else where
            waiting += [(name, inside, each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [(key, where, each) for each in value]
        elif isinstance(value, int) and not -WHOLE <= value < WHOLE:
            raise UsageError(f"{path}: {key} in {where} must be a 64-bit integer")


def table(data: Mapping[str, object], key: str, path: Path) -> Table:
    """A table, {} if there is none."""
    found = data.get(key, {})
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {key} must be a table")
    return found


def tables(data: Mapping[str, object], key: str, path: Path) -> Iterator[tuple[Table, str]]:
    """Every table of an array, with its `where`."""
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UsageError(f"{path}: {key} must be an array of tables: [[{key}]]")
    for number, each in enumerate(found, start=1):
        yield each, f"[[{key}]] number {number}"


def no_others(data: Mapping[str, object], known: set[str], where: str, path: Path) -> None:
    """Reject unknown keys."""
    others = sorted(set(data) - known)
    if others:
        raise UsageError(
            f"{path}: unknown key {others[0]!r} in {where}; known keys: {', '.join(sorted(known))}"
        )


def typed(value: object, kind: type | tuple[type, ...], key: str, path: Path) -> object:
    """A value of one of these types; booleans are not numbers."""
    wrong_bool = isinstance(value, bool) and kind is not bool
    if wrong_bool or not isinstance(value, kind):
        raise UsageError(f"{path}: {key} must be {KINDS[kind]}, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """A short form of an invalid value, which may be as large and as deeply nested as the file."""
    return reprlib.repr(value)


def text(data: Mapping[str, object], key: str, where: str, path: Path) -> str:
    """A string, "" if there is none."""
    value = data.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{path}: {key} in {where} must be a string, not {_shown(value)}")
    return value


def texts(data: Mapping[str, object], key: str, where: str, path: Path) -> tuple[str, ...]:
    """An array of strings."""
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(
            f"{path}: {key} in {where} must be an array of strings, not {_shown(value)}"
        )
    return tuple(value)


def one_or_more(data: Mapping[str, object], key: str, where: str, path: Path) -> tuple[str, ...]:
    """A string, or an array of strings."""
    value = data.get(key, [])
    return (value,) if isinstance(value, str) else texts(data, key, where, path)


def number(value: object, key: str, where: str, path: Path) -> int | float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{path}: {key} in {where} must be a number, not {_shown(value)}")
    return value


def positive(value: object, most: float, key: str, where: str, path: Path) -> int | float:
    """A number above 0 and at most `most`."""
    found = number(value, key, where, path)
    if not 0 < found <= most:
        raise UsageError(
            f"{path}: {key} in {where} must be above 0 and at most {most:,}, not {found!r}"
        )
    return found


def severity(value: object, key: str, where: str, path: Path) -> Severity:
    """A severity by its name."""
    try:
        return Severity(str(value))
    except ValueError:
        names = ", ".join(severity.value for severity in Severity)
        raise UsageError(f"{path}: {key} in {where} must be one of {names}") from None
