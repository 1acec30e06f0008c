"""Whether the model numbers its classes in another order than the labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.measures.behaviour.accuracy import (
    SLIPS,
    class_labels,
    class_likelihoods,
    label_scores,
)
from modelaudit.measures.behaviour.outputs import class_count, predicted
from modelaudit.measures.behaviour.paired import binomial_tail, p_better
from modelaudit.structs import replace
from modelaudit.thresholds.answers import BETTER_P, CERTAIN_P, PER_CLASS

MAX_CLASSES = 2000  # time and memory grow with their square
ENTROPY_SHARES = (0.5, 0.7, 0.9)  # of log2 K; the last one suits a network that knows little

Order = NDArray[np.int64]


class Numbering(Struct, frozen=True):
    """The most likely other order of the classes.

    Attributes:
        variant: the form of the inputs for which it is most likely.
        accuracy: accuracy in that order and form, in [0, 1].
        log_odds: natural logarithm of how much more likely it makes the labels than the order as
            given in any form, less the logarithm of the number of orders to choose from.
        moved: number of labels that stand for another class.
        order: (K,) the model's class for each label.
        pattern: a key of `PATTERNS`, or empty.
    """

    variant: str
    accuracy: float
    log_odds: float
    moved: int
    order: NDArray[np.int64]
    pattern: str = ""


PATTERNS = {
    "up": "every class one higher than its label",
    "down": "every class one lower than its label",
    "reversed": "classes in reverse order",
    "alphabetical": "labels that are numbers, classes in their alphabetical order (10 before 2)",
    "numeric": "classes that are numbers, labels in their alphabetical order (10 before 2)",
}


def other_numbering(
    outputs: Mapping[str, NDArray[np.floating]], kind: str, y: NDArray[np.generic]
) -> Numbering | None:
    """The most likely other order of the classes; None without classes, or if none is better.

    Orders are compared by the likelihood of the labels, according to the probabilities that the
    outputs give to the classes, with the confidence that suits the order best
    (`accuracy.class_likelihoods`). Any of the C(K, m) m! orders that move m of K classes has the
    same prior, so that only many labels show an arbitrary order, but few show a common one
    (`PATTERNS`).

    None as well if the order does not match significantly more labels, input by input, and with
    fewer than `PER_CLASS` inputs per label: some order then fits by chance.

    Args:
        outputs: outputs (n, ...) by form of the inputs, with `e` for the inputs as given.
        kind: result of `outputs.output_kind`.
        y: labels, as in `class_labels`.
    """
    labels = class_labels(y)
    if labels is None:
        return None
    n, present = len(labels), np.unique(labels)
    size = max(class_count(outputs["e"], kind) or 0, int(labels.max()) + 1)
    if not 2 <= size <= MAX_CLASSES or n < PER_CLASS.value * len(present):
        return None
    as_given, base = np.arange(size), -math.inf
    said = {variant: predicted(values, kind) for variant, values in outputs.items()}
    told = {variant: each for variant, each in said.items() if each is not None}
    if any(len(each) != n or int(each.max()) >= size for each in told.values()):
        return None  # the outputs are more than the labels count, such as those of an autoencoder
    if len(told) < len(said) or _too_few_gained(told, labels, size):
        return None
    found: list[Numbering] = []
    for variant, values in outputs.items():
        answers = told[variant]
        forms = math.log(len(outputs)) if variant != "e" else 0.0
        given = float((answers == labels).mean())
        for share in ENTROPY_SHARES:
            table = _likelihoods(values, kind, labels, size, share)
            base = max(base, float(np.trace(table)) - forms)
            for pattern, order in (*_patterns(size), ("", _best_order(table))):
                moved = int((order[present] != as_given[present]).sum())
                right = float((answers == order[labels]).mean())
                if moved and right > given:
                    choices = _log_orders(size, moved, pattern)
                    choices += 0.0 if pattern else math.log(size * len(ENTROPY_SHARES))
                    odds = float(table[present, order[present]].sum()) - choices - forms
                    found.append(Numbering(variant, right, odds, moved, order, pattern))
    best = max(found, key=lambda each: each.log_odds, default=None)
    if best is not None and not _needs_form(best, outputs, kind, labels):
        as_is = [each for each in found if each.variant == "e"]
        best = max(as_is, key=lambda each: each.log_odds, default=best)
    if best is None:
        return None
    # The likeliest order may be one for unsure predictions that meets fewer labels than another.
    patterns = {best.pattern, ""}
    orders = [o for o in found if o.variant == best.variant and o.pattern in patterns]
    orders.sort(key=lambda each: -each.log_odds)
    best = next((each for each in orders if not _no_better(each, outputs, kind, labels)), None)
    if best is None:
        return None
    return replace(best, log_odds=best.log_odds - base)


def _too_few_gained(answers: Mapping[str, NDArray[np.intp]], labels: Order, size: int) -> bool:
    """Whether no order matches enough more labels in any form to be no chance (`_no_better`).

    That is so for most sound networks, and much cheaper to see than by likelihoods: often even if
    several labels might stand for one class.
    """
    given = int((answers["e"] == labels).sum())

    def gained(matched: Callable[[NDArray[np.float64]], float]) -> int:
        most = 0.0
        for each in answers.values():
            table = np.zeros((size, size))
            np.add.at(table, (labels, each), 1)
            most = max(most, matched(table))
        return int(most) - given

    def in_order(table: NDArray[np.float64]) -> float:
        return float(table[np.arange(size), _best_order(table, bonus=0.0)].sum())

    at_most = gained(lambda table: float(table.max(axis=1).sum()))
    return _by_chance(at_most) or _by_chance(gained(in_order))


def _by_chance(gained: int) -> bool:
    """Whether so many inputs may be gained by chance, even if none is lost."""
    return gained <= 0 or binomial_tail(gained, gained) >= BETTER_P.value


def _needs_form(
    found: Numbering, outputs: Mapping[str, NDArray[np.floating]], kind: str, labels: Order
) -> bool:
    """Whether the inputs in that form are recognised better than as given, in the same order."""
    given = label_scores(outputs["e"], kind, labels, found.order)
    other = label_scores(outputs[found.variant], kind, labels, found.order)
    assert given is not None and other is not None
    return p_better(given, other) < BETTER_P.value


def _no_better(
    found: Numbering, outputs: Mapping[str, NDArray[np.floating]], kind: str, labels: Order
) -> bool:
    """Whether chance may explain that labels are met better: a network confuses some classes.

    More must match than as numbered, or the labelled classes must score better input by input, of
    which wrong answers tell as well: both in that form, which may help alone, and as given. Scores
    are what the order was chosen by, so their p-value is adjusted for the orders and forms.
    """
    other = outputs[found.variant]
    right = _right(other, kind, found.order[labels])
    scored = label_scores(other, kind, labels, found.order)
    limit = BETTER_P.value if found.pattern else CERTAIN_P.value
    choices = _log_orders(len(found.order), found.moved, found.pattern)
    choices += math.log(len(outputs)) if found.variant != "e" else 0.0

    def by_chance(given: NDArray[np.floating]) -> bool:
        if p_better(_right(given, kind, labels), right) < limit:
            return False
        as_numbered = label_scores(given, kind, labels)
        assert scored is not None and as_numbered is not None
        p = p_better(as_numbered, scored)
        return p > 0 and math.log(p) + choices >= math.log(BETTER_P.value)

    return any(by_chance(outputs[form]) for form in {"e", found.variant})


def _right(values: NDArray[np.floating], kind: str, meant: Order) -> NDArray[np.float64]:
    answers = predicted(values, kind)
    assert answers is not None
    return np.asarray(answers == meant, dtype=np.float64)


def _patterns(size: int) -> Iterator[tuple[str, Order]]:
    """Each pattern with the class that it assigns to each label."""
    numbers = np.arange(size)
    words = np.array(sorted(range(size), key=str))
    yield "up", np.roll(numbers, -1)
    yield "down", np.roll(numbers, 1)
    yield "reversed", numbers[::-1]
    yield "alphabetical", np.argsort(words)
    yield "numeric", words


def _likelihoods(
    values: NDArray[np.floating], kind: str, labels: Order, size: int, share: float
) -> NDArray[np.float64]:
    """(size, size) log-likelihood of the inputs of each label if it stands for each class."""
    each = class_likelihoods(values, kind, share)
    assert each is not None
    table, width = np.zeros((size, size)), each.shape[1]
    np.add.at(table[:, :width], labels, each[:, :size])
    counts = np.bincount(labels, minlength=size)
    table[:, width:] = -math.log(SLIPS * width) * counts[:, None]  # classes without an output
    return table


def _best_order(table: NDArray[np.float64], bonus: float | None = None) -> Order:
    """The order that maximises the likelihood less the number of orders to choose from.

    An assignment problem in which a class that stays where it is gets a bonus: by default, what it
    costs to name one more class that moves.
    """
    from scipy.optimize import linear_sum_assignment  # importing it takes half a second

    stays = math.log(len(table)) if bonus is None else bonus
    _, order = linear_sum_assignment(-(table + stays * np.eye(len(table))))
    return np.asarray(order, dtype=np.int64)


def _log_orders(size: int, moved: int, pattern: str) -> float:
    """Logarithm of the number of common orders, or else of C(size, moved) moved!.

    A bound on the orders that move so many classes. How many move is chosen as well, and the
    confidence.
    """
    if pattern:
        return math.log(len(PATTERNS))
    return math.lgamma(size + 1) - math.lgamma(size - moved + 1)
