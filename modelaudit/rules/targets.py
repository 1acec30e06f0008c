"""MA22x: which of the runtimes looked at would load the model, predicted from the file.

Those are the targets that somebody named; else what is installed here, and the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.runtimes.model import Predicted, Prediction, Reason

WHOLE_MODEL = "load_model"  # the other calls need code beside the file, which may allow for it
SHOWN = 3  # reasons that go into a finding's text; the rest stand in the compatibility table


def _predictions(facts: Facts) -> tuple[Prediction, ...]:
    if not facts.predictions:
        raise NotApplicable("nothing is predicted for files of this format")
    return facts.predictions


def _runtimes(predictions: Iterable[Prediction]) -> dict[str, list[Prediction]]:
    found: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        found.setdefault(prediction.runtime, []).append(prediction)
    return found


def _confidence(rule: Rule, prediction: Prediction) -> Confidence:
    """Lower where the runtime stands in for one that nothing was collected from."""
    ranks = list(Confidence)
    return min(rule.confidence, prediction.confidence, key=ranks.index)


def _evidence(prediction: Prediction, reason: Reason) -> dict[str, Json]:
    return {
        "runtime": prediction.runtime,
        "collected": prediction.collected,
        "call": prediction.call,
        "measured": prediction.predicted.value,
        "because": [each.facts() for each in prediction.because[:SHOWN]],
        "error": reason.error,
    }


def _fails(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Runtimes in which every call fails: nothing of the model can be had there.

    Where nobody named a target, one of the default ones is enough: a file of Keras 3 need not
    load in tf-keras as well. If none will do, that is one finding, about all of them.
    """
    runtimes = _runtimes(_predictions(facts))
    failing = [
        predictions[0]
        for predictions in runtimes.values()
        if all(each.predicted is Predicted.FAILS for each in predictions)
    ]
    if facts.settings.targets:
        for first in failing:
            yield _refusal(rule, (first,), "A runtime that was asked about cannot load the model")
    elif len(failing) == len(runtimes):
        # The one that comes nearest to loading it says what is wrong with the file.
        yield _refusal(rule, tuple(sorted(failing, key=lambda each: len(each.because))), "")


def _refusal(rule: Rule, failing: tuple[Prediction, ...], title: str) -> Finding:
    first = failing[0]
    reason = first.because[0]
    told = [
        f"{each.runtime}: {each.call} fails because {each.because[0].text}. The error would be: "
        f"{each.because[0].error.rstrip('.')}."
        for each in failing
    ]
    others: dict[str, Json] = {each.runtime: each.because[0].text for each in failing[1:]}
    return rule.finding(
        " ".join(told),
        route=reason.route,
        evidence=_evidence(first, reason) | ({"others": others} if others else {}),
        key=f"{first.runtime} {first.call} {reason.code}",
        title=title,
        fix=reason.fix,
        confidence=_confidence(rule, first),
    )


def _differs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Calls that load and compute something else."""
    for prediction in _predictions(facts):
        if prediction.predicted is Predicted.DIFFERS:
            reason = prediction.because[0]
            yield rule.finding(
                f"{prediction.runtime}: {prediction.call} gives no error and another model, "
                f"because {reason.text}.",
                route=reason.route,
                evidence=_evidence(prediction, reason),
                key=f"{prediction.runtime} {prediction.call} {reason.code}",
                fix=reason.fix,
                severity=rule.severity if prediction.call == WHOLE_MODEL else Severity.MEDIUM,
                confidence=_confidence(rule, prediction),
            )


def _unknown(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Calls of which the file does not tell."""
    for prediction in _predictions(facts):
        if prediction.predicted is Predicted.UNKNOWN:
            reason = prediction.because[0]
            yield rule.finding(
                f"{prediction.runtime}: whether {prediction.call} works is not known, because "
                f"{reason.text}.",
                evidence=_evidence(prediction, reason),
                key=f"{prediction.runtime} {prediction.call} {reason.code}",
                confidence=_confidence(rule, prediction),
            )


def _example(predicted: Predicted) -> Facts:
    reason = Reason("example", predicted, "the file says so", "no error", "save it again")
    because = () if predicted is Predicted.LOADS else (reason,)
    prediction = Prediction("tf==2.21.0", "load_model", predicted, because)
    return replace(examples.healthy(), predictions=(prediction,))


RULES = (
    Rule(
        code="MA220",
        name="target-cannot-load",
        family=Family.COMPATIBILITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="None of the runtimes looked at can load the model",
        pass_title="The model loads in every runtime named as a target or, where none was named, in "
        "one of those looked at",
        why="Code that runs with that TensorFlow or Keras stops with the error quoted. The answer "
        "is read off the file and off what a real installation of that version accepts. Looked at "
        "are the targets named (`--target`); where none was, the TensorFlow and tf-keras installed "
        "here and the newest one known, of which one has to load the model.",
        fix="The finding names the part of the file and what to change.",
        check=_fails,
        bad=lambda: _example(Predicted.FAILS),
        good=lambda: _example(Predicted.LOADS),
    ),
    Rule(
        code="MA221",
        name="target-loads-another-model",
        family=Family.COMPATIBILITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="A runtime loads the model without an error and computes something else",
        pass_title="No runtime looked at is known to change what the model computes",
        why="There is no error: whoever upgrades gets other outputs and does not notice.",
        fix="The finding names the part of the file and what to change.",
        check=_differs,
        bad=lambda: _example(Predicted.DIFFERS),
        good=lambda: _example(Predicted.LOADS),
    ),
    Rule(
        code="MA222",
        name="target-unknown",
        family=Family.COMPATIBILITY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The file does not tell whether a runtime loads the model",
        pass_title="The file tells of every runtime looked at whether it loads the model",
        why="Not knowing is no pass. Loading the model in that runtime would tell.",
        fix="Name that runtime's interpreter in the settings, so that the model is tried there.",
        check=_unknown,
        bad=lambda: _example(Predicted.UNKNOWN),
        good=lambda: _example(Predicted.LOADS),
    ),
)
