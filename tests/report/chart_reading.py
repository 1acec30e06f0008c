"""Reading values from the charts of a report, using only the drawing."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import report_samples as samples
from sample_audits import changed, json_of

from modelaudit.report import charts
from modelaudit.report.charts import style


def chart_of(audit, anchor):
    (found,) = (chart for chart in charts.build(audit) if chart.anchor == anchor)
    return found


def drawn(audit, anchor):
    """The texts of a chart with their positions, and its paths by colour."""
    return read(chart_of(audit, anchor))


def read(chart):
    """The same for one given chart."""
    root = ET.fromstring(chart.svg)
    space = "{http://www.w3.org/2000/svg}"
    words = [(e.text, float(e.get("x")), float(e.get("y"))) for e in root.iter(space + "text")]
    paths = {}
    for e in root.iter(space + "path"):
        paths.setdefault(e.get("stroke", e.get("fill")), []).append(e.get("d"))
    return words, paths


def read_off(words, pattern, scale=float):
    """A function from a position to a value, by the labels of the axis."""
    found = [(re.fullmatch(pattern, t), x) for t, x, _ in words]
    ticks = [(scale(float(t[1].replace(",", ""))), x) for t, x in found if t]
    assert len(ticks) >= 3
    numbers, places = zip(*ticks, strict=True)
    slope, start = np.polyfit(places, numbers, 1)
    return lambda x: slope * x + start


# Labels of an axis, and numbers in a path.
PLAIN = r"([0-9.,]+)"
SHARE = r"([0-9]+)\N{NO-BREAK SPACE}%"
PLACE = r"([0-9.]+)"


def bars(words, paths):
    """(label of a bar, its end in pixels, its colour), from top to bottom."""
    rows = {y - 0.36 * 10.67: text for text, x, y in words if x < 200}
    ends = sorted(
        (float(y), float(x), colour)
        for colour in (style.BLUE, style.ORANGE, style.GREY)
        for path in paths.get(colour, [])
        for y, x in re.findall(rf"M[0-9.]+ {PLACE}H{PLACE}", path)
    )
    return [(rows[min(rows, key=lambda at: abs(at - y))], x, colour) for y, x, colour in ends]


def dots(paths):
    """(y, x, colour) of every dot, from top to bottom."""
    return sorted(
        (float(y), float(x), colour)
        for colour, found in paths.items()
        for x, y in re.findall(rf"M{PLACE} {PLACE}h0", "".join(found))
    )


def with_output(audit, **changes):
    """The audit with changes in its first output."""
    output = dict(json_of(audit)["behaviour"]["outputs"][0]) | changes
    return changed(audit, behaviour=dict(json_of(audit)["behaviour"], outputs=[output]))


def labelled(**shares):
    """An audit of 64 labelled inputs with these accuracies."""
    return with_output(samples.healthy(), accuracy=shares)
