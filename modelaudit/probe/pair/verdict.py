"""Whether an export is the same model as its source, and the causes if it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.facts import Json
from modelaudit.measures.behaviour.output_forms import OutputForm, spread
from modelaudit.measures.behaviour.paired import p_better
from modelaudit.measures.value_transforms import JOIN, reached_range
from modelaudit.probe.pair.model import (
    ExportNumbers,
    PairCause,
    PairedOutput,
    PairExplanation,
    PairVerdict,
)
from modelaudit.probe.pair.search import PairForm
from modelaudit.restore.model import WeightComparison
from modelaudit.thresholds.answers import BETTER_P
from modelaudit.thresholds.restoration import (
    EXPORT_AGREEMENT,
    EXPORT_FLOAT,
    EXPORT_FLOAT16,
    EXPORT_GAIN,
    EXPORT_INFORMED,
    EXPORT_INTEGER,
    EXPORT_KERNEL,
    EXPORT_WEIGHTS,
)

LIMITS = {
    ExportNumbers.FLOAT: EXPORT_FLOAT.value,
    ExportNumbers.FLOAT16: EXPORT_FLOAT16.value,
    ExportNumbers.WEIGHTS16: EXPORT_FLOAT16.value,
    ExportNumbers.WEIGHTS: EXPORT_WEIGHTS.value,
    ExportNumbers.INTEGER16: EXPORT_WEIGHTS.value,
    ExportNumbers.INTEGER: EXPORT_INTEGER.value,
}


SHOWN_CLASSES = 200  # of an order that is given as code


class PairFacts(Struct, frozen=True):
    """What is known of a pair that was run.

    Attributes:
        numbers: what the export computes with.
        user: whether the inputs are the user's.
        given: range of the inputs, as `value_transforms.value_range`.
        outputs: the outputs as they are.
        plain: the first output as it is, for all inputs.
        best: the form in which it fits best, for all inputs.
        named: the source's output for each of the export's by the names of the classes; None if
            the names do not say, or if they are in the same order.
        weights: the source's weights in the export.
        moved: outputs that the source gives alike for all inputs, and the export otherwise.
    """

    numbers: ExportNumbers
    user: bool
    given: str
    outputs: tuple[PairedOutput, ...]
    plain: OutputForm
    best: PairForm
    named: tuple[int, ...] | None
    weights: WeightComparison
    moved: tuple[str, ...] = ()

    @property
    def limit(self) -> float:
        """Error that the numbers of the export may leave."""
        return LIMITS[self.numbers]

    @property
    def error(self) -> float:
        """Root mean square of the errors of the output that differs most, as it is."""
        return max(each.rms for each in self.outputs)


def informs(wanted: NDArray[np.float64]) -> bool:
    """Whether the outputs (n, k) of a source vary enough to be compared with."""
    return spread(wanted) > EXPORT_INFORMED.value * (1 + float(np.abs(wanted).max()))


def within_rounding(form: OutputForm, numbers: ExportNumbers, step: float | None) -> bool:
    """Whether outputs that do not inform are equal up to rounding, without regard to their spread.

    Args:
        form: both outputs as they are.
        numbers: what the export computes with.
        step: of the export's output; None for floats.
    """
    limit = EXPORT_FLOAT if numbers is ExportNumbers.FLOAT else EXPORT_FLOAT16
    allowed = limit.value * (1 + float(np.abs(form.wanted).max()))
    return float(np.abs(form.got - form.wanted).max()) <= max(allowed, step or 0.0)


def form_causes(facts: PairFacts) -> tuple[PairExplanation, ...]:
    """What the best form of inputs and outputs says; empty if it is no better than as they are."""
    best = facts.best
    given = facts.plain.error
    if not best.complexity or given <= EXPORT_FLOAT.value:
        return ()
    if best.error >= EXPORT_GAIN.value * given:
        return ()
    if p_better(-facts.plain.errors(), -best.output.errors()) >= BETTER_P.value:
        return ()
    found = [*_input_causes(best, facts.given), *_output_causes(best.output)]
    numbers: dict[str, Json] = {"error": best.error, "before": given}
    order = best.output.order
    if order is not None and len(order) <= SHOWN_CLASSES:
        numbers["order"] = [int(place) for place in np.argsort(order)]
    sure = best.error <= facts.limit
    target = reached_range(best.variant.domain, facts.given) if best.variant.domain else ""
    numbers |= {"target": target} if target else {}
    return tuple(PairExplanation(kind, detail, sure, numbers) for kind, detail in found)


def _input_causes(best: PairForm, given: str) -> Iterator[tuple[PairCause, str]]:
    variant = best.variant
    if variant.domain is not None:
        values, _, swapped = variant.domain.name.rpartition(JOIN)
        values, swapped = (values, swapped) if values else (swapped, "")
        if values == "BGR":
            values, swapped = "", "BGR"
        if values:
            target = reached_range(variant.domain, given) or values in _STANDARD
            yield (PairCause.VALUES if target else PairCause.TWICE), values
        if swapped:
            yield PairCause.CHANNELS, swapped
    if variant.move != "e":
        yield PairCause.ORIENTATION, variant.move


_STANDARD = ("1-x", "standardised", "standardised each")


def _output_causes(form: OutputForm) -> Iterator[tuple[PairCause, str]]:
    if form.name == "complement":
        yield PairCause.CLASSES, form.name
    elif form.name:
        yield PairCause.ACTIVATION, form.name
    if form.order is not None:
        moved = sum(place != each for place, each in enumerate(form.order))
        yield PairCause.CLASSES, f"{moved} of {len(form.order)}"


def weight_causes(facts: PairFacts) -> tuple[PairExplanation, ...]:
    """What the weights say: other statistics of batch normalization, or other values."""
    apart = [
        each
        for each in facts.weights.differing
        if each.distance is None or each.distance > EXPORT_KERNEL.value
    ]
    if facts.weights.refolded:
        routes = facts.weights.refolded
        numbers: dict[str, Json] = {"layers": [*routes]}
        return (PairExplanation(PairCause.NORMALIZATION, routes[0], True, numbers),)
    if not apart:
        return ()
    worst = max(apart, key=lambda each: each.distance or 0.0)
    told: dict[str, Json] = {"tensors": len(apart), "distance": worst.distance}
    return (PairExplanation(PairCause.WEIGHTS, apart[0].tensor, True, told),)


def name_causes(facts: PairFacts) -> tuple[PairExplanation, ...]:
    """Names of the classes in another order than the outputs; empty if they fit in no order."""
    order, named = facts.best.output.order, facts.named
    if named is None or order == named or facts.best.error > facts.limit:
        return ()
    moved = sum(place != each for place, each in enumerate(named))
    return (PairExplanation(PairCause.LABELS, f"{moved} of {len(named)}"),)


def judge(
    facts: PairFacts, calibration: Sequence[PairExplanation]
) -> tuple[PairVerdict, tuple[PairExplanation, ...], str]:
    """The verdict, the causes with the surest first, and `ExportPair.reason`.

    Args:
        calibration: causes in the ranges of quantised layers.
    """
    forms, names = form_causes(facts), name_causes(facts)
    if facts.named is not None and facts.best.output.order == facts.named:
        # In another order that the names of the classes say.
        forms = tuple(each for each in forms if each.kind is not PairCause.CLASSES)
        if not forms and facts.best.error <= facts.limit and _fit(facts, facts.outputs[1:]):
            return _alike(facts), (), ""
    sure = bool(forms) and forms[0].certain
    weights = () if sure or facts.error <= EXPORT_FLOAT.value else weight_causes(facts)
    causes = (*(forms if sure else ()), *weights, *names, *(() if sure else forms))
    if causes:
        return PairVerdict.DIFFERENT, causes, ""
    if _fit(facts, facts.outputs):
        return _alike(facts), (), ""
    if facts.numbers.calibrated and not facts.user:
        reason = (
            "the inputs are made ones, for which activations may be outside the ranges that images "
            "have; use --probe-data IMAGES"
        )
        return PairVerdict.UNKNOWN, (), reason
    moved = ", ".join(facts.moved)
    reason = f"for all inputs, the source gives one value of {moved}, the export another"
    return PairVerdict.DIFFERENT, tuple(calibration[:3]), reason if moved else ""


def _alike(facts: PairFacts) -> PairVerdict:
    floats = facts.numbers is ExportNumbers.FLOAT
    return PairVerdict.EQUAL if floats else PairVerdict.QUANTISED


def _fit(facts: PairFacts, outputs: Sequence[PairedOutput]) -> bool:
    """Whether all errors are within the limit, and few top classes differ.

    Small errors do not excuse other classes.
    """
    return not facts.moved and all(
        each.rms <= facts.limit
        and (each.interval is None or each.interval[1] >= EXPORT_AGREEMENT.value)
        for each in outputs
    )


def order_by_names(source: Sequence[str], export: Sequence[str]) -> tuple[int, ...] | None:
    """The source's place of each name of the export; None without names in another order."""
    if len(set(source)) != len(source) or set(source) != set(export) or len(source) != len(export):
        return None
    places: Mapping[str, int] = {name: place for place, name in enumerate(source)}
    order = tuple(places[name] for name in export)
    return None if order == tuple(range(len(order))) else order
