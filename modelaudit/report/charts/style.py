"""One look for all charts, and their way into a page: an SVG image without outside parts.

Matplotlib's Figure is used directly: no pyplot state, no layout engine, fixed axes, so that a
chart costs some 30 ms and two renderings are equal byte for byte.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modelaudit.report import resources
from modelaudit.report.blocks import Table

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

WIDTH = 6.7  # inches, the text width of an A4 page
INK, QUIET, RULE = "#3b4453", "#68717f", "#c9ced6"
BLUE, ORANGE, GREY = "#3b7dd8", "#d9730d", "#98a1ad"  # 3:1 or better on white and on near-black

# An image follows the page's colour scheme; only text and rules need other colours in the dark.
DARK = (
    "<style>@media (prefers-color-scheme:dark){"
    f'[style*="fill: {INK}"]{{fill:#e4e7eb!important}}'
    f'[style*="stroke: {INK}"]{{stroke:#e4e7eb!important}}'
    f'[style*="fill: {QUIET}"]{{fill:#a9b1bc!important}}'
    f'[style*="stroke: {QUIET}"]{{stroke:#a9b1bc!important}}'
    f'[style*="stroke: {RULE}"]{{stroke:#454d59!important}}'
    "}</style>"
)

STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "modelaudit",
    "svg.image_inline": True,
    "font.family": ["Inter", "sans-serif"],
    "font.size": 8.0,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.borderaxespad": 0.0,
    "text.parse_math": False,  # names come from untrusted files: no markup in them
    "mathtext.default": "regular",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with what it says in one sentence, and the numbers behind it."""

    anchor: str
    title: str
    summary: str
    explanation: str
    svg: str
    width: float  # inches
    height: float
    table: Table

    @property
    def source(self) -> str:
        """The chart as the address of an image."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode('ascii')}"

    @property
    def alt(self) -> str:
        """What stands for the image where it cannot be seen."""
        return f"{self.title}. {self.summary}"

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in CSS pixels (96 to an inch)."""
        return round(self.width * 96), round(self.height * 96)


@cache
def _register_fonts() -> None:
    for name in (resources.SANS, resources.SANS_BOLD):
        font_manager.fontManager.addfont(resources.font(name))


@contextmanager
def styled() -> Iterator[None]:
    """Within this block figures are made in the report's style; the process keeps its own."""
    _register_fonts()
    with matplotlib.rc_context(STYLE):
        yield


def axes(
    height: float, *, left: float, right: float = 0.25, top: float = 0.12, bottom: float = 0.37
) -> Axes:
    """Axes in a new figure of the page's width; margins and height in inches."""
    figure = Figure(figsize=(WIDTH, height))
    figure.patch.set_alpha(0.0)
    box = (left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (top + bottom) / height)
    made: Axes = figure.add_axes(box)
    made.patch.set_alpha(0.0)
    return made


def svg(figure: Figure) -> str:
    """The figure as SVG text."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue().decode("utf-8")
    start = text.index("<svg")
    inside = text.index(">", start) + 1
    return text[start:inside] + DARK + text[inside:]


def chart(anchor: str, title: str, summary: str, explanation: str, on: Axes, table: Table) -> Chart:
    """The finished chart of the figure that `on` is part of."""
    figure = on.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes are in no figure")
    width, height = figure.get_size_inches()
    return Chart(
        anchor, title, summary, explanation, svg(figure), float(width), float(height), table
    )


def label_rows(on: Axes, labels: list[str]) -> None:
    """Horizontal rows from the top down, one label each."""
    on.set_yticks(range(len(labels)), labels)
    on.set_ylim(len(labels) - 0.5, -0.5)
