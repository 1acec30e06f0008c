"""Building blocks of a report: sections of paragraphs, tables, facts and lists.

Templates know only these; wording, units and order are set by the modules that build them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from modelaudit.report.wording.text import percent_signs, printable

_FENCE = re.compile(r"^```")
PAGE_CHARACTERS = 114  # that fit on one line of an A4 page at table font size
COLUMN_GAP = 2.2
LONGEST_WORD, CODE_PIECE, STEP = 24, 12, 2
CODE, CAPITAL, DIGIT, BADGE = 0.98, 1.4, 1.25, 4  # widths; a badge's is that of its glyph
LONG_ROWS = 20  # longer tables can be searched and sorted on screen
MANY_COLUMNS = 4  # from here on, phones show rows as cards
FEW_ROWS, FEW_MORE = 6, 2  # up to so many rows, or rows over the limit, are printed in full
MISSING = frozenset({"", "–"})

_CODE = re.compile(r"`([^`\n]+)`")


class Span(Struct, frozen=True):
    """A run of text, of code, or (`lead`) the bold start of a list item."""

    text: str
    code: bool = False
    lead: bool = False


class Paragraph(Struct, frozen=True):
    """Running text, or (`code`) a code block, which is a single span."""

    spans: tuple[Span, ...]
    code: bool = False


class Cell(Struct, frozen=True):
    """A table cell.

    `kind` is text, name (from the model: shown as code, never hyphenated) or number (aligned
    right). `mark` names the badge drawn before the text (a severity or a state), `href` the
    fragment it links to.
    """

    text: str
    kind: str = "text"
    mark: str = ""
    href: str = ""


class Table(Struct, frozen=True):
    """A table with its caption.

    The PDF omits rows over `print_rows`, unless they are few, and says so; with 0 it omits the
    table. `open` is false if the table is collapsed on screen.
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
        """Whether the table is long enough to need searching and sorting."""
        return len(self.rows) > LONG_ROWS

    @property
    def wide(self) -> bool:
        """Whether it has more columns than fit side by side on a phone."""
        return len(self.columns) >= MANY_COLUMNS

    @property
    def printed(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows shown in print: all of them if that takes hardly more space."""
        if self.print_rows and len(self.rows) <= max(self.print_rows + FEW_MORE, FEW_ROWS):
            return self.rows
        return self.rows[: self.print_rows]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold only numbers, or dashes for missing ones."""
        return tuple(
            any(row[i].kind == "number" for row in self.rows)
            and all(row[i].kind == "number" or row[i].text in MISSING for row in self.rows)
            for i in range(len(self.columns))
        )

    def layout(self) -> tuple[float, ...]:
        """Widths of the columns in percent, all tables being as wide as the page.

        Set from the longest texts of the printed rows, so that the PDF needs no automatic table
        layout, which costs more than all other layout together.
        """
        numeric, last = self.numeric, len(self.columns) - 1
        gaps = [
            COLUMN_GAP * ((i < last) + (i > 0 and numeric[i - 1] and not numeric[i]))
            for i in range(len(self.columns))
        ]
        rows = [tuple(map(Cell, self.columns)), *self.printed]
        rooms = [[_room(item) + gap for item, gap in zip(row, gaps, strict=True)] for row in rows]
        widths = [max(column) for column in zip(*rooms, strict=True)]
        if sum(widths) > PAGE_CHARACTERS:
            least = [
                max(min(_room(item, unbroken=True), LONGEST_WORD) for item in column) + gap
                for column, gap in zip(zip(*rows, strict=True), gaps, strict=True)
            ]
            widths = _squeezed(rooms, least)
        return tuple(round(100 * width / sum(widths), 2) for width in widths)


def _squeezed(rooms: list[list[float]], widths: list[float]) -> list[float]:
    """The page width distributed in steps, each to the column where it saves the most lines."""

    def lines(column: int) -> float:
        tried = [width + STEP * (i == column) for i, width in enumerate(widths)]
        return sum(max(room / wide for room, wide in zip(row, tried, strict=True)) for row in rooms)

    while sum(widths) + STEP <= PAGE_CHARACTERS:
        widths[min(range(len(widths)), key=lines)] += STEP
    return widths


def _room(cell: Cell, *, unbroken: bool = False) -> float:
    """Width of a text, or of its longest `unbroken` part, in characters of average width."""
    if cell.kind == "name":
        return CODE * min(len(cell.text), CODE_PIECE if unbroken else len(cell.text))
    pieces = cell.text.split(" ") if unbroken and not cell.mark else [cell.text]
    return max(map(_width, pieces)) + BADGE * bool(cell.mark)


def _width(text: str) -> float:
    capitals, digits = sum(map(str.isupper, text)), sum(map(str.isdigit, text))
    return len(text) + (CAPITAL - 1) * capitals + (DIGIT - 1) * digits


class FactList(Struct, frozen=True):
    """Named values: a description list."""

    rows: tuple[tuple[str, Cell], ...]
    block: str = "facts"


class Prose(Struct, frozen=True):
    """Paragraphs. `tone` is plain, terms (definitions for the next block), note, good or bad."""

    paragraphs: tuple[Paragraph, ...]
    tone: str = "plain"
    block: str = "prose"


class Bullets(Struct, frozen=True):
    """A list under a short title, collapsed on screen if `open` is false.

    The PDF omits items over `print_items`; with 0 it omits the list.
    """

    title: str
    items: tuple[tuple[Span, ...], ...]
    open: bool = True
    print_items: int = 40
    block: str = "bullets"


Block = Table | FactList | Prose | Bullets


def in_print(block: Block) -> bool:
    """Whether any part of a block is printed."""
    if isinstance(block, Table):
        return bool(block.print_rows)
    return not isinstance(block, Bullets) or bool(block.print_items)


class Section(Struct, frozen=True):
    """A heading of the report and its content."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def printed(self) -> tuple[Block, ...]:
        """The blocks of the PDF, without the definitions for an omitted table."""
        found: list[Block] = []
        for place, block in enumerate(self.blocks):
            after = self.blocks[place + 1 :]
            idle = isinstance(block, Prose) and block.tone == "terms" and after
            if in_print(block) and not (idle and not in_print(after[0])):
                found.append(block)
        return tuple(found)


def spans(text: str) -> tuple[Span, ...]:
    """`text` as spans; text between backticks is code."""
    parts = _CODE.split(printable(text))
    return tuple(
        Span(part, code=True) if index % 2 else Span(percent_signs(part))
        for index, part in enumerate(parts)
        if part
    )


def paragraphs(text: str) -> tuple[Paragraph, ...]:
    """Text as paragraphs.

    Code blocks are fenced lines, lines indented by four spaces, and those between a line that ends
    with a colon and an empty one.
    """
    found: list[Paragraph] = []
    prose: list[str] = []
    code: list[str] = []
    fenced = announced = False

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
        elif not line.strip() and (announced or not code):
            close()
            announced = False
        elif announced:
            code.append(line)
        elif line.startswith(("    ", "\t")) or (code and not line.strip()):
            if prose:
                close()
            code.append(line.removeprefix("    "))
        elif prose and prose[-1].endswith(":"):
            close()
            code.append(line)
            announced = True
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
    """A list of (lead, text) pairs, with the lead in bold."""
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
