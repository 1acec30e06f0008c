"""Charts of what the running model did: flips, orientations, the spread of its answers."""

from __future__ import annotations

import math

from modelaudit.report import text, words
from modelaudit.report.blocks import Cell, Table, num
from modelaudit.report.charts import style
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

ROW = 0.19  # inches
LABELS = 1.95
MOST_ROWS = 12


def _first_output(audit: Audit) -> Map:
    return next(iter(as_maps(as_map(audit.behaviour).get("outputs"))), {})


def _label(code: str) -> str:
    return words.transform(text.shorten(code, 28))


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
    on = style.axes(0.6 + ROW * len(effects), left=LABELS, top=0.3, bottom=0.25)
    rows, worst = [], (2.0, "")
    top = 1.0
    for y, effect in enumerate(effects):
        label = _label(as_text(effect.get("name")))
        agreement, nfv = as_number(effect.get("agreement")), as_number(effect.get("nfv"))
        interval = pair(effect.get("agreement_ci"))
        if interval:
            on.plot(
                interval,
                (y - 0.12, y - 0.12),
                color=style.BLUE,
                linewidth=1.6,
                solid_capstyle="butt",
            )
        if agreement is not None:
            on.plot(agreement, y - 0.12, "o", color=style.BLUE, markersize=5)
            worst = min(worst, (agreement, label))
        if nfv is not None:
            top = max(top, nfv)
            on.plot(nfv, y + 0.18, "D", color=style.ORANGE, markersize=4)
        shown = f"{text.percent(interval[0])} to {text.percent(interval[1])}" if interval else "–"
        rows.append((Cell(label), num(text.percent(agreement)), num(shown), num(text.number(nfv))))
    has_agreement = worst[0] <= 1.0
    style.label_rows(on, [_label(as_text(e.get("name"))) for e in effects])
    on.set_xlim(-0.02, top * 1.04)
    on.grid(axis="x")
    handles = []
    if has_agreement:
        handles.append(
            on.plot(
                [],
                [],
                "o-",
                color=style.BLUE,
                markersize=5,
                label="Agreement with its 95\N{NO-BREAK SPACE}% interval",
            )[0]
        )
    if any(as_number(e.get("nfv")) is not None for e in effects):
        handles.append(
            on.plot(
                [],
                [],
                "D",
                color=style.ORANGE,
                markersize=4,
                label="NFV (0: no change, 1: like another input)",
            )[0]
        )
    on.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=2,
        handletextpad=0.5,
        columnspacing=1.4,
    )
    summary = (
        f"The answer changes most when the input is {worst[1]}: "
        f"{text.percent(worst[0])} of inputs keep their answer."
        if has_agreement
        else f"{text.plural(len(effects), 'transform')} measured on an output without classes."
    )
    if as_map(_first_output(audit).get("collapse")).get("collapsed") is True:
        summary += " But the output hardly depends on its input at all, so agreement means nothing."
    columns = ("Input", "Agreement", "95\N{NO-BREAK SPACE}% interval", "NFV")
    return style.chart(
        "figure-flips",
        "How much the answer changes when the input is flipped or turned",
        summary,
        "Blue dots to the right and orange diamonds to the left mean that the transform does not "
        "matter to the model.",
        on,
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
    on = style.axes(0.55 + ROW * len(profile), left=LABELS, top=0.22 if limit else 0.1)
    rows = []
    for y, (code, bits) in enumerate(profile.items()):
        on.barh(y, bits, height=0.6, color=style.BLUE if code == best else style.GREY)
        interval = pair(intervals.get(code))
        if interval:
            on.plot(interval, (y, y), color=style.INK, linewidth=1.2)
        shown = f"{text.number(interval[0])} to {text.number(interval[1])}" if interval else "–"
        rows.append((Cell(_label(code)), num(text.number(bits)), num(shown)))
    style.label_rows(on, [_label(code) for code in profile])
    most = max([*profile.values(), limit or 0.0, 1e-9])
    if limit:
        on.axvline(limit, color=style.QUIET, linewidth=1.0, linestyle=(0, (3, 2)))
        on.text(
            limit,
            -0.6,
            f"most possible: {text.number(limit)} bits",
            ha="right",
            va="bottom",
            color=style.QUIET,
        )
    on.set_xlim(0, most * 1.03)
    on.set_xlabel("bits of information about the input")
    on.grid(axis="x")
    said = f"The output is most informative with the input {_label(best)} ("
    said += f"{text.number(profile[best])} bits"
    said += f" of at most {text.number(limit)})" if limit else ")"
    if "e" in profile and best != "e":
        said += f", against {text.number(profile['e'])} bits as it is fed"
    return style.chart(
        "figure-orientation",
        "In which orientation the model sees most",
        said + ".",
        "A model fed with images in the wrong orientation tells them apart badly; in the "
        "orientation that it was trained on, its answers carry the most information.",
        on,
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
    on = style.axes(0.55 + ROW * len(known), left=LABELS, top=0.22 if classes else 0.1)
    for y, (_, share) in enumerate(known):
        on.barh(y, share, height=0.6, color=style.BLUE if y == 0 else style.GREY)
    style.label_rows(on, [label for label, _ in known])
    on.set_xlim(0, 1.0)
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    on.set_xticks(ticks, [text.percent(tick) for tick in ticks])
    on.set_xlabel("share of inputs that get the most frequent answer")
    on.grid(axis="x")
    if classes:
        even = 1 / classes
        on.axvline(even, color=style.QUIET, linewidth=1.0, linestyle=(0, (3, 2)))
        on.text(
            even,
            -0.6,
            f"even spread over {classes:,} classes",
            ha="left",
            va="bottom",
            color=style.QUIET,
        )
    spread = (
        f"; an even spread over {classes:,} classes would give {text.percent(1 / classes)}"
        if classes
        else ""
    )
    rows = tuple((Cell(label), num(text.percent(share, 1))) for label, share in known)
    return style.chart(
        "figure-answers",
        "How often the most frequent answer is given",
        f"{text.percent(original)} of the inputs get one and the same answer{spread}.",
        "A model whose output ignores its input gives one answer to everything: a bar "
        "at 100\N{NO-BREAK SPACE}%.",
        on,
        Table("Share of the most frequent answer", ("Input", "Share"), rows, open=False),
    )
