"""Layers of which every gradient came to an answer from one side, by the optimizer's averages.

For z = x W + b the gradients are dL/dW[i, j] = x[i] dL/db[j]. Where x is never negative, and the
loss a cross-entropy, those of class j are above 0 in all rows if no label of late was j, and below
if all were: labels that differ give rows of either sign, as their inputs differ.

Labels that differ can give one sign, too, where errors of either sign cancel in the average, or the
inputs are 0 for one class. What each row's average is beside that of the bias is the mean of that
input, weighted by the errors: the score for it says whether the answer is given there already.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.kernels import LastErrors, OneWay, SidedColumns
from modelaudit.audit_types.values import number
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Kernel, Tensor
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments, optimizer_state
from modelaudit.structs import replace
from modelaudit.thresholds.last_layers import HARDLY_LOWERED, LABEL_SQUARES

_LARGEST = 1 << 22  # of what is read of a layer, in bytes
_LIMITED = frozenset(("uniform", "truncated"))
_ROUNDED = 1 + math.ldexp(1, -20)  # of limits, which the draws round
_NEXT_TO_NOTHING = math.ldexp(1, -10)  # of the largest average of a kernel


def one_way_heads(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, OneWay]]:
    """Layers whose averages of gradients have one sign for each unit, with their routes.

    Args:
        artifact: the model.
        most_bytes: layers with larger kernels are left out.
    """
    state = optimizer_state(artifact)
    moments = state.moments if state else ()
    biases = {each.route: each for each in moments if each.role == "bias"}
    weights = {each.route: (each.tensor, each.bias or "") for each in artifact.kernels}
    for each in moments:
        bias = biases.get(each.route)
        if each.role != "kernel" or bias is None or len(each.shape) < 2 or not each.first:
            continue
        names = (each.averages, bias.averages, *weights.get(each.route, ("", "")))
        try:
            kernel, of_bias, *own = (_read(artifact.by_name.get(x), most_bytes) for x in names)
        except ReadError:
            continue
        found = _one_way(kernel, of_bias)
        if found is not None and own[0].shape == kernel.shape and own[1].shape == of_bias.shape:
            found = replace(found, sure=_sure(found, kernel, of_bias, own[0], own[1]))
        if found is not None:
            yield each.route, found


def _one_way(kernel: NDArray[np.float64], bias: NDArray[np.float64]) -> OneWay | None:
    if bias.ndim != 1 or not bias.size or kernel.shape[-1:] != bias.shape:
        return None
    rows = kernel.reshape(-1, bias.size)
    sizes = np.abs(rows).max(axis=1)
    alive = rows[sizes > _NEXT_TO_NOTHING * sizes.max(initial=0.0)]
    if not len(alive) or not np.isfinite(alive).all() or not np.isfinite(bias).all():
        return None
    up = (alive < 0).all(axis=0) & (bias < 0)
    down = (alive > 0).all(axis=0) & (bias > 0)
    if not (up | down).all():
        return None
    places = np.flatnonzero(up)
    only = int(places[0]) if len(places) == 1 else None
    return OneWay(len(alive), bias.size, len(places), only, float(np.abs(bias).max()))


def _sure(
    found: OneWay,
    averages: NDArray[np.float64],
    of_bias: NDArray[np.float64],
    kernel: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> float:
    """Probability of the answer that the gradients led to, for the input that they tell of."""
    scores = bias + (kernel * (averages / of_bias)).reshape(-1, bias.size).sum(axis=0)
    if not np.isfinite(scores).all():
        return 0.0
    if found.units == 1:
        toward = float(scores[0]) if found.up else -float(scores[0])
        return math.exp(-float(np.logaddexp(0.0, -toward)))
    if found.only is None:
        return 0.0
    return math.exp(float(scores[found.only] - np.logaddexp.reduce(scores)))


def last_errors(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, LastErrors]]:
    """What the averages of dense layers with a bias say of the errors behind them, with routes.

    Errors e of inputs x have the average gradients e x of a weight and e of its bias. Where e has
    one sign, their quotient is a mean of x; where it has both, e cancels, and the quotient leaves
    the range of x. A last convolution of a single position is a dense layer of each position.

    Args:
        artifact: the model.
        most_bytes: layers with larger kernels are left out.
    """
    state = optimizer_state(artifact)
    if state is None or not state.steps:
        return
    biases = {each.route: each for each in state.moments if each.role == "bias"}
    weights = {each.route: (each.tensor, each.bias or "") for each in artifact.kernels}
    largest = {each.route: _largest_drawn(each) for each in artifact.kernels}
    for each in state.moments:
        bias = biases.get(each.route)
        if each.role != "kernel" or bias is None or not _dense(artifact, each):
            continue
        names = weights.get(each.route, ("", ""))
        try:
            own = [_rows(_read(artifact.by_name.get(x), most_bytes)) for x in names]
            if state.name.lower() in _FORGETTING:
                yield from _of_squares(artifact, state, each, bias, own, most_bytes)
                continue
            means = _means(artifact, state, each, bias, most_bytes)
        except ReadError:
            continue
        if means is None or own[0].shape != means[1].shape or own[1].shape != means[0].shape:
            continue
        found = _errors(*means, *own)
        if found is not None:
            squares = _read(artifact.by_name.get(bias.squares), most_bytes)
            drawn = largest.get(each.route, math.inf)
            lowered = _lowered(*means, squares, own[1])
            never = tuple(x for x in lowered if own[0][:, x].max() <= drawn)
            yield each.route, replace(found, lowered=never)


def sided_columns(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, SidedColumns]]:
    """Dense layers of several units, and to which side their weights left the draws, with routes.

    Args:
        artifact: the model.
        most_bytes: layers with larger kernels are left out.
    """
    for each in artifact.kernels:
        most = _largest_drawn(each)
        if len(each.shape) != 2 or each.shape[1] < 2 or not 0 < most < math.inf:
            continue
        names = (each.tensor, each.bias or "")
        try:
            kernel, bias = (_read(artifact.by_name.get(x), most_bytes) for x in names)
        except ReadError:
            continue
        if kernel.shape != each.shape or bias.shape != each.shape[1:]:
            continue
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            continue
        up, down, only = (
            (kernel > most).sum(axis=0),
            (kernel < -most).sum(axis=0),
            int(bias.argmax()),
        )
        others = np.delete(bias, only)
        alone = bias[only] > 0 and bool((others < 0).all())
        least = float(np.abs(bias).min()) * math.sqrt(3) / most if alone else 0.0
        against = int(down[only] + up.sum() - up[only])
        yield each.route, SidedColumns(only, int(up[only]), against, least)


def _dense(artifact: Artifact, kernel: WeightMoments) -> bool:
    """Whether it is the kernel of a dense layer, or of a last convolution that acts as one."""
    if len(kernel.shape) <= 2:
        return len(kernel.shape) == 2
    last = artifact.kernels[-1].route if artifact.kernels else ""
    return kernel.route == last and set(kernel.shape[:-2]) == {1}


def _rows(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """A kernel as rows of units, without positions of which it has one."""
    return weights.reshape(weights.shape[-2:]) if weights.ndim > 2 else weights


def _largest_drawn(kernel: Kernel) -> float:
    """The largest weight that the initializer draws; infinite if it has no limit, or is unknown.

    Behind values that are never below 0, gradients of a class that is no label lower its weights
    alone: one above this was raised, for inputs with that label.
    """
    laws = candidates(kernel.initializer, kernel.shape) if kernel.initializer else ()
    return max(
        (x.high * _ROUNDED if x.kind in _LIMITED else math.inf for x in laws), default=math.inf
    )


def _lowered(
    of_bias: NDArray[np.float64],
    of_kernel: NDArray[np.float64],
    squares: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> tuple[int, ...]:
    """Classes whose score all gradients lower, and of late hardly: no label was one of them.

    The gradients of a class that is no label are its shares, above 0 and ever smaller. Behind
    values of one sign, those of all its weights are, too.
    """
    if squares.shape != of_bias.shape:
        return ()
    least = -_NEXT_TO_NOTHING * np.abs(of_kernel).max(axis=0)
    found = (of_bias > 0) & (of_kernel >= least).all(axis=0)
    found &= of_bias**2 < HARDLY_LOWERED.value**2 * squares
    found &= bias < np.median(bias)
    return tuple(map(int, np.flatnonzero(found)))


_OF_AVERAGES = frozenset(("adam", "adamw", "nadam", "adamax"))
_FORGETTING = {"rmsprop": 0.9, "adadelta": 0.95}  # optimizers with their usual rho


def _of_squares(
    artifact: Artifact,
    state: OptimizerState,
    kernel: WeightMoments,
    bias: WeightMoments,
    own: Sequence[NDArray[np.float64]],
    most_bytes: int,
) -> Iterator[tuple[str, LastErrors]]:
    """The same of one unit by averages of squares that forget within tens of steps."""
    usual = _FORGETTING[state.name.lower()]
    kept = number(state.settings.get("rho", usual))
    if kept is None or not 0 < kept <= usual:
        return
    of_bias, of_kernel = (
        _rows(_read(artifact.by_name.get(each.squares), most_bytes)) for each in (bias, kernel)
    )
    if of_bias.ndim == 1 and of_bias.size > 2 and own[1].shape == of_bias.shape:
        rows, units, nothing = len(of_kernel), of_bias.size, (0.0, 0.0, 0.0, 0.0, 0.0)
        lowered = _faded(of_bias, own[1])
        yield kernel.route, LastErrors(rows, units, 0, 0, *nothing, True, lowered)
    if of_bias.size != 1:
        return
    if own[0].shape != of_kernel.shape or own[1].shape != of_bias.shape or not of_bias.all():
        return
    error = math.sqrt(float(of_bias[0]) / (1 - kept ** (state.steps or 1)))
    with np.errstate(over="ignore", invalid="ignore"):
        inputs = np.sqrt(of_kernel / of_bias)
        score = float((own[1] + (own[0] * inputs).sum(axis=0))[0])
    if not (math.isfinite(score) and math.isfinite(error) and len(inputs)):
        return
    only, low, high = int(score > 0), float(inputs.min()), float(inputs.max())
    yield (
        kernel.route,
        LastErrors(len(inputs), 1, only, only, error, abs(score), low, high, 1.0, of_squares=True),
    )


def _faded(squares: NDArray[np.float64], bias: NDArray[np.float64]) -> tuple[int, ...]:
    """Classes of low biases without gradients of late: shares near 0 that no label raised."""
    found = (squares < LABEL_SQUARES.value**2 * np.median(squares)) & (bias < np.median(bias))
    return tuple(map(int, np.flatnonzero(found)))


def _means(
    artifact: Artifact,
    state: OptimizerState,
    kernel: WeightMoments,
    bias: WeightMoments,
    most_bytes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The average error of each unit, and the average of its products with each input.

    Averages begin at 0, so that their weights add up to less than 1. Those of squares have no sign.
    """
    name, steps, settings = state.name.lower(), state.steps or 0, state.settings
    key = "momentum" if name == "sgd" else "beta_1"
    kept = number(settings.get(key, 0.0 if name == "sgd" else 0.9))
    if kept is None or not 0 <= kept < 1 or name not in _OF_AVERAGES | {"sgd"}:
        return None
    if not kept and name != "sgd":
        return None
    names = (bias.averages, kernel.averages)
    of_bias, of_kernel = (_rows(_read(artifact.by_name.get(x), most_bytes)) for x in names)
    counted = 1 - kept**steps
    if name == "sgd":  # a sum of steps, or the last one, which go down the gradient
        if not state.rate or not state.rate > 0:
            return None
        counted *= -state.rate / (1 - kept)
    return of_bias / counted, of_kernel / counted


def _errors(
    of_bias: NDArray[np.float64],
    of_kernel: NDArray[np.float64],
    kernel: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> LastErrors | None:
    if of_bias.ndim != 1 or not of_bias.size or not of_bias.all() or not len(of_kernel):
        return None
    units = of_bias.size
    with np.errstate(over="ignore", invalid="ignore"):
        means = of_kernel / of_bias
        scores = bias + (kernel * means).sum(axis=0)
        lengths = np.linalg.norm(means, axis=0)
        cosines = (means / lengths).T @ (means / lengths)
        along = (means * kernel).sum(axis=0) / (lengths * np.linalg.norm(kernel, axis=0))
    if not (np.isfinite(scores).all() and np.isfinite(cosines).all()):
        return None
    along = along[np.abs(of_bias) > _NEXT_TO_NOTHING * np.abs(of_bias).max()]
    raised = int((of_bias < 0).sum())
    if units == 1:
        only = raised
        score = float(scores[0]) if only else -float(scores[0])
    else:
        only = int(np.argmin(of_bias))
        score = float(scores[only] - np.logaddexp.reduce(np.delete(scores, only)))
    return LastErrors(
        len(of_kernel),
        units,
        only,
        raised,
        float(np.abs(of_bias[0 if units == 1 else only])),
        score,
        float(means.min()),
        float(means.max()),
        float(cosines.min()) if units > 1 else 1.0,
        along=float(np.nan_to_num(along).mean()),
        ahead=float((along > 0).mean()),
    )


def _read(tensor: Tensor | None, most_bytes: int) -> NDArray[np.float64]:
    if tensor is None or tensor.source is None or tensor.nbytes > min(most_bytes, _LARGEST):
        return np.empty(0)
    return np.asarray(tensor.source.array(), dtype=np.float64)
