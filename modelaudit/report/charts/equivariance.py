"""Chart of the equivariance residual of each layer."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.audit_types.behaviour import LayerResidual
from modelaudit.audit_types.values import finite
from modelaudit.report.blocks import Table, name, num
from modelaudit.report.charts import orientation_rows, plot, style
from modelaudit.report.charts.scales import Scale
from modelaudit.report.charts.style import Chart
from modelaudit.report.wording import number_format, text, vocabulary
from modelaudit.schema import Audit

ROW = 16.2  # pixels
LABELS = 226
FOLLOWS = 0.1  # a residual below this is small compared with different inputs
LIMIT = 2.0  # end of the axis: differences beyond 1 are not informative
WHAT = "residual (0: exactly equivariant, 1: as different as another input)"
SERIES: tuple[tuple[Callable[[LayerResidual], float | None], str, str, float, str], ...] = (
    (lambda entry: finite(entry.identity), style.BLUE, plot.DOT, -0.15, "same channels"),
    (lambda entry: finite(entry.permutation), style.ORANGE, plot.DIAMOND, 0.15, "channels matched"),
)


def _known(entry: LayerResidual) -> list[float]:
    return [value for of, *_ in SERIES if (value := of(entry)) is not None]


def residuals(audit: Audit, paper: style.Paper) -> Chart | None:
    """Residual of each layer, with and without matching channels to their mirror partners."""
    found = [entry for entry in audit.behaviour.residuals if _known(entry)]
    if len(found) < 2:
        return None
    transform = found[0].transform
    found = [entry for entry in found if entry.transform == transform]
    how = vocabulary.transform(text.shorten(transform, 40))
    left = paper.left(LABELS)
    top, below, row = paper.top(29), plot.below(WHAT, paper), paper.row(ROW)
    on = plot.Plot(
        top + row * len(found) + below,
        Scale(0, LIMIT),
        Scale(-0.5, len(found) - 0.5),
        paper=paper,
        left=left,
        top=top,
        bottom=below,
    )
    on.rows([plot.row_name(entry.route, paper, left) for entry in found])
    on.ticks([0, 0.5, 1, 1.5, 2], ["0", "0.5", "1", "1.5", "≥ 2"])
    on.name_x(WHAT)
    on.legend(*((mark, colour, label) for _, colour, mark, _, label in SERIES))
    on.limit("", style.QUIET, x=1, after=True)
    for of, colour, mark, apart, _ in SERIES:
        offset = apart * ROW / row
        known = [(y, v) for y, entry in enumerate(found) if (v := of(entry)) is not None]
        on.marks(mark, [(v, y + offset) for y, v in known if v <= LIMIT], colour)
        on.marks(plot.ARROW, [(LIMIT, y + offset) for y, v in known if v > LIMIT], colour)
    cells = tuple(
        (
            name(text.shorten(entry.route, 60)),
            *(num(number_format.number(of(entry))) for of, *_ in SERIES),
        )
        for entry in found
    )
    return on.chart(
        "figure-residuals",
        f"Equivariance of each layer when the input is {how}",
        _collapsed(how) if orientation_rows.collapsed(audit) else _said(found[-1], how),
        f"A layer is equivariant if its features are {how} with the input and do not change "
        "otherwise. The residual measures the other change: 0 is none, 1 as much as between two "
        "different inputs (squared distances). Orange: with channels permuted. Values far "
        "from 0 in early layers are normal; the end of the network matters.",
        Table(
            "Residual by layer", ("Layer", "Same channels", "Channels matched"), cells, open=False
        ),
    )


def _collapsed(how: str) -> str:
    return (
        f"The residuals of the last layers are not informative: the output hardly depends on the "
        f"input, {how} or not."
    )


def _said(last: LayerResidual, how: str) -> str:
    """How the end of the network responds to the transform, for readers new to residuals."""
    least = min(_known(last))
    route = text.shorten(last.route, 50)
    verdict = (
        "is equivariant"
        if least < FOLLOWS
        else "is partly equivariant"
        if least < 1
        else "is not equivariant"
    )
    much = text.percent(least) if least < 1 else f"{text.number(least, 2)} times"
    return (
        f"The last measured layer, {route}, {verdict}: there an input {how} differs from its "
        f"original {much} as much as another input does."
    )
