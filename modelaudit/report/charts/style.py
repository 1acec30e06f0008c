"""Shared parts of all charts: sizes, light and dark colours, and the chart type."""

from __future__ import annotations

import base64

from msgspec import Struct

from modelaudit.report.blocks import Table

INK, QUIET, RULE = "#3b4453", "#68717f", "#c9ced6"
BLUE, ORANGE, GREY = (
    "#3b7dd8",
    "#d9730d",
    "#98a1ad",
)  # contrast >= 3:1 on white and black

# An image follows the page's colour scheme; only text and rules need other colours in dark mode.
# A style sheet overrides the attributes with the light colours.
DARK = {INK: "#e4e7eb", QUIET: "#a9b1bc", RULE: "#454d59"}
CLASSES = {INK: "i", QUIET: "q", RULE: "r"}
STYLE = (
    "<style>@media (prefers-color-scheme:dark){"
    + "".join(
        f"text.{name}{{fill:{DARK[colour]}}}path.{name}{{stroke:{DARK[colour]}}}"
        for colour, name in CLASSES.items()
    )
    + "}</style>"
)


class Paper(Struct, frozen=True):
    """What a chart is drawn on, `width` pixels wide.

    `stacked`: on narrow paper, row names are above their rows, and axes below each other.
    """

    width: int
    stacked: bool = False

    def left(self, names: float) -> float:
        """Left end of the axes, beside row names of this width in pixels."""
        return 14 if self.stacked else names

    def row(self, pitch: float) -> float:
        """Height of a row that takes `pitch` pixels with its name beside it."""
        return 30 if self.stacked else pitch

    def top(self, pixels: float) -> float:
        """Pixels above the axes: the first row's name extends beyond them."""
        return pixels + 4 * self.stacked


PAGE = Paper(643)  # the text width of an A4 page
PHONE = Paper(340, stacked=True)


class Chart(Struct, frozen=True):
    """A chart with a one-sentence summary and the numbers behind it."""

    anchor: str
    title: str
    summary: str
    explanation: str
    svg: str
    pixels: tuple[int, int]  # width and height in CSS pixels
    table: Table
    phone: Chart | None = None  # the same drawn for a narrow screen

    @property
    def source(self) -> str:
        """The chart as a data URL."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode('ascii')}"

    @property
    def alt(self) -> str:
        """The alternative text of the image."""
        return f"{self.title}. {self.summary}"
