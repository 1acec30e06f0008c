"""Chart of how the features of each layer follow a flip of the input."""

from __future__ import annotations

from modelaudit.report import text, words
from modelaudit.report.blocks import Table, name, num
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.scales import Scale
from modelaudit.report.charts.style import Chart
from modelaudit.report.values import as_map, as_maps, as_number, as_text
from modelaudit.schema import Audit

ROW = 17.3  # pixels
LABELS = 226
LIMIT = 2.0  # drawn no further right: beyond 1 nothing is left to tell
SERIES = (
    ("identity", style.BLUE, plot.DOT, -0.15, "same channels"),
    ("permutation", style.ORANGE, plot.DIAMOND, 0.15, "channels matched"),
)


def residuals(audit: Audit) -> Chart | None:
    """Residual of each layer, with and without matching its channels to their mirror partners."""
    found = [
        entry
        for entry in as_maps(as_map(audit.behaviour).get("residuals"))
        if any(as_number(entry.get(key)) is not None for key, *_ in SERIES)
    ]
    if len(found) < 2:
        return None
    transform = as_text(found[0].get("transform"))
    found = [entry for entry in found if as_text(entry.get("transform")) == transform]
    how = words.transform(text.shorten(transform, 40))
    on = plot.Plot(
        48 + ROW * len(found),
        Scale(0, LIMIT),
        Scale(-0.5, len(found) - 0.5),
        left=LABELS,
        top=29,
        bottom=19,
    )
    on.rows([plot.row_name(as_text(entry.get("route")), LABELS) for entry in found])
    on.ticks([0, 0.5, 1, 1.5, 2], ["0: exactly", "0.5", "1: like another input", "1.5", "≥ 2"])
    on.legend(*((mark, colour, label) for _, colour, mark, _, label in SERIES))
    on.limit("", style.QUIET, x=1, after=True)
    for key, colour, mark, offset, _ in SERIES:
        known = [(y, v) for y, e in enumerate(found) if (v := as_number(e.get(key))) is not None]
        on.marks(mark, [(v, y + offset) for y, v in known if v <= LIMIT], colour)
        on.marks(plot.ARROW, [(LIMIT, y + offset) for y, v in known if v > LIMIT], colour)
    last = found[-1]
    least = min(v for key, *_ in SERIES if (v := as_number(last.get(key))) is not None)
    rows = tuple(
        (
            name(text.shorten(as_text(entry.get("route")), 60)),
            *(num(text.number(as_number(entry.get(key)))) for key, *_ in SERIES),
        )
        for entry in found
    )
    return on.chart(
        "figure-residuals",
        f"How well each layer follows when the input is {how}",
        f"The last layer watched, {text.shorten(as_text(last.get('route')), 50)}, is left with a "
        f"residual of {text.number(least, 2)}.",
        "Each dot compares a layer's features for the mirrored input with the mirrored features of "
        "the plain one. Early layers far from 0 are normal; what counts is the end of the network.",
        Table(
            "Residual by layer", ("Layer", "Same channels", "Channels matched"), rows, open=False
        ),
    )
