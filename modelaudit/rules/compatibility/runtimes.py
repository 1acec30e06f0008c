"""MA223 and MA224: predicted against observed behaviour of a runtime, and runtimes compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import Agreement, LoadOutcome, Status
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.conditions import lacked, prediction_of
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.runtimes.model import Prediction
from modelaudit.structs import replace

# Attempts that confirm or contradict a prediction; other endings say nothing about the file.
FAILED = frozenset({Status.FAILED, Status.CRASHED})
QUOTED = 300  # characters of a loader's message


def _attempts(facts: Facts) -> tuple[Observation, ...]:
    return (*facts.observations, *facts.elsewhere)


def _otherwise(rule: Rule, facts: Facts) -> Iterator[Finding]:
    asked = [(seen, found) for seen in _attempts(facts) if (found := prediction_of(facts, seen))]
    left_open = (LoadOutcome.UNKNOWN, LoadOutcome.CONDITIONAL)
    told = [(seen, found) for seen, found in asked if found.predicted not in left_open]
    if not told:
        raise NotApplicable("no attempt was made for which there is a prediction")
    by_attempt = {(seen.runtime, seen.call): seen for seen in _attempts(facts)}
    answered = _answered(facts)
    for seen, found in told:
        if seen.status is Status.LOADED and (seen.runtime, seen.call) not in answered:
            continue  # some failures appear only at the first call
        why = _contradiction(seen, found, by_attempt, facts)
        if why:
            yield rule.finding(
                f"{found.runtime}: predicted for {seen.call}: {found.predicted.value}. {why}",
                evidence={
                    "runtime": found.runtime,
                    "call": seen.call,
                    "expected": found.predicted.value,
                    "measured": seen.status.value,
                    "because": [reason.facts() for reason in found.because[:3]],
                    "versions": dict(seen.versions),
                },
                key=f"{found.runtime} {seen.call}",
            )


def _answered(facts: Facts) -> set[tuple[str, str]]:
    """Attempts that loaded the model and returned outputs."""
    found = set()
    for seen in _attempts(facts):
        if seen.agreement and not seen.agreement.not_compared:
            found |= {(seen.runtime, seen.call)}
            found |= {(seen.agreement.reference, seen.agreement.reference_call)}
    if facts.behaviour:
        studied = facts.behaviour.runtime
        found |= {(s.runtime, s.call) for s in facts.observations if s.runtime == studied}
    return found


def _contradiction(
    seen: Observation,
    found: Prediction,
    attempts: Mapping[tuple[str, str], Observation],
    facts: Facts,
) -> str:
    """What was observed, where it contradicts the prediction."""
    if lacked(facts, seen):
        return ""  # a class or a library of the program, which MA715 names
    if seen.status in FAILED and found.predicted is not LoadOutcome.FAILS:
        said = seen.failure[:QUOTED]
        return f"It did not load ({seen.status.value}): {said}"
    if seen.status is not Status.LOADED:
        return ""
    if found.predicted is LoadOutcome.FAILS:
        failed = found.conditions or seen.uncompiled or seen.uncallable
        return "" if failed else "It loaded without an error."
    agreement = seen.agreement
    if agreement is None or agreement.not_compared:
        return ""
    # Two runtimes are expected to differ only if exactly one of them is known to change the model.
    other = attempts.get((agreement.reference, agreement.reference_call))
    reference = prediction_of(facts, other) if other else None
    if reference is None or reference.predicted not in (LoadOutcome.LOADS, LoadOutcome.DIFFERS):
        return ""
    changed = [each.predicted is LoadOutcome.DIFFERS for each in (found, reference)]
    if agreement.same and sum(changed) == 1:
        return f"It computes the same as {agreement.reference}, although a difference was expected."
    if not agreement.same and not any(changed):
        return f"It does not compute the same as {agreement.reference}: {_numbers(agreement)}."
    return ""


def _numbers(found: Agreement) -> str:
    return (
        f"output `{found.output}` differs by up to {found.difference:.3g} "
        f"({found.relative:.2g} of its largest value; rounding and noise account for "
        f"{found.tolerance:.2g})"
    )


def _disagree(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if not facts.elsewhere:
        raise NotApplicable("no other runtime was requested (`--runtime`)")
    compared = [
        (seen, seen.agreement)
        for seen in facts.elsewhere
        if seen.agreement and not seen.agreement.not_compared
    ]
    if not compared:
        raise NotApplicable("no two runtimes were run on the same inputs")
    others = [(seen, found) for seen, found in compared if not found.same]
    if not others:
        return
    worst = max((found for _, found in others), key=lambda each: each.difference / each.tolerance)
    first = _called(worst.reference, worst.reference_call)
    listed = ", ".join(_called(seen.runtime, seen.call) for seen, _ in others)
    yield rule.finding(
        f"{first} and {listed} load the model without an error but compute different outputs for "
        f"the same {worst.samples} inputs: {_numbers(worst)}.",
        evidence={
            "measured": worst.difference,
            "unit": "as largest difference",
            "threshold": worst.tolerance,
            "n": worst.samples,
            "reference": first,
            "differing": {
                _called(seen.runtime, seen.call): [found.difference, found.relative]
                for seen, found in others
            },
            "same": [_called(seen.runtime, seen.call) for seen, found in compared if found.same],
            "versions": {each.runtime: dict(each.versions) for each in _attempts(facts)},
        },
        key=f"{first} {listed}",
    )


def _called(runtime: str, call: str) -> str:
    return f"{runtime} ({call})"


def _example(predicted: LoadOutcome, status: Status, difference: float = 0.0) -> Facts:
    versions = {"tensorflow": "2.15.1", "keras": "2.15.0"}
    agreement = Agreement("here", "load_model", "dense", difference, difference, 0.0, 1e-5, 16)
    there = Observation(
        "tf215",
        "load_model",
        status,
        versions=versions,
        agreement=agreement if status is Status.LOADED else None,
        target="tf==2.15.1",
    )
    here = Observation("here", "load_model", Status.LOADED, target="tf==2.21.0")
    return replace(
        examples.healthy(),
        observations=(here,),
        elsewhere=(there,),
        predictions=(
            Prediction("tf==2.15.1", "load_model", predicted),
            Prediction("tf==2.21.0", "load_model", LoadOutcome.LOADS),
        ),
    )


RULES = (
    Rule(
        code="MA223",
        name="observed-otherwise",
        family=Family.COMPATIBILITY,
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="A runtime did not do with the model what was predicted from the file",
        pass_title="Every runtime did with the model what was predicted from the file",
        why="The observation is correct. Either that installation differs from what its version "
        "suggests (another h5py, a patched Keras), or the prediction is wrong, and then it is "
        "wrong for every similar model.",
        fix="Trust the observation. `modelaudit runtimes collect --python …` creates a profile of "
        "exactly that installation, and `profiles` in the settings makes predictions use it. If "
        "the prediction is still wrong, report it with the output of `modelaudit inspect --json`.",
        check=_otherwise,
        bad=lambda: _example(LoadOutcome.LOADS, Status.FAILED),
        good=lambda: _example(LoadOutcome.FAILS, Status.FAILED),
    ),
    Rule(
        code="MA224",
        name="runtimes-disagree",
        family=Family.COMPATIBILITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="Two runtimes load the model but compute different outputs",
        pass_title="All runtimes that load the model compute the same outputs",
        why="After a move from one runtime to the other the model returns different outputs, and "
        "no error is raised.",
        fix="Find out which runtime computes what the model computed when it was saved (a golden "
        "record shows this), and serve the model with it. Where it is known, the predictions for "
        "both runtimes name the part of the file that they interpret differently.",
        check=_disagree,
        bad=lambda: _example(LoadOutcome.DIFFERS, Status.LOADED, 0.17),
        good=lambda: _example(LoadOutcome.LOADS, Status.LOADED),
    ),
)
