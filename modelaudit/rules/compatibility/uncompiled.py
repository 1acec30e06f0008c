"""MA213: `load_model` fails with its defaults, because it compiles the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelaudit.audit_types.loading import Status
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import Observation, runtime_name
from modelaudit.rules import examples
from modelaudit.rules.compatibility.loading import QUOTED
from modelaudit.rules.conditions import missing_object
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.structs import replace

COMPILED = LoadRequest(LoadCall.LOAD_MODEL, compile=True).label
_RECOMPILE = "Load it without compiling. To train it further, compile it again yourself."


def _uncompiled(rule: Rule, facts: Facts) -> Iterator[Finding]:
    tried = (*facts.observations, *facts.elsewhere)
    loaded = [seen for seen in tried if seen.status is Status.LOADED]
    if not facts.artifact.training:
        raise NotRelevant("the file has no settings to compile the model with")
    if tried and not loaded:
        raise NotApplicable("no runtime loaded the model")
    if not (tried or facts.all_predictions()):
        raise NotApplicable("no runtime was tried, and there are no predictions for this format")
    for seen in loaded:
        if not seen.uncompiled:
            continue
        said = " ".join(seen.uncompiled.split())
        name = _own_object(facts, seen, said)
        other = f", and so may custom_objects={_given(name)}" if name else ""
        yield rule.finding(
            f"In {runtime_name(seen.runtime)}, load_model(path) fails, because the optimizer, loss "
            f"or metrics cannot be created as saved; compile=False loads it{other}. Error: "
            f"{said[:QUOTED]}{' …' if len(said) > QUOTED else ''}",
            evidence={"measured": said[:QUOTED], "versions": dict(seen.versions)},
            key=seen.runtime,
            fix=_without_compiling(facts, keras2="tf-keras" in seen.versions, name=name),
        )
    known = {seen.target for seen in loaded}
    # Without targets and runs, a file of one Keras need not load in the other.
    chosen = bool(tried or facts.settings.targets or facts.settings.serving)
    for each in facts.all_predictions():
        if each.call != COMPILED or each.runtime in known:
            continue
        if not (chosen or each.runtime == facts.installed):
            continue
        reason = each.because[0]
        yield rule.finding(
            f"{each.runtime}: load_model(path) is predicted to fail, because {reason.text}; "
            f"compile=False avoids this.{reason.expected()}",
            evidence={"runtime": each.runtime, "measured": reason.code, "error": reason.error},
            key=each.runtime,
            confidence=min(Confidence.HIGH, each.confidence, key=[*Confidence].index),
            fix=_without_compiling(facts, keras2=each.runtime.startswith("tf-keras"), name=""),
        )


def _given(name: str) -> str:
    """A dict with the object; a name may be `package>name`, of which only the last is Python."""
    return f"{{{name!r}: {name.rpartition('>')[2]}}}"


def _own_object(facts: Facts, seen: Observation, error: str) -> str:
    """The loss, metric or schedule of the program that the error asks for.

    "" for those of Keras, and where the runtime is predicted to stop at something else as well.
    """
    name = missing_object(error)
    if not name or not seen.target:
        return name
    others = any(
        name not in reason.text
        for each in facts.predictions
        if (each.runtime, each.call) == (seen.target, COMPILED)
        for reason in each.because
    )
    profile = find_profile(seen.target)
    known = any(profile.knows(kind, name) for kind in ("losses", "metrics"))
    known = known or profile.is_public("keras.optimizers.schedules", name)
    return "" if known or others else name


def _without_compiling(facts: Facts, *, keras2: bool, name: str) -> str:
    """The calls that load the model, and what is left to do then."""
    file, library = facts.artifact.root.name, "tf_keras as keras" if keras2 else "keras"
    load = f"    model = keras.models.load_model({file!r}, "
    given = (
        f"\n\nOr give what the settings name, as your program defines it:\n\n"
        f"{load}custom_objects={_given(name)})"
    )
    return f"{_RECOMPILE}\n\n    import {library}\n{load}compile=False){given if name else ''}"


def _compiled(error: str) -> Callable[[], Facts]:
    def facts() -> Facts:
        found = examples.observed(Status.LOADED)()
        (seen,) = found.observations
        return replace(
            found,
            artifact=replace(found.artifact, training={"loss": "mse"}),
            observations=(replace(seen, uncompiled=error),),
        )

    return facts


RULES = (
    Rule(
        code="MA213",
        name="loads-only-without-compiling",
        family=Family.COMPATIBILITY,
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="`load_model` fails unless `compile=False` is given",
        pass_title="load_model can compile the model as it was saved",
        why="`load_model` compiles the model by default. It stops with an error about the "
        "optimizer, a loss or a metric, although the weights are intact. Keras 3, for example, "
        'does not read the loss "mse" from an HDF5 file, also if Keras 3 wrote it.',
        fix=_RECOMPILE,
        check=_uncompiled,
        bad=_compiled("Could not locate function 'mse'"),
        good=_compiled(""),
    ),
)
