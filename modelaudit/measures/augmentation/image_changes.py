"""Gradual changes of images, as Keras' augmentation layers make them.

Geometric changes interpolate bilinearly and reflect the edges at half a pixel (`reflect` in Keras
and in SciPy). Each changes an image in one of two directions; images take turns, so that one
prediction covers both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Images = NDArray[np.float32]  # (n, height, width, channels)
Span = tuple[float, float]  # smallest and largest value that an image may have

TRUNCATE = 4.0  # standard deviations at which a Gaussian kernel ends


class GradualChange(Struct, frozen=True):
    """A kind of change.

    Attributes:
        name: as in `audit.json`.
        unit: of the strength, to place after a number.
        strengths: the strengths that are measured, in ascending order.
        moderate: the strength that decides.
        apply: images, strength, the values' span and a generator -> changed images.
        spatial: whether it moves what is in an image.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    moderate: float
    apply: Callable[[Images, float, Span, np.random.Generator], Images]
    spatial: bool = False


def rotated(x: Images, degrees: float) -> Images:
    """Images rotated about their centre, every other one the other way."""
    t = np.deg2rad(degrees)
    turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    return _taking_turns(x, lambda part, sign: _warped(part, turn if sign > 0 else turn.T))


def sheared(x: Images, factor: float) -> Images:
    """Images whose columns move by `factor` pixels a row, every other one the other way."""
    return _taking_turns(
        x, lambda part, sign: _warped(part, np.array([[1.0, 0.0], [sign * factor, 1.0]]))
    )


def zoomed(x: Images, share: float) -> Images:
    """Images magnified by 1 + `share` or, every other one, by 1 / (1 + `share`)."""
    return _taking_turns(x, lambda part, sign: _warped(part, np.eye(2) * (1 + share) ** -sign))


def shifted(x: Images, rows: float, columns: float) -> Images:
    """Images moved down and to the right, or up and to the left, or two of these mixed."""
    out = np.empty_like(x)
    for k, signs in enumerate(((1, 1), (-1, -1), (1, -1), (-1, 1))):
        offset = -np.array((signs[0] * rows, signs[1] * columns))
        out[k::4] = _warped(x[k::4], np.eye(2), offset)
    return out


def blurred(x: Images, sigma: float) -> Images:
    """Images convolved with a Gaussian of standard deviation `sigma` pixels."""
    radius = max(1, int(TRUNCATE * sigma + 0.5))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (1, 2):
        size = x.shape[axis]
        out = np.zeros_like(x)
        for step, weight in zip(range(-radius, radius + 1), taps, strict=True):
            out += np.float32(weight) * np.take(x, _folded(np.arange(size) + step, size), axis=axis)
        x = out
    return x


def contrasted(x: Images, share: float) -> Images:
    """Deviations from each channel's mean times 1 + `share`, or, every other one, 1 - `share`."""
    mean = x.mean(axis=(1, 2), keepdims=True)
    changed: Images = mean + (x - mean) * (1 + share * _signs(x))
    return changed


def turned_hue(x: Images, turns: float, span: Span) -> Images:
    """Colours whose hue moves by `turns` of the colour circle, every other one backwards.

    Hue, saturation and value as in Smith (1978); the values' span is mapped to 0…1 before.
    """
    low, high = span
    rgb = (x - np.float32(low)) / np.float32(max(high - low, 1e-12))
    value = rgb.max(axis=3)
    chroma = value - rgb.min(axis=3)
    safe = np.where(chroma > 0, chroma, 1)
    red, green, blue = (rgb[..., channel] for channel in range(3))
    hue = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = hue + 6 * turns * _signs(x)[..., 0]
    out = np.empty_like(x)
    for channel, place in enumerate((5.0, 3.0, 1.0)):
        k = (place + hue) % 6
        out[..., channel] = value - chroma * np.clip(np.minimum(k, 4 - k), 0, 1)
    return out * np.float32(high - low) + np.float32(low)


def occluded(x: Images, area: float, span: Span, rng: np.random.Generator) -> Images:
    """A square of `area` (a share of the image) at a random place, of uniform noise in the span.

    As in random erasing (Zhong et al. 2020, doi:10.1609/aaai.v34i07.7000).
    """
    n, height, width, channels = x.shape
    side = max(1, round((area * height * width) ** 0.5))
    tall, wide = min(side, height), min(side, width)
    tops, lefts = rng.integers(0, height - tall + 1, n), rng.integers(0, width - wide + 1, n)
    out = x.copy()
    for i, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        out[i, top : top + tall, left : left + wide] = rng.uniform(*span, (tall, wide, channels))
    return out


def _brightened(x: Images, share: float, span: Span) -> Images:
    return x + np.float32(share * (span[1] - span[0])) * _signs(x)


def _noisy(x: Images, share: float, span: Span, rng: np.random.Generator) -> Images:
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    return x + noise * np.float32(share * (span[1] - span[0]))


IMAGE_CHANGES = (
    GradualChange(
        "rotation", "°", (5, 15, 30, 45), 15, lambda x, s, *_: rotated(x, s), spatial=True
    ),
    GradualChange("shear", "", (0.1, 0.2, 0.4), 0.2, lambda x, s, *_: sheared(x, s), spatial=True),
    GradualChange("shift", "px", (1, 2, 3, 4), 1, lambda x, s, *_: shifted(x, s, s), spatial=True),
    GradualChange(
        "translation",
        "of the side",
        (0.05, 0.1, 0.2),
        0.1,
        lambda x, s, *_: shifted(x, s * x.shape[1], s * x.shape[2]),
        spatial=True,
    ),
    GradualChange("zoom", "", (0.1, 0.2, 0.4), 0.2, lambda x, s, *_: zoomed(x, s), spatial=True),
    GradualChange(
        "brightness",
        "of the range",
        (0.1, 0.2, 0.4),
        0.2,
        lambda x, s, span, _: _brightened(x, s, span),
    ),
    GradualChange("contrast", "", (0.25, 0.5, 0.75), 0.5, lambda x, s, *_: contrasted(x, s)),
    GradualChange(
        "hue",
        "of the colour circle",
        (0.05, 0.1, 0.25),
        0.1,
        lambda x, s, span, _: turned_hue(x, s, span),
    ),
    GradualChange("blur", "px", (0.5, 1, 2), 1, lambda x, s, *_: blurred(x, s)),
    GradualChange("noise", "of the range", (0.05, 0.1, 0.2), 0.1, _noisy),
    GradualChange("occlusion", "of the area", (0.05, 0.1, 0.2), 0.1, occluded),
)


def _signs(x: Images) -> Images:
    """1 and -1 in turns, (n, 1, 1, 1)."""
    return np.where(np.arange(len(x)) % 2, -1, 1).astype(np.float32)[:, None, None, None]


def _taking_turns(x: Images, change: Callable[[Images, int], Images]) -> Images:
    out = np.empty_like(x)
    for start, sign in ((0, 1), (1, -1)):
        out[start::2] = change(x[start::2], sign)
    return out


def _warped(
    x: Images, matrix: NDArray[np.float64], offset: NDArray[np.float64] | None = None
) -> Images:
    """Images whose pixel p is that at `matrix` (p - centre) + centre + `offset`."""
    n, height, width, channels = x.shape
    grid = np.indices((height, width)).reshape(2, -1).astype(np.float64)
    centre = np.array([[(height - 1) / 2], [(width - 1) / 2]])
    source = matrix @ (grid - centre) + centre
    if offset is not None:
        source += offset[:, None]
    corner = np.floor(source)
    part = (source - corner).astype(np.float32)[..., None]  # (2, positions, 1)
    rows = [_folded(corner[0].astype(np.intp) + k, height) * width for k in (0, 1)]
    columns = [_folded(corner[1].astype(np.intp) + k, width) for k in (0, 1)]
    flat = x.reshape(n, height * width, channels)
    upper, lower = (
        flat[:, row + columns[0]] * (1 - part[1]) + flat[:, row + columns[1]] * part[1]
        for row in rows
    )
    return np.asarray(upper * (1 - part[0]) + lower * part[0], np.float32).reshape(x.shape)


def _folded(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Indices reflected at the edges: … 1 0 | 0 1 … n-1 | n-1 n-2 …"""
    index = index % (2 * size)
    return np.where(index < size, index, 2 * size - 1 - index)
