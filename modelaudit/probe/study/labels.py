"""What labels say about the forms of the inputs, and about the order of the classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from modelaudit.audit_types.behaviour import BetterInputs, ClassNumbering
from modelaudit.measures.behaviour.accuracy import (
    accuracy,
    chance_p,
    class_labels,
    constant_likelihood,
    explained_variance,
    fit_scores,
    label_likelihoods,
    label_scores,
)
from modelaudit.measures.behaviour.numbering import Numbering, other_numbering
from modelaudit.measures.behaviour.outputs import median_margin
from modelaudit.measures.behaviour.paired import (
    adjusted_p,
    as_good,
    best_variant,
    p_better,
)
from modelaudit.measures.transforms import Transform
from modelaudit.measures.value_transforms import JOIN, SWAPS, changes
from modelaudit.probe.study.runner import Array
from modelaudit.settings import TRANSFORMS
from modelaudit.structs import replace
from modelaudit.thresholds.answers import (
    CHANCE_P,
    FAULTY_ODDS,
    FURTHER_ODDS,
    MARGIN,
    NUMBERING_ODDS,
    SAME_SCORE,
)

ORDERED = 100  # classes of which the order is kept
Scores = Mapping[str, NDArray[np.float64]]  # of each input (n,), by variant


class LabelledScores(Struct, frozen=True):
    """Scores of one output on labels; empty without labels that suit it."""

    accuracy: Mapping[str, float] = field(default_factory=dict)
    fit: Mapping[str, float] = field(default_factory=dict)
    better: BetterInputs | None = None
    worse_p: Mapping[str, float] = field(default_factory=dict)
    chance_p: float | None = None
    numbering: ClassNumbering | None = None


def score_variants(
    outputs: Mapping[str, Array], kind: str, y: Array | None, moves: Mapping[str, Transform]
) -> LabelledScores:
    """Scores of all variants of the inputs, and the best one.

    If the classes are most likely numbered in another order than the labels, the variants are
    compared in that order.

    Args:
        outputs: finite outputs (n, ...) by variant, with `e`.
        kind: result of `outputs.output_kind`.
        y: labels or targets (n, ...), or None.
        moves: spatial transforms by name, to undo on maps.
    """
    if y is None:
        return LabelledScores()
    order = other_numbering(outputs, kind, y)
    other = order is not None and order.log_odds > NUMBERING_ODDS.value
    meant = order.order if order and other else None
    rows = ranked(outputs, kind, y, meant)
    if rows:
        known = {key: label_likelihoods(outputs[key], kind, y, meant) for key in rows}
        told = {key: float(each.sum()) for key, each in known.items() if each is not None}
        shares = {key: accuracy(outputs[key], kind, y, meant) or 0.0 for key in rows}
        margins = {key: median_margin(outputs[key], kind) or 0.0 for key in rows}
        better = _better(rows, told, "accuracy", shares, margins)
        better = better and _against_constant(better, outputs, kind, y, meant, told["e"])
        return LabelledScores(
            accuracy={key: accuracy(outputs[key], kind, y) or 0.0 for key in rows},
            better=better,
            worse_p=_worse(rows),
            chance_p=chance_p(outputs["e"], kind, y),
            numbering=_numbering(order, better if other else None),
        )
    if kind not in {"regression", "spatial"}:
        return LabelledScores()
    aligned = {name: _aligned(each, kind, y, moves.get(name)) for name, each in outputs.items()}
    fit = {
        name: score
        for name, each in aligned.items()
        if (score := explained_variance(each, y)) is not None
    }
    rows = {
        name: each
        for name, values in aligned.items()
        if (each := fit_scores(values, y)) is not None
    }
    if "e" not in rows:
        return LabelledScores(fit=fit)
    # Of heavy-tailed errors. It cannot be normalised, so that it chooses but gives no odds.
    told = {name: float(each.sum()) / 2 for name, each in rows.items()}
    return LabelledScores(fit=fit, better=_better(rows, told, "R2", fit, {}), worse_p=_worse(rows))


def score_of(values: Array, kind: str, y: Array | None) -> float | None:
    """Accuracy of outputs (n, ...) of a kind, or R2 of numbers; None without labels that suit."""
    if y is None:
        return None
    values = np.nan_to_num(values)
    right = accuracy(values, kind, y)
    return explained_variance(values, y) if right is None and kind == "regression" else right


def ranked(
    outputs: Mapping[str, Array], kind: str, y: Array, order: NDArray[np.int64] | None = None
) -> Scores:
    """`accuracy.label_scores` of each output, by variant; empty without classes."""
    found = {name: label_scores(values, kind, y, order) for name, values in outputs.items()}
    return {name: each for name, each in found.items() if each is not None}


def fitted(outputs: Mapping[str, Array], kind: str, y: Array) -> Scores:
    """`accuracy.fit_scores` of each output, by variant; only of regressions."""
    if kind != "regression":
        return {}
    found = {name: fit_scores(values, y) for name, values in outputs.items()}
    return {name: each for name, each in found.items() if each is not None}


def _aligned(values: Array, kind: str, y: Array, move: Transform | None) -> Array:
    """The outputs for transformed inputs, with the transform undone on maps if that fits better.

    The targets may have been transformed with the inputs, or not.
    """
    if kind != "spatial" or move is None:
        return values
    try:
        undone = move.undo_on_output(values)
    except ValueError:
        return values
    plain, other = (explained_variance(each, y) for each in (values, undone))
    return undone if other is not None and (plain is None or other > plain) else values


def _better(
    rows: Scores,
    told: Mapping[str, float],
    measure: str,
    scores: Mapping[str, float],
    margins: Mapping[str, float],
) -> BetterInputs | None:
    """The likeliest other form, if any other scores better than the inputs as given.

    A form that makes the model surer than training does gives way to one that is as good and does
    not: without normalization, values that are too large leave the answers as they are. A single
    change is tested among single changes as well: they are fewer and likelier than combinations,
    whose number would hide it.
    """
    found = best_variant(rows, np.random.default_rng(0))
    if found is None:
        return None
    odds = form_odds(told)

    def likeliest(names: Iterable[str]) -> str:
        return max(names, key=lambda each: (odds[each], -changes(each)), default="")

    def usual(each: str) -> bool:
        return margins.get(each, 0.0) <= MARGIN.value

    name = likeliest(odds)
    if not usual(name):
        least = scores[name] - SAME_SCORE.value
        name = likeliest(each for each in odds if usual(each) and scores[each] >= least) or name
    p = found.p if name == found.name else adjusted_p(rows, name, np.random.default_rng(0))
    if JOIN not in name:
        alone = {key: each for key, each in rows.items() if JOIN not in key}
        p = min(p, adjusted_p(alone, name, np.random.default_rng(0)))
    names = (name, *as_good(rows, name))
    return BetterInputs(
        name=name,
        measure=measure,
        given=scores["e"],
        score=scores[name],
        p=p,
        tried=len(rows) - 1,
        n=len(rows["e"]),
        also=tuple(each for each in names[1:] if changes(each) <= changes(name) and usual(each)),
        odds=odds[name] if measure == "accuracy" else None,
    )


def _against_constant(
    found: BetterInputs,
    outputs: Mapping[str, Array],
    kind: str,
    y: Array,
    order: NDArray[np.int64] | None,
    given: float,
) -> BetterInputs:
    """The form with odds against a constant answer, if it meets labels no better than that.

    A form that says nothing is not right because the inputs as given are met even less.

    Args:
        outputs: outputs (n, ...) by variant.
        kind: result of `outputs.output_kind`.
        y: labels (n, ...).
        order: the model's class for each label, if that is not its number.
        given: log-likelihood of all labels for the inputs as given, in nats.
    """
    labels = class_labels(y) if order is not None else None
    meant = y if order is None or labels is None else order[labels]
    p = chance_p(outputs[found.name], kind, meant)
    if found.odds is None or p is None or p < CHANCE_P.value:
        return found
    return replace(found, odds=found.odds - max(0.0, constant_likelihood(y, kind) - given))


def form_odds(told: Mapping[str, float]) -> dict[str, float]:
    """Log odds of each other form of the inputs against the inputs as given, in nats.

    By how likely it makes the labels, less the odds against a first change (`FAULTY_ODDS`), against
    each further one (`FURTHER_ODDS`), and for each the logarithm of the number of changes of its
    kind that were tried.

    Args:
        told: log-likelihood of all labels by form, with `e`.
    """
    single = Counter(_kind(name) for name in told if name != "e" and JOIN not in name)
    odds = {}
    for name in told:
        parts = name.split(JOIN)
        choices = sum(math.log(max(1, single[_kind(part)])) for part in parts)
        faults = FAULTY_ODDS.value + FURTHER_ODDS.value * (changes(name) - 1)
        odds[name] = told[name] - told["e"] - faults - choices
    del odds["e"]
    return odds


def _kind(change: str) -> str:
    if change in SWAPS:
        return "colours"
    return "orientation" if change in TRANSFORMS else "values"


def _worse(rows: Scores) -> dict[str, float]:
    return {name: p_better(each, rows["e"]) for name, each in rows.items() if name != "e"}


def _numbering(order: Numbering | None, better: BetterInputs | None) -> ClassNumbering | None:
    """The order; if it needs another form of the inputs, in the form to name in that order."""
    if order is None:
        return None
    if order.variant != "e" and better is not None and better.odds is not None and better.odds > 0:
        order = replace(order, variant=better.name, accuracy=better.score)
    classes = tuple(map(int, order.order)) if len(order.order) <= ORDERED else ()
    return ClassNumbering(
        order.accuracy, order.log_odds, order.moved, order.pattern, order.variant, classes
    )
