"""Charts by input orientation: accuracy, information, and share of the most frequent prediction."""

from __future__ import annotations

import math
from itertools import islice

from modelaudit.audit_types.values import finite, finite_only, finite_pair
from modelaudit.measures.statistics import wilson
from modelaudit.report.blocks import Cell, Table, num
from modelaudit.report.charts import orientation_rows, plot, style
from modelaudit.report.charts.orientation_rows import GIVEN, INTERVAL, Interval, label
from modelaudit.report.charts.scales import QUARTERS, round_numbers
from modelaudit.report.charts.style import Chart
from modelaudit.report.wording import number_format, text
from modelaudit.report.wording.json_value import finite_number
from modelaudit.schema import Audit

HARDLY = 0.01  # of the possible information; below, no orientation is highlighted
MOST_INPUTS = 10**9  # an audit file may hold any number


def _first(values: dict[str, float]) -> dict[str, float]:
    return dict(islice(values.items(), orientation_rows.MOST_ROWS))


def _share_axes(
    values: dict[str, float], what: str, paper: style.Paper, *, limited: bool
) -> plot.Plot:
    on = orientation_rows.axes(values, 1, paper, limited=limited)
    on.ticks(QUARTERS, [text.percent(share) for share in QUARTERS])
    on.name_x(what)
    return on


def right(audit: Audit, paper: style.Paper) -> Chart | None:
    """Accuracy by orientation of the input, if the audit has labels."""
    output, inputs = orientation_rows.first_output(audit), audit.behaviour.inputs
    if output is None:
        return None
    measured = finite_only(output.accuracy)
    turned = [effect.name for effect in output.transforms]
    shares = _first({code: measured[code] for code in (GIVEN, *turned) if code in measured})
    if len(shares) < 2 or GIVEN not in shares or not all(0 <= s <= 1 for s in shares.values()):
        return None
    n = min(inputs.n if inputs else 0, MOST_INPUTS)
    intervals = {c: wilson(round(share * n), n) for c, share in shares.items()} if n else {}
    classes = output.collapse.classes or 0
    guessing = classes > 1 and output.kind in ("softmax", "logits")
    on = _share_axes(shares, "accuracy", paper, limited=guessing)
    best = orientation_rows.leader(shares, intervals)
    orientation_rows.bars(on, shares, intervals, best)
    if guessing:
        on.limit(f"chance level for {classes:,} classes", style.QUIET, x=1 / classes, after=True)
    if best:
        said = f"Accuracy is highest with the input {label(best)}: {text.percent(shares[best])}"
        said += f", compared with {text.percent(shares[GIVEN])} as given"
    else:
        said = f"Accuracy is {text.percent(shares[GIVEN])} with the input as given; no other "
        said += "orientation is clearly better"
    cells = tuple(
        (
            Cell(label(code)),
            num(text.percent(share, 1)),
            num(number_format.span(intervals.get(code), text.percent)),
        )
        for code, share in shares.items()
    )
    counted = f"Lines are 95\N{NO-BREAK SPACE}% intervals for {n:,} inputs. " if n else ""
    return on.chart(
        "figure-right",
        "Accuracy by orientation",
        said + ".",
        "Accuracy is the share of predictions that match the labels of the inputs. "
        f"{counted}{orientation_rows.key(best, 'the orientation with the highest accuracy')}",
        Table("Accuracy by orientation", ("Input", "Accuracy", INTERVAL), cells, open=False),
    )


def orientation(audit: Audit, paper: style.Paper) -> Chart | None:
    """Bits of information that the output carries, by orientation of the input."""
    output = orientation_rows.first_output(audit)
    if output is None:
        return None
    bits = _first(finite_only(output.orientation))
    if len(bits) < 2 or GIVEN not in bits:
        return None
    classes = output.collapse.classes
    limit = math.log2(classes) if classes and classes > 1 else None
    held = {code: finite_pair(ends) for code, ends in output.orientation_ci.items()}
    intervals: dict[str, Interval] = {code: ends for code, ends in held.items() if ends}
    highest = max(bits.values())
    most = max(highest, limit or 0.0, number_format.LEAST) * 1.03
    on = orientation_rows.axes(bits, most, paper, limited=limit is not None)
    on.ticks(round_numbers(0, most))
    on.name_x("bits of information about the input")
    nothing = highest < max(number_format.LEAST, HARDLY * (limit or 0.0))
    best = None if nothing else orientation_rows.leader(bits, intervals)
    orientation_rows.bars(on, bits, intervals, best)
    if limit:
        on.limit(f"maximum: {text.number(limit)} bits", style.QUIET, x=limit, after=False)
    possible = f" of at most {text.number(limit)}" if limit else ""
    if nothing:
        said = "The output carries hardly any information about the input in any orientation: "
        said += f"at best {number_format.number(highest)}{possible} bits"
    elif best:
        said = f"The output carries the most information with the input {label(best)} "
        said += f"({number_format.number(bits[best])}{possible} bits)"
        said += f", compared with {number_format.number(bits[GIVEN])} bits as given"
    else:
        said = f"The output carries {number_format.number(bits[GIVEN])}{possible} bits about the "
        said += "input as given; no other orientation gives clearly more"
    cells = tuple(
        (
            Cell(label(code)),
            num(number_format.number(found)),
            num(number_format.span(intervals.get(code))),
        )
        for code, found in bits.items()
    )
    return on.chart(
        "figure-orientation",
        "Information by orientation",
        said + ".",
        "A model distinguishes images poorly if they have the wrong orientation; its outputs carry "
        "the most information in the orientation that it was trained on. "
        f"{orientation_rows.key(best, 'the orientation with the most information')}",
        Table("Information by orientation", ("Input", "Bits", INTERVAL), cells, open=False),
    )


def answers(audit: Audit, paper: style.Paper) -> Chart | None:
    """Share of the most frequent class on the inputs as they are and on flipped ones."""
    output = orientation_rows.first_output(audit)
    original = finite(output.collapse.top_share) if output else None
    if output is None or original is None:
        return None
    found = {GIVEN: original} | {
        effect.name: share
        for effect in output.transforms
        if (share := finite_number(effect.detail.get("top_share"))) is not None
    }
    shares = _first(found)
    if len(shares) < 2:
        return None
    classes = output.collapse.classes
    what = "share of the most frequent prediction"
    on = _share_axes(shares, what, paper, limited=bool(classes))
    most = orientation_rows.leader(shares, {})
    orientation_rows.bars(on, shares, {}, most)
    said = f"{text.percent(original)} of the inputs as given get the same prediction"
    if most:
        said += f", at most {text.percent(shares[most])} ({label(most)})"
    if classes:
        even = f"uniform over {classes:,} classes"
        on.limit(even, style.QUIET, x=1 / classes, after=True)
        said += f"; predictions {even} would give {text.percent(1 / classes)}"
    cells = tuple((Cell(label(code)), num(text.percent(s, 1))) for code, s in shares.items())
    return on.chart(
        "figure-answers",
        "Share of the most frequent prediction",
        said + ".",
        "A model whose output ignores its input has constant predictions: all bars "
        "reach 100\N{NO-BREAK SPACE}%. "
        + orientation_rows.key(most, "the orientation with the highest share"),
        Table("Share of the most frequent prediction", ("Input", "Share"), cells, open=False),
    )
