"""Chart of the receptive field: how much of the input a layer can see."""

from __future__ import annotations

from modelaudit.report import text
from modelaudit.report.blocks import Table, name, num
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.scales import Scale, powers_of_two
from modelaudit.report.charts.style import Chart
from modelaudit.report.values import Map, as_list, as_map, as_maps, as_number, as_text, shape
from modelaudit.schema import Audit

HEIGHT = 154  # pixels


def _largest(value: object) -> float | None:
    sizes = [size for size in map(as_number, as_list(value)) if size is not None]
    return max(sizes, default=None)


def _growing(fields: list[Map]) -> list[tuple[str, float, Map]]:
    """Layers at which the receptive field grows: (route, size on its longest axis, field)."""
    found: list[tuple[str, float, Map]] = []
    for field in fields:
        size = _largest(field.get("maximum"))
        if size is not None and (not found or size > found[-1][1]):
            found.append((as_text(field.get("route")), size, field))
    return found


def receptive_field(audit: Audit) -> Chart | None:
    """Receptive field by depth, against the size of the input."""
    profile = as_map(as_map(audit.architecture).get("profile"))
    steps = _growing(as_maps(profile.get("fields")))
    if len(steps) < 3:
        return None
    limit = _largest(profile.get("input_size"))
    sizes = [size for _, size, _ in steps]
    highest, least = max([*sizes, limit or 1.0]), min(sizes) / 1.3
    on = plot.Plot(
        HEIGHT,
        Scale(0.5, len(steps) + 0.5),
        Scale(highest * 1.5, least, log=True),
        left=72,
        right=20,
        bottom=19,
    )
    on.levels([size for size in powers_of_two(highest) if size > least])
    on.name_y("pixels seen")
    middle = (len(steps) + 1) / 2
    on.captions([(middle, "layers at which the receptive field grows, from input to output")])
    depth = [(at, size) for at, size in enumerate(sizes, 1)]
    stairs = [(at + side, size) for at, size in depth for side in (-0.5, 0.5)]
    on.lines([stairs], style.BLUE, 2)
    on.marks(plot.DOT, depth, style.BLUE)
    said = f"The deepest layer sees {text.number(sizes[-1])} pixels along the longer side"
    if limit:
        on.ceiling(f"input: {text.number(limit)} pixels", style.ORANGE, y=limit)
        said += f"; the input has {text.number(limit)}"
        if sizes[-1] < limit:
            said += ", so no layer sees the whole image at once"
    rows = tuple(
        (
            name(text.shorten(route, 60)),
            num(shape(field.get("maximum"))),
            num(shape(field.get("jump"))),
        )
        for route, _, field in steps
    )
    return on.chart(
        "figure-receptive-field",
        "How much of the image each layer can see",
        said + ".",
        "The receptive field is the patch of the input that one number inside the network can "
        "depend on. Layers that add to it after it covers the input add little.",
        Table(
            "Receptive field by layer",
            ("Layer", "Pixels seen", "Step"),
            rows,
            print_rows=12,
            open=False,
        ),
    )
