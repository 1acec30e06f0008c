"""What labels say about the forms of the inputs, and about the order of the classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from modelaudit.audit_types.behaviour import BetterInputs, ClassNumbering
from modelaudit.measures.behaviour.accuracy import (
    accuracy,
    chance_p,
    explained_variance,
    fit_scores,
    label_scores,
)
from modelaudit.measures.behaviour.information_gain import information_gains
from modelaudit.measures.behaviour.numbering import Numbering, other_numbering
from modelaudit.measures.behaviour.outputs import probabilities
from modelaudit.measures.behaviour.paired import (
    adjusted_p,
    as_good,
    best_variant,
    p_better,
    with_other_evidence,
)
from modelaudit.measures.transforms import Transform
from modelaudit.measures.value_transforms import JOIN, SWAPS, changes
from modelaudit.probe.study.runner import Array
from modelaudit.settings import TRANSFORMS
from modelaudit.thresholds.answers import BETTER_P, NUMBERING_ODDS, ONLY_P

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
    told = order is not None and order.log_odds > NUMBERING_ODDS.value
    meant = order.order if order and told else None
    rows = ranked(outputs, kind, y, meant)
    if rows:
        shares = {key: accuracy(outputs[key], kind, y, meant) or 0.0 for key in rows}
        return LabelledScores(
            accuracy={key: accuracy(outputs[key], kind, y) or 0.0 for key in rows},
            better=_better(rows, "accuracy", shares, outputs, kind),
            worse_p=_worse(rows),
            chance_p=chance_p(outputs["e"], kind, y),
            numbering=_numbering(order),
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
    return LabelledScores(
        fit=fit, better=_better(rows, "R2", fit, outputs, kind), worse_p=_worse(rows)
    )


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
    measure: str,
    scores: Mapping[str, float],
    outputs: Mapping[str, Array],
    kind: str,
) -> BetterInputs | None:
    """The best form, without the changes that it does not need.

    A single change is tested among single changes first: they are fewer and likelier than
    combinations, whose number would hide it.
    """
    found = best_variant(rows, np.random.default_rng(0))
    if found is None:
        return None
    name, p = _needed(_simplest(found.name, rows), rows, outputs, kind), found.p
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
        also=tuple(each for each in names[1:] if changes(each) <= changes(name)),
    )


def _simplest(name: str, rows: Scores) -> str:
    """The form with the fewest changes that is not significantly worse than the best one.

    Of forms that are not part of it, which are compared with more evidence (`_needed`).
    """
    own = {*name.split(JOIN)}
    others = (each for each in as_good(rows, name) if not {*each.split(JOIN)} <= own)
    alike = {each: changes(each) for each in others}
    fewest = min([changes(name), *alike.values()])
    return next((each for each in alike if alike[each] == fewest < changes(name)), name)


def _needed(name: str, rows: Scores, outputs: Mapping[str, Array], kind: str) -> str:
    """A form of the inputs without the changes whose removal does not make it clearly worse.

    Clearly: with a p-value below `BETTER_P`, or below `ONLY_P` if there was one change of its
    kind only to choose from (red and blue); that of the labels, or of labels and information,
    which needs no labels. One change is always left.
    """
    while JOIN in name:
        parts = name.split(JOIN)
        without = {JOIN.join(each for each in parts if each != part): part for part in parts}
        p = {
            other: _clearly(rows, outputs, other, name, kind) for other in without if other in rows
        }
        limits = dict.fromkeys(SWAPS, ONLY_P.value)
        idle = {
            other: each
            for other, each in p.items()
            if each >= limits.get(without[other], BETTER_P.value)
        }
        if not idle:
            break
        name = max(idle, key=lambda other: idle[other])
    return name


def _clearly(rows: Scores, outputs: Mapping[str, Array], less: str, name: str, kind: str) -> float:
    """P-value of the hypothesis that no change of a kind, beside those of `less`, is better.

    By the gain of `name` over `less`, adjusted for the changes of that kind that were tried.
    """
    of_kind = [each for each in rows if _added(less, each) and _kinds(each) == _kinds(name)]
    tried = {"e": rows[less]} | {each: rows[each] for each in of_kind}
    p = adjusted_p(tried, name, np.random.default_rng(0))
    told, other = (probabilities(outputs[each], kind) for each in (name, less))
    if told is None or other is None:
        return p
    gain = information_gains({"e": other, "x": told}, np.random.default_rng(0))["x"]
    return min(p, with_other_evidence(p, gain.z if gain.equal_z is None else gain.equal_z))


def _added(less: str, name: str) -> bool:
    """Whether a form has one change more than another one."""
    return len({*name.split(JOIN)} - {*less.split(JOIN)}) == 1 and less in {
        JOIN.join(each for each in name.split(JOIN) if each != part) for part in name.split(JOIN)
    }


def _kinds(name: str) -> tuple[bool, bool, bool]:
    """Whether a form changes the orientation, the values, the order of the colours."""
    parts = {*name.split(JOIN)}
    moved, swapped = parts & {*TRANSFORMS}, parts & {*SWAPS}
    return bool(moved), bool(parts - moved - swapped), bool(swapped)


def _worse(rows: Scores) -> dict[str, float]:
    return {name: p_better(each, rows["e"]) for name, each in rows.items() if name != "e"}


def _numbering(order: Numbering | None) -> ClassNumbering | None:
    if order is None:
        return None
    return ClassNumbering(order.accuracy, order.log_odds, order.moved, order.pattern, order.variant)
