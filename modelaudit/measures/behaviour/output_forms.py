"""What the outputs of an export may be of those of its source: the same, or in another form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.measures.behaviour.outputs import probabilities
from modelaudit.thresholds.outputs import PROBABILITY_SUM

Array = NDArray[np.float64]

MAX_ORDERED = 2000  # classes; time and memory of the best order grow with their square


class OutputForm(Struct, frozen=True):
    """Outputs that are equal if the export's are the source's in this form.

    Attributes:
        name: empty for outputs as they are, or a key of `NAMES`.
        wanted, got: outputs of the source and of the export, (n, k).
        order: the source's output for each of the export's; None for the order as it is.
    """

    name: str
    wanted: Array
    got: Array
    order: tuple[int, ...] | None = None

    def errors(self) -> Array:
        """(n,) `relative_errors` of each input."""
        wanted = self.wanted if self.order is None else self.wanted[:, list(self.order)]
        return relative_errors(wanted, self.got)

    @property
    def error(self) -> float:
        """Root mean square of `errors`."""
        return root_mean_square(self.errors())


NAMES = {
    "softmax twice": "the export applies softmax to outputs that had it applied",
    "softmax added": "the export applies a softmax that the source leaves out",
    "softmax missing": "the export leaves out the softmax of the source",
    "sigmoid twice": "the export applies a sigmoid to outputs that had it applied",
    "sigmoid added": "the export applies a sigmoid that the source leaves out",
    "sigmoid missing": "the export leaves out the sigmoid of the source",
    "complement": "the export gives the probability of the other class",
}


def relative_errors(wanted: Array, got: Array) -> Array:
    """(n,) Euclidean norm of each difference, in units of the spread of `wanted` (n, k).

    The spread is the root mean square of the distance from the mean; 0 if all rows are equal, and
    then the errors are infinite or 0.
    """
    distance = np.sqrt(((got - wanted) ** 2).sum(axis=1))
    size = spread(wanted)
    if size > 0:
        return np.asarray(distance / size, dtype=np.float64)
    return np.where(distance > 0, np.inf, 0.0)


def root_mean_square(errors: Array) -> float:
    """Root mean square of errors (n,)."""
    return float(np.sqrt((errors**2).mean()))


def spread(values: Array) -> float:
    """Root mean square of the distance of rows (n, k) from their mean."""
    return float(np.sqrt(((values - values.mean(axis=0)) ** 2).sum(axis=1).mean()))


def output_forms(wanted: Array, got: Array) -> Iterator[OutputForm]:
    """The forms that outputs (n, k) of an export may have, as they are first."""
    names = [""]
    before, after = _are_probabilities(wanted), _are_probabilities(got)
    if wanted.shape[1] == 1:
        names.append("complement")
    if before or after:
        how = "twice" if before and after else "missing" if before else "added"
        names.append(f"softmax {how}")
    else:
        first, second = _in_unit(wanted), _in_unit(got)
        if first or second:
            how = "twice" if first and second else "missing" if first else "added"
            names.append(f"sigmoid {how}")
    return (in_form(name, wanted, got) for name in names)


def in_form(
    name: str, wanted: Array, got: Array, order: tuple[int, ...] | None = None
) -> OutputForm:
    """The form of outputs (n, k) of that name, a key of `NAMES` or empty."""
    if name == "complement":
        return OutputForm(name, wanted, 1 - got, order)
    function, _, how = name.partition(" ")
    if not how:
        return OutputForm(name, wanted, got, order)
    apply = _softmax if function == "softmax" else _sigmoid
    if how == "missing":
        return OutputForm(name, wanted, apply(got), order)
    return OutputForm(name, apply(wanted), got, order)


def reordered(form: OutputForm) -> OutputForm | None:
    """The form with the order of the classes that fits best; None if that is the order as it is.

    An assignment problem on the squared differences of columns.
    """
    from scipy.optimize import linear_sum_assignment  # importing it takes half a second

    k = form.wanted.shape[1]
    if not 2 <= k <= MAX_ORDERED:
        return None
    squares = (form.got**2).sum(axis=0)[:, None] + (form.wanted**2).sum(axis=0)
    costs = squares - 2 * form.got.T @ form.wanted
    # A class that stays where it is costs a little less: equal columns must not change places.
    _, order = linear_sum_assignment(costs - 1e-9 * max(float(costs.max()), 0.0) * np.eye(k))
    if (order == np.arange(k)).all():
        return None
    return OutputForm(form.name, form.wanted, form.got, tuple(map(int, order)))


def _softmax(values: Array) -> Array:
    found = probabilities(values, "logits")
    assert found is not None
    return found


def _sigmoid(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), dtype=np.float64)


def _are_probabilities(values: Array) -> bool:
    """Whether rows are at least 0 and sum to 1; quantised ones within a step for each class."""
    sums = np.abs(values.sum(axis=1) - 1)
    limit = PROBABILITY_SUM.value + values.shape[1] / 512
    return bool(_in_unit(values) and values.shape[1] > 1 and (sums < limit).all())


def _in_unit(values: Array) -> bool:
    return bool(float(values.min()) >= 0 and float(values.max()) <= 1)
