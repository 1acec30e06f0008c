"""Why loading fails although the model is sound: the program lacked a class, a file name."""

from __future__ import annotations

import re

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.probe.protocol import Observation
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import LoadCall, Prediction, Reason, predicted_call
from modelaudit.runtimes.saved_config import passed

# Keras repeats the config of every outer object before the error of the inner one.
_INNERMOST = "Exception encountered:"
# What loaders say of a class or function that the program has not given them.
_OBJECT = re.compile(
    r"Could not locate (?:class|function) '([^']+)'"
    r"|Unknown [a-z ]+: '([^']+)'\. Please ensure (?:you are using|this object is passed)"
)
# What TensorFlow says of a type or an operation of a library that was not imported.
_REGISTRATION = re.compile(
    r"The type '([^']+)' (?:has not been registered|is not supported by this version)"
    r"|Op type not registered '([^']+)'"
)


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

    The prediction has to name nothing else that fails. The error has to agree with it, or to ask
    for an object or a library itself.
    """
    if seen.status is not Status.FAILED:
        return ""
    found = prediction_of(facts, seen)
    error = seen.error.rpartition(_INNERMOST)[2]
    fails = found is not None and found.predicted is LoadOutcome.FAILS
    if found is not None and fails:
        if not found.conditions:
            return ""
        if any(each.sign and each.sign in error for each in found.conditions):
            return " and ".join(dict.fromkeys(each.unless for each in found.conditions))
    if name := registration(error):
        return f"the library that registers {name} is imported"
    name = missing_object(error)
    return passed(name)["unless"] if name else ""


def missing_object(error: str) -> str:
    """The class or function of the program that a loader asks for; "" if it asks for none."""
    match = _OBJECT.search(error)
    name = next(filter(None, match.groups()), "") if match else ""
    return "" if name.rpartition(">")[2] in LAYER_CLASSES else name


def registration(error: str) -> str:
    """The type or operation that TensorFlow does not know; "" if the error names none."""
    match = _REGISTRATION.search(error)
    return next(filter(None, match.groups()), "") if match else ""


def cause_of(facts: Facts, seen: Observation) -> Reason | None:
    """The part of the file that the loader's error is about, if the prediction names it."""
    found = prediction_of(facts, seen)
    for each in found.because if found and seen.status is Status.FAILED else ():
        if each.sign and not each.unless and each.sign in seen.error:
            return each
    return None


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
