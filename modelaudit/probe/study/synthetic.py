"""Synthetic images, volumes and sequences for probing.

Each function returns float64 values in [0, 1] of shape `(n, *spatial, channels)` and uses only the
given generator for randomness. None has a preferred direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Size = tuple[int, ...]

MAX_LEAVES = 3000
LARGEST_LEAF = 0.5  # radius, as a fraction of the shorter side
SMALLEST_LEAF = 1 / 32


def uniform(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Independent uniform values."""
    return rng.random((n, *size, channels))


def gaussian(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Independent normal values with mean 0.5 and standard deviation 0.2, clipped."""
    return _clipped(rng.standard_normal((n, *size, channels)))


def pink(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Noise with amplitudes proportional to 1/f, as in natural images (Field, 1987).

    Channels share most of their structure, like colours in nature.
    """
    axes = tuple(range(1, 1 + len(size)))
    squared = sum(
        np.square(np.fft.fftfreq(length)).reshape(
            [-1 if i == axis else 1 for i in range(len(size))]
        )
        for axis, length in enumerate(size)
    )
    radius = np.sqrt(squared)
    gain = np.divide(1.0, radius, out=np.zeros(size), where=radius > 0)[None, ..., None]

    def filtered(count: int) -> Array:
        spectrum = np.fft.fftn(rng.standard_normal((n, *size, count)), axes=axes)
        return _standardised(np.fft.ifftn(spectrum * gain, axes=axes).real, axes)

    shared = filtered(1)
    return _clipped(_standardised(shared + 0.4 * filtered(channels), axes))


def gratings(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Sinusoids in a Gaussian window with random direction, wavelength, phase, position, colour."""
    grid = _grid(size)
    short = min(size)
    direction = rng.standard_normal((n, len(size)))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-12
    wavelength = np.exp(rng.uniform(np.log(3.0), np.log(max(4.0, short)), n))
    centre = rng.uniform(0.2, 0.8, (n, len(size))) * size
    width = rng.uniform(0.1, 0.4, n) * short
    phase = rng.uniform(0, 2 * np.pi, n)
    waves = np.empty((n, *size))
    for i in range(n):
        away = grid - centre[i]
        along = away @ direction[i]
        window = np.exp(-np.square(away).sum(axis=-1) / (2 * width[i] ** 2))
        waves[i] = window * np.cos(2 * np.pi * along / wavelength[i] + phase[i])
    colour = rng.uniform(-0.5, 0.5, (n, *([1] * len(size)), channels))
    return np.clip(0.5 + waves[..., None] * colour, 0.0, 1.0)


def leaves(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Dead leaves: occluding disks with a density of radii proportional to r^-3. Two dimensions.

    Lee, Mumford and Huang (2001) show that this scale-invariant model has the statistics of
    natural images. Disks are painted from front to back until the image is covered.
    """
    height, width = size
    low, high = max(1.0, SMALLEST_LEAF * min(size)), max(1.5, LARGEST_LEAF * min(size))
    images = np.empty((n, height, width, channels))
    for image in images:
        open_ = np.ones((height, width), dtype=bool)
        image[:] = rng.random(channels)
        # Inverse of the cumulative distribution of r^-3 between low and high.
        share = rng.random(MAX_LEAVES)
        radii = 1.0 / np.sqrt((1 - share) / low**2 + share / high**2)
        rows = rng.uniform(-high, height + high, MAX_LEAVES)
        columns = rng.uniform(-high, width + high, MAX_LEAVES)
        colours = rng.random((MAX_LEAVES, channels))
        for i, radius in enumerate(radii):
            top, bottom = _span(rows[i], radius, height)
            left, right = _span(columns[i], radius, width)
            if top >= bottom or left >= right:
                continue
            y = np.arange(top, bottom)[:, None] - rows[i]
            x = np.arange(left, right)[None, :] - columns[i]
            box = open_[top:bottom, left:right]
            seen = box & (y * y + x * x <= radius * radius)
            image[top:bottom, left:right][seen] = colours[i]
            box &= ~seen
            if i % 64 == 0 and not open_.any():
                break
    return images


def strokes(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Three to eight straight strokes with soft edges on a uniform background. Two dimensions."""
    grid = _grid(size)
    short = min(size)
    images = np.empty((n, *size, channels))
    for image in images:
        image[:] = rng.random(channels)
        for _ in range(int(rng.integers(3, 9))):
            start, end = rng.random((2, 2)) * size
            axis = end - start
            along = np.clip((grid - start) @ axis / (axis @ axis + 1e-12), 0.0, 1.0)
            distance = np.linalg.norm(grid - start - along[..., None] * axis, axis=-1)
            thickness = max(0.5, short * rng.uniform(0.01, 0.06))
            ink = np.clip(thickness + 0.5 - distance, 0.0, 1.0)[..., None]
            image[:] = (1 - ink) * image + ink * rng.random(channels)
    return images


def sinusoids(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Sums of three sinusoids with random period, phase and amplitude. One dimension."""
    (length,) = size
    time = np.arange(length)[None, :, None, None]
    shape = (n, 1, channels, 3)
    period = np.exp(rng.uniform(np.log(2.0), np.log(2.0 * max(2, length)), shape))
    phase, strength = rng.uniform(0, 2 * np.pi, shape), rng.random(shape)
    waves = (strength * np.sin(2 * np.pi * time / period + phase)).sum(axis=-1)
    return np.asarray(0.5 + waves / (2 * strength.sum(axis=-1) + 1e-12))


def walks(rng: np.random.Generator, n: int, size: Size, channels: int) -> Array:
    """Random walks, each standardised. One dimension."""
    steps = rng.standard_normal((n, *size, channels)).cumsum(axis=1)
    return _clipped(_standardised(steps, (1,)))


def _grid(size: Size) -> Array:
    """Coordinates of all positions, shape `(*size, len(size))`."""
    axes = np.meshgrid(*[np.arange(length) for length in size], indexing="ij")
    return np.stack(axes, axis=-1).astype(np.float64)


def _standardised(values: Array, axes: tuple[int, ...]) -> Array:
    mean = values.mean(axis=axes, keepdims=True)
    deviation = values.std(axis=axes, keepdims=True)
    return np.asarray((values - mean) / np.where(deviation > 0, deviation, 1.0))


def _clipped(values: NDArray[Any]) -> Array:
    return np.clip(0.5 + 0.2 * values, 0.0, 1.0)


def _span(centre: float, radius: float, length: int) -> tuple[int, int]:
    return max(0, int(np.ceil(centre - radius))), min(length, int(centre + radius) + 1)


IMAGES = (uniform, gaussian, pink, leaves, gratings, strokes)
VOLUMES = (uniform, gaussian, pink, gratings)
SEQUENCES = (uniform, sinusoids, walks)
VECTORS = (uniform, gaussian)
