"""Literals in a layer's code, and those of them that are no text and no number of arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modelaudit.formats.bytecode.marshal_reader import Code
from modelaudit.thresholds.security import CODE_NUMBERS, CODE_TEXT, CODE_WORD

_OTHER_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PLACE = re.compile(r"\s*(?:[/~]|\.\./|[A-Za-z]:\\|\w+://)")
_PLAIN_NUMBER = 1 << 64


def texts_in(value: object) -> set[str]:
    """The texts in a constant."""
    return {
        each if isinstance(each, str) else each.decode("latin-1")
        for each in literals_in(value)
        if isinstance(each, str | bytes)
    }


def literals_in(value: object) -> Iterator[object]:
    """The literals in a constant or a JSON value; a piece of code is none."""
    pending: list[object] = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, list | tuple):
            pending.extend(each)
        elif isinstance(each, dict):
            pending.extend((*each.keys(), *each.values()))
        elif not isinstance(each, Code):
            yield each


def unlisted_values(values: Iterable[object], byte_texts: bool) -> Iterator[str]:
    """Literals that are long, encoded, or no text and no number."""
    numbers = 0
    for each in (literal for value in values for literal in literals_in(value)):
        if isinstance(each, bytes) and each and not byte_texts:
            yield f"{len(each):,} bytes"
        elif isinstance(each, str | bytes):
            yield from _unlisted_text(each if isinstance(each, str) else each.decode("latin-1"))
        elif isinstance(each, int | float | complex) and not isinstance(each, bool):
            numbers += 1
            if isinstance(each, int) and abs(each) >= _PLAIN_NUMBER:
                yield f"a number of {each.bit_length():,} bits"
    if numbers > CODE_NUMBERS.value:
        yield f"{numbers:,} numbers"


def _unlisted_text(text: str) -> Iterator[str]:
    longest = max(map(len, text.split()), default=0)
    if len(text) > CODE_TEXT.value or longest > CODE_WORD.value:
        yield f"a text of {len(text):,} characters"
    elif _OTHER_TEXT.search(text):
        yield "a text with control characters"
    elif _PLACE.match(text):
        yield f"the text {text[:40]!r}, a path or address"
