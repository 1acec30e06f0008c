"""Predicted and observed loading."""

from __future__ import annotations

import msgspec

from modelaudit.audit_types.loading import (
    CompatibilityRow,
    LoadOutcome,
    ObservationRow,
    ObservedLoading,
    PredictionReason,
)
from modelaudit.probe.protocol import Observation
from modelaudit.runtimes.model import Prediction, Reason, predicted_call


def observation_sections(observations: tuple[Observation, ...]) -> tuple[ObservationRow, ...]:
    """Each attempt to load, without timings, so that repeated audits are equal."""
    return tuple(
        ObservationRow(
            runtime=seen.runtime,
            call=seen.call,
            status=seen.status,
            error_type=seen.error_type,
            error=seen.error,
            signal=seen.signal,
            versions=seen.versions,
            sandbox=seen.sandbox,
            inputs=seen.inputs,
            outputs=seen.outputs,
            variables=len(seen.variables),
            log=seen.log,
            layers=seen.layers,
            notes=seen.notes,
            agreement=seen.agreement,
            target=seen.target,
        )
        for seen in observations
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
        rows.append(_loading(seen, known.get(asked)))
    rows += [_predicted(each.runtime, each.call, each) for each in left.values()]
    return tuple(rows)


def _loading(seen: Observation, prediction: Prediction | None) -> CompatibilityRow:
    row = _predicted(seen.runtime, seen.call, prediction)
    return msgspec.structs.replace(row, versions=seen.versions, observed=_observed(seen))


def _observed(seen: Observation) -> ObservedLoading:
    """The result of loading, and the comparison of outputs with another runtime."""
    ended = ObservedLoading(status=seen.status, error=seen.failure)
    found = seen.agreement
    if found is None:
        return ended
    if found.not_compared:
        return msgspec.structs.replace(
            ended, reference=found.reference, same=None, not_compared=found.not_compared
        )
    return msgspec.structs.replace(
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
        because=tuple(map(_reason, prediction.because)),
        confidence=prediction.confidence,
        collected_from=prediction.collected,
        observed=None,
    )


def _reason(reason: Reason) -> PredictionReason:
    return PredictionReason(
        code=reason.code,
        text=reason.text,
        error=reason.error,
        fix=reason.fix,
        route=reason.route,
    )
