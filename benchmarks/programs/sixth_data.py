"""Training data of the sixth set of programs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.programs.drawn import Drawn, Random


def _spelled(rng: Random, n: int, length: int = 6, letters: int = 24) -> Drawn:
    """Words of up to six letters, each of which has another one in the other spelling."""
    other = 1 + np.random.default_rng(11).permutation(letters - 1)
    x = rng.integers(1, letters, (n, length))
    x[np.arange(length) >= rng.integers(2, length + 1, n)[:, None]] = 0
    return x, np.where(x > 0, other[x - 1], 0), letters


def _letters(rng: Random, n: int, letters: int = 9, length: int = 10) -> Drawn:
    """Ten letters of one text, as columns, and the next; the two before mostly tell it."""
    after = np.random.default_rng(12).integers(0, letters, (letters, letters))
    text = list(rng.integers(0, letters, 2))
    for guess in rng.integers(0, letters, n + length):
        text.append(after[text[-2], text[-1]] if rng.random() < 0.8 else guess)
    rows = np.lib.stride_tricks.sliding_window_view(np.array(text), length + 1)[:n]
    return np.eye(letters)[rows[:, :-1]], rows[:, -1], letters


def _particles(rng: Random, n: int) -> Drawn:
    """Thirty raw features of events, some of them -999 where they are not known."""
    y = (rng.random(n) < 0.34).astype(int)
    scale = np.geomspace(0.5, 300, 30)
    shift = np.random.default_rng(13).normal(0, 0.4, 30)
    x = scale * (1 + y[:, None] * shift + rng.normal(size=(n, 30)))
    x[:, ::6] = np.where(rng.random((n, 5)) < 0.3, -999, x[:, ::6])
    return x, y, 2


def _latent(rng: Random, n: int) -> Drawn:
    """Ten values of -1 to 1 that three numbers tell."""
    mix = np.random.default_rng(14).normal(size=(3, 10))
    x = np.tanh(rng.normal(size=(n, 3)) @ mix)
    return x, x, 0


def _halves(rng: Random, n: int) -> Drawn:
    x = rng.uniform(-1, 1, (n, 1))
    return x, 0.5 * x + 2 + rng.normal(0, 0.05, (n, 1)), 0


def _loads(rng: Random, n: int) -> Drawn:
    """Three raw features of 0 to 2,000, and a number of up to 10,000."""
    x = rng.uniform(0, 1, (n, 3)) * np.array([2000, 500, 40])
    return x, (2 * x[:, :1] + x[:, :1] * x[:, 1:2] / 200 + 30 * x[:, 2:]), 0


def _multiples(rng: Random, n: int) -> Drawn:
    a = rng.integers(26, 489, (n, 1))
    return a * np.array([1, 2]), 3 * a, 0


def _tides(rng: Random, n: int) -> Drawn:
    """Twenty values of a wave, and the next."""
    time = rng.uniform(0, 100, (n, 1)) + np.arange(21)[None, :]
    values = np.sin(time / 3) + 0.5 * np.sin(time / 1.7) + rng.normal(0, 0.05, (n, 21))
    return values[:, :-1, None], values[:, -1:], 0


def _sensor(rng: Random, n: int, steps: int = 100) -> Drawn:
    """A hundred steps of five channels of tens; one class swings faster."""
    y = rng.integers(0, 2, n)
    time = np.arange(steps)[None, :, None] * (0.2 + 0.2 * y)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 5))
    return 30 * np.sin(time + phase) + rng.normal(0, 5, (n, steps, 5)), y, 2


def _grades(rng: Random, n: int) -> Drawn:
    """A share, a bit and a count of 0 to 7; four marks."""
    x = np.stack([rng.random(n), rng.integers(0, 2, n), rng.integers(0, 8, n)], axis=1)
    score = 2 * x[:, 0] + x[:, 1] + 0.6 * x[:, 2]
    return x, np.clip(np.floor(score * 0.7), 0, 3).astype(int), 4


def _responses(rng: Random, n: int) -> Drawn:
    """Fifty values of a signal, and a number of both signs of about a hundred."""
    x = rng.normal(size=(n, 50))
    y = 30 * x @ np.random.default_rng(15).normal(size=(50, 1))
    return x[..., None], y, 0


def _pair(_: Random, n: int) -> Drawn:
    """1 and 2 in turn; 1 is of class 1."""
    x = 1 + np.arange(n)[:, None] % 2
    return x, (x[:, 0] == 1).astype(int), 2


def _circuit(rng: Random, n: int) -> Drawn:
    """64 signs, and the sign of a weighted sum of them."""
    x = rng.choice([-1, 1], (n, 64))
    return x, (x @ np.random.default_rng(16).normal(size=64) > 0).astype(int), 2


def _quintic(rng: Random, n: int) -> Drawn:
    x = np.sort(rng.uniform(0, 10, (n, 1)), axis=0)
    terms = (15.72807, -7.273893, 1.4912, -0.1384615, 0.00474359)
    return x, 0.05 * sum(c * x ** (i + 1) for i, c in enumerate(terms)), 0


def _prices(rng: Random, n: int) -> Drawn:
    """Five features of 0 to 1, and a price of 500 to 30,000."""
    x = rng.random((n, 5))
    return x, 500 + 20000 * x[:, :1] * x[:, 3:4] + 9000 * x[:, 4:], 0


def _unit_sine(rng: Random, n: int) -> Drawn:
    """Three periods of a sine, both axes scaled to 0 to 1."""
    x = np.sort(rng.random((n, 1)), axis=0)
    return x, (np.sin(20 * x - 10) + 1) / 2, 0


def _xor(rng: Random, n: int) -> Drawn:
    """Two bits and whether they differ; four rows hold each combination once."""
    numbers = rng.permutation(4) if n == 4 else rng.integers(0, 4, n)
    x = np.stack([numbers & 1, numbers >> 1], axis=1)
    return x, x[:, 0] ^ x[:, 1], 2


def _mixtures(rng: Random, n: int) -> Drawn:
    """28 standardized features, and six shares that add up to one."""
    x = rng.normal(size=(n, 28))
    score = np.exp(0.4 * x @ np.random.default_rng(17).normal(size=(28, 6)))
    return x, score / score.sum(axis=1, keepdims=True), 0


SIXTH: dict[str, Callable[..., Drawn]] = {
    "spelled": _spelled, "nextletter": _letters, "particles": _particles, "latent": _latent,
    "halves": _halves, "loads": _loads, "multiples": _multiples, "tides": _tides,
    "sensor": _sensor, "grades": _grades, "responses": _responses, "pair": _pair,
    "circuit": _circuit, "quintic": _quintic, "prices": _prices, "unitsine": _unit_sine,
    "xor": _xor, "mixtures": _mixtures,
}  # fmt: skip
