"""The part of YAML that tools write for themselves: block mappings, block lists and scalars.

MLflow describes a model in YAML. A full YAML parser takes tags that name Python objects and
aliases that grow without bound, so this one knows neither: what it does not know is an error that
names the line, and every scalar stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind

MOST_LINES = 20_000
DEEPEST = 32

# None for an empty value, `null` or `~`.
Node = Mapping[str, "Node"] | list["Node"] | str | None

# A plain key ends at the first colon that a blank or the end of the line follows.
_KEY = re.compile(
    r"""(?P<key>[^ \t,\[\]{}#&*!|>'"%@`][^:]*+(?::(?![ \t]|$)[^:]*+)*+):(?:[ \t]+|$)"""
)
_QUOTED_KEY = re.compile(
    r"""(?P<quote>['"])(?P<key>(?:(?!(?P=quote))[^\\])*)(?P=quote):(?:[ \t]+|$)"""
)
_COMMENT = re.compile(r"[ \t]+#.*")
_BREAK = re.compile(r"\r\n|\r|\n")
_BLANK = " \t"
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_SIMPLE = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0",
    "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_UNKNOWN = {"&": "an anchor", "*": "an alias", "!": "a tag", "|": "a literal block",
            ">": "a folded block", "%": "a directive", "?": "a complex key"}  # fmt: skip


def parse(text: str, file: str) -> Node:
    """The document in `text`.

    Args:
        text: one YAML document.
        file: name to use in errors.

    Raises:
        ReadError: `corrupt`, for what is no YAML or uses more of it than this reader knows.
        LimitExceeded: more lines or levels than any description of a model has.
    """
    lines = _BREAK.split(text)
    if len(lines) > MOST_LINES:
        raise LimitExceeded(file, "lines", len(lines), MOST_LINES)
    reader = _Reader(lines, file)
    found = reader.block(0, 0)
    if reader.peek() is not None:
        raise reader.error("a line that belongs to nothing before it")
    return found


class _Reader:
    """Goes through the lines once; `at` is the line that comes next."""

    def __init__(self, lines: list[str], file: str) -> None:
        self.lines = lines
        self.file = file
        self.at = 1 if lines and lines[0].rstrip(_BLANK) == "---" else 0

    def error(self, what: str) -> ReadError:
        return ReadError(ProblemKind.CORRUPT, self.file, f"line {self.at + 1}: {what}")

    def peek(self) -> tuple[int, str] | None:
        """Indent and text of the next line that says something; it stays the next one."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            text = line.lstrip(" ")
            if text.strip(_BLANK) and not text.startswith("#"):
                if text[0] == "\t":
                    raise self.error("a tab in the indentation")
                return len(line) - len(text), text.rstrip(_BLANK)
            self.at += 1
        return None

    def block(self, least: int, depth: int) -> Node:
        """What starts at the next line, if it is indented by `least` columns or more."""
        if depth > DEEPEST:
            raise LimitExceeded(self.file, "levels", depth, DEEPEST)
        ahead = self.peek()
        if ahead is None or ahead[0] < least:
            return None
        indent, text = ahead
        if text == "-" or text.startswith("- "):
            return self._list(indent, depth)
        if _key(text):
            return self._mapping(indent, depth)
        self.at += 1
        return self._scalar(text, indent - 1)

    def _list(self, indent: int, depth: int) -> list[Node]:
        found: list[Node] = []
        while (ahead := self.peek()) and ahead[0] == indent:
            text = ahead[1]
            if text != "-" and not text.startswith("- "):
                break
            # What stands behind the dash is a block of its own, indented to where it stands.
            self.lines[self.at] = " " * (indent + 1) + text[1:]
            found.append(self.block(indent + 1, depth + 1))
        return found

    def _mapping(self, indent: int, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while (ahead := self.peek()) and ahead[0] == indent:
            match = _key(ahead[1])
            if match is None:
                break
            key, rest = match["key"].rstrip(_BLANK), ahead[1][match.end() :]
            if key in found:
                raise self.error(f"the key {key!r} for the second time")
            self.at += 1
            if rest and not rest.startswith("#"):
                found[key] = self._scalar(rest, indent)
            else:
                found[key] = self._below(indent, depth)
        return found

    def _below(self, indent: int, depth: int) -> Node:
        """The value on the lines under a key; a list may stand as far left as its key."""
        ahead = self.peek()
        if ahead and ahead[0] == indent and (ahead[1] == "-" or ahead[1].startswith("- ")):
            return self.block(indent, depth + 1)
        return self.block(indent + 1, depth + 1)

    def _scalar(self, text: str, indent: int) -> Node:
        """A scalar that starts with `text`; lines indented deeper than `indent` go on with it."""
        first = text[0]
        if first in "'\"":
            return self._quoted(text)
        if first in "[{":
            return self._flow(text)
        if (first in _UNKNOWN and not (first == "?" and text[1:2].strip())) or first in "@`,]}":
            self.at -= 1
            raise self.error(f"{_UNKNOWN.get(first, repr(first))}, which this reader does not take")
        parts = [_COMMENT.sub("", text)]
        while (ahead := self.peek()) and ahead[0] > indent:
            if _key(ahead[1]):
                raise self.error("a key where a value goes on")
            parts.append(_COMMENT.sub("", ahead[1]))
            self.at += 1
        whole = " ".join(parts)
        return None if whole in ("null", "~", "Null", "NULL") else whole

    def _flow(self, text: str) -> Node:
        """`{}`, `[]` and whatever else is JSON on one line."""
        try:
            found = json.loads(_COMMENT.sub("", text))
        except (ValueError, RecursionError):
            self.at -= 1
            raise self.error("a collection in brackets, which this reader takes as JSON") from None
        return _as_text(found)

    def _quoted(self, text: str) -> str:
        """Text between quotes; a line break in it is a blank, an empty line is a line break."""
        quote, rest = text[0], text[1:]
        start = self.at - 1
        parts: list[str] = []
        while (end := _end_of_quote(rest, quote)) is None:
            parts.append(rest)
            if self.at >= len(self.lines):
                self.at = start
                raise self.error("a quoted text without an end")
            rest = self.lines[self.at].strip(_BLANK)
            self.at += 1
        parts.append(rest[:end])
        after = rest[end + 1 :].strip(_BLANK)
        if after and not after.startswith("#"):
            raise self.error("text behind a closing quote")
        folded = _fold(parts, escaped=quote == '"')
        return folded.replace("''", "'") if quote == "'" else _unescape(folded)


def _key(text: str) -> re.Match[str] | None:
    match = _QUOTED_KEY.match(text) or _KEY.match(text)
    return None if match is None or _COMMENT.search(match["key"]) else match


def _end_of_quote(text: str, quote: str) -> int | None:
    """Index of the closing quote, None where the text goes on in the next line."""
    at = 0
    while at < len(text):
        if quote == '"' and text[at] == "\\":
            at += 2
        elif text[at] == quote:
            if quote == "'" and text[at + 1 : at + 2] == "'":
                at += 2
            else:
                return at
        else:
            at += 1
    return None


def _fold(parts: list[str], *, escaped: bool) -> str:
    """Lines of a quoted text as one; a backslash at the end of a line joins without a blank."""
    whole, breaks = parts[0], 0
    for number, part in enumerate(parts[1:], 2):
        if not part and number < len(parts):
            breaks += 1
            continue
        if escaped and not breaks and _ends_in_backslash(whole):
            whole = whole[:-1] + part
        else:
            whole = whole.rstrip(_BLANK) + ("\n" * breaks or " ") + part
        breaks = 0
    return whole


def _ends_in_backslash(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[0][1:]
        if code[0] in "xuU" and len(code) > 1:
            number = int(code[1:], 16)
            return chr(number) if number <= 0x10FFFF else "\ufffd"
        return _SIMPLE.get(code, code)

    return _ESCAPE.sub(plain, text)


def _as_text(value: object) -> Node:
    """Parsed JSON with its scalars as text."""
    if isinstance(value, dict):
        return {str(key): _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
