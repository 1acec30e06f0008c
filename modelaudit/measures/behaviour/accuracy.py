"""Accuracy of outputs, for inputs with labels or targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelaudit.measures.behaviour.information_gain import at_equal_confidence
from modelaudit.measures.behaviour.outputs import CLASSES, predicted, probabilities
from modelaudit.measures.behaviour.paired import p_better
from modelaudit.thresholds.answers import PER_CLASS

PERMUTED = 2000  # draws of the labels' order
ENTROPY_SHARE = 0.5  # of log2 K, that probabilities are scaled to before they are compared
NEARLY = 10  # errors of much less than the targets' variance divided by this are alike
SLIPS = 10  # of so many labels one is taken to be drawn at random, so that no input decides alone


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


def _labels_and_answers(
    values: NDArray[np.floating], kind: str, y: NDArray[np.generic]
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(n,) labelled and predicted classes; None without classes."""
    labels, answers = class_labels(y), predicted(values, kind)
    if labels is None or answers is None or len(labels) != len(answers):
        return None
    return labels, answers


def correct(
    values: NDArray[np.floating],
    kind: str,
    y: NDArray[np.generic],
    order: NDArray[np.int64] | None = None,
) -> NDArray[np.float64] | None:
    """(n,) whether each output (n, ...) has the labelled class; None without classes.

    For several sigmoids with binary labels (n, L), the share of correct ones.

    Args:
        values: outputs, (n, ...).
        kind: result of `outputs.output_kind`.
        y: labels, as in `class_labels`.
        order: the model's class for each label, if that is not its number.
    """
    if kind == "sigmoid" and y.shape == values.shape and values.ndim == 2 and y.shape[1] > 1:
        right = (values > 0.5) == (y.astype(np.float64) > 0.5)
        return np.asarray(right.mean(axis=1), dtype=np.float64)
    found = _labels_and_answers(values, kind, y)
    if found is None:
        return None
    labels, answers = found
    meant = labels if order is None else order[labels]
    return np.asarray(answers == meant, dtype=np.float64)


def unpredicted(values: NDArray[np.floating], kind: str, y: NDArray[np.generic]) -> tuple[int, ...]:
    """Classes that at least `PER_CLASS` labels have and no output (n, ...) predicts.

    Arguments as for `correct`; empty without classes.
    """
    found = _labels_and_answers(values, kind, y)
    if found is None:
        return ()
    labels, answers = found
    known = 2 if kind == "sigmoid" else values.shape[-1]
    counts = np.bincount(labels[labels < known])
    wanted = np.flatnonzero(counts >= PER_CLASS.value)
    return tuple(int(each) for each in np.setdiff1d(wanted, answers))


def label_scores(
    values: NDArray[np.floating],
    kind: str,
    y: NDArray[np.generic],
    order: NDArray[np.int64] | None = None,
) -> NDArray[np.float64] | None:
    """(n,) how well each output meets its label; None where `correct` is None.

    Minus the logarithm of the rank of the labelled class (ties share their mean rank), plus the
    logarithm of its probability, with the probabilities of all inputs scaled to the same mean
    entropy: a form of the inputs must not score better because it makes the model more confident.
    Unlike `correct`, both show of two wrong answers which one is closer. For outputs without
    several classes, as `correct`. Arguments as there.
    """
    right, own = correct(values, kind, y, order), _meant(values, kind, y, order)
    if right is None or own is None:
        return right
    meant, known = own
    wide = values.reshape(len(values), -1)
    told = wide[np.arange(len(wide)), meant][:, None]
    ranks = 1 + (wide > told).sum(axis=1) + ((wide == told).sum(axis=1) - 1) / 2
    likelihood = label_likelihoods(values, kind, y, order)
    assert likelihood is not None
    return np.asarray(likelihood - np.log(np.where(known, ranks, wide.shape[1])))


def label_likelihoods(
    values: NDArray[np.floating],
    kind: str,
    y: NDArray[np.generic],
    order: NDArray[np.int64] | None = None,
) -> NDArray[np.float64] | None:
    """(n,) logarithm of the probability of each label, but for a constant, in nats.

    That of `class_likelihoods`. For outputs without several classes, an answer is right with
    probability 1 - 1 / `SLIPS`. None where `correct` is None; arguments as there.
    """
    right, own = correct(values, kind, y, order), _meant(values, kind, y, order)
    if right is None or own is None:
        return None if right is None else np.asarray(right * np.log(SLIPS - 1))
    meant, known = own
    likelihoods = class_likelihoods(values, kind)
    assert likelihoods is not None
    told = likelihoods[np.arange(len(meant)), meant]
    return np.asarray(np.where(known, told, -np.log(SLIPS * likelihoods.shape[1])))


def constant_likelihood(y: NDArray[np.generic], kind: str) -> float:
    """The logarithm of the probability of all labels by the best constant answer, in nats.

    Comparable with the sum of `label_likelihoods`: for several classes, by the labels' frequencies.
    """
    labels = class_labels(y)
    if labels is not None and kind in CLASSES:
        counts = np.unique(labels, return_counts=True)[1]
        return float((counts * np.log(counts / len(labels))).sum())
    ones = (y.reshape(len(y), -1).astype(np.float64) > 0.5).mean(axis=0)
    return float(len(y) * np.maximum(ones, 1 - ones).mean() * np.log(SLIPS - 1))


def _meant(
    values: NDArray[np.floating],
    kind: str,
    y: NDArray[np.generic],
    order: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """(n,) the place of each label among the outputs, 0 where it has none, and whether it has one.

    None without several classes.
    """
    labels = class_labels(y)
    if labels is None or kind not in CLASSES:
        return None
    meant = labels if order is None else order[labels]
    known = meant < int(np.prod(values.shape[1:]))
    return np.where(known, meant, 0), known


def class_likelihoods(
    values: NDArray[np.floating], kind: str, share: float = ENTROPY_SHARE
) -> NDArray[np.float64] | None:
    """(n, K) logarithm of the probability of each class; None without classes.

    The probabilities of all inputs are scaled to a mean entropy of `share` log2 K, and one of
    `SLIPS` labels is taken to be drawn at random. Several sigmoids count as the probabilities of
    one class each.
    """
    classes = probabilities(values, kind)
    if classes is None:
        return None
    if classes.ndim == 3:
        single = classes.shape[1] == 1
        classes = classes[:, 0] if single else classes[..., 1]
        classes = classes / np.maximum(classes.sum(axis=1, keepdims=True), 1e-30)
    if classes.shape[1] > 1:
        classes = at_equal_confidence(classes, share)
    return np.asarray(np.log((1 - 1 / SLIPS) * classes + 1 / (SLIPS * classes.shape[1])))


def accuracy(
    values: NDArray[np.floating],
    kind: str,
    y: NDArray[np.generic],
    order: NDArray[np.int64] | None = None,
) -> float | None:
    """Mean of `correct`, in [0, 1]; None without classes."""
    right = correct(values, kind, y, order)
    return None if right is None else float(right.mean())


def chance_p(values: NDArray[np.floating], kind: str, y: NDArray[np.generic]) -> float | None:
    """P-value of the hypothesis that outputs meet labels no better than one constant answer.

    For classes, the labels are permuted among the inputs, which leaves a constant answer as right
    as before. Several sigmoids are compared with the commonest value of each label, input by
    input (`paired.p_better`). None where `correct` is None.

    Args:
        values: outputs, (n, ...).
        kind: result of `outputs.output_kind`.
        y: labels, as in `class_labels`.
    """
    right = correct(values, kind, y)
    if right is None:
        return None
    if kind == "sigmoid" and y.shape == values.shape and values.shape[-1] > 1:
        told = y.astype(np.float64) > 0.5
        return p_better((told == (told.mean(axis=0) > 0.5)).mean(axis=1), right)
    labels, answers = class_labels(y), predicted(values, kind)
    assert labels is not None and answers is not None
    rng = np.random.default_rng(0)
    drawn = [(rng.permutation(labels) == answers).sum() for _ in range(PERMUTED)]
    return float((1 + (np.array(drawn) >= right.sum()).sum()) / (PERMUTED + 1))


def fit_scores(values: NDArray[np.floating], y: NDArray[np.generic]) -> NDArray[np.float64] | None:
    """(n,) minus the logarithm of the squared error of each output (n, ...).

    The logarithm keeps few large errors from deciding, and a tenth of the targets' variance beside
    each error keeps few errors near 0 from it. None where `explained_variance` is None.
    """
    if explained_variance(values, y) is None:
        return None
    target = _as_output(values, y)
    assert target is not None
    squares = (_probable(values, target) - target) ** 2
    each = squares.reshape(len(values), -1).mean(axis=1)
    return np.asarray(-np.log(each + target.var() / NEARLY), dtype=np.float64)


def explained_variance(values: NDArray[np.floating], y: NDArray[np.generic]) -> float | None:
    """R2 of outputs (n, ...), at most 1: 1 - squared error / squared deviation from the mean.

    Targets have the shape of the outputs, possibly without a channel axis of size 1, or are a map
    of class indices for outputs with one channel per class. None for other shapes, or if all
    targets are equal. Outputs for targets that are all 0 or 1 may be scores before a sigmoid or a
    softmax.
    """
    target = _as_output(values, y)
    if target is None:
        return None
    total = float(((target - target.mean(axis=0)) ** 2).sum())
    if total <= 0:
        return None
    return 1.0 - float(((_probable(values, target) - target) ** 2).sum()) / total


def _probable(values: NDArray[np.floating], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outputs, or the probabilities whose scores they are if those are nearer to 0 and 1."""
    given = values.astype(np.float64)
    binary = bool(((target == 0) | (target == 1)).all())
    if not binary or (given.min() >= 0 and given.max() <= 1):
        return given
    exclusive = target.ndim > 1 and target.shape[-1] > 1 and bool((target.sum(axis=-1) == 1).all())
    if exclusive:
        powers = np.exp(given - given.max(axis=-1, keepdims=True))
        own = powers / powers.sum(axis=-1, keepdims=True)
    else:
        own = 0.5 * (1 + np.tanh(given / 2))
    return min(given, own, key=lambda each: float(((each - target) ** 2).sum()))


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
