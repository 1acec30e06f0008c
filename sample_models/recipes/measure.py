"""Behaviour of a written model, measured on the model read back from the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recipes.data import Images, Split, mirrored, turned

Predict = Callable[[Images], np.ndarray]  # (n, 16, 16, 1) -> class scores (n, classes)


@dataclass(frozen=True, slots=True)
class Measured:
    """Accuracy on the 397 test images in three orientations, each in [0, 1].

    `top_share` is the share of upright images that get the most frequent class: about 0.10 to
    0.13 for an accurate model of ten balanced classes, 1.0 for a constant one.
    `repeat_gap` is the largest difference of any score between two calls with the same images.
    """

    upright: float
    mirrored: float
    turned: float
    top_share: float
    repeat_gap: float


def measure(predict: Predict, split: Split) -> Measured:
    """Measure one model."""
    scores = predict(split.test_x)
    upright = scores.argmax(axis=1)
    return Measured(
        upright=_share(upright == split.test_y),
        mirrored=_share(predict(mirrored(split.test_x)).argmax(axis=1) == split.test_y),
        turned=_share(predict(turned(split.test_x)).argmax(axis=1) == split.test_y),
        top_share=round(float(np.bincount(upright).max() / len(upright)), 4),
        repeat_gap=round(float(np.abs(predict(split.test_x) - scores).max()), 4),
    )


def _share(hits: np.ndarray) -> float:
    return round(float(hits.mean()), 4)
