"""Shared parts of the charts by orientation: row names and highlighting.

The row of the input as given is blue, the highlighted one orange, the rest grey.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.scales import Scale
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

GIVEN = "e"  # the code of the input as given
ROW = 16.8  # pixels
LABELS = 206
INTERVAL = "95\N{NO-BREAK SPACE}% interval"  # the head of a column
BAR = 0.6 * ROW
MOST_ROWS = 12

Interval = tuple[float, float]


def first_output(audit: Audit) -> OutputBehaviour | None:
    """The audit's data on the model's first output, the one that is drawn."""
    return next(iter(audit.behaviour.outputs), None)


def collapsed(audit: Audit) -> bool:
    """Whether the output that is drawn hardly depends on the input."""
    output = first_output(audit)
    return output is not None and output.collapse.collapsed


def label(code: str) -> str:
    """A transform of the input in words."""
    return vocabulary.transform(text.shorten(code, 28))


def leader(values: Mapping[str, float], intervals: Mapping[str, Interval]) -> str | None:
    """The row with the largest number, if it is clearly larger than that of the input as given.

    None if their intervals overlap, or if all numbers are the same.
    """
    best = max(values, key=lambda code: values[code])
    if values[best] == min(values.values()) or values[best] == values.get(GIVEN):
        return None
    ours, given = intervals.get(best), intervals.get(GIVEN)
    return None if ours and given and ours[0] <= given[1] else best


def colour(code: str, outstanding: str | None) -> str:
    """The colour of a row."""
    if code == GIVEN:
        return style.BLUE
    return style.ORANGE if code == outstanding else style.GREY


def axes(
    values: Mapping[str, float], most: float, paper: style.Paper, *, limited: bool
) -> plot.Plot:
    """Axes from 0 to `most` with one bar per row, with space for the label of a limit."""
    top = paper.top(21 if limited else 10)
    height = top + paper.row(ROW) * len(values) + plot.BELOW
    y = Scale(-0.5, len(values) - 0.5)
    on = plot.Plot(height, Scale(0, most), y, paper=paper, left=paper.left(LABELS), top=top)
    on.rows(map(label, values))
    return on


def bars(
    on: plot.Plot,
    values: Mapping[str, float],
    intervals: Mapping[str, Interval],
    outstanding: str | None,
) -> None:
    """One bar per row, and the known intervals."""
    places = {code: place for place, code in enumerate(values)}
    for one in (style.GREY, style.BLUE, style.ORANGE):
        here = [code for code in values if colour(code, outstanding) == one]
        on.bars([(values[code], places[code]) for code in here], BAR, one)
    known = [(place, intervals[code]) for code, place in places.items() if code in intervals]
    on.lines([[(end, place) for end in ends] for place, ends in known], style.INK, 1.6)


def key(outstanding: str | None, why: str) -> str:
    """The meaning of the colours; `why` describes the highlighted row."""
    return f"Blue is the input as given{f', orange {why}' if outstanding else ''}."
