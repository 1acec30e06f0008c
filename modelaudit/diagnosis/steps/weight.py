"""Steps that need only the file: damage, missing weights, lost statistics."""

from __future__ import annotations

from msgspec import UNSET

from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.diagnosis.case import Case, capacity
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.findings import Finding, Severity
from modelaudit.measures.kernels.inference_norms import InitialStatistics, initial_statistics
from modelaudit.rules.absent_values import variables_without_values
from modelaudit.rules.grammar import counted, every, of_all
from modelaudit.rules.initial_weights.initial_explained import BY_TRAINING, NO_GRADIENT
from modelaudit.rules.initial_weights.initial_values import left_initial, never_trained
from modelaudit.rules.initial_weights.training_reach import hardly_moved
from modelaudit.rules.network.network_heads import output_heads, saved_graph
from modelaudit.rules.weights.half_statistics import half_reset
from modelaudit.terminal_text import first_of
from modelaudit.thresholds.weights import SMALL

LISTED = 5

# Rules whose findings mean that the restored model cannot be the one that was saved.
DAMAGE = (
    "MA102", "MA103", "MA104", "MA105", "MA106", "MA107", "MA108", "MA109", "MA110", "MA112",
    "MA114", "MA119", "MA120", "MA123", "MA403", "MA406", "MA407", "MA417",
)  # fmt: skip


def evidence_of(finding: Finding) -> Evidence:
    """A finding as evidence."""
    measured, threshold = finding.evidence.get("measured"), finding.evidence.get("threshold")
    n = finding.evidence.get("n")
    count = n if isinstance(n, int) else None
    return Evidence(finding.detail, finding.code, measured, threshold, count)


def damaged(case: Case) -> StepResult:
    """Files, tensors or shapes that are wrong."""
    # Without an architecture, zeros may be what an initializer gave.
    told = DAMAGE if case.facts.artifact.architecture else tuple(x for x in DAMAGE if x != "MA406")
    findings = [f for f in case.findings(*told) if f.severity.rank >= Severity.HIGH.rank]
    if findings:
        first = findings[0]
        where = first.location.route or first.location.file
        return CauseFound(tuple(evidence_of(f) for f in findings[:LISTED]), where=where)
    if not case.facts.artifact.tensors or variables_without_values(case.facts.artifact):
        return CauseUnknown("the stored weights, which are not in this file")
    count = len(case.facts.artifact.tensors)
    return CauseExcluded(
        f"all {count} stored tensors are complete, finite and of the right shape, and match their "
        "checksums if the format has them"
    )


def nonfinite_weights(case: Case) -> StepResult:
    """Stored values that are not finite, from diverged training or from damage."""
    findings = case.findings("MA111")
    if findings:
        where = first_of([f.location.route or f.location.file for f in findings], LISTED)
        return CauseFound(tuple(evidence_of(f) for f in findings[:LISTED]), where=where)
    if not case.facts.artifact.tensors:
        return CauseUnknown("the stored weights, which are not in this file")
    return CauseExcluded("all stored values are finite")


def never_loaded(case: Case) -> StepResult:
    """All kernels still have their initial values."""
    if not case.kernels:
        return CauseUnknown("kernels of 500 weights or more with a known initializer")
    fresh, tested = case.fresh, len(case.kernels)
    if len(fresh) < tested:
        return CauseExcluded(
            f"{tested - len(fresh)} of {tested} testable kernels have moved away from their "
            "initial values"
        )
    trained = [s.route for s in case.batchnorm if not s.statistics_initial]
    if trained:
        return CauseExcluded(
            f"{first_of(trained, LISTED)} have trained statistics, although every kernel looks "
            "untrained"
        )
    never, why = never_trained(case.facts.artifact, case.measured)
    if not never:
        return CauseUnknown(f"proof beyond kernels that look as drawn: {why}")
    given = case.facts.measurements.initialization if case.facts.measurements else ()
    moved = hardly_moved(case.facts.artifact, given)[1]
    states = [kernel.tests.get("bias_initial") for kernel in fresh]
    biases = ", and none of their biases has moved." if True in states else "."
    evidence = [
        Evidence(
            every(tested, "testable kernel matches its", "testable kernels match their")
            + " initializer's bound and distribution"
            + (f", and no bias has moved further than {moved:.1g}." if moved else biases),
            "MA404",
            tested,
            None,
            tested,
        )
    ]
    if case.batchnorm:
        count = len(case.batchnorm)
        norms = every(count, "batch normalization layer has", "batch normalization layers have")
        text = f"{norms} mean 0 and variance 1."
        evidence.append(Evidence(text, "MA402", count, None, count))
    return CauseFound(tuple(evidence))


def _fresh_evidence(kernel: KernelInitialization) -> Evidence:
    bias = ", and the bias is at its initial value" if kernel.tests.get("bias_initial") else ""
    drawn = kernel.initializer or "a common initializer"
    matches = f"{kernel.weights} weights match the distribution of {drawn}{bias}"
    return Evidence(
        f"{kernel.route!r}: {kernel.reason if 'norms' in kernel.tests else matches}.",
        "MA405",
        kernel.tests.get("ks_p"),
        None,
        kernel.weights,
    )


def partial_restore(case: Case) -> StepResult:
    """Some layers have their initial values, others are trained."""
    if not case.kernels:
        return CauseUnknown("kernels of 500 weights or more with a known initializer")
    tested = len(case.kernels)
    found = left_initial(case.facts.artifact, case.measured, case.batchnorm)
    if not found and len(case.fresh) == tested:
        _, why = never_trained(case.facts.artifact, case.measured, case.batchnorm)
        if why:
            return CauseUnknown(f"what tells whether a restore skipped some kernels: {why}")
        return CauseExcluded("every testable kernel is at its initial values, not only some")
    if not found:
        return CauseExcluded(
            f"none of {tested} testable kernels is at its initial values among trained ones"
        )
    by_training = all(each.against in BY_TRAINING for each in found)
    fresh = [each.kernel for each in found]
    if case.findings("MA439") and all(each.against == NO_GRADIENT for each in found):
        names = first_of([kernel.route for kernel in fresh], LISTED)
        return CauseExcluded(f"no gradient reached {names}, because all training inputs were alike")
    surest = max((each.severity for each in found), key=lambda severity: severity.rank)
    if surest.rank < Severity.MEDIUM.rank:
        names = first_of([kernel.route for kernel in fresh], LISTED)
        return CauseUnknown(f"what tells whether a restore skipped {names} or training did")
    small = all(kernel.weights < SMALL.value for kernel in fresh)
    chance = f"With fewer than {SMALL.value} weights, trained values can look random by chance."
    against = [Evidence(chance, n=SMALL.value)] * small
    explained = [Evidence(text) for text in dict.fromkeys(e.against for e in found) if text]
    trained = sum(kernel.tests.get("fits") is not True for kernel in case.kernels)
    others = counted(trained, "other kernel is", "other kernels are")
    return CauseFound(
        tuple(_fresh_evidence(kernel) for kernel in fresh[:LISTED])
        + (Evidence(f"{others} trained.", "", trained, None, tested),)
        + (tuple(explained) if by_training else ()),
        where=first_of([kernel.route for kernel in fresh], LISTED),
        layers=tuple(kernel.route for kernel in fresh),
        against=tuple(against if by_training else against + explained),
        cause="untrained-layers" if by_training else "",
    )


def untouched_head(case: Case) -> str:
    """Route of the layer behind the only output, if it is at its initial values; or empty.

    It gives trained features to classes at random, as another order of the classes would.
    """
    if len(case.outputs) != 1 or case.facts.artifact.architecture is None:
        return ""
    found = left_initial(case.facts.artifact, case.measured, case.batchnorm)
    heads = {head.weights.route for head in output_heads(saved_graph(case.facts))}
    return next((x.kernel.route for x in found if x.kernel.route in heads), "")


def statistics_lost(case: Case) -> StepResult:
    """BatchNorm statistics at 0 and 1 with trained gamma or beta, or far from converged."""
    lost = [s for s in case.batchnorm if s.statistics_initial and not s.affine_initial]
    why = initial_statistics(case.facts.artifact, case.batchnorm)
    if why is InitialStatistics.USED:
        return CauseExcluded(
            "the biases before the batch normalization layers with mean 0 and variance 1 were "
            "trained, so training used these statistics"
        )
    if why is InitialStatistics.CALLED:
        return CauseExcluded(
            "the batch normalization layers with mean 0 and variance 1 are called with "
            "`training=False`, so training used these statistics"
        )
    if why is InitialStatistics.UNREAD:
        return CauseExcluded(
            "the graph normalises by the batch and does not read the statistics, which are still "
            "mean 0 and variance 1"
        )
    repaired = _recalibration(case)
    if why is InitialStatistics.UNKNOWN and repaired is None:
        return CauseUnknown(
            f"the training code, or {case.words.many} to recompute the statistics on: training may "
            "have used their mean 0 and variance 1"
        )
    if lost:
        count = len(case.batchnorm)
        names = first_of([s.route for s in lost], LISTED)
        evidence = [
            Evidence(
                f"{len(lost)} of {count} batch normalization layers have exactly mean 0 and "
                f"variance 1 but trained gamma or beta: {names}.",
                "MA401",
                len(lost),
                0,
                count,
            )
        ]
        if repaired:
            evidence.append(repaired)
        return CauseFound(tuple(evidence), where=names)
    if not case.batchnorm:
        return CauseExcluded("the model has no batch normalization")
    reset = half_reset(case.facts.artifact, case.batchnorm)
    half = [each.route for each in reset if each.severity is not Severity.LOW]
    if half:
        names, count = first_of(half, LISTED), len(case.batchnorm)
        text = of_all(len(half), count, "batch normalization layer", "has", "have")
        text += f" one of moving mean and moving variance as before training: {names}."
        evidence = [Evidence(text, "MA401", len(half), 0, count), *filter(None, [repaired])]
        return CauseFound(tuple(evidence), where=names)
    new = [s.route for s in case.batchnorm if s.statistics_initial and s.affine_initial]
    trained = len(case.kernels) - len(case.fresh)
    told = [each.severity is Severity.LOW for each in case.findings("MA402")]
    if new and trained and told and all(told):
        return CauseUnknown(f"the training code, which may have frozen {first_of(new, LISTED)}")
    if new and trained:
        return _untouched(case, new, trained)
    return CauseExcluded(
        "no batch normalization layer combines initial statistics with trained gamma or beta"
    )


def _untouched(case: Case, new: list[str], trained: int) -> CauseFound:
    """Untrained normalization layers in a model with trained kernels."""
    count = len(case.batchnorm)
    text = (
        of_all(len(new), count, "batch normalization layer", "still has", "still have")
        + " exactly the initial values (mean 0, variance 1, gamma 1, beta 0), while "
        + f"{counted(trained, 'kernel is', 'kernels are')} trained: {first_of(new, LISTED)}."
    )
    evidence = [Evidence(text, "MA402", len(new), 0, count)]
    repaired = _recalibration(case)
    if repaired:
        evidence.append(repaired)
    frozen = "Layers that were frozen, or never called, during training also look like this."
    return CauseFound(tuple(evidence), where=first_of(new, LISTED), against=(Evidence(frozen),))


def _recalibration(case: Case) -> Evidence | None:
    tried = case.behaviour.interventions.get("recalibrate_batchnorm") if case.behaviour else None
    if tried is None:
        return None
    before, after = tried.before, tried.after
    if after > before:
        output = next((o for o in case.outputs if o.name == tried.output), None)
        room = capacity(output) if output else 0.0
        text = (
            f"Recomputing the statistics on your {case.words.many} in a copy of the model raises "
            f"the information in the output from {before:.2f} to {after:.2f}"
            + (f" of {room:.2f}" if room else "")
            + " bits."
        )
        if output and "e" in output.accuracy and tried.score is not UNSET:
            text += f" The accuracy on your labels is then {tried.score:.0%}, and "
            text += f"{output.accuracy['e']:.0%} as given."
        return Evidence(text, "", after, before)
    return None
