"""Charts of what the running model did: flips, orientations, the spread of its answers."""

from __future__ import annotations

import math

from modelaudit.report import text, words
from modelaudit.report.blocks import Cell, Table, num
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.scales import Scale, round_numbers
from modelaudit.report.charts.style import Chart
from modelaudit.report.values import (
    Map,
    as_count,
    as_map,
    as_maps,
    as_number,
    as_text,
    numbers,
    pair,
)
from modelaudit.schema import Audit

ROW = 18.2  # pixels
LABELS = 206
BELOW = 34  # numbers, and what they are
BAR = 0.6 * ROW
MOST_ROWS = 12


def _first_output(audit: Audit) -> Map:
    return next(iter(as_maps(as_map(audit.behaviour).get("outputs"))), {})


def _label(code: str) -> str:
    return words.transform(text.shorten(code, 28))


def _bars(labels: list[str], x: Scale, *, limited: bool) -> plot.Plot:
    """Axes for one bar a label, with room for the words of a limit."""
    top = 21 if limited else 10
    height = top + ROW * len(labels) + BELOW
    y = Scale(-0.5, len(labels) - 0.5)
    on = plot.Plot(height, x, y, left=LABELS, top=top, bottom=BELOW)
    on.rows(labels)
    return on


def flips(audit: Audit) -> Chart | None:
    """Agreement with its interval, and NFV, for each transform."""
    effects = [
        effect
        for effect in as_maps(_first_output(audit).get("transforms"))
        if as_number(effect.get("agreement")) is not None
        or as_number(effect.get("nfv")) is not None
    ][:MOST_ROWS]
    if not effects:
        return None
    rows, worst = [], (2.0, "")
    intervals: list[list[plot.Point]] = []
    agreements: list[plot.Point] = []
    ratios: list[plot.Point] = []
    for y, effect in enumerate(effects):
        label = _label(as_text(effect.get("name")))
        agreement, nfv = as_number(effect.get("agreement")), as_number(effect.get("nfv"))
        interval = pair(effect.get("agreement_ci"))
        if interval:
            intervals.append([(end, y - 0.12) for end in interval])
        if agreement is not None:
            agreements.append((agreement, y - 0.12))
            worst = min(worst, (agreement, label))
        if nfv is not None:
            ratios.append((nfv, y + 0.18))
        shown = f"{text.percent(interval[0])} to {text.percent(interval[1])}" if interval else "–"
        rows.append((Cell(label), num(text.percent(agreement)), num(shown), num(text.number(nfv))))
    has_agreement = worst[0] <= 1.0
    most = max([1.0, *(nfv for nfv, _ in ratios)]) * 1.04
    on = plot.Plot(
        48 + ROW * len(effects),
        Scale(-0.02, most),
        Scale(-0.5, len(effects) - 0.5),
        left=LABELS,
        top=29,
        bottom=19,
    )
    on.rows([_label(as_text(e.get("name"))) for e in effects])
    on.ticks(round_numbers(0, most))
    meanings = (
        (
            plot.INTERVAL,
            style.BLUE,
            "Agreement with its 95\N{NO-BREAK SPACE}% interval",
            agreements,
        ),
        (plot.DIAMOND, style.ORANGE, "NFV (0: no change, 1: like another input)", ratios),
    )
    on.legend(*(entry[:3] for entry in meanings if entry[3]))
    on.lines(intervals, style.BLUE, 2.1)
    on.marks(plot.DOT, agreements, style.BLUE)
    on.marks(plot.DIAMOND, ratios, style.ORANGE)
    summary = (
        f"The answer changes most when the input is {worst[1]}: "
        f"{text.percent(worst[0])} of inputs keep their answer."
        if has_agreement
        else f"{text.plural(len(effects), 'transform')} measured on an output without classes."
    )
    if as_map(_first_output(audit).get("collapse")).get("collapsed") is True:
        summary += " But the output hardly depends on its input at all, so agreement means nothing."
    columns = ("Input", "Agreement", "95\N{NO-BREAK SPACE}% interval", "NFV")
    return on.chart(
        "figure-flips",
        "How much the answer changes when the input is flipped or turned",
        summary,
        "Blue dots to the right and orange diamonds to the left mean that the transform does not "
        "matter to the model.",
        Table("Agreement and NFV by transform", columns, tuple(rows), open=False),
    )


def orientation(audit: Audit) -> Chart | None:
    """Bits of information that the output carries, by orientation of the input."""
    output = _first_output(audit)
    profile = dict(list(numbers(output.get("orientation")).items())[:MOST_ROWS])
    if len(profile) < 2:
        return None
    classes = as_count(as_map(output.get("collapse")).get("classes"))
    limit = math.log2(classes) if classes and classes > 1 else None
    intervals = as_map(output.get("orientation_ci"))
    best = max(profile, key=lambda g: profile[g])
    most = max([*profile.values(), limit or 0.0, 1e-9]) * 1.03
    on = _bars([_label(code) for code in profile], Scale(0, most), limited=limit is not None)
    on.ticks(round_numbers(0, most))
    on.name_x("bits of information about the input")
    ranked = [(bits, y, code == best) for y, (code, bits) in enumerate(profile.items())]
    on.bars([(x, y) for x, y, first in ranked if not first], BAR, style.GREY)
    on.bars([(x, y) for x, y, first in ranked if first], BAR, style.BLUE)
    rows, drawn = [], []
    for y, (code, bits) in enumerate(profile.items()):
        interval = pair(intervals.get(code))
        if interval:
            drawn.append([(end, y) for end in interval])
        shown = f"{text.number(interval[0])} to {text.number(interval[1])}" if interval else "–"
        rows.append((Cell(_label(code)), num(text.number(bits)), num(shown)))
    on.lines(drawn, style.INK, 1.6)
    if limit:
        said = f"most possible: {text.number(limit)} bits"
        on.limit(said, style.QUIET, x=limit, after=False)
    said = f"The output is most informative with the input {_label(best)} ("
    said += f"{text.number(profile[best])} bits"
    said += f" of at most {text.number(limit)})" if limit else ")"
    if "e" in profile and best != "e":
        said += f", against {text.number(profile['e'])} bits as it is fed"
    return on.chart(
        "figure-orientation",
        "In which orientation the model sees most",
        said + ".",
        "A model fed with images in the wrong orientation tells them apart badly; in the "
        "orientation that it was trained on, its answers carry the most information.",
        Table(
            "Information by orientation of the input",
            ("Input", "Bits", "95\N{NO-BREAK SPACE}% interval"),
            tuple(rows),
            open=False,
        ),
    )


def answers(audit: Audit) -> Chart | None:
    """Share of the most frequent class on the inputs as they are and on flipped ones."""
    output = _first_output(audit)
    collapse = as_map(output.get("collapse"))
    original = as_number(collapse.get("top_share"))
    shares = [("as given", original)] + [
        (_label(as_text(e.get("name"))), as_number(as_map(e.get("detail")).get("top_share")))
        for e in as_maps(output.get("transforms"))
    ]
    known = [(label, share) for label, share in shares if share is not None][:MOST_ROWS]
    if original is None or len(known) < 2:
        return None
    classes = as_count(collapse.get("classes"))
    on = _bars([label for label, _ in known], Scale(0, 1), limited=bool(classes))
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    on.ticks(ticks, [text.percent(tick) for tick in ticks])
    on.name_x("share of inputs that get the most frequent answer")
    bars = [(share, y) for y, (_, share) in enumerate(known)]
    on.bars(bars[1:], BAR, style.GREY)
    on.bars(bars[:1], BAR, style.BLUE)
    if classes:
        said = f"even spread over {classes:,} classes"
        on.limit(said, style.QUIET, x=1 / classes, after=True)
    spread = (
        f"; an even spread over {classes:,} classes would give {text.percent(1 / classes)}"
        if classes
        else ""
    )
    rows = tuple((Cell(label), num(text.percent(share, 1))) for label, share in known)
    return on.chart(
        "figure-answers",
        "How often the most frequent answer is given",
        f"{text.percent(original)} of the inputs get one and the same answer{spread}.",
        "A model whose output ignores its input gives one answer to everything: a bar "
        "at 100\N{NO-BREAK SPACE}%.",
        Table("Share of the most frequent answer", ("Input", "Share"), rows, open=False),
    )
