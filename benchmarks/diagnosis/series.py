"""Generated inputs of the diagnosis benchmark other than images: series, tables and tokens."""

from __future__ import annotations

import numpy as np


def waves(n: int, shape: tuple[int, ...], classes: int, rng: np.random.Generator):
    """Series (n, length, 1) of about -1 to 1; the class is the form, none symmetric in time."""
    t = np.linspace(0, 1, shape[0])
    y = rng.permutation(np.arange(n) % classes)
    x = []
    for label in y:
        phase, pace = rng.uniform(0, 2 * np.pi), rng.uniform(3, 5)
        start = rng.uniform(0, 0.4)
        wave = np.sin(2 * np.pi * pace * t + phase)
        form = (
            np.sin(2 * np.pi * pace * (t + 1.5 * t**2) + phase),  # rising frequency
            2 * ((pace * t + phase) % 1) - 1,  # a sawtooth
            np.where(t > start, np.exp(-6 * (t - start)), 0) * wave * 1.5,  # a decaying pulse
            wave * np.clip(2 * (t - start), 0, 1),  # rising amplitude
            np.where(t > start + 0.1, 1.0, -1.0) + 0.2 * wave,  # a step
        )[label]
        x.append(rng.uniform(0.7, 1.0) * form)
    values = np.stack(x)[..., None] + rng.normal(0, 0.08, (n, shape[0], 1))
    return values.astype(np.float32), y


def tables(n: int, shape: tuple[int, ...], classes: int, rng: np.random.Generator):
    """Rows (n, features), standard deviation 1; the target is a cluster or tanh of a projection."""
    fixed = np.random.default_rng(7)  # the same target function in training and testing
    centres = fixed.normal(0, 2, (max(classes, 1), shape[0]))
    slopes = fixed.normal(0, 1, shape[0]) / np.sqrt(shape[0])
    if classes:
        y = rng.permutation(np.arange(n) % classes)
        x = (centres[y] + rng.normal(0, 1, (n, shape[0]))) / np.sqrt(5)
        return x.astype(np.float32), y
    x = rng.normal(0, 1, (n, shape[0])).astype(np.float32)
    return x, np.tanh(1.5 * x @ slopes).astype(np.float32)[:, None]


def tokens(n: int, shape: tuple[int, ...], classes: int, rng: np.random.Generator):
    """Integers (n, length) below 64; tokens of the class are mixed with others."""
    y = rng.permutation(np.arange(n) % classes)
    x = rng.integers(3 * classes, 64, (n, shape[0]))
    for row, label in zip(x, y, strict=True):
        places = rng.choice(shape[0], 4, replace=False)
        row[places] = rng.integers(3 * label, 3 * label + 3, 4)
    return x.astype(np.int32), y
