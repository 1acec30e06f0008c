"""Chart of the receptive field of each layer."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.audit_types.architecture import LayerField
from modelaudit.measures.architecture.modality_words import words_for
from modelaudit.report.blocks import Table, name, num
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.scales import Scale, every, powers_of_two
from modelaudit.report.charts.style import Chart
from modelaudit.report.wording import text
from modelaudit.schema import Audit

ROW = 15.5  # pixels
LABELS, NARROW = 226, 130
WHAT = "receptive field along the longer side, in {unit} (log scale)"
MOST_PIXELS = 1e300  # a model may state any size
MANY = 1e6  # pixels: larger numbers do not fit side by side
MOST_ROWS = 12  # deeper networks are drawn in full, but only some layers are named


def _largest(sizes: Sequence[int | None]) -> float | None:
    return max((float(size) for size in sizes if size and size < MOST_PIXELS), default=None)


def _growing(fields: Sequence[LayerField]) -> list[tuple[str, float, LayerField]]:
    """Layers at which the receptive field grows: (route, size on its longest axis, field)."""
    found: list[tuple[str, float, LayerField]] = []
    for field in fields:
        size = _largest(field.maximum)
        if size is not None and (not found or size > found[-1][1]):
            found.append((field.route, size, field))
    return found


def receptive_field(audit: Audit, paper: style.Paper) -> Chart | None:
    """Receptive field by depth, against the size of the input."""
    profile = audit.architecture.profile
    steps = _growing(profile.fields)
    if len(steps) < 3:
        return None
    words = words_for(audit.model.modality)
    what = WHAT.format(unit=words.unit)
    limit = _largest(profile.input_size)
    sizes = [size for _, size, _ in steps]
    highest = max([*sizes, limit or 1.0])
    named = every(len(steps), MOST_ROWS)
    beside = named.step > 1  # names above their bars would overlap
    row = ROW if beside else paper.row(ROW)
    deep = row * min(len(steps), MOST_ROWS)
    left = NARROW if beside and paper.stacked else paper.left(LABELS)
    top, below = paper.top(21), plot.below(what, paper)
    x = Scale(1, highest * 1.1, log=True)
    y = Scale(-0.5, len(steps) - 0.5)
    on = plot.Plot(deep + top + below, x, y, paper=paper, left=left, top=top, bottom=below)
    on.rows([plot.row_name(steps[i][0], paper, left) for i in named], named)
    powers = powers_of_two(highest, 4 if left == NARROW else 6)
    on.ticks(powers, [text.number(n) if n < MANY else f"{n:.1e}" for n in powers])
    on.name_x(what)
    thick = 1.2 * deep / len(steps) if beside else 0.6 * ROW  # narrow bars touch
    on.bars([(size, at) for at, size in enumerate(sizes)], thick, style.BLUE)
    said = f"The receptive field of the deepest layer is {text.number(sizes[-1])} {words.unit} wide"
    if limit:
        after = x.fraction(limit) < 0.5
        on.limit(f"input: {text.number(limit)} {words.unit}", style.QUIET, x=limit, after=after)
        said += f"; the input is {text.number(limit)} {words.unit} wide"
        if sizes[-1] < limit and "receptive_field" not in audit.symmetry.skipped:
            said += f", so no layer sees the whole {words.one}"
    some = f" One in {named.step} layers is named." if named.step > 1 else ""
    rows = tuple(
        (
            name(text.shorten(route, 60)),
            num(text.shape(field.maximum)),
            num(text.shape(field.jump)),
        )
        for route, _, field in steps
    )
    return on.chart(
        "figure-receptive-field",
        "Receptive field of each layer",
        said + ".",
        "The receptive field is the part of the input that one activation can depend on. Shown are "
        "the layers at which it grows, from input to output. Growth beyond the size of the input "
        f"has little effect.{some}",
        Table(
            "Receptive field by layer",
            ("Layer", "Receptive field", "Stride"),
            rows,
            print_rows=12,
            open=False,
        ),
    )
