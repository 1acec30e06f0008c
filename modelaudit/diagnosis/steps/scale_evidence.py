"""What batch statistics and confidence say about the scale of the inputs, without labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelaudit.audit_types.behaviour import (
    BatchNormFit,
    OutputBehaviour,
)
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import (
    bits_in_words,
    capacity,
    information,
    labels_contradict,
)
from modelaudit.diagnosis.model import CauseFound
from modelaudit.measures.behaviour.outputs import LARGEST_MARGIN
from modelaudit.measures.input_corrections import simplest_first, words_of
from modelaudit.measures.summary import Behaviour
from modelaudit.structs import replace
from modelaudit.thresholds.answers import (
    INFORMED,
    LITTLE,
    MARGIN,
    MARGIN_TRAINED,
    SAME_SCORE,
    TIED,
)
from modelaudit.thresholds.weights import CLOSER, MISFIT, OFF_SCALE, OFF_SCALE_ALONE, ON_SCALE


def _strain(seen: Behaviour, name: str = "") -> float:
    """Mean deviation over all batch normalization layers, as given or on one scale."""
    strains = (
        fit.domain.get(name, math.inf) if name else fit.mean_deviation for fit in seen.batchnorm
    )
    return sum(strains) / len(seen.batchnorm)


def by_statistics(
    seen: Behaviour, output: OutputBehaviour, first: BatchNormFit | None
) -> CauseFound | None:
    """Statistics that do not match, but match on another scale on which no information is lost.

    They decide alone if there are no classes whose information could confirm it, if they are far
    off, or if a constant output has nothing to add.
    """
    best = min(first.domain, key=lambda name: _strain(seen, name), default="") if first else ""
    if first is None or not best or labels_contradict(output, best):
        return None
    strain, room = _strain(seen, best), capacity(output)
    closer = strain < min(ON_SCALE.value, _strain(seen) / CLOSER.value)
    if first.misfit <= MISFIT.value or not closer:
        return None
    bits, said = output.domain.get(best, 0.0), (information(output), *output.domain.values())
    alone = first.mean_deviation > OFF_SCALE_ALONE.value
    alone |= output.collapse.collapsed and max(said) < LITTLE.value * room
    if (
        room
        and not alone
        and (bits <= LITTLE.value * room or bits < information(output) - TIED.value)
    ):
        return None
    far = first.mean_deviation > MISFIT.value
    told = statistics_evidence(first, best) if far else _all_closer(seen, first, best)
    return CauseFound((told,), where=output.name, transform=best)


def by_upstream_statistics(
    seen: Behaviour, output: OutputBehaviour, fits: Sequence[BatchNormFit]
) -> CauseFound | None:
    """Another scale on which the statistics match before the first layer at initial values.

    What is behind that layer, the answers included, says nothing of the inputs.

    Args:
        seen: what running the model showed.
        fits: the batch normalizations before that layer, in execution order.
    """
    if not fits or fits[0].misfit <= MISFIT.value:
        return None
    upper = replace(seen, batchnorm=tuple(fits))
    best = min(fits[0].domain, key=lambda name: _strain(upper, name), default="")
    if not best or _strain(upper, best) >= min(ON_SCALE.value, _strain(upper) / CLOSER.value):
        return None
    told = statistics_evidence(fits[0], best)
    return CauseFound((told,), where=output.name, transform=best, upstream=True)


def _all_closer(seen: Behaviour, first: BatchNormFit, name: str) -> Evidence:
    """That all statistics match on another scale much better."""
    text = (
        f"The stored statistics of {first.route!r} do not fit its input (misfit "
        f"{first.misfit:.2f}). "
        f"The inputs of all batch normalizations are {_strain(seen):.2f} standard deviations from "
        f"their training means, {words_of(name)} {_strain(seen, name):.2f} (averages)."
    )
    return Evidence(text, "", first.misfit, MISFIT.value)


def by_margin(seen: Behaviour, output: OutputBehaviour) -> CauseFound | None:
    """Predictions far more confident than training produces, but normal on another scale.

    This is the only sign without normalization: rectified layers respond equally on every scale.
    """
    if output.margin is None or output.margin <= MARGIN.value:
        return None
    usual = {
        name: output.domain.get(name, 0.0)
        for name, margin in output.domain_margin.items()
        if margin < MARGIN_TRAINED.value and not _less_right(output, name)
    }
    (best, *others), bits = _as_good(usual)
    if bits <= INFORMED.value * capacity(output):
        return None
    least = "at least " if output.margin >= LARGEST_MARGIN else ""
    said = bits_in_words(output, usual[best])
    text = (
        f"As given, the most likely class is {least}e^{output.margin:.0f} times as likely as the "
        "next (median), which is more confident than training makes a network. For inputs "
        f"{words_of(best)} it is e^{output.domain_margin[best]:.1f} times, and the "
        f"predictions carry {said}.{_undecided(others)}"
    )
    evidence = Evidence(text, "", output.margin, MARGIN.value, seen.inputs.n)
    return CauseFound((evidence,), where=output.name, transform=best)


def _as_good(scales: Mapping[str, float]) -> tuple[list[str], float]:
    """The scales that carry the most information, the simplest first, and how much that is."""
    bits = max(scales.values(), default=0.0)
    tied = {name: each for name, each in scales.items() if bits - each <= TIED.value}
    return [name for name, _ in simplest_first(tied)] or [""], bits


def _undecided(others: Sequence[str]) -> str:
    """A sentence about scales that are equally good; empty if there are none."""
    names = " or ".join(words_of(name) for name in others)
    return (
        f" They carry as much {names}; the model does not show which one training used."
        if names
        else ""
    )


def _less_right(output: OutputBehaviour, name: str) -> bool:
    """Whether labels were given and contradict this scale."""
    return output.accuracy.get(name, 1.0) < output.accuracy.get("e", 0.0) - SAME_SCORE.value


def statistics_evidence(first: BatchNormFit, name: str) -> Evidence:
    """That the statistics of the first batch normalization match on another scale."""
    text = (
        f"What reaches {first.route!r} is {first.mean_deviation:.2g} standard deviations from its "
        f"training mean; with the inputs {words_of(name)}, it is {first.domain[name]:.2f} from it."
    )
    return Evidence(text, "", first.mean_deviation, OFF_SCALE.value)
