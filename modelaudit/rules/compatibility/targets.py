"""MA22x: which runtimes load the model, predicted from the file.

The runtimes are the targets in the settings or, without targets, the installed and newest ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules import examples
from modelaudit.rules.compatibility.refusals import advice, nearest_first, told
from modelaudit.rules.compatibility.repair_advice import with_repair
from modelaudit.rules.compatibility.serving import is_serving
from modelaudit.rules.compatibility.uncompiled import COMPILED
from modelaudit.rules.integrity.files import lost_part
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.runtimes.checks.stored.object_names import by_save_weights
from modelaudit.runtimes.model import (
    NOT_READ,
    LoadCall,
    Prediction,
    Reason,
    predicted_call,
)
from modelaudit.structs import replace

WHOLE_MODEL = "load_model"  # the other calls need code, which may handle the difference
SAVED_WEIGHTS = "Model.save_weights may have written the checkpoint, as it has no save_counter."
SHOWN = 3  # reasons quoted in a finding; the compatibility table has all of them


def _predictions(facts: Facts) -> tuple[Prediction, ...]:
    predictions = facts.all_predictions()
    if not predictions:
        raise NotApplicable("there are no predictions for files of this format")
    return predictions


def _runtimes(predictions: Iterable[Prediction]) -> dict[str, list[Prediction]]:
    found: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        found.setdefault(prediction.runtime, []).append(prediction)
    return found


def _confidence(rule: Rule, prediction: Prediction) -> Confidence:
    """Lower where the runtime's profile is that of a similar version."""
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
    """Runtimes in which nothing of the model can be loaded, whatever the program provides.

    Without targets, runtimes that were tried are left to the rules on what was observed. Of the
    others, the installed Keras has to load the model, or else one of them: a Keras 3 file need not
    load in tf-keras too. If all of them fail, there is one finding about all of them.
    """
    runtimes = _runtimes(_predictions(facts))
    observed = _observed(facts)
    failing = {}
    for runtime, predictions in runtimes.items():
        refused = _refused(predictions)
        if refused and observed.get((runtime, refused.call)) is not Status.LOADED:
            failing[runtime] = refused
    serving = facts.settings.serving
    failing = {name: each for name, each in failing.items() if not is_serving(facts, name)}
    if facts.settings.targets:
        for first in failing.values():
            yield _refusal(rule, facts, (first,), "A target runtime cannot load")
        return
    tried = {runtime for runtime, _ in observed}
    if failing.keys() & tried:
        return
    if len(failing) == len(runtimes) and not serving:
        failed = nearest_first(facts, failing.values())
        yield _refusal(rule, facts, failed, "None of the checked runtimes can load")
    elif installed := failing.get(facts.installed):
        found = _refusal(rule, facts, (installed,), "The installed Keras cannot load")
        yield replace(found, severity=Severity.LOW) if serving else found


def _refused(predictions: Iterable[Prediction]) -> Prediction | None:
    """The prediction that says why nothing can be loaded, if nothing can.

    Weights need the architecture next to them, so if that fails, so does all. Of a SavedModel, it is
    the one for its graph: `load_model` fails for any that is not of Keras 2.
    """
    each = tuple(predictions)
    built = [one for one in each if one.call == LoadCall.FROM_JSON]
    failing = [one for one in each if one.predicted is LoadOutcome.FAILS and not one.conditions]
    needed = [one for one in failing if one in built]
    if not needed and len(failing) == len(each):
        needed = [one for one in failing if one.call == LoadCall.SAVED_MODEL] or failing
    return next(iter(needed), None)


def _observed(facts: Facts) -> dict[tuple[str, str], Status]:
    """How attempts ended, by runtime and call as in predictions."""
    seen = (*facts.observations, *facts.elsewhere)
    ended = {Status.LOADED, Status.FAILED, Status.CRASHED}
    return {
        (each.target, predicted_call(each.call)): each.status
        for each in seen
        if each.target and each.status in ended
    }


def _refusal(rule: Rule, facts: Facts, failing: tuple[Prediction, ...], title: str) -> Finding:
    first = failing[0]
    reason = first.because[0]
    others: dict[str, Json] = {each.runtime: each.because[0].text for each in failing[1:]}
    more = " or call" if reason.later and not reason.loads else ""
    return rule.finding(
        " ".join(told(facts, each) for each in failing),
        route=reason.route,
        evidence=_evidence(first, reason) | ({"others": others} if others else {}),
        key=f"{first.runtime} {first.call} {reason.code}",
        title=f"{_called(title) if reason.loads else title}{more} the model",
        fix=advice(facts, first),
        confidence=_confidence(rule, first),
    )


def _called(title: str) -> str:
    """The title for a model that loads, but cannot be called."""
    return f"{title.removesuffix('load')}call"


def _differs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Calls that load the model but compute something else. An observation overrules this."""
    if lost := lost_part(facts):
        raise NotApplicable(f"a part of the model is missing or damaged: {lost}")
    observed = _observed(facts)
    equal = {
        (each.target, predicted_call(each.call))
        for each in (*facts.observations, *facts.elsewhere)
        if each.agreement and each.agreement.same
    }
    guesses: dict[str, list[Prediction]] = {}
    for prediction in _predictions(facts):
        attempt = (prediction.runtime, prediction.call)
        loaded = observed.get(attempt, Status.LOADED) is Status.LOADED and attempt not in equal
        if prediction.predicted is not LoadOutcome.DIFFERS or not loaded:
            continue
        reason = prediction.because[0]
        if prediction.conditions:
            guesses.setdefault(reason.code, []).append(prediction)
            continue
        without = " with compile=False" if _stops_compiling(facts, prediction) else ""
        refused = _as_weights(facts, prediction)
        before = f"{SAVED_WEIGHTS} {told(facts, refused)} " if refused else ""
        yield rule.finding(
            f"{before}{prediction.runtime}: {prediction.call}{without} raises no error but "
            f"{_wrongly(prediction)}, because {reason.text}.",
            route=reason.route,
            evidence=_evidence(prediction, reason),
            key=f"{prediction.runtime} {prediction.call} {reason.code}",
            title="A runtime does not restore the saved weights" if refused else "",
            fix=with_repair(facts, prediction.runtime, (refused or prediction).because[0].fix),
            severity=rule.severity if _matters(facts, prediction) else Severity.MEDIUM,
            confidence=_confidence(rule, prediction),
        )
    for each in guesses.values():
        yield _guess(rule, each)


def _wrongly(prediction: Prediction) -> str:
    """What the call does in place of restoring the model."""
    reads = (LoadCall.RESTORE, LoadCall.LOAD_WEIGHTS)
    if prediction.call.partition(",")[0] in reads:
        return "does not restore the saved model"
    return "loads a different model"


def _as_weights(facts: Facts, prediction: Prediction) -> Prediction | None:
    """The failing `load_weights`, the call of who saved a checkpoint with `Model.save_weights`."""
    if prediction.call != LoadCall.RESTORE or not by_save_weights(facts.artifact):
        return None
    for each in facts.predictions:
        same = each.runtime == prediction.runtime and each.call == LoadCall.LOAD_WEIGHTS
        if same and each.predicted is LoadOutcome.FAILS:
            return each
    return None


def _stops_compiling(facts: Facts, prediction: Prediction) -> bool:
    """Whether the plain call stops, because it compiles the model (MA213)."""
    if prediction.call != WHOLE_MODEL:
        return False
    tried = (*facts.observations, *facts.elsewhere)
    seen = [each for each in tried if each.target == prediction.runtime]
    if any(each.status is Status.LOADED for each in seen):
        return any(each.uncompiled for each in seen)
    return any(
        each.call == COMPILED
        and each.runtime == prediction.runtime
        and each.predicted is LoadOutcome.FAILS
        for each in facts.predictions
    )


def _guess(rule: Rule, predictions: list[Prediction]) -> Finding:
    """One finding for all runtimes in which the program decides whether the model is another."""
    first = predictions[0]
    reason = first.because[0]
    runtimes = ", ".join(dict.fromkeys(each.runtime for each in predictions))
    return rule.finding(
        f"{runtimes}: {first.call} raises no error. It loads the same model if {reason.unless}, "
        f"which the file does not show: {reason.text}.",
        route=reason.route,
        evidence=_evidence(first, reason),
        key=f"{first.call} {reason.code}",
        title="A runtime may load the model as another one",
        fix=reason.fix,
        severity=Severity.LOW,
        confidence=Confidence.LOW,
    )


def _matters(facts: Facts, prediction: Prediction) -> bool:
    """Whether it loads a whole model, where the model is served if the settings say where."""
    served = not facts.settings.serving or is_serving(facts, prediction.runtime)
    return served and prediction.call == WHOLE_MODEL


def _unknown(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Calls whose result cannot be predicted from the file. Missing parts have their own rules."""
    unread = ""
    for prediction in _predictions(facts):
        if prediction.predicted is LoadOutcome.UNKNOWN:
            reason = prediction.because[0]
            if reason.code == NOT_READ:
                unread = reason.text
                continue
            yield rule.finding(
                f"{prediction.runtime}: it is unknown whether {prediction.call} works, because "
                f"{reason.text}.",
                evidence=_evidence(prediction, reason),
                key=f"{prediction.runtime} {prediction.call} {reason.code}",
                confidence=_confidence(rule, prediction),
            )
    if unread:
        raise NotApplicable(unread)


def _example(predicted: LoadOutcome) -> Facts:
    reason = Reason(
        "example", predicted, "the file contains an unsupported option", "no error", "save it again"
    )
    because = () if predicted is LoadOutcome.LOADS else (reason,)
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
        summary="None of the checked runtimes can load the model",
        pass_title="The model loads in every target runtime or, if no target is set, in at least "
        "one of the checked runtimes and in the installed Keras",
        why="Code that runs with that TensorFlow or Keras version stops with the quoted error. The "
        "prediction compares the file with what a real installation of that version accepts. The "
        "checked runtimes are the targets (`--target`). If no target is set, they are the "
        "installed TensorFlow and tf-keras and the newest known version: the installed Keras and "
        "at least one of them must load the model. Runtimes that were tried are left to the rules "
        "on what was observed.",
        fix="The finding names the affected part of the file and what to change.",
        check=_fails,
        bad=lambda: _example(LoadOutcome.FAILS),
        good=lambda: _example(LoadOutcome.LOADS),
    ),
    Rule(
        code="MA221",
        name="target-loads-another-model",
        family=Family.COMPATIBILITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="A runtime loads the model without an error but computes something else",
        pass_title="No checked runtime is known to change what the model computes",
        why="No error is raised: after an upgrade the model returns different outputs and nobody "
        "notices.",
        fix="The finding names the affected part of the file and what to change.",
        check=_differs,
        bad=lambda: _example(LoadOutcome.DIFFERS),
        good=lambda: _example(LoadOutcome.LOADS),
    ),
    Rule(
        code="MA222",
        name="target-unknown",
        family=Family.COMPATIBILITY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="It cannot be predicted from the file whether a runtime loads the model",
        pass_title="For every checked runtime, the file shows whether it loads the model",
        why="An unknown result is not a pass. Loading the model in that runtime gives the answer.",
        fix="Add that runtime's interpreter to the settings. The audit then tries to load the "
        "model there.",
        check=_unknown,
        bad=lambda: _example(LoadOutcome.UNKNOWN),
        good=lambda: _example(LoadOutcome.LOADS),
    ),
)
