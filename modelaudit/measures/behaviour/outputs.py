"""Kinds of outputs, and the forms in which their values are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelaudit.thresholds.outputs import PROBABILITY_SUM, UNIT_NORM

CLASSES = ("softmax", "logits")
_CLIP = 1e-12  # minimum probability; smaller ones are float32 underflow
_SMALLEST = float(np.finfo(np.float32).tiny)
LARGEST_MARGIN = -float(np.log(_SMALLEST))  # 87.3
_REGRESSION_LOSSES = ("mse", "mae", "mape", "msle", "squared", "absolute", "huber", "logcosh")
_CLASS_LOSSES = ("categorical", "hinge")


def output_kind(
    values: NDArray[np.floating],
    *,
    activation: str | None = None,
    loss: str | None = None,
    has_head: bool = True,
) -> str:
    """Kind of an output: softmax, logits, sigmoid, regression, spatial or embedding.

    The activation and the loss have priority over the values, since a single column in [0, 1] can
    be a sigmoid or a regression.

    Args:
        values: outputs for n inputs, (n, ...).
        activation: activation of the output layer in lower case; None if unknown.
        loss: name of the loss that the model was compiled with; None if unknown.
        has_head: whether the output layer has a kernel (a pooled feature map is an embedding).
    """
    if values.ndim > 2:
        return "spatial"
    columns = values.reshape(len(values), -1).astype(np.float64)
    k = columns.shape[1]
    low, high = (float(columns.min()), float(columns.max())) if columns.size else (0.0, 0.0)
    sums_to_one = bool(np.all(np.abs(columns.sum(axis=1) - 1) < PROBABILITY_SUM.value))
    name = (loss or "").lower().replace("_", "")
    if k > 1 and (activation == "softmax" or (low >= 0 and sums_to_one)):
        return "softmax"
    if activation == "sigmoid":
        return "sigmoid"
    if any(word in name for word in _REGRESSION_LOSSES):
        return "regression"
    if k > 1 and any(word in name for word in _CLASS_LOSSES):
        return "logits"
    if activation is None and k == 1 and low >= 0 and high <= 1 and low < high:
        return "sigmoid"
    norms = np.linalg.norm(columns, axis=1)
    if (
        not has_head
        or activation == "relu"
        or (k > 2 and np.allclose(norms, 1, rtol=0, atol=UNIT_NORM.value))
    ):
        return "embedding" if k > 1 else "regression"
    if k == 1 or activation == "tanh":
        return "regression"
    return "logits"


def probabilities(values: NDArray[np.floating], kind: str) -> NDArray[np.float64] | None:
    """(n, K) for softmax and logits, (n, L, 2) for L sigmoids, None for outputs without classes."""
    wide = values.reshape(len(values), -1).astype(np.float64)
    if kind == "softmax":
        return wide
    if kind == "logits":
        powers = np.exp(wide - wide.max(axis=1, keepdims=True))
        result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return result
    if kind == "sigmoid":
        return np.stack([1 - wide, wide], axis=-1)
    return None


def predicted(values: NDArray[np.floating], kind: str) -> NDArray[np.intp] | None:
    """(n,) top class; 0 or 1 for one sigmoid, the highest of several; None without classes."""
    wide = values.reshape(len(values), -1)
    if kind == "sigmoid" and wide.shape[1] == 1:
        return (wide[:, 0] > 0.5).astype(np.intp)
    if kind in CLASSES or kind == "sigmoid":
        return np.asarray(wide.argmax(axis=1), dtype=np.intp)
    return None


def decisions(values: NDArray[np.floating], kind: str) -> NDArray[np.intp] | None:
    """Decisions for outputs (n, ...); None without classes.

    Top classes (n,), or for L > 1 sigmoids 0 or 1 for each of them (n * L,).
    """
    wide = values.reshape(len(values), -1)
    if kind == "sigmoid" and wide.shape[1] > 1:
        return (wide > 0.5).astype(np.intp).reshape(-1)
    return predicted(values, kind)


def saturated_share(values: NDArray[np.floating], kind: str) -> float:
    """Share of outputs (n, ...) in which all other probabilities underflow in float32, in [0, 1].

    The effect of a transform on the scores of the other classes is then lost.
    """
    if kind not in {"softmax", "sigmoid"} or len(values) == 0:
        return 0.0
    wide = values.reshape(len(values), -1).astype(np.float64)
    if kind == "sigmoid":
        sure = (np.minimum(wide, 1 - wide) <= _CLIP).all(axis=1)
    else:
        sure = np.sort(wide, axis=1)[:, :-1].max(axis=1, initial=0.0) <= _CLIP
    return float(np.mean(sure))


def median_margin(values: NDArray[np.floating], kind: str) -> float | None:
    """Median over outputs (n, K) of the margin of the top class, log(p1 / p2), in nats.

    For logits it is their difference. A float32 softmax limits it to `LARGEST_MARGIN`. None for
    other kinds, a single class, or no inputs.
    """
    if kind not in CLASSES or len(values) == 0:
        return None
    wide = values.reshape(len(values), -1).astype(np.float64)
    if wide.shape[1] < 2:
        return None
    if kind == "softmax":
        wide = np.log(np.maximum(wide, _SMALLEST))
    best = np.sort(wide, axis=1)[:, -2:]
    return float(np.median(best[:, 1] - best[:, 0]))


def class_count(values: NDArray[np.floating], kind: str) -> int | None:
    """K of `probabilities`: 2 for sigmoids, None for outputs without classes."""
    if kind == "sigmoid":
        return 2
    return int(np.prod(values.shape[1:])) if kind in CLASSES else None


def comparable(values: NDArray[np.floating], kind: str) -> NDArray[np.float64]:
    """Values on a scale where differences are meaningful; float64, same shape as `values`.

    Softmax: log-probabilities, centred over classes. Logits: centred over classes. Sigmoid:
    log-odds. Other kinds: unchanged.
    """
    wide = values.astype(np.float64)
    if kind == "softmax":
        wide = np.log(np.maximum(wide, _CLIP))
    if kind in CLASSES:
        wide -= wide.mean(axis=-1, keepdims=True)
    if kind == "sigmoid":
        inside = np.clip(wide, _CLIP, 1 - _CLIP)
        return np.log(inside) - np.log1p(-inside)
    return wide
