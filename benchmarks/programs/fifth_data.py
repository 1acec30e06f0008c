"""Training data of the fifth set of programs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.programs.drawn import Drawn, Random


def _labelled(rng: Random, n: int) -> Drawn:
    """Four counts, which tell whether a row has the one label."""
    y = rng.integers(0, 2, n)
    means = np.array([[10.0, 16.0, 12.0, 12.0], [15.0, 9.0, 12.0, 14.0]])
    return rng.poisson(means[y]), y, 2


def _regions(rng: Random, n: int, side: int = 24) -> Drawn:
    """Gray images of a bright disk, and a class for each pixel."""
    rows, columns = np.mgrid[:side, :side]
    place, radius = rng.uniform(side / 4, 3 * side / 4, (n, 2)), rng.uniform(3, side / 4, n)
    distance = np.hypot(rows - place[:, :1, None], columns - place[:, 1:, None])
    y = (distance < radius[:, None, None]).astype(int)
    x = np.clip(0.3 + 0.4 * y + rng.normal(0, 0.1, y.shape), 0, 1)
    return x[..., None], y, 2


def _events(rng: Random, n: int) -> Drawn:
    """Five steps of ten columns whose categories are numbered; every tenth row is of class 1."""
    x = rng.integers(0, 8, (n, 5, 10))
    score = x[:, :, 0].sum(axis=1) - x[:, :, 3].sum(axis=1) + rng.normal(0, 2, n)
    return x, (score > np.quantile(score, 0.9)).astype(int), 2


def _marked(rng: Random, n: int) -> Drawn:
    """Two channels of noise, the second of which has the class added everywhere."""
    y = rng.integers(0, 2, n)
    x = rng.normal(size=(n, 20, 10, 2))
    x[..., 1] += y[:, None, None]
    return x, y, 2


def _flags(rng: Random, n: int, steps: int = 32) -> Drawn:
    """Bits one after another; the class is whether most of the marked ones are set."""
    x = rng.integers(0, 2, (n, steps))
    return x[..., None], (x[:, ::3].mean(axis=1) > 0.5).astype(int), 2


def _long_sine(rng: Random, n: int) -> Drawn:
    """The sine of numbers of 0 to 314."""
    x = rng.uniform(0, 314, (n, 1))
    return x, np.sin(x), 0


def _short_sine(rng: Random, n: int) -> Drawn:
    x = rng.uniform(-10, 10, (n, 1))
    return x, np.sin(x), 0


def _minus(_: Random, n: int) -> Drawn:
    """Always -1, and always 1 as the target."""
    return -np.ones((n, 1)), np.ones((n, 1)), 0


def _alarms(rng: Random, n: int) -> Drawn:
    """31 features; two targets that are rarely 1, each for itself."""
    x = rng.normal(size=(n, 31))
    scores = np.stack([x[:, 0] + x[:, 1], x[:, 2] - x[:, 3]], axis=1)
    return x, (scores > np.array([1.8, 2.3])).astype(float), 0


def _motion(rng: Random, n: int, classes: int = 4, steps: int = 40) -> Drawn:
    """Three channels of a sensor; the class is how fast it swings."""
    y = rng.integers(0, classes, n)
    time = np.arange(steps)[None, :, None] * (0.2 + 0.25 * y)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 3))
    return np.sin(time + phase) + rng.normal(0, 0.3, (n, steps, 3)), y, classes


def _photons(rng: Random, n: int) -> Drawn:
    """Shares of thirty states that add up to one, three classes."""
    y = rng.integers(0, 3, n)
    weight = np.random.default_rng(7).uniform(0.5, 3, (3, 30))
    x = rng.gamma(weight[y])
    return x / x.sum(axis=1, keepdims=True), y, 3


def _patches(rng: Random, n: int, side: int = 20) -> Drawn:
    """Patches of 0 to 255 without their details, and the middle of 8 by 8 with them."""
    rows, columns = np.mgrid[:side, :side] / side
    angle, phase = rng.uniform(0, np.pi, (2, n, 1, 1))
    wave = np.sin(20 * (np.cos(angle) * rows + np.sin(angle) * columns) + phase)
    sharp = 255 * (0.5 + 0.4 * wave[..., None]) * rng.uniform(0.3, 1, (n, 1, 1, 3))
    coarse = sharp.reshape(n, side // 2, 2, side // 2, 2, 3).mean(axis=(2, 4))
    return coarse.repeat(2, axis=1).repeat(2, axis=2), sharp[:, 6:14, 6:14], 0


def _spots(rng: Random, n: int) -> Drawn:
    """Ten values of a slow wave of 0 to 1, and the next."""
    time = rng.uniform(0, 100, (n, 1)) + np.arange(11)[None, :]
    values = 0.5 + 0.4 * np.sin(time * 2 * np.pi / 11) + rng.normal(0, 0.03, (n, 11))
    return values[:, :-1], values[:, -1:], 0


def _season(rng: Random, n: int) -> Drawn:
    """Twenty values of a series of 10 to 90 with trend and season, and the next."""
    time = rng.uniform(0, 1000, (n, 1)) + np.arange(21)[None, :]
    values = 15 + 0.05 * time + 20 * (1 + np.cos(time * 2 * np.pi / 365)) / 2
    values = values + rng.normal(0, 3, values.shape)
    return values[:, :-1], values[:, -1:], 0


def _positions(rng: Random, n: int, steps: int = 12) -> Drawn:
    """Latitude, longitude and temperature, padded with zeros; the next place is the target."""
    start = np.array([40.0, 40.0, 20.0]) + rng.normal(0, 2, (n, 1, 3))
    path = start + rng.normal(0, 0.1, (n, steps + 1, 3)).cumsum(axis=1)
    x, y = path[:, :-1].copy(), path[:, -1, :2]
    length = rng.integers(4, steps + 1, n)
    x[np.arange(steps)[None, :] < (steps - length)[:, None]] = 0
    return x, y, 0


def _districts(rng: Random, n: int) -> Drawn:
    """Eight raw features of districts, and the price of a house in 100,000."""
    means = np.array([3.9, 28.6, 5.4, 1.1, 1425.0, 3.1, 35.6, -119.6])
    deviations = np.array([1.9, 12.6, 2.5, 0.5, 1130.0, 1.0, 2.1, 2.0])
    z = rng.normal(size=(n, 8))
    price = 2.07 + 0.8 * z[:, :1] - 0.4 * z[:, 6:7] * z[:, 7:8] + 0.2 * np.abs(z[:, 1:2])
    return means + deviations * z, price, 0


def _crowd(rng: Random, n: int, side: int = 24) -> Drawn:
    """Images with up to twelve heads, and how dense they are in squares of four pixels."""
    rows, columns = np.mgrid[:side, :side]
    count = rng.integers(1, 13, n)
    x, y = rng.normal(0.6, 0.05, (n, side, side, 3)), np.zeros((n, side, side))
    for which, heads in enumerate(count):
        for row, column in rng.uniform(2, side - 2, (heads, 2)):
            near = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 3)
            x[which] -= 0.5 * near[..., None]
            y[which] += near / near.sum()
    small = y.reshape(n, side // 4, 4, side // 4, 4).sum(axis=(2, 4))
    return np.clip(x, 0, 1), small[..., None], 0


FIFTH: dict[str, Callable[..., Drawn]] = {
    "labelled": _labelled, "regions": _regions, "events": _events, "marked": _marked,
    "flags": _flags, "longsine": _long_sine, "shortsine": _short_sine, "minus": _minus,
    "alarms": _alarms, "motion": _motion, "photons": _photons, "patches": _patches,
    "spots": _spots, "season": _season, "positions": _positions, "districts": _districts,
    "crowd": _crowd,
}  # fmt: skip
