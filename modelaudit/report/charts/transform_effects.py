"""Chart of how much the output changes when the input is transformed."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelaudit.audit_types.behaviour import TransformEffect
from modelaudit.report.blocks import Cell, Table, num
from modelaudit.report.charts import orientation_rows as rows
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.orientation_rows import INTERVAL, LABELS, ROW, label
from modelaudit.report.charts.scales import QUARTERS, Scale, round_numbers
from modelaudit.report.charts.style import Chart
from modelaudit.report.wording import number_format, text
from modelaudit.schema import Audit

TOP = 21  # pixels, for the label of a limit
RIGHT, GAP = 24, 38  # beside and between the axes, for half of the outermost tick labels


def flips(audit: Audit, paper: style.Paper) -> Chart | None:
    """Agreement with its interval, and NFV, for each transform, on separate axes.

    None for a collapsed output, whose agreement is meaningless.
    """
    output = rows.first_output(audit)
    if output is None or output.collapse.collapsed:
        return None
    effects = [
        effect
        for effect in output.transforms
        if effect.agreement is not None or effect.nfv is not None
    ][: rows.MOST_ROWS]
    if not effects:
        return None
    labels = [label(effect.name) for effect in effects]
    kept, nfv = _kept(effects), _changed(effects)
    worst = _worst(kept, nfv)
    panels = [draw for draw, found in ((_agreement, kept), (_variation, nfv)) if found]
    first, *others = [
        draw(effects, worst, places)
        for draw, places in zip(panels, _places(paper, len(panels), len(effects)), strict=True)
    ]
    for place, axes in enumerate((first, *others)):
        if paper.stacked or not place:
            axes.rows(labels)
    for other in others:
        first.beside(other)
    cells = tuple(
        (
            Cell(name),
            num(text.percent(kept.get(i))),
            num(number_format.span(effect.agreement_ci, text.percent)),
            num(number_format.number(nfv.get(i))),
        )
        for i, (name, effect) in enumerate(zip(labels, effects, strict=True))
    )
    return first.chart(
        "figure-flips",
        "Effect of transforming the input",
        _said(labels, kept),
        f"A dot {_harmless(kept, nfv)} means that the transform has no effect."
        + (" Lines are 95\N{NO-BREAK SPACE}% intervals." if kept else "")
        + (" NFV is the change relative to that between two different inputs." if nfv else "")
        + (" Orange is the transform with the largest effect." if worst is not None else ""),
        Table("Agreement and NFV by transform", ("Input", "Agreement", INTERVAL, "NFV"), cells,
              open=False),
    )  # fmt: skip


def _kept(effects: list[TransformEffect]) -> dict[int, float]:
    """The known agreements, by row."""
    return {i: each.agreement for i, each in enumerate(effects) if each.agreement is not None}


def _changed(effects: list[TransformEffect]) -> dict[int, float]:
    """The known NFV, by row."""
    return {i: each.nfv for i, each in enumerate(effects) if each.nfv is not None}


def _worst(kept: dict[int, float], nfv: dict[int, float]) -> int | None:
    """The row whose transform changes the output most; None if all are equal."""
    change = {row: -share for row, share in kept.items()} or nfv
    worst = max(change, key=lambda row: change[row])
    return worst if change[worst] > min(change.values()) else None


def _harmless(kept: dict[int, float], nfv: dict[int, float]) -> str:
    """The position of a dot that means no change."""
    if kept and nfv:
        return "at the right of the agreement axis or at the left of the NFV axis"
    return "at the right of the axis" if kept else "at the left of the axis"


def _said(labels: list[str], kept: dict[int, float]) -> str:
    if not kept:
        return f"{text.plural(len(labels), 'transform')} measured on an output without classes."
    least = min(kept, key=lambda row: kept[row])
    same = kept[least] == max(kept.values())
    share = text.percent(kept[least])
    if same:
        return f"{share} of inputs keep their prediction under every transform."
    return (
        f"Predictions change most when the input is {labels[least]}: {share} of inputs keep "
        "their prediction."
    )


class _ChartArea(Struct, frozen=True):
    """Position of axes on their paper, in pixels from its edges, and the paper's height."""

    paper: style.Paper
    height: float
    rows: int
    left: float
    right: float
    top: float
    bottom: float


def _places(paper: style.Paper, panels: int, count: int) -> Iterator[_ChartArea]:
    """Positions of panels of `count` rows, side by side or stacked."""
    top, left = paper.top(TOP), paper.left(LABELS)
    high = top + paper.row(ROW) * count + plot.BELOW
    wide = (paper.width - left - RIGHT - GAP * (panels - 1)) / panels
    for panel in range(panels):
        if paper.stacked:
            above, under = high * panel, high * (panels - 1 - panel)
            yield _ChartArea(
                *(paper, high * panels, count),
                *(left, RIGHT, above + top, under + plot.BELOW),
            )
        else:
            start = left + panel * (wide + GAP)
            yield _ChartArea(
                *(paper, high, count), *(start, paper.width - start - wide, top, plot.BELOW)
            )


def _axes(x: Scale, at: _ChartArea) -> plot.Plot:
    """Axes at a position."""
    y = Scale(-0.5, at.rows - 0.5)
    return plot.Plot(
        *(at.height, x, y),
        paper=at.paper, left=at.left, right=at.right, top=at.top, bottom=at.bottom,
    )  # fmt: skip


def _dots(on: plot.Plot, values: dict[int, float], worst: int | None) -> None:
    for colour, outstanding in ((style.GREY, False), (style.ORANGE, True)):
        on.marks(
            plot.DOT, [(x, y) for y, x in values.items() if (y == worst) == outstanding], colour
        )


def _agreement(effects: list[TransformEffect], worst: int | None, at: _ChartArea) -> plot.Plot:
    """Shares from 0 to 1 with their intervals."""
    on = _axes(Scale(-0.02, 1.02), at)
    on.ticks(QUARTERS, [text.percent(share) for share in QUARTERS])
    on.name_x("inputs that keep their prediction")
    ends = enumerate(effect.agreement_ci for effect in effects)
    on.lines([[(end, row) for end in found] for row, found in ends if found], style.INK, 1.6)
    _dots(on, _kept(effects), worst)
    return on


def _variation(effects: list[TransformEffect], worst: int | None, at: _ChartArea) -> plot.Plot:
    """NFV, with a line at the value of a different input."""
    values = _changed(effects)
    most = max(1.0, *values.values())
    x = Scale(-0.02 * most, 1.02 * most)
    on = _axes(x, at)
    on.ticks(round_numbers(0, most, 5))
    on.name_x("NFV: size of the change")
    on.limit("1: like another input", style.QUIET, x=1, after=x.fraction(1) < 0.5)
    _dots(on, values, worst)
    return on
