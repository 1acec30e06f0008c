"""Charts of the stored kernels: symmetry scores, and filters with their mirror images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import FilterGallery, FilterPair
from modelaudit.audit_types.values import finite
from modelaudit.report.blocks import Table, name, num
from modelaudit.report.charts import plot, style
from modelaudit.report.charts.scales import Scale, round_numbers
from modelaudit.report.charts.style import Chart
from modelaudit.report.wording import number_format, text, vocabulary
from modelaudit.schema import Audit

ROW = 16.2  # pixels
LABELS = 226
WHAT = "symmetry score (0: as for random weights, 1: exactly symmetric)"
MOST_LAYERS = 16
MOST_FILTERS = 8
MOST_SIDE = 15  # larger kernels are not drawn
LEFT, CELL = 101, 13.4  # pixels: space for labels, one value of a filter
AXES = ("H", "V")
Grid: TypeAlias = NDArray[np.float64]
COLOURS = {"H": style.BLUE, "V": style.ORANGE}
# Brown to purple, distinguishable with red-green colour blindness: the scheme PuOr with eleven
# colours of ColorBrewer (Harrower and Brewer 2003, colorbrewer2.org).
WEIGHT_COLOURS = bytes.fromhex("7f3b08b35806e08214fdb863fee0b6f7f7f7d8daebb2abd28073ac5427882d004b")


def _spread(count: int, most: int) -> list[int]:
    """At most `most` indices, first and last included, evenly spaced."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def symmetry(audit: Audit, paper: style.Paper) -> Chart | None:
    """Symmetry score of each layer's kernels under both flips; 0 for random weights."""
    layers = [
        layer
        for layer in audit.symmetry.layers
        if any(finite(layer.score.get(g)) is not None for g in AXES)
    ]
    if not layers:
        return None
    chosen = [layers[i] for i in _spread(len(layers), MOST_LAYERS)]
    left, above, pitch = paper.left(LABELS), paper.top(29), paper.row(ROW)
    below = plot.below(WHAT, paper)
    series = {
        g: [
            (score, y + offset * ROW / pitch)
            for y, layer in enumerate(chosen)
            if (score := finite(layer.score.get(g))) is not None
        ]
        for g, offset in (("H", -0.18), ("V", 0.18))
    }
    scores = [score for points in series.values() for score, _ in points]
    low, high = min(-0.1, *scores) * 1.1, max(0.5, *scores) * 1.05
    on = plot.Plot(
        above + pitch * len(chosen) + below,
        Scale(low, high),
        Scale(-0.5, len(chosen) - 0.5),
        paper=paper,
        left=left,
        top=above,
        bottom=below,
    )
    on.rows([plot.row_name(layer.route, paper, left) for layer in chosen])
    on.ticks(round_numbers(low, high))
    on.name_x(WHAT)
    on.legend(*((plot.BAR, COLOURS[g], vocabulary.transform(g)) for g in series))
    for g, points in series.items():
        on.bars(points, 0.32 * ROW, COLOURS[g])
    on.lines([[(0, -0.5), (0, len(chosen) - 0.5)]], style.QUIET, 1.2)
    top = max(layers, key=lambda layer: finite(layer.score.get("H")) or -9.0)
    best = finite(top.score.get("H"))
    rows = tuple(
        (
            name(text.shorten(layer.route, 60)),
            *(num(number_format.number(finite(layer.score.get(g)), 2)) for g in AXES),
            *(num(number_format.number(finite(layer.even.get(g)), 2)) for g in AXES),
            num(number_format.number(finite(layer.baseline.get("H")), 2)),
        )
        for layer in layers
    )
    cut = f" {len(chosen)} of {len(layers)} layers are shown." if len(chosen) < len(layers) else ""
    return on.chart(
        "figure-symmetry",
        "Mirror symmetry of the kernels",
        f"The most left-right symmetric layer is {text.shorten(top.route, 50)}, "
        f"with a score of {number_format.number(best, 2)}.{cut}",
        "Random weights give bars near 0. Training with mirrored images often makes the blue bar "
        "longer than the orange one in the last layers.",
        Table(
            "Symmetry by layer: score, and the share of symmetric energy with its random baseline",
            (
                "Layer",
                "Score left-right",
                "Score up-down",
                "Even share left-right",
                "Even share up-down",
                "Random left-right",
            ),
            rows,
            print_rows=12,
            open=False,
        ),
    )


def weight_grid(rows: Sequence[Sequence[float]]) -> Grid | None:
    """A kernel's values as a 2-D array, None if they are not one."""
    if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        return None
    if len(rows) > MOST_SIDE or len(rows[0]) > MOST_SIDE:
        return None
    values = np.array(rows, dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _pairs(
    entry: FilterGallery,
) -> list[tuple[FilterPair, Grid, Grid]]:
    found = []
    for item in entry.filters[:MOST_FILTERS]:
        own, partner = weight_grid(item.values), weight_grid(item.partner_values)
        if own is not None and partner is not None and own.shape == partner.shape:
            found.append((item, own, partner))
    shape = found[0][1].shape if found else None
    return [pair for pair in found if pair[1].shape == shape]


def scaled_to_one(values: Grid) -> Grid:
    """Values scaled into [-1, 1] by their largest magnitude."""
    peak = float(np.nanmax(np.abs(values), initial=0.0))
    return values / peak if peak > 0 else values


def gallery(audit: Audit, paper: style.Paper) -> Chart | None:
    """Filters of one layer above the mirrored filters that are closest to them."""
    entries = [(entry, _pairs(entry)) for entry in audit.symmetry.gallery]
    drawn = next(((entry, pairs) for entry, pairs in entries if pairs), None)
    if drawn is None:
        return None
    entry, pairs = drawn
    high, wide = pairs[0][1].shape
    canvas = np.full((2 * high + 1, len(pairs) * (wide + 1) - 1), np.nan)
    for i, (_, own, partner) in enumerate(pairs):
        left = i * (wide + 1)
        canvas[:high, left : left + wide] = scaled_to_one(own)
        canvas[high + 1 :, left : left + wide] = scaled_to_one(partner[:, ::-1])
    deep, across = canvas.shape
    cell = min((paper.width - LEFT - 19) / across, CELL)
    edge = high / 2 / (high + 1)  # the middle of a row of filters, in rows
    on = plot.Plot(
        cell * deep + 25,
        Scale(0, across),
        Scale(-edge, 1 + edge),
        paper=paper,
        left=LEFT,
        right=paper.width - LEFT - cell * across,
        top=6,
        bottom=19,
    )
    on.image(heatmap(canvas))
    on.rows(["filter", "partner, mirrored"])
    on.captions(
        (i * (wide + 1) + wide / 2, number_format.number(finite(item.score), 2))
        for i, (item, _, _) in enumerate(pairs)
    )
    route = text.shorten(entry.route, 50)
    how = vocabulary.transform(text.shorten(entry.transform, 40))
    rows = tuple(
        (
            num(str(item.index)),
            num(str(item.partner)),
            num(number_format.number(finite(item.score), 2)),
        )
        for item, _, _ in pairs
    )
    known = [s for s in (finite(item.score) for item, _, _ in pairs) if s is not None]
    said = f"{len(pairs)} filters of {route}, each above its closest filter when {how}"
    if known:
        low, high = (number_format.number(end(known), 2) for end in (min, max))
        said += f"; similarity {low} to {high}"
    return on.chart(
        "figure-gallery",
        f"Filters of {route} and their mirrored partners",
        said + ".",
        "If both images of a pair are alike, the layer holds a filter and its mirror image; "
        "the number under a pair is their similarity, 1 for exact mirror images. Purple is "
        "positive, brown negative, pale near zero; each filter is scaled separately.",
        Table("Matched filters", ("Filter", "Partner", "Similarity"), rows, open=False),
    )


def heatmap(values: NDArray[np.float64]) -> bytes:
    """A 2-D array of numbers from -1 to 1 as PNG, one pixel per number; NaN is transparent."""
    colours = np.frombuffer(WEIGHT_COLOURS, np.uint8).reshape(-1, 3)
    at = np.clip(np.nan_to_num(values), -1, 1)
    levels = np.linspace(-1, 1, len(colours))
    pixels = np.zeros((*values.shape, 4), np.uint8)
    pixels[..., :3] = np.stack([np.interp(at, levels, each) for each in colours.T], -1).round()
    pixels[..., 3] = np.where(np.isnan(values), 0, 255)
    return _png(pixels)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (height, width, RGBA) as PNG (ISO/IEC 15948), in its simplest form: no filters."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
