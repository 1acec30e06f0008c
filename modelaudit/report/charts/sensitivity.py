"""Sensitivity curves: a small chart for each gradual change of the inputs."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.audit_types.sensitivity import SensitivityCurve, SensitivityPoint
from modelaudit.audit_types.values import finite
from modelaudit.diagnosis.augmentation import sensitive_to
from modelaudit.measures.statistics import wilson
from modelaudit.report.blocks import Cell, Table, num
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.scales import Scale
from modelaudit.report.charts.style import Chart
from modelaudit.report.wording import number_format, text
from modelaudit.schema import Audit

MOST = 12  # curves
LEGEND, ABOVE, HIGH, BELOW = 26, 26, 78, 24  # pixels of the legend, and of a panel and around it
LEFT, RIGHT = 42, 12
TICKS = (0.0, 0.5, 1.0)
MOST_INPUTS = 10**9  # an audit file may hold any number
ACCURACY, AGREEMENT, FIT, VARIATION = "accuracy", "agreement with the input as given", "R²", "NFV"


def strength(curve: SensitivityCurve, value: float) -> str:
    """A strength with its unit: 15°, 1 px, 20 %."""
    if curve.unit == "°":
        return f"{text.number(value)}°"
    if curve.unit == "px":
        return f"{text.number(value)}\N{NO-BREAK SPACE}px"
    return text.percent(value)


def measure_of(curves: Sequence[SensitivityCurve]) -> str:
    """What the points of these curves are compared by."""
    if all(curve.measure for curve in curves):
        return ACCURACY if curves[0].measure == "accuracy" else FIT
    classes = all(point.agreement is not None for curve in curves for point in curve.points)
    return AGREEMENT if classes else VARIATION


def value_of(point: SensitivityPoint, what: str) -> float | None:
    """The number of a point that is shown."""
    if what in {ACCURACY, FIT}:
        return finite(point.score)
    return point.agreement if what == AGREEMENT else finite(point.variation)


def given_of(curve: SensitivityCurve, what: str) -> float:
    """The same for the inputs as given."""
    if what in {ACCURACY, FIT}:
        return finite(curve.given) or 0.0
    return 1.0 if what == AGREEMENT else 0.0


def interval_of(point: SensitivityPoint, what: str) -> tuple[float, float] | None:
    """Its 95 % interval; None where there is none."""
    value = value_of(point, what)
    if what not in {ACCURACY, AGREEMENT} or value is None or not 0 <= value <= 1 or not point.n:
        return None
    n = min(point.n, MOST_INPUTS)
    return wilson(round(value * n), n)


def sensitivity(audit: Audit, paper: style.Paper) -> Chart | None:
    """Score (with labels) or agreement, by the strength of each change of the inputs."""
    curves = [
        curve
        for curve in audit.behaviour.sensitivity
        if curve.points and all(0 < (finite(p.strength) or 0) < MOST_INPUTS for p in curve.points)
    ][:MOST]
    if not curves:
        return None
    what = measure_of(curves)
    across = min(2 if paper.stacked else 4, len(curves))
    wide, tall = paper.width / across, ABOVE + HIGH + BELOW
    height = LEGEND + -(-len(curves) // across) * tall
    unit = Scale(0, 1)
    whole = plot.Plot(height, unit, unit, paper=paper, left=LEFT, top=LEGEND)
    whole.legend(
        (plot.DIAMOND, style.BLUE, "as given"),
        (plot.DOT, style.BLUE, "changed"),
        (plot.DOT, style.ORANGE, "control"),
    )
    for place, curve in enumerate(curves):
        row, column = divmod(place, across)
        top = LEGEND + row * tall + ABOVE
        on = plot.Plot(
            height,
            Scale(0, max(point.strength for point in curve.points) * 1.08),
            _scale(curves, what),
            paper=paper,
            left=column * wide + LEFT,
            right=paper.width - (column + 1) * wide + RIGHT,
            top=top,
            bottom=height - top - HIGH,
        )
        _panel(on, curve, what)
        whole.beside(on)
    return whole.chart(
        "figure-sensitivity",
        "Sensitivity to gradual changes of the inputs",
        _summary(audit, curves, what),
        f"Each panel shows the {what} if the inputs are changed, from left to right by more and "
        "more. Vertical lines are 95\N{NO-BREAK SPACE}% intervals, the dashed line is the input as "
        "given, and the orange dot a change of the same size that is unrelated to the input. Where "
        "the curve falls and the label stays the same, augmentation teaches to ignore the change.",
        _table(curves, what),
    )


def _scale(curves: Sequence[SensitivityCurve], what: str) -> Scale:
    """From the top to the bottom of a panel."""
    if what != VARIATION:
        return Scale(1, 0)
    shown = [v for c in curves for p in c.points if (v := value_of(p, what)) is not None]
    return Scale(max(1.0, *shown) if shown else 1.0, 0)


def _panel(on: plot.Plot, curve: SensitivityCurve, what: str) -> None:
    on.title(text.shorten(curve.change, 20))
    on.side_ticks(TICKS, [text.number(t) for t in TICKS])
    on.captions((point.strength, strength(curve, point.strength)) for point in _labelled(curve))
    given = given_of(curve, what)
    on.level(given, style.QUIET)
    seen = [(p, v) for p in curve.points if (v := value_of(p, what)) is not None]
    on.lines([[(0.0, given), *((p.strength, v) for p, v in seen)]], style.BLUE, 1.6)
    ends = [(p, span) for p, _ in seen if (span := interval_of(p, what)) is not None]
    on.lines([[(p.strength, end) for end in span] for p, span in ends], style.INK, 1.4)
    on.marks(plot.DOT, [(p.strength, v) for p, v in seen], style.BLUE)
    on.marks(plot.DIAMOND, [(0.0, given)], style.BLUE)
    if curve.control is not None and (value := value_of(curve.control, what)) is not None:
        on.marks(plot.DOT, [(curve.control.strength, value)], style.ORANGE)


def _labelled(curve: SensitivityCurve) -> list[SensitivityPoint]:
    """Points whose strengths are written below the axis: the last, and one far enough before."""
    *others, last = curve.points
    far = [point for point in others if point.strength <= 0.6 * last.strength]
    return [*far[-1:], last]


def _summary(audit: Audit, curves: Sequence[SensitivityCurve], what: str) -> str:
    missing = [n.change for n in audit.diagnosis.augmentation if n.state == "missing"]
    if missing:
        return sensitive_to(missing).replace("It", "The model", 1)
    falls = {
        curve.change: abs(value - given_of(curve, what))
        for curve in curves
        if (point := curve.judged) is not None and (value := value_of(point, what)) is not None
    }
    if not falls:
        return f"Changes of the inputs, and the {what}."
    most = max(falls, key=lambda change: falls[change])
    curve = next(each for each in curves if each.change == most)
    said = f"Of all moderate changes, {most} ({strength(curve, curve.moderate)}) matters most"
    return f"{said}: it changes the {what} by {number_format.number(falls[most], 2)}."


def _table(curves: Sequence[SensitivityCurve], what: str) -> Table:
    rows = tuple(
        (
            Cell(text.shorten(curve.change, 30)),
            num(strength(curve, point.strength)),
            num(number_format.number(value_of(point, what), 2)),
            num(number_format.span(interval_of(point, what))),
            num(text.percent(point.sure_changed)),
            num(
                number_format.number(value_of(curve.control, what), 2)
                if curve.control is not None and point.strength == curve.moderate
                else "–"
            ),
        )
        for curve in curves
        for point in curve.points
    )
    name = what[:1].upper() + what[1:]
    return Table(
        f"Sensitivity ({what}; as given {number_format.number(given_of(curves[0], what), 2)})",
        ("Change", "Strength", name, "95\N{NO-BREAK SPACE}% interval", "Sure, changed", "Control"),
        rows,
        note="Sure, changed: of the decisions that the model is sure of, the share that changes.",
        open=False,
    )
