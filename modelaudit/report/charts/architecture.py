"""Chart of the receptive field: how much of the input a layer can see."""

from __future__ import annotations

from modelaudit.report import text
from modelaudit.report.blocks import Table, name, num
from modelaudit.report.charts import style
from modelaudit.report.charts.style import Chart
from modelaudit.report.values import Map, as_list, as_map, as_maps, as_number, as_text, shape
from modelaudit.schema import Audit

HEIGHT = 1.6


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
    on = style.axes(HEIGHT, left=0.75, right=0.2, bottom=0.45)
    depth = range(1, len(steps) + 1)
    on.step(depth, sizes, where="mid", color=style.BLUE, linewidth=1.6)
    on.plot(depth, sizes, "o", color=style.BLUE, markersize=3)
    on.set_yscale("log", base=2)
    highest = max([*sizes, limit or 1.0])
    ticks = [2**k for k in range(int(highest).bit_length() + 1)]
    ticks = ticks[:: max(1, len(ticks) // 6)]
    on.set_yticks(ticks, [str(tick) for tick in ticks])
    on.minorticks_off()
    on.set_ylim(min(sizes) / 1.3, highest * 1.5)
    on.set_ylabel("pixels seen")
    on.set_xlabel("layers at which the receptive field grows, from input to output")
    on.grid(axis="y")
    said = f"The deepest layer sees {text.number(sizes[-1])} pixels along the longer side"
    if limit:
        on.axhline(limit, color=style.ORANGE, linewidth=1.2, linestyle=(0, (4, 2)))
        on.text(
            1,
            limit,
            f"input: {text.number(limit)} pixels",
            va="bottom",
            ha="left",
            color=style.ORANGE,
        )
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
    return style.chart(
        "figure-receptive-field",
        "How much of the image each layer can see",
        said + ".",
        "The receptive field is the patch of the input that one number inside the network can "
        "depend on. Layers that add to it after it covers the input add little.",
        on,
        Table(
            "Receptive field by layer",
            ("Layer", "Pixels seen", "Step"),
            rows,
            print_rows=12,
            open=False,
        ),
    )
