"""Training data of `make.py`: small procedural stand-ins for the data of the programs.

`rows("digits 28 flat byte onehot", rng, n)` draws n rows of the set `digits` and changes them as
the words say. What matters to a fault is kept: the scale of the features as the program feeds
them, the range of the targets, the coding of the labels, the share of the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.programs.drawn import Array, Drawn, Random
from benchmarks.programs.fifth_data import FIFTH
from benchmarks.programs.fourth_data import FOURTH
from benchmarks.programs.sixth_data import SIXTH

# The segments that are lit in each digit of a seven-segment display: top, upper left, upper right,
# middle, lower left, lower right, bottom.
SEGMENTS = (
    *("1110111", "0010010", "1011101", "1011011", "0111010"),
    *("1101011", "1101111", "1010010", "1111111", "1111011"),
)
BOXES = (
    *((0.0, 0.1, 0.15, 0.9), (0.0, 0.5, 0.0, 0.15), (0.0, 0.5, 0.85, 1.0)),
    *((0.42, 0.58, 0.1, 0.9), (0.5, 1.0, 0.0, 0.15), (0.5, 1.0, 0.85, 1.0), (0.85, 1.0, 0.1, 0.9)),
)


@dataclass(frozen=True)
class Rows:
    """Inputs and targets as a program trains on them, and the true label of each row.

    `labels` holds class numbers, or for regression the targets; `classes` is 0 for regression.
    Labels belong to rows only if no word leaves rows out: see `probe_rows`.
    """

    x: Array
    y: Array
    labels: NDArray[np.generic]
    classes: int


def rows(spec: str, rng: Random, n: int) -> Rows:
    """`n` rows of a set, changed as the words after its name say."""
    name, *words = spec.split()
    sizes = [int(word) for word in words if word.isdigit()]
    drawn, y, classes = SETS[name](rng, n, *sizes)
    x, targets = drawn.astype(np.float32), y.astype(np.float32)
    for word in words:
        if not word.isdigit():
            x, targets = CHANGES[word](x, targets, classes, rng)
    if "itself" in words:
        classes = 0  # the targets are the inputs
    return Rows(x, targets, y.astype(np.int64) if classes else targets, classes)


def probe_rows(spec: str, rng: Random, n: int) -> Rows:
    """Further rows of the same kind, none left out and none damaged, each with its true label."""
    kept = [word for word in spec.split() if word not in {"sorted", "balanced", "hole"}]
    return rows(" ".join(kept), rng, n)


def _standardized(x: Array) -> Array:
    return ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)).astype(np.float32)


def _to_one(x: Array) -> Array:
    return ((x - x.min()) / (x.max() - x.min())).astype(np.float32)


def _one_missing(x: Array) -> Array:
    x[len(x) // 3, 0] = np.nan
    return x


def _renumbered(x: Array) -> Array:
    """Words have other numbers."""
    return np.random.default_rng(9).permutation(50)[x.astype(int)].astype(np.float32)


def _sorted(x: Array, y: Array) -> tuple[Array, Array]:
    """By class, of which the program trains on the first 80 %."""
    order = np.argsort(y, kind="stable")[: int(0.8 * len(y))]
    return x[order], y[order]


def _balanced(x: Array, y: Array, rng: Random) -> tuple[Array, Array]:
    few = np.flatnonzero(y == 1)
    many = rng.permutation(np.flatnonzero(y == 0))[: len(few)]
    order = rng.permutation(np.concatenate([few, many]))
    return x[order], y[order]


# What a word after a set's name changes: inputs and targets, given the number of classes.
CHANGES: dict[str, Callable[[Array, Array, int, Random], tuple[Array, Array]]] = {
    "flat": lambda x, y, *_: (x.reshape(len(x), -1), y),
    "byte": lambda x, y, *_: (np.round(x * 255), y),  # of values in 0 to 1
    "standard": lambda x, y, *_: (_standardized(x), y),
    "target": lambda x, y, *_: (x, ((y - y.mean(axis=0)) / y.std(axis=0)).astype(np.float32)),
    "onehot": lambda x, y, classes, _: (x, np.eye(classes, dtype=np.float32)[y.astype(int)]),
    "itself": lambda x, *_: (x, x),  # an autoencoder
    "divided": lambda x, y, *_: (x, y / np.float32(255)),  # labels scaled as if they were pixels
    "zero": lambda x, y, *_: (x * 0, y),  # divided as integers
    "one": lambda x, y, *_: (x * 0 + 1, y),  # each row divided by itself
    "ones": lambda x, y, *_: (x, y * 0 + 1),  # all rows have one label
    "minmax": lambda x, y, *_: (_to_one(x), _to_one(y)),
    "gray": lambda x, y, *_: (x.mean(axis=-1, keepdims=True), y),
    "row": lambda x, y, *_: (x[:, None], y),  # one step of a sequence
    "signed": lambda x, y, *_: (x, 2 * y - 1),  # labels of -1 and 1
    "steps": lambda x, y, *_: (x[..., None], y),  # the columns one after another
    "flaty": lambda x, y, *_: (x, y.reshape(len(y), -1)),
    "hole": lambda x, y, *_: (_one_missing(x), y),
    "renumbered": lambda x, y, *_: (_renumbered(x), y),
    "sorted": lambda x, y, *_: _sorted(x, y),
    "balanced": lambda x, y, _, rng: _balanced(x, y, rng),
}


def _digits(rng: Random, n: int, side: int = 28, classes: int = 10) -> Drawn:
    """Seven-segment digits near the middle, `side` pixels square, one channel, 0 to 1."""
    x = np.zeros((n, side, side, 1))
    y = rng.integers(0, classes, n)
    for image, digit in zip(x, y, strict=True):
        height, width = int(side * rng.uniform(0.7, 0.8)), int(side * rng.uniform(0.45, 0.55))
        top, left = (
            (side - height) // 2 + rng.integers(-1, 2),
            (side - width) // 2 + rng.integers(-1, 2),
        )
        for lit, (y0, y1, x0, x1) in zip(SEGMENTS[digit], BOXES, strict=True):
            if lit == "1":
                rows_ = slice(
                    top + int(y0 * height), top + max(int(y1 * height), 1 + int(y0 * height))
                )
                columns = slice(
                    left + int(x0 * width), left + max(int(x1 * width), 1 + int(x0 * width))
                )
                image[rows_, columns] = rng.uniform(0.7, 1)
    return np.clip(x + rng.normal(0, 0.05, x.shape), 0, 1), y, classes


def _scenes(rng: Random, n: int, side: int = 24, classes: int = 3) -> Drawn:
    """Color images in which the class is the orientation and color of stripes, 0 to 1."""
    y = rng.integers(0, classes, n)
    rows_, columns = np.mgrid[:side, :side] / side
    angle, phase = np.pi * y / classes, rng.uniform(0, 2 * np.pi, n)
    wave = np.cos(angle)[:, None, None] * rows_ + np.sin(angle)[:, None, None] * columns
    gray = 0.5 + 0.4 * np.sin(2 * np.pi * 4 * wave + phase[:, None, None])
    tint = 0.4 + 0.6 * np.eye(3)[y % 3] * rng.uniform(0.3, 1, (n, 1)) + rng.uniform(0, 0.3, (n, 3))
    x = gray[..., None] * tint[:, None, None, :] + rng.normal(0, 0.08, (n, side, side, 3))
    return np.clip(x, 0, 1), y, classes


def _masks(rng: Random, n: int, side: int = 24) -> Drawn:
    """Gray images of a bright disk, and its mask."""
    rows_, columns = np.mgrid[:side, :side]
    place, radius = rng.uniform(side / 4, 3 * side / 4, (n, 2)), rng.uniform(3, side / 4, n)
    distance = np.hypot(rows_ - place[:, :1, None], columns - place[:, 1:, None])
    y = (distance < radius[:, None, None])[..., None].astype(float)
    return np.clip(0.3 + 0.4 * y + rng.normal(0, 0.1, y.shape), 0, 1), y, 0


def _faces(rng: Random, n: int, side: int = 24) -> Drawn:
    """Flat gray images of two dark spots; the targets are their places, -1 to 1."""
    rows_, columns = np.mgrid[:side, :side]
    places = rng.uniform(4, side - 4, (n, 4))
    x = np.full((n, side, side), 0.8)
    for row, column in ((0, 1), (2, 3)):
        square = (rows_ - places[:, row, None, None]) ** 2 + (
            columns - places[:, column, None, None]
        ) ** 2
        x -= 0.6 * np.exp(-square / 6)
    return x.reshape(n, -1), places / side * 2 - 1, 0


def _iris(rng: Random, n: int) -> Drawn:
    """Three species by four lengths in cm, with means and deviations close to Fisher's."""
    means = np.array([[5.0, 3.4, 1.5, 0.25], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    deviations = np.array(
        [[0.35, 0.38, 0.17, 0.1], [0.5, 0.3, 0.47, 0.2], [0.63, 0.32, 0.55, 0.27]]
    )
    y = rng.integers(0, 3, n)
    return means[y] + deviations[y] * rng.normal(size=(n, 4)), y, 3


def _table(scales: str, rate: float = 0.5, signal: float = 2.0) -> Callable[..., Drawn]:
    """A maker of two-class tables: one column per `mean:deviation`, in units as they are raw."""
    pairs = np.array([[float(part) for part in scale.split(":")] for scale in scales.split()])

    def draw(rng: Random, n: int) -> Drawn:
        z = rng.normal(size=(n, len(pairs)))
        weights = np.cos(1.7 * np.arange(len(pairs)))
        score = signal * z @ weights / np.linalg.norm(weights) + rng.logistic(size=n)
        return pairs[:, 0] + pairs[:, 1] * z, (score > np.quantile(score, 1 - rate)).astype(int), 2

    return draw


def _formula(
    low: float,
    high: float,
    of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    columns: int = 1,
    noise: float = 0.0,
) -> Callable[..., Drawn]:
    """A maker of regression data: uniform inputs, one target."""

    def draw(rng: Random, n: int) -> Drawn:
        x = rng.uniform(low, high, (n, columns))
        return x, of(x).reshape(n, 1) + noise * rng.normal(size=(n, 1)) ** 3, 0

    return draw


def _ring(rng: Random, n: int) -> Drawn:
    y = rng.integers(0, 2, n)
    angle, radius = rng.uniform(0, 2 * np.pi, n), np.where(y == 1, 0.5, 1.0) + rng.normal(0, 0.1, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y, 2


def _blobs(rng: Random, n: int) -> Drawn:
    y = rng.integers(0, 3, n)
    return np.array([[-6.0, -4.0], [1.0, 6.0], [7.0, -3.0]])[y] + 2 * rng.normal(size=(n, 2)), y, 3


def _corners(rng: Random, n: int) -> Drawn:
    x = rng.integers(0, 2, (n, 2))
    return x, x[:, 0] ^ x[:, 1], 2


def _squares(rng: Random, n: int) -> Drawn:
    """Two squares in the plane that do not overlap."""
    y = rng.integers(0, 2, n)
    return np.where(y[:, None] == 1, 0.5, 0.2) + rng.uniform(0, 0.2, (n, 2)), y, 2


def _constant(rng: Random, n: int) -> Drawn:
    y = rng.integers(0, 2, n)
    return np.repeat(y[:, None], 128, axis=1), y, 2


def _bits(rng: Random, n: int) -> Drawn:
    """Three bits, of which the third is the answer unless both others are set."""
    x = rng.integers(0, 2, (n, 3, 1))
    return x, np.where(x[:, 0, 0] & x[:, 1, 0], 0, x[:, 2, 0]), 2


def _codes(rng: Random, n: int) -> Drawn:
    """Eight bits, each answered by another fixed code of eight bits."""
    table = np.random.default_rng(8).permutation(256)
    numbers = rng.permutation(256) if n >= 256 else rng.integers(0, 256, n)
    place = np.arange(8)
    return numbers[:, None] >> place & 1, table[numbers][:, None] >> place & 1, 0


def _waves(rng: Random, n: int, steps: int = 20) -> Drawn:
    """Waves of two frequencies, one channel."""
    y = rng.integers(0, 2, n)
    time = np.arange(steps)[None, :] * np.where(y == 1, 0.9, 0.45)[:, None]
    x = np.sin(time + rng.uniform(0, 2 * np.pi, (n, 1))) + rng.normal(0, 0.2, (n, steps))
    return x[..., None], y, 2


def _shares(rng: Random, n: int, steps: int = 40) -> Drawn:
    """Zeros, then ones; the target is the share of the ones."""
    count = rng.integers(1, steps, n)
    x = np.arange(steps)[None, :] >= steps - count[:, None]
    return x[..., None].astype(float), (count / steps)[:, None], 0


def _quotes(rng: Random, n: int) -> Drawn:
    """Ten steps of four prices around -1.06; the class is whether they rise."""
    y = rng.integers(0, 2, n)
    slope = np.where(y == 1, 1.0, -1.0) * rng.uniform(0.3, 1, n) * 4e-3
    path = slope[:, None] * np.arange(10) + rng.normal(0, 2e-3, (n, 10))
    return -1.06 + path[..., None] + rng.normal(0, 1e-3, (n, 10, 4)), y, 2


def _counts(rng: Random, n: int) -> Drawn:
    """Twenty word counts with any of three topics at a time; the targets are 0 or 1 each."""
    y = (rng.random((n, 3)) < 0.5).astype(float)
    means = 1 + 4 * (np.random.default_rng(3).random((3, 20)) < 0.35)
    return rng.poisson(1 + y @ (means - 1)), y, 0


def _reviews(rng: Random, n: int, words: int = 400) -> Drawn:
    """Which of `words` occur in a text; a few of them tell the class."""
    y = rng.integers(0, 2, n)
    shift = np.random.default_rng(5).normal(0, 0.25, words)
    return rng.random((n, words)) < 0.1 * np.exp(np.where(y[:, None] == 1, 1, -1) * shift), y, 2


def _tokens(rng: Random, n: int) -> Drawn:
    """Fifteen of fifty words, by their numbers; ten words are good and ten are bad."""
    y = rng.integers(0, 2, n)
    marked = rng.integers(0, 10, (n, 15)) + 10 * y[:, None]
    return np.where(rng.random((n, 15)) < 0.25, marked, rng.integers(20, 50, (n, 15))), y, 2


def _years(rng: Random, n: int) -> Drawn:
    """Ninety raw features of songs, and the year."""
    x = rng.normal(size=(n, 90)) * np.geomspace(2, 900, 90)
    return x, np.round(1998 + 6 * np.tanh(x[:, :8] @ np.ones(8) / 12)).reshape(n, 1), 0


def _flows(rng: Random, n: int) -> Drawn:
    """Forty standardized features of network flows, five classes."""
    y = rng.integers(0, 5, n)
    return np.random.default_rng(6).normal(0, 0.6, (5, 40))[y] + rng.normal(size=(n, 40)), y, 5


ADULT = (
    "38:13 4:1.5 189000:105000 9:3 10:2.5 3:1 6:4 2:1.5 3.5:1 0.6:0.5 1100:7400 87:400 40:12 37:8"
)
TITANIC = "2.3:0.8 450:250 0.6:0.5 30:13 0.5:1 0.4:0.8 340:200 32:50 100:50 1.5:0.8"
PIMA = "3.8:3.3 121:32 69:19 20:16 80:115 32:8 0.47:0.33 33:12"
SETS: dict[str, Callable[..., Drawn]] = {
    "digits": _digits, "scenes": _scenes, "masks": _masks, "faces": _faces, "iris": _iris,
    "ring": _ring, "blobs": _blobs, "corners": _corners, "squares": _squares,
    "constant": _constant, "bits": _bits, "codes": _codes, "waves": _waves, "shares": _shares,
    "quotes": _quotes,
    "counts": _counts, "reviews": _reviews, "tokens": _tokens, "years": _years, "flows": _flows,
    "adult": _table(ADULT, rate=0.24), "pima": _table(PIMA, rate=0.35),
    "packets": _table("3000:2500 60:300 0.5:0.5 1500:700 64:20 20:8 443:300 5000:9000 1:1 2:2 9:4"),
    "outputs": _table("5200:1800 310:120 0.4:0.2"),
    "letters": _table(" ".join(["7.5:2.5"] * 16), signal=4.0),
    "rare": _table(" ".join(["0:1"] * 122), rate=0.116, signal=0.7),
    "ramp": _table("500:290", signal=8.0),
    "weights": _formula(0, 10000, lambda x: x @ np.array([2, 1, 0.5]) + 2.2, 3),
    "square": _formula(-10, 10, np.square), "quartic": _formula(-100, 100, lambda x: x**4),
    "parabola": _formula(0, 5, lambda x: 5 * x**2, noise=1.0),
    "returns": _formula(-1, 1, lambda x: 0.8 * x[:, 0] - 0.5 * x[:, 1], 2, 0.05),
    "mean": _formula(0, 1, lambda x: x.mean(axis=1) ** 2, 3),
    "answer": _formula(0, 0, lambda x: 42 + x[:, 0]),
    "line": _formula(-1, 6, lambda x: 2 * x - 1), "hundred": _formula(0, 100, lambda x: x**2 + 3),
    "houses": _formula(0, 1, lambda x: 3e5 + 2e6 * x[:, 0] * x[:, 1] + 4e5 * x[:, 2], 12),
    "smooth": _formula(-1, 1, lambda x: np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2], 6, 0.05),
    "titanic": _table(TITANIC, rate=0.38), **FOURTH, **FIFTH, **SIXTH,
    "chances": _formula(-1, 1, lambda x: 1 / (1 + np.exp(-3 * x[:, 0] - x[:, 1])), 8),
}  # fmt: skip
