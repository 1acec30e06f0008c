"""What a report is made of: sections of paragraphs, tables, facts and lists.

Templates know only these; all wording, units and order come from the modules that build them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from modelaudit.report.text import percent_signs, printable

_FENCE = re.compile(r"^```")
PAGE_CHARACTERS = 114  # that fit one line of an A4 page in the size of tables
CAPTION_SCALE = 1.2  # captions are larger and bold
COLUMN_GAP = 4
NARROW, WIDEST = 13, 64
LONG_ROWS = 20  # a table of more can be searched and sorted on a screen

_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text, of code, or (`lead`) the words that a list is skimmed by."""

    text: str
    code: bool = False
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text, or (`code`) a block to copy, which then is one span."""

    spans: tuple[Span, ...]
    code: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A table cell.

    `kind` is text, name (from the model: shown as code, never hyphenated) or number (aligned
    right). `mark` names the badge drawn before the text (a severity or a state), `href` the
    fragment it links to.
    """

    text: str
    kind: str = "text"
    mark: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption.

    Rows over `print_rows` stay out of the PDF, which says so; with 0 the whole table does.
    `open` is false where the screen folds it away.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    print_rows: int = 40
    open: bool = True
    block: str = "table"

    @property
    def long(self) -> bool:
        """Whether it takes searching to find a row."""
        return len(self.rows) > LONG_ROWS

    def layout(self, rows: int) -> tuple[float, tuple[float, ...]]:
        """Width of the table in percent of the page, and of its columns in percent of the table.

        Set from the longest texts of the first `rows` rows, so that the PDF needs no automatic
        table layout, which costs more than all other layout together.
        """
        wanted = [
            max([_room(head), *(_room(row[i].text, row[i].mark) for row in self.rows[:rows])])
            + COLUMN_GAP
            for i, head in enumerate(self.columns)
        ]
        if sum(wanted) > PAGE_CHARACTERS:
            least = [min(width, NARROW) for width in wanted]
            more = [min(width, WIDEST) - low for width, low in zip(wanted, least, strict=True)]
            left = max(PAGE_CHARACTERS - sum(least), 0) / (sum(more) or 1)
            widths = [low + left * extra for low, extra in zip(least, more, strict=True)]
        else:
            widths = [float(width) for width in wanted]
        total = sum(widths)
        page = max(total, min(len(self.caption) * CAPTION_SCALE, PAGE_CHARACTERS))
        share = min(100.0, round(100 * page / PAGE_CHARACTERS, 1))
        return share, tuple(round(100 * width / total, 2) for width in widths)


def _room(text: str, mark: str = "") -> float:
    """Room of a text in characters of ordinary width: capitals are wider, a badge has a sign."""
    return len(text) + 0.4 * sum(map(str.isupper, text)) + 4 * bool(mark)


@dataclass(frozen=True, slots=True)
class Facts:
    """Named values: a description list."""

    rows: tuple[tuple[str, Cell], ...]
    block: str = "facts"


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs. `tone` is plain, terms (what words mean), note, good or bad."""

    paragraphs: tuple[Paragraph, ...]
    tone: str = "plain"
    block: str = "prose"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list under a short title, folded on screen where `open` is false.

    Items over `print_items` stay out of the PDF; with 0 the whole list does.
    """

    title: str
    items: tuple[tuple[Span, ...], ...]
    open: bool = True
    print_items: int = 40
    block: str = "bullets"


Block = Table | Facts | Prose | Bullets


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of the report and what stands under it."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


def spans(text: str) -> tuple[Span, ...]:
    """`text` as spans; what stands between backticks is code."""
    parts = _CODE.split(printable(text))
    return tuple(
        Span(part, code=True) if index % 2 else Span(percent_signs(part))
        for index, part in enumerate(parts)
        if part
    )


def paragraphs(text: str) -> tuple[Paragraph, ...]:
    """Text as paragraphs. Fenced lines and lines indented by four spaces become code blocks."""
    found: list[Paragraph] = []
    prose: list[str] = []
    code: list[str] = []
    fenced = False

    def close() -> None:
        if prose:
            found.append(Paragraph(spans(" ".join(prose))))
            prose.clear()
        while code and not code[-1].strip():
            code.pop()
        if code:
            found.append(Paragraph((Span("\n".join(code), code=True),), code=True))
            code.clear()

    for line in printable(text).splitlines():
        if _FENCE.match(line.strip()):
            close()
            fenced = not fenced
        elif fenced:
            code.append(line)
        elif line.startswith(("    ", "\t")) or (code and not line.strip()):
            if prose:
                close()
            code.append(line.removeprefix("    "))
        elif not line.strip():
            close()
        else:
            if code:
                close()
            prose.append(line.strip())
    close()
    return tuple(found)


def prose(*texts: str, tone: str = "plain") -> Prose:
    """Paragraphs of running text from one or more texts."""
    return Prose(tuple(p for text in texts for p in paragraphs(text)), tone)


def led(title: str, items: Iterable[tuple[str, str]]) -> Bullets:
    """A list of texts that each say what they are about first: pairs of that and the rest."""
    return Bullets(
        title,
        tuple((Span(f"{printable(lead)}: ", lead=True), *spans(said)) for lead, said in items),
    )


def bullets(title: str, items: Iterable[str], *, is_open: bool = True) -> Bullets:
    """A list of one-line texts."""
    return Bullets(title, tuple(spans(item) for item in items), is_open)


def name(text: str, href: str = "") -> Cell:
    """A cell with a name that comes from the model."""
    return Cell(text, "name", href=href)


def num(text: str) -> Cell:
    """A cell with a number."""
    return Cell(text, "number")
