"""Chart of how the features of each layer follow a flip of the input."""

from __future__ import annotations

from modelaudit.report import text, words
from modelaudit.report.blocks import Table, name, num
from modelaudit.report.charts import style
from modelaudit.report.charts.style import Chart
from modelaudit.report.values import as_map, as_maps, as_number, as_text
from modelaudit.schema import Audit

ROW = 0.18  # inches
LABELS = 2.35
LIMIT = 2.0  # drawn no further right: beyond 1 nothing is left to tell
SERIES = (
    ("identity", style.BLUE, "o", -0.15, "same channels"),
    ("permutation", style.ORANGE, "D", 0.15, "channels matched"),
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
    on = style.axes(0.6 + ROW * len(found), left=LABELS, top=0.3, bottom=0.24)
    for key, colour, marker, offset, label in SERIES:
        known = [(y, v) for y, e in enumerate(found) if (v := as_number(e.get(key))) is not None]
        within = [(y + offset, v) for y, v in known if v <= LIMIT]
        beyond = [y + offset for y, v in known if v > LIMIT]
        on.plot([v for _, v in within], [y for y, _ in within], marker, color=colour, markersize=4)
        on.plot([LIMIT] * len(beyond), beyond, ">", color=colour, markersize=5, clip_on=False)
        on.plot([], [], marker, color=colour, markersize=4, label=label)
    style.label_rows(on, [text.shorten(as_text(entry.get("route")), 34) for entry in found])
    on.axvline(1, color=style.QUIET, linewidth=0.9, linestyle=(0, (3, 2)))
    on.set_xlim(0, LIMIT)
    on.set_xticks([0, 0.5, 1, 1.5, 2], ["0: exactly", "0.5", "1: like another input", "1.5", "≥ 2"])
    on.grid(axis="x")
    on.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, handletextpad=0.3)
    last = found[-1]
    least = min(v for key, *_ in SERIES if (v := as_number(last.get(key))) is not None)
    rows = tuple(
        (
            name(text.shorten(as_text(entry.get("route")), 60)),
            *(num(text.number(as_number(entry.get(key)))) for key, *_ in SERIES),
        )
        for entry in found
    )
    return style.chart(
        "figure-residuals",
        f"How well each layer follows when the input is {how}",
        f"The last layer watched, {text.shorten(as_text(last.get('route')), 50)}, is left with a "
        f"residual of {text.number(least, 2)}.",
        "Each dot compares a layer's features for the mirrored input with the mirrored features of "
        "the plain one. Early layers far from 0 are normal; what counts is the end of the network.",
        on,
        Table(
            "Residual by layer", ("Layer", "Same channels", "Channels matched"), rows, open=False
        ),
    )
