"""MA225: the runtime that serves the models, which the settings declare, does not load this one."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.runtimes import QUOTED
from modelaudit.runtimes.catalogue import covers
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.settings import Settings
from modelaudit.structs import replace

ENDED = frozenset({Status.LOADED, Status.FAILED, Status.CRASHED})


def is_serving(facts: Facts, runtime: str) -> bool:
    """Whether this runtime is the declared one."""
    asked = facts.settings.serving
    return bool(asked) and (runtime == asked or covers(asked, runtime.partition("+tf-keras")[0]))


def serving_attempts(facts: Facts) -> tuple[Observation, ...]:
    """Attempts in the serving runtime that ended by loading or refusing the model."""
    seen = (*facts.observations, *facts.elsewhere)
    return tuple(each for each in seen if each.status in ENDED and is_serving(facts, each.target))


def serving_predictions(facts: Facts) -> tuple[Prediction, ...]:
    """The predictions for the serving runtime."""
    return tuple(each for each in facts.predictions if is_serving(facts, each.runtime))


def serving_loads(facts: Facts) -> bool:
    """Whether the serving runtime loads the model: as observed, or else as predicted."""
    if tried := serving_attempts(facts):
        return any(each.status is Status.LOADED for each in tried)
    good = (LoadOutcome.LOADS, LoadOutcome.DIFFERS)
    return any(each.predicted in good for each in serving_predictions(facts))


def _refused(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """What the serving runtime was observed to do, or else what is predicted for it."""
    if not facts.settings.serving:
        raise NotRelevant("no serving runtime is declared (`[serving]` in the settings)")
    tried, predicted = serving_attempts(facts), serving_predictions(facts)
    if not tried and not predicted:
        raise NotApplicable("there are no predictions for files of this format")
    if serving_loads(facts):
        return
    if tried:
        yield _observed(rule, facts, tried[0])
    elif all(each.predicted is LoadOutcome.FAILS for each in predicted):
        yield _predicted(rule, predicted[0])
    else:
        raise NotApplicable("it cannot be predicted whether the serving runtime loads the model")


def _observed(rule: Rule, facts: Facts, seen: Observation) -> Finding:
    return rule.finding(
        f"The serving runtime {facts.settings.serving} does not load the model: {seen.call} in "
        f"{seen.target} ended with {seen.failure[:QUOTED]}",
        evidence={
            "runtime": seen.target,
            "call": seen.call,
            "measured": seen.status.value,
            "versions": dict(seen.versions),
        },
        key=f"{seen.call} {seen.error_type}",
        confidence=Confidence.CERTAIN,
    )


def _predicted(rule: Rule, first: Prediction) -> Finding:
    reason = first.because[0]
    return rule.finding(
        f"The serving runtime {first.runtime} cannot load the model: {first.call} fails because "
        f"{reason.text}. Expected error: {reason.error.rstrip('.')}.",
        route=reason.route,
        evidence={
            "runtime": first.runtime,
            "collected": first.collected,
            "call": first.call,
            "measured": first.predicted.value,
            "because": [each.facts() for each in first.because[:3]],
            "error": reason.error,
        },
        key=f"{first.call} {reason.code}",
        fix=reason.fix,
        severity=Severity.MEDIUM if first.conditions else rule.severity,
        confidence=min(rule.confidence, first.confidence, key=list(Confidence).index),
    )


def _example(predicted: LoadOutcome) -> Facts:
    reason = Reason("example", predicted, "an option is not supported", "an error", "save it again")
    because = () if predicted is LoadOutcome.LOADS else (reason,)
    facts = replace(examples.healthy(), settings=Settings(serving="tf==2.16"))
    return replace(facts, predictions=(Prediction("tf==2.16.2", "load_model", predicted, because),))


RULES = (
    Rule(
        code="MA225",
        name="serving-runtime-cannot-load",
        family=Family.COMPATIBILITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The runtime that serves the models cannot load this one",
        pass_title="The runtime that serves the models loads this one",
        why="The model cannot be served. The settings declare where models are served, with "
        '`[serving] runtime = "tf==2.16"`. If the audit ran the model in that runtime, the finding '
        "says what happened; otherwise it is predicted from the file.",
        fix="The finding names the affected part of the file and what to change. Classes that the "
        "serving code registers go into `custom_objects` in the settings.",
        check=_refused,
        bad=lambda: _example(LoadOutcome.FAILS),
        good=lambda: _example(LoadOutcome.LOADS),
    ),
)
