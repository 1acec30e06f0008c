"""The images: scikit-learn's handwritten digits, enlarged to 16 x 16 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Images = NDArray[np.float32]  # (n, 16, 16, 1), values in [0, 1]
Labels = NDArray[np.int64]  # (n,), digits 0 to 9

SIDE = 16
TEST_IMAGES = 397
PROBE_IMAGES = 128


@dataclass(frozen=True, slots=True)
class Split:
    """Training and test images; no model is trained on a test image."""

    train_x: Images
    train_y: Labels
    test_x: Images
    test_y: Labels


def load_split() -> Split:
    """The 1,400 training and 397 test images, always in the same split."""
    digits = load_digits()
    small = (digits.images / 16.0).astype(np.float32)[..., np.newaxis]
    x = tf.image.resize(small, (SIDE, SIDE)).numpy()
    y = digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
    return Split(x[train], y[train], x[test], y[test])


def mirrored(x: Images) -> Images:
    """Flip left and right."""
    return x[:, :, ::-1]


def turned(x: Images) -> Images:
    """Rotate by 90 degrees counterclockwise."""
    return np.rot90(x, axes=(1, 2))


def write_probe(split: Split, path: Path) -> None:
    """Write 128 test images and labels for `--probe-data`, with 12 or 13 images of each class."""
    rank_in_class = np.zeros(len(split.test_y), dtype=np.int64)
    for digit in range(10):
        members = np.flatnonzero(split.test_y == digit)
        rank_in_class[members] = np.arange(len(members))
    chosen = np.argsort(rank_in_class, kind="stable")[:PROBE_IMAGES]
    # Rounded to steps of 1/255, as in an image file; this also halves the size of the file.
    x = (np.round(split.test_x[chosen] * 255) / 255).astype(np.float32)
    np.savez_compressed(path, x=x, y=split.test_y[chosen])
