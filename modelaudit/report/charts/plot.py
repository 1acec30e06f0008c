"""Charts as SVG: axes, bars, marks, lines and labels, in as few elements as possible.

Each colour is one path, because every element costs time in a PDF; bars are thick lines, and dots
are zero-length lines with round caps. The output is deterministic.
"""

from __future__ import annotations

import base64
import itertools
import textwrap
from collections.abc import Iterable, Sequence

from markupsafe import escape

from modelaudit.report.blocks import Table
from modelaudit.report.charts.scales import Scale
from modelaudit.report.charts.style import CLASSES, INK, RULE, STYLE, Chart, Paper
from modelaudit.report.wording import text

SIZE = 10.67  # pixels: 8-point letters
MIDDLE = 0.36 * SIZE  # from the middle of a line of text to its baseline
LETTER = 0.61 * SIZE  # width of a letter in the wider of the common fonts
GAP = 8  # between labels and what they belong to
ROOM = 60  # axes that begin further right have row names beside them
BELOW = 34  # numbers below the axes, and the axis label
ABOVE = 10  # from the middle of a row to the baseline of the name above it
DASHED = "4 3"

Point = tuple[float, float]
Mark = str
DOT, DIAMOND, ARROW, BAR = "dot", "diamond", "arrow", "bar"


def row_name(given: str, paper: Paper, left: float) -> str:
    """A name from a model, shortened to the space beside axes at `left` pixels, or above them."""
    above = paper.stacked and left < ROOM
    return text.fitted(given, (paper.width - 2 * GAP if above else left - GAP) / LETTER)


def wrapped(label: str, paper: Paper) -> list[str]:
    """An axis label, wrapped to the paper's width."""
    return textwrap.wrap(label, int((paper.width - 2 * GAP) / LETTER))


def below(label: str, paper: Paper) -> float:
    """Pixels for the numbers below the axes and the axis label."""
    return BELOW + (SIZE + 2) * (len(wrapped(label, paper)) - 1)


class Plot:
    """Axes on paper. Positions are in pixels on paper, in data units within the axes."""

    def __init__(
        self,
        height: float,
        x: Scale,
        y: Scale,
        *,
        paper: Paper,
        left: float,
        right: float = 24,
        top: float = 12,
        bottom: float = BELOW,
    ) -> None:
        self._paper = paper
        self.height = round(height)
        self._x, self._y = x, y
        self._left, self._right = left, paper.width - right
        self._top, self._bottom = top, self.height - bottom
        self._parts: list[str] = []

    # Axes

    def rows(self, labels: Iterable[str], at: Iterable[float] | None = None) -> None:
        """Row labels at 0, 1, 2 … or at these numbers: beside the rows or above them."""
        for place, label in zip(itertools.count() if at is None else at, labels, strict=False):
            if self._paper.stacked and self._left < ROOM:
                self._words(2, self._down(place) - ABOVE, label)
            else:
                self._words(self._left - GAP, self._down(place) + MIDDLE, label, "end")

    def ticks(self, at: Sequence[float], labels: Sequence[str] | None = None) -> None:
        """Tick labels below the axes, each with a grid line."""
        lines = "".join(f"M{_n(self._across(x))} {_n(self._top)}V{_n(self._bottom)}" for x in at)
        self._stroke(lines + f"M{_n(self._left)} {_n(self._bottom)}H{_n(self._right)}", RULE, 0.8)
        self.captions(zip(at, labels or map(text.number, at), strict=True))

    def captions(self, below: Iterable[tuple[float, str]]) -> None:
        """Labels below the axes."""
        for x, label in below:
            self._words(self._across(x), self._bottom + SIZE + 4, label, "middle")

    def name_x(self, label: str) -> None:
        """The label of the x axis."""
        stacked = self._paper.stacked
        middle = self._paper.width / 2 if stacked else (self._left + self._right) / 2
        for number, line in enumerate(wrapped(label, self._paper)):
            self._words(
                middle, self._bottom + (2 + number) * SIZE + 2 * number + GAP, line, "middle"
            )

    def title(self, label: str) -> None:
        """The title of these axes, above them."""
        self._words(self._left, self._top - GAP, label)

    def level(self, y: float, colour: str) -> None:
        """A dashed line across the axes."""
        self._stroke(
            f"M{_n(self._left)} {_n(self._down(y))}H{_n(self._right)}", colour, 1.2, DASHED
        )

    def side_ticks(self, at: Sequence[float], labels: Sequence[str]) -> None:
        """Tick labels beside the axes, each with a grid line."""
        path = "".join(f"M{_n(self._left)} {_n(self._down(y))}H{_n(self._right)}" for y in at)
        self._stroke(path, RULE, 0.8)
        for y, label in zip(at, labels, strict=True):
            self._words(self._left - GAP / 2, self._down(y) + MIDDLE, label, "end")

    def legend(self, *entries: tuple[Mark, str, str]) -> None:
        """The legend above the axes: (mark, colour, label)."""
        key = 16 + GAP / 2
        room = sum(key + LETTER * len(label) for *_, label in entries) + 3 * GAP * len(entries)
        x, y = min(self._left, max(self._paper.width - room, 0)), self._top - SIZE - 2
        for mark, colour, label in entries:
            self._draw(mark, [(x + 8, y)], colour)
            self._words(x + key, y + MIDDLE, label)
            x += key + LETTER * len(label) + 3 * GAP

    # Marks

    def bars(self, ends: Iterable[tuple[float, float]], thick: float, colour: str) -> None:
        """Bars from 0 to x in the row y, for every (x, y); `thick` in pixels."""
        zero = _n(self._across(0.0))
        path = "".join(f"M{zero} {_n(self._down(y))}H{_n(self._across(x))}" for x, y in ends)
        self._stroke(path, colour, thick)

    def lines(self, runs: Iterable[Sequence[Point]], colour: str, wide: float) -> None:
        """Lines from point to point; `wide` in pixels."""
        path = "".join(
            "M" + "L".join(f"{_n(self._across(x))} {_n(self._down(y))}" for x, y in run)
            for run in runs
        )
        self._stroke(path, colour, wide)

    def marks(self, mark: Mark, points: Iterable[Point], colour: str) -> None:
        """A mark at each point."""
        self._draw(mark, [(self._across(x), self._down(y)) for x, y in points], colour)

    def limit(self, label: str, colour: str, *, x: float, after: bool) -> None:
        """A dashed line through the axes, with a label above it, before or after it."""
        place = self._across(x)
        self._stroke(f"M{_n(place)} {_n(self._top)}V{_n(self._bottom)}", colour, 1.2, DASHED)
        self._words(place, self._top - 4, label, "start" if after else "end", colour)

    def image(self, png: bytes) -> None:
        """An image that fills the axes, without smoothing."""
        data = base64.b64encode(png).decode("ascii")
        self._parts.append(
            f'<image x="{_n(self._left)}" y="{_n(self._top)}" '
            f'width="{_n(self._right - self._left)}" height="{_n(self._bottom - self._top)}" '
            'preserveAspectRatio="none" style="image-rendering:crisp-edges;'
            f'image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
        )

    def beside(self, other: Plot) -> None:
        """Add what is drawn on other axes of the same paper."""
        self._parts += other._parts

    # The result

    def chart(self, anchor: str, title: str, summary: str, explanation: str, table: Table) -> Chart:
        """The finished chart, with its texts and the numbers behind it."""
        size = wide, high = self._paper.width, self.height
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
            f'viewBox="0 0 {wide} {high}" font-family="Inter,sans-serif" '
            f'font-size="{SIZE}">{STYLE}{"".join(self._parts)}</svg>'
        )
        return Chart(anchor, title, summary, explanation, svg, size, table)

    def _across(self, x: float) -> float:
        return self._left + self._x.fraction(x) * (self._right - self._left)

    def _down(self, y: float) -> float:
        return self._top + self._y.fraction(y) * (self._bottom - self._top)

    def _draw(self, mark: Mark, at: Sequence[Point], colour: str) -> None:
        """Marks at these positions in pixels."""
        if mark in (DIAMOND, ARROW):
            outline = "l3.6 3.6l-3.6 3.6l-3.6-3.6z" if mark == DIAMOND else "l6.6 3.6l-6.6 3.6z"
            left = 0.0 if mark == DIAMOND else 3.3
            path = "".join(f"M{_n(x - left)} {_n(y - 3.6)}{outline}" for x, y in at)
            self._parts += [f'<path fill="{colour}" d="{path}"/>'] if at else []
        elif mark == BAR:
            path = "".join(f"M{_n(x - 8)} {_n(y)}h16" for x, y in at)
            self._stroke(path, colour, SIZE * 0.7)
        else:
            path = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in at)
            self._stroke(path, colour, 6.4, more=' stroke-linecap="round"')

    def _stroke(
        self, path: str, colour: str, wide: float, dashes: str = "", *, more: str = ""
    ) -> None:
        if not path:
            return
        kind = f' class="{CLASSES[colour]}"' if colour in CLASSES else ""
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<path{kind} fill="none" stroke="{colour}" stroke-width="{_n(wide)}"{dashed}{more} '
            f'd="{path}"/>'
        )

    def _words(
        self,
        x: float,
        y: float,
        words: str,
        anchor: str = "start",
        colour: str = INK,
    ) -> None:
        kind = f' class="{CLASSES[colour]}"' if colour in CLASSES else ""
        aligned = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._parts.append(
            f'<text{kind} x="{_n(x)}" y="{_n(y)}"{aligned} fill="{colour}">'
            f"{escape(text.printable(words))}</text>"
        )


def _n(pixels: float) -> str:
    """A length with at most one decimal."""
    return f"{pixels:.1f}".removesuffix(".0")
