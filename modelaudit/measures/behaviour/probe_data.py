"""What the user's inputs and labels are like, before a model sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.probe_data import InputColumns, TargetForm, TargetSummary
from modelaudit.measures.behaviour.accuracy import class_labels
from modelaudit.measures.behaviour.outputs import probabilities

_SAME = 1 - 1e-6  # correlation from which two columns say the same


def target_summary(y: NDArray[np.generic]) -> TargetSummary | None:
    """Form and range of labels or targets (n, ...); None if they are not numbers or not finite."""
    if y.dtype.kind not in "biuf" or not y.size:
        return None
    values = y.reshape(len(y), -1).astype(np.float64)
    if not np.isfinite(values).all():
        return None
    width = values.shape[1]
    distinct = np.unique(values)
    form: TargetForm = "numbers"
    if width > 1 and class_labels(y) is not None:
        form = "one-hot"
    elif {*distinct.tolist()} == {-1.0, 1.0}:
        form = "signs"
    elif bool((values == np.round(values)).all()) and distinct[0] >= 0:
        form = "classes" if width == 1 else "numbers"
    low, high = np.quantile(values, (0.1, 0.9))
    return TargetSummary(
        form=form,
        width=width,
        distinct=len(distinct),
        minimum=float(distinct[0]),
        maximum=float(distinct[-1]),
        low=float(low),
        high=float(high),
        mean=float(values.mean()),
        std=float(values.std()),
    )


def input_columns(x: NDArray[np.generic], y: NDArray[np.generic] | None) -> InputColumns:
    """Which columns of tabular inputs (n, columns) are constant or repeat the labels.

    For inputs of other ranks only `alike` is measured.
    """
    alike = len(x) > 1 and bool((x == x[:1]).all())
    if x.ndim != 2 or x.dtype.kind not in "biuf" or len(x) < 2:
        return InputColumns(alike=alike)
    wide = x.astype(np.float64)
    spread = wide.std(axis=0)
    varied = spread > 0
    labels = class_labels(y) if y is not None else None
    if labels is None and y is not None and y.size == len(y) and y.dtype.kind in "iuf":
        target: NDArray[np.float64] | None = y.reshape(-1).astype(np.float64)
    else:
        target = labels.astype(np.float64) if labels is not None else None
    telling: list[int] = []
    if target is not None and target.std() > 0:
        centred = (wide - wide.mean(axis=0))[:, varied] / spread[varied]
        same = np.abs(centred.T @ ((target - target.mean()) / target.std())) / len(x)
        telling = [int(place) for place in np.flatnonzero(varied)[same >= _SAME]]
    return InputColumns(
        alike=alike,
        columns=x.shape[1],
        constant=int((~varied).sum()),
        telling=tuple(telling),
        largest_spread=float(spread.max(initial=0.0)),
        largest_mean=float(np.abs(wide.mean(axis=0)).max(initial=0.0)),
    )


def prior_distance(values: NDArray[np.floating], kind: str, y: NDArray[np.generic]) -> float | None:
    """How far the mean output is from what labels say without any input, from 0.

    For classes, the total variation distance from the labels' frequencies, in [0, 1]; otherwise
    the distance from their mean, in standard deviations. None if labels and output differ in form.
    """
    labels, p = class_labels(y), probabilities(values, kind)
    if p is not None and labels is not None:
        mean = p.reshape(len(p), -1).mean(axis=0)
        if len(mean) <= labels.max():
            return None
        frequencies = np.bincount(labels, minlength=len(mean)) / len(labels)
        return float(np.abs(frequencies - mean).sum() / 2)
    if p is None and y.dtype.kind in "biuf" and y.size == values.size:
        target = y.reshape(len(y), -1).astype(np.float64)
        given = values.reshape(len(values), -1).mean(axis=0)
        spread = target.std(axis=0)
        if (spread > 0).all():
            return float((np.abs(given - target.mean(axis=0)) / spread).max())
    return None
