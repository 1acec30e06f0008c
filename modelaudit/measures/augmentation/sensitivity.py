"""What a gradual change of the inputs does to an output, and a control of the same size."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.sensitivity import SensitivityPoint
from modelaudit.measures.augmentation.image_changes import Images
from modelaudit.measures.behaviour.accuracy import correct, explained_variance, fit_scores
from modelaudit.measures.behaviour.outputs import comparable, decisions, probabilities
from modelaudit.measures.behaviour.paired import p_better
from modelaudit.measures.behaviour.variation import normalised_variation
from modelaudit.measures.statistics import Z95, wilson
from modelaudit.thresholds.augmentation import SURE

FEWEST_CHANGES = 10  # of class, of which the commonest is told


def sensitivity_point(
    strength: float,
    given: NDArray[np.floating],
    changed: NDArray[np.floating],
    kind: str,
    y: NDArray[np.generic] | None,
    noise: float,
) -> SensitivityPoint:
    """Compare the outputs for changed inputs with those for the same inputs as given, in pairs.

    Args:
        given, changed: finite outputs (n, ...).
        kind: result of `outputs.output_kind`.
        y: labels or targets (n, ...), or None.
        noise: largest difference between repeated runs.
    """
    before, after = decisions(given, kind), decisions(changed, kind)
    agreement: float | None = None
    interval: tuple[float, float] | None = None
    if before is not None and after is not None:
        agreement = float(np.mean(before == after))
        interval = wilson(round(agreement * len(given)), len(given))
    sure = sure_decisions(given, kind)
    count = 0 if sure is None else int(sure.sum())
    changed_of_sure: float | None = None
    if sure is not None and count and before is not None and after is not None:
        changed_of_sure = float(np.mean((before != after)[sure]))
    score, lost, lost_ci, p = _on_labels(given, changed, kind, y)
    return SensitivityPoint(
        strength=strength,
        n=len(given),
        agreement=agreement,
        agreement_ci=interval,
        sure=count,
        sure_changed=changed_of_sure,
        variation=normalised_variation(
            comparable(given, kind), comparable(changed, kind), noise=noise
        ),
        score=score,
        lost=lost,
        lost_ci=lost_ci,
        p=p,
    )


def confidence(values: NDArray[np.floating], kind: str) -> NDArray[np.float64] | None:
    """Probability of each decision (`outputs.decisions`) of an output (n, ...); None without."""
    p = probabilities(values, kind)
    return None if p is None else np.asarray(p.max(axis=-1).reshape(-1), np.float64)


def sure_decisions(values: NDArray[np.floating], kind: str) -> NDArray[np.bool_] | None:
    """Which decisions an output is sure of; None without classes.

    Those with a probability of at least `SURE`, or the more probable half if fewer have that:
    networks trained with regularization are right without being sure.
    """
    top = confidence(values, kind)
    if top is None:
        return None
    sure = np.asarray(top >= SURE.value, np.bool_)
    return sure if 2 * int(sure.sum()) >= len(top) else np.asarray(top >= np.median(top), np.bool_)


Labelled = tuple[float | None, float | None, tuple[float, float] | None, float | None]


def _on_labels(
    given: NDArray[np.floating],
    changed: NDArray[np.floating],
    kind: str,
    y: NDArray[np.generic] | None,
) -> Labelled:
    """Score of the changed inputs, the loss, its interval and its p-value."""
    if y is None:
        return None, None, None, None
    right, still = correct(given, kind, y), correct(changed, kind, y)
    if right is not None and still is not None:
        lost = float(right.mean() - still.mean())
        return float(still.mean()), lost, paired_interval(right, still), p_better(still, right)
    before, after = explained_variance(given, y), explained_variance(changed, y)
    first, second = fit_scores(given, y), fit_scores(changed, y)
    if before is None or after is None or first is None or second is None:
        return None, None, None, None
    return after, before - after, None, p_better(second, first)


def paired_interval(right: NDArray[np.float64], still: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the difference of two paired proportions.

    Wald's with half an input more in each cell (Agresti and Min 2005, doi:10.1002/sim.1781).
    """
    lost = float((right > still).sum()) + 0.5
    won = float((right < still).sum()) + 0.5
    n = len(right) + 2
    middle = (lost - won) / n
    half = Z95 * math.sqrt(max(lost + won - (lost - won) ** 2 / n, 0.0)) / n
    return max(-1.0, middle - half), min(1.0, middle + half)


def commonest_confusion(
    given: NDArray[np.floating], changed: NDArray[np.floating], kind: str
) -> tuple[int, int, float] | None:
    """The commonest change of class (from, to) and its share; None for few changes."""
    before, after = decisions(given, kind), decisions(changed, kind)
    if before is None or after is None or before.ndim != 1 or len(before) != len(given):
        return None
    moved = before != after
    if int(moved.sum()) < FEWEST_CHANGES:
        return None
    pairs, counts = np.unique(
        np.stack([before[moved], after[moved]], axis=1), axis=0, return_counts=True
    )
    best = int(counts.argmax())
    return int(pairs[best, 0]), int(pairs[best, 1]), float(counts[best] / counts.sum())


def equal_norm_control(x: Images, changed: Images, name: str, rng: np.random.Generator) -> Images:
    """Images changed by as much as `changed` (the same Euclidean norm each), but in no such way.

    x_i + e_i |d_i| / |e_i| with d = changed - x, where e_i is the difference that the change makes
    to another image: d_(i + n/2). It has the same mean spectrum as d, and no relation to x_i. A
    difference that is alike in all images would be no control: brightness is compared with white
    noise, noise with brightness (e_i = 1 or -1).

    Args:
        x, changed: images (n, height, width, channels).
    """
    d = changed - x
    if name == "brightness":
        other = rng.standard_normal(d.shape, dtype=np.float32)
    elif name == "noise":
        signs = np.where(np.arange(len(x)) % 2, -1, 1).astype(np.float32)
        other = np.broadcast_to(signs[:, None, None, None], d.shape)
    else:
        other = np.roll(d, len(x) // 2, axis=0)
    norms, sizes = (np.sqrt(np.square(each).sum(axis=(1, 2, 3))) for each in (d, other))
    factor = np.divide(norms, sizes, out=np.zeros_like(norms), where=sizes > 0)
    return np.asarray(x + other * factor[:, None, None, None], np.float32)
