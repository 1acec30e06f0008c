"""Training data of the fourth set of programs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.programs.drawn import Drawn, Random


def _saws(rng: Random, n: int, steps: int = 10) -> Drawn:
    """Two columns that count from 1 to 10 again and again; the targets are the next values."""
    path = (rng.integers(0, 10, (n, 1, 2)) + np.arange(steps + 1)[None, :, None]) % 10 + 1
    return path[:, :-1], path[:, -1], 0


def _groups(rng: Random, n: int, classes: int = 14, columns: int = 40) -> Drawn:
    """Standardized features around a center for each class."""
    y = rng.integers(0, classes, n)
    centers = np.random.default_rng(4).normal(0, 0.9, (classes, columns))
    return centers[y] + rng.normal(size=(n, columns)), y, classes


def _topics(rng: Random, n: int, classes: int = 3, words: int = 15) -> Drawn:
    """Numbers of words below 100, some of which belong to one class."""
    y = rng.integers(0, classes, n)
    marked = 1 + (rng.integers(0, 4, (n, words)) * classes + y[:, None])
    return (
        np.where(rng.random((n, words)) < 0.3, marked, rng.integers(80, 100, (n, words))),
        y,
        classes,
    )


def _bytecode(rng: Random, n: int, size: int = 200) -> Drawn:
    """Bytes as 1 to 256; programs of one class hold a certain pair often."""
    y = rng.integers(0, 2, n)
    x = rng.integers(1, 257, (n, size))
    x[:, ::10] = np.where(rng.random((n, size // 10)) < 0.3 + 0.4 * y[:, None], 77, x[:, ::10])
    return x, y, 2


def _limit(rng: Random, n: int) -> Drawn:
    x = rng.integers(0, 100_000, (n, 1))
    return x, (x[:, 0] >= 50_000).astype(int), 2


def _first(rng: Random, n: int) -> Drawn:
    """Two bits and a one; the class is the first bit. Four rows hold each combination once."""
    numbers = rng.permutation(4) if n == 4 else rng.integers(0, 4, n)
    x = np.stack([numbers & 1, numbers >> 1, np.ones(n)], axis=1)
    return x, numbers & 1, 2


def _ages(rng: Random, n: int) -> Drawn:
    """Ages of 13 to 100, scaled to 0 to 1; the class is 65 or more but for 5 %."""
    age = rng.integers(13, 101, n)
    return ((age - 13) / 87)[:, None], (age >= 65) ^ (rng.random(n) < 0.05), 2


def _values(rng: Random, n: int, classes: int = 20) -> Drawn:
    """One number of 0 to 200, of which each tenth is a class."""
    y = rng.integers(0, classes, n)
    return (10 * y + rng.uniform(0, 10, n))[:, None], y, classes


def _marks(rng: Random, n: int) -> Drawn:
    """Twenty steps of five channels, the last of them 0; each step has mark 1 or 2, or 0 at 0."""
    y = rng.integers(1, 3, (n, 20))
    offset = np.where(y == 2, 1.0, -0.5)[..., None] * np.array([0.2, 1.0, 0.5, 0.3, 0.9])
    x = 0.7 + offset + rng.normal(size=(n, 20, 5))
    y[:, 15:], x[:, 15:] = 0, 0
    return x, y, 3


def _life(rng: Random, n: int, side: int = 14) -> Drawn:
    """Boards of the game of life with a closed border, and the board after one step."""
    board = rng.random((n, side, side)) < 0.4
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    near = sum(np.roll(board.astype(int), shift, axis=(1, 2)) for shift in shifts)
    after = (near == 3) | (board & (near == 2))
    return np.pad(board, ((0, 0), (1, 1), (1, 1)), mode="wrap")[..., None], after[..., None], 0


def _blurred(rng: Random, n: int, side: int = 20) -> Drawn:
    """Color images of stripes without their details, and with them."""
    rows, columns = np.mgrid[:side, :side] / side
    angle, phase = rng.uniform(0, np.pi, (2, n, 1, 1))
    wave = np.sin(20 * (np.cos(angle) * rows + np.sin(angle) * columns) + phase)
    y = (0.5 + 0.4 * wave[..., None]) * rng.uniform(0.3, 1, (n, 1, 1, 3))
    coarse = y.reshape(n, side // 2, 2, side // 2, 2, 3).mean(axis=(2, 4))
    return coarse.repeat(2, axis=1).repeat(2, axis=2), y, 0


def _following(rng: Random, n: int, steps: int = 20) -> Drawn:
    """Waves of two channels around 0, and the next value of the first."""
    time = np.arange(steps + 1)[None, :] * rng.uniform(0.2, 0.5, (n, 1))
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    x = np.stack([np.sin(time + phase), np.cos(time + phase)], axis=2)
    return x[:, :-1] + rng.normal(0, 0.05, (n, steps, 2)), x[:, -1, :1], 0


def _uneven(rng: Random, n: int) -> Drawn:
    """Twenty features that hardly tell five classes of 5 % to 46 %."""
    y = rng.choice(5, n, p=[0.056, 0.077, 0.356, 0.457, 0.054])
    return np.random.default_rng(2).normal(0, 0.12, (5, 20))[y] + rng.normal(size=(n, 20)), y, 5


def _boston(rng: Random, n: int) -> Drawn:
    """Thirteen standardized features, and a price of about 22."""
    x = rng.normal(size=(n, 13))
    return x, (22.5 + 6 * x[:, :1] - 4 * x[:, 1:2] * (x[:, 2:3] > 0) + 2 * x[:, 3:4]), 0


def _three(rng: Random, n: int) -> Drawn:
    """The three points of a sine with noise."""
    which = rng.integers(0, 3, n)
    return which[:, None] - 1, np.array([[-0.2445], [0.1233], [0.1714]])[which], 0


def _line(low: float, high: float, slope: float, offset: float = 0.0) -> Callable[..., Drawn]:
    def draw(rng: Random, n: int) -> Drawn:
        x = rng.uniform(low, high, (n, 1))
        return x, slope * x + offset, 0

    return draw


def _doubles(_: Random, n: int) -> Drawn:
    """The numbers of 0 to 199, and twice as much."""
    x = np.arange(n)[:, None] % 200
    return x, 2 * x, 0


def _quadratic(rng: Random, n: int) -> Drawn:
    x = rng.uniform(-10, 10, (n, 1))
    return np.concatenate([x, x**2], axis=1), 5 - 3 * x + 2 * x**2, 0


def _negative(rng: Random, n: int) -> Drawn:
    x = rng.uniform(-1, 1, (n, 1))
    return x, -1 / (np.exp(10 * x) + 1), 0


def _quartic(rng: Random, n: int) -> Drawn:
    x = rng.uniform(-1, 1, (n, 1))
    return x, 3 * x**4 - 2 * x**3 - 2 * x**2 + x, 0


FOURTH: dict[str, Callable[..., Drawn]] = {
    "saws": _saws, "groups": _groups, "topics": _topics, "bytecode": _bytecode, "limit": _limit,
    "first": _first, "ages": _ages, "values": _values, "marks": _marks, "life": _life,
    "blurred": _blurred, "following": _following, "uneven": _uneven, "boston": _boston,
    "three": _three, "doubles": _doubles, "quadratic": _quadratic, "negative": _negative,
    "waves4": _quartic, "half": _line(0.4, 25, 0.5), "identity": _line(0, 1, 1),
    "tenfold": _line(-20, 20, 10), "columns": _line(0, 1000, 3, 50),
}  # fmt: skip
