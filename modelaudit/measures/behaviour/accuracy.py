"""Accuracy of outputs, for inputs with labels or targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.behaviour.outputs import predicted
from modelaudit.thresholds.answers import PER_CLASS


def class_labels(y: NDArray[np.generic]) -> NDArray[np.int64] | None:
    """(n,) class indices from whole numbers (n,) or (n, 1), or from one-hot rows (n, K).

    None for anything else, such as regression targets and masks.
    """
    if y.dtype.kind not in "biuf" or y.ndim > 2 or len(y) == 0:
        return None
    rows = y.reshape(len(y), -1).astype(np.float64)
    if rows.shape[1] == 1:
        whole = bool((rows == np.round(rows)).all()) and float(rows.min()) >= 0
        return rows[:, 0].astype(np.int64) if whole else None
    one_hot = bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
    return np.asarray(rows.argmax(axis=1), dtype=np.int64) if one_hot else None


def accuracy(values: NDArray[np.floating], kind: str, y: NDArray[np.generic]) -> float | None:
    """Share of outputs (n, ...) with the labelled class, in [0, 1]; None without classes.

    For several sigmoids with binary labels (n, L), the share of correct ones.
    """
    if kind == "sigmoid" and y.shape == values.shape and values.ndim == 2 and y.shape[1] > 1:
        return float(np.mean((values > 0.5) == (y.astype(np.float64) > 0.5)))
    labels, answers = class_labels(y), predicted(values, kind)
    if labels is None or answers is None or len(labels) != len(answers):
        return None
    return float(np.mean(answers == labels))


def renumbered_accuracy(
    values: NDArray[np.floating], kind: str, y: NDArray[np.generic]
) -> float | None:
    """Accuracy under the best one-to-one mapping of the model's classes to the labels, in [0, 1].

    It distinguishes a wrong class order from wrong answers. None without classes, or with fewer
    than `PER_CLASS` inputs per label: any answers then match under some mapping.
    """
    labels, answers = class_labels(y), predicted(values, kind)
    if labels is None or answers is None or len(labels) != len(answers):
        return None
    names, places = np.unique(labels, return_inverse=True)
    given, columns = np.unique(answers, return_inverse=True)
    if len(labels) < PER_CLASS.value * len(names):
        return None
    from scipy.optimize import linear_sum_assignment  # importing it takes half a second

    together = np.zeros((len(names), len(given)), np.int64)
    np.add.at(together, (places, columns), 1)
    return float(together[linear_sum_assignment(-together)].sum() / len(labels))


def explained_variance(values: NDArray[np.floating], y: NDArray[np.generic]) -> float | None:
    """R2 of outputs (n, ...), at most 1: 1 - squared error / squared deviation from the mean.

    Targets have the shape of the outputs, possibly without a channel axis of size 1, or are a map
    of class indices for outputs with one channel per class. None for other shapes, or if all
    targets are equal.
    """
    target = _as_output(values, y)
    if target is None:
        return None
    total = float(((target - target.mean(axis=0)) ** 2).sum())
    if total <= 0:
        return None
    return 1.0 - float(((values.astype(np.float64) - target) ** 2).sum()) / total


def _as_output(values: NDArray[np.floating], y: NDArray[np.generic]) -> NDArray[np.float64] | None:
    if y.dtype.kind not in "biuf" or len(y) != len(values):
        return None
    target = y.astype(np.float64)
    if target.size == values.size:
        return target.reshape(values.shape)
    if target.ndim == values.ndim and target.shape[-1] == 1:
        target = target[..., 0]
    if values.ndim > 2 and target.shape == values.shape[:-1]:
        channels = np.arange(values.shape[-1])
        return np.asarray(target[..., None] == channels, dtype=np.float64)
    return None
