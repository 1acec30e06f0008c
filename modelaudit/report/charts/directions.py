"""Filters that carry the directional features of a layer, as pictures."""

from __future__ import annotations

from modelaudit.audit_types.kernels import DirectionalFilter, KernelDirections
from modelaudit.audit_types.values import finite
from modelaudit.diagnosis.directions import DIRECTIONS
from modelaudit.measures.kernels.directions import SIGNS
from modelaudit.report.blocks import Cell, Table, name, num
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.kernels import MOST_SIDE, Grid, heatmap, scaled_to_one, weight_grid
from modelaudit.report.charts.scales import Scale
from modelaudit.report.charts.style import Chart
from modelaudit.report.wording import number_format, text
from modelaudit.schema import Audit

LAYERS, FILTERS = 3, 6
LABELS, PITCH, LARGEST = 226, 46, 40  # pixels: names, a row, a filter

Row = tuple[KernelDirections, list[tuple[DirectionalFilter, Grid]]]


def directions(audit: Audit, paper: style.Paper) -> Chart | None:
    """The filters with most of the leading direction, a row for each of the first such layers."""
    rows = [row for layer in audit.symmetry.directions if (row := _row(layer))[1]][:LAYERS]
    if not rows:
        return None
    cell = LARGEST + 6
    left, above = paper.left(LABELS), paper.top(10)
    pitch = PITCH + (18 if paper.stacked else 0)
    height = above + pitch * len(rows) + 4
    whole = plot.Plot(height, Scale(0, 1), Scale(0, 1), paper=paper, left=left, top=above)
    for place, (layer, drawn) in enumerate(rows):
        for column, (_, grid) in enumerate(drawn):
            top = above + place * pitch + (18 if paper.stacked else 0)
            on = plot.Plot(
                height,
                Scale(0, 1),
                Scale(-0.5, 0.5),
                paper=paper,
                left=left + column * cell,
                right=paper.width - left - column * cell - LARGEST,
                top=top,
                bottom=height - top - LARGEST,
            )
            if column == 0:
                on.rows([plot.row_name(layer.route, paper, left)], [-0.5 if paper.stacked else 0])
            on.image(heatmap(scaled_to_one(grid)))
            whole.beside(on)
    first = rows[0][0]
    share = first.shares[first.leading]
    said = (
        f"The filters of {text.shorten(first.route, 50)} prefer {DIRECTIONS[first.leading]}: "
        f"{text.percent(finite(share.share))} of their energy, "
        f"{text.percent(finite(share.expected))} if they were random"
    )
    return whole.chart(
        "figure-directions",
        "Filters that respond to a direction",
        said + ".",
        "Each row has the filters that carry most of the direction that leads in a layer. Purple "
        "is positive, brown negative, pale near zero; each filter is scaled separately.",
        _table(audit),
    )


def _row(layer: KernelDirections) -> Row:
    if layer.leading not in SIGNS or layer.leading not in layer.shares:
        return layer, []
    found = [
        (each, grid)
        for each in layer.filters[:FILTERS]
        if (grid := weight_grid(each.values)) is not None and max(grid.shape) <= MOST_SIDE
    ]
    return layer, found


def _table(audit: Audit) -> Table:
    fields = {field.route: field for field in audit.architecture.profile.fields}
    rows = tuple(
        (
            name(text.shorten(layer.route, 60)),
            num(text.shape(layer.shape[:2])),
            num(text.shape(fields[layer.route].maximum) if layer.route in fields else "–"),
            *(
                num(_share(layer, part))
                for part in ("left-right", "up-down", "bars", "diagonal", "none")
            ),
            Cell(DIRECTIONS.get(layer.leading, "none clearly")),
        )
        for layer in audit.symmetry.directions
    )
    return Table(
        "Directional features by layer: share of the energy, and that of random weights",
        (
            "Layer",
            "Kernel",
            "Sees pixels",
            "Left–right",
            "Up–down",
            "Bars",
            "Diagonal",
            "No direction",
            "Leading",
        ),
        rows,
        print_rows=12,
        open=False,
    )


def _share(layer: KernelDirections, part: str) -> str:
    found = layer.shares.get(part)
    if found is None:
        return "–"
    share, expected = (
        number_format.number(finite(each), 2) for each in (found.share, found.expected)
    )
    return f"{share} ({expected})"
