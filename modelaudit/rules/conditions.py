"""Why loading fails: the program lacked something (a class, a file name), or a part is missing."""

from __future__ import annotations

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.probe.protocol import Observation
from modelaudit.rules.integrity import LOST_KINDS
from modelaudit.rules.model import Facts
from modelaudit.rules.problem_findings import sentence
from modelaudit.runtimes.model import LoadCall, Prediction, predicted_call

# Keras repeats the config of every outer object before the error of the inner one.
_INNERMOST = "Exception encountered:"


def prediction_of(facts: Facts, seen: Observation) -> Prediction | None:
    """The prediction for an attempt: of weights, first that for the architecture next to them."""
    calls = [predicted_call(seen.call)]
    if seen.call in (LoadCall.LOAD_WEIGHTS, LoadCall.LOAD_CHECKPOINT):
        calls.insert(0, LoadCall.FROM_JSON.value)
    known = {each.call: each for each in facts.predictions if each.runtime == seen.target}
    found = [known[call] for call in calls if call in known]
    failing = [each for each in found if each.predicted is LoadOutcome.FAILS]
    return next(iter(failing or found[-1:]), None)


def lacked(facts: Facts, seen: Observation) -> str:
    """What the program has to do so that a failed attempt succeeds; "" if that is not known.

    The prediction has to name nothing else that fails, and the error has to agree with it.
    """
    found = prediction_of(facts, seen)
    if found is None or seen.status is not Status.FAILED:
        return ""
    if found.predicted is not LoadOutcome.FAILS or not found.conditions:
        return ""
    error = seen.error.rpartition(_INNERMOST)[2]
    if not any(each.sign and each.sign in error for each in found.conditions):
        return ""
    return " and ".join(dict.fromkeys(each.unless for each in found.conditions))


def other_obstacle(facts: Facts, seen: Observation) -> str:
    """What fails once the program has done what the error asks for; "" if that is not known."""
    found = prediction_of(facts, seen)
    if found is None or found.predicted is not LoadOutcome.FAILS:
        return ""
    error = seen.error.rpartition(_INNERMOST)[2]
    failing = [each for each in found.because if each.predicted is LoadOutcome.FAILS]
    asked = [each for each in failing if each.unless and each.sign and each.sign in error]
    left = [each for each in failing if not each.unless]
    return f"If {asked[0].unless}, it still fails: {left[0].text}" if asked and left else ""


def conditions(facts: Facts) -> tuple[str, str]:
    """An attempt that needs only a condition: the runtime, and what it lacked; "" if none does."""
    for seen in facts.observations:
        if what := lacked(facts, seen):
            return seen.runtime, what
    return "", ""


def lost_part(facts: Facts) -> str:
    """What is missing or damaged, if loading fails because of it; another rule reports it."""
    if facts.artifact.complete:
        return ""
    lost = [each for each in facts.artifact.problems if each.kind in LOST_KINDS]
    return sentence(lost[0]) if lost else ""
