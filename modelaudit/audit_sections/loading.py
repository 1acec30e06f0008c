"""Predicted and observed loading, the restored model and the golden record."""

from __future__ import annotations

from msgspec import UNSET

from modelaudit.audit_types.loading import (
    CompatibilityRow,
    LoadOutcome,
    ObservationRow,
    ObservedLoading,
    PredictionReason,
)
from modelaudit.audit_types.restore import GoldenSection, RestoreSection
from modelaudit.probe.protocol import Observation
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import Prediction, predicted_call
from modelaudit.structs import converted, replace


def observation_sections(observations: tuple[Observation, ...]) -> tuple[ObservationRow, ...]:
    """Each attempt to load, without timings, so that repeated audits are equal."""
    return tuple(
        converted(ObservationRow, seen, variables=len(seen.variables)) for seen in observations
    )


def compatibility_section(
    observations: tuple[Observation, ...], predictions: tuple[Prediction, ...] = ()
) -> tuple[CompatibilityRow, ...]:
    """Predicted and observed loading, one row per runtime and call, observed ones first."""
    known = {(each.runtime, each.call): each for each in predictions}
    left = dict(known)
    rows = []
    for seen in observations:
        asked = (seen.target, predicted_call(seen.call))
        left.pop(asked, None)
        row = _predicted(seen.runtime, seen.call, known.get(asked))
        rows.append(replace(row, versions=seen.versions, observed=_observed(seen)))
    rows += [_predicted(each.runtime, each.call, each) for each in left.values()]
    return tuple(rows)


def _observed(seen: Observation) -> ObservedLoading:
    """The result of loading, and the comparison of outputs with another runtime."""
    ended = ObservedLoading(status=seen.status, error=seen.failure)
    found = seen.agreement
    if found is None:
        return ended
    if found.not_compared:
        return replace(ended, reference=found.reference, same=None, not_compared=found.not_compared)
    return replace(
        ended,
        reference=found.reference,
        same=found.same,
        max_abs_diff=found.difference,
        max_rel_diff=found.relative,
        noise=found.noise,
        tolerance=found.tolerance,
        output=found.output,
        samples=found.samples,
    )


def _predicted(runtime: str, call: str, prediction: Prediction | None) -> CompatibilityRow:
    if prediction is None:
        return CompatibilityRow(
            runtime=runtime, call=call, predicted=LoadOutcome.UNKNOWN, because=(), observed=None
        )
    return CompatibilityRow(
        runtime=runtime,
        call=call,
        predicted=prediction.predicted,
        because=tuple(converted(PredictionReason, each) for each in prediction.because),
        confidence=prediction.confidence,
        collected_from=prediction.collected,
        observed=None,
    )


def restore_section(facts: Facts) -> RestoreSection:
    """The comparison of stored and restored weights, and of both with the golden record."""
    golden = UNSET if facts.golden is None else _golden(facts.golden)
    proof = facts.restore
    if proof is None:
        return RestoreSection(golden=golden)
    return converted(
        RestoreSection,
        proof,
        differing=tuple(map(str, proof.differing)),
        cast=tuple(map(str, proof.cast)),
        changes=(*proof.differing, *proof.cast),
        layers_differing=tuple(map(str, proof.layers)),
        golden=golden,
    )


def _golden(golden: GoldenCheck) -> GoldenSection:
    """The comparison with the golden record, flat enough for a table."""
    if golden.problem:
        return GoldenSection(file=golden.file, problem=golden.problem)
    section = GoldenSection(
        file=golden.file,
        digest=golden.digest,
        made_by=", ".join(f"{key} {value}" for key, value in (golden.made or {}).items()),
        same_files=golden.same_files,
    )
    found, outputs = golden.weights, golden.outputs
    if found is not None:
        changes = [*map(str, found.differing)]
        changes += [f"{name}: not in the file" for name in found.missing]
        changes += [f"{name}: not in the record" for name in found.unexpected]
        section = replace(
            section,
            weights_recorded=found.compared,
            weights_identical=found.identical,
            weights_changed=tuple(changes),
        )
    if golden.not_replayed:
        return replace(section, not_replayed=golden.not_replayed)
    return replace(
        section,
        outputs_reproduced=all(each.reproduced for each in outputs),
        max_abs_difference=max(each.difference for each in outputs),
        tolerance=min(each.tolerance for each in outputs),
    )
