"""MA2xx: which TensorFlow and Keras saved the model, and does it load here?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Provenance
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import ENDED, Observation, runtime_name
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.compatibility.lite import lacked_operators
from modelaudit.rules.compatibility.repair_advice import with_repair
from modelaudit.rules.compatibility.serving import serving_loads
from modelaudit.rules.conditions import (
    cause_of,
    conditions,
    lacked,
    other_obstacle,
    registration,
)
from modelaudit.rules.integrity.files import lost_part
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.runtimes.profile import numbers
from modelaudit.structs import replace

QUOTED = 600  # characters of a loader's message that go into a finding

# A limit ended these attempts, so the model may load.
CUT_SHORT = frozenset({Status.TIMEOUT, Status.MEMORY, Status.DISK})
CURRENT, LEGACY = "here", "here-legacy"


def _tried(facts: Facts) -> dict[str, Observation]:
    seen = {observation.runtime: observation for observation in facts.observations}
    ended = {Status.LOADED, Status.FAILED}
    tried = {name: each for name, each in seen.items() if each.status in ended}
    if not tried:
        raise NotApplicable("no loader finished")
    return tried


def _message(observation: Observation) -> str:
    text = observation.failure.partition(" Full object config:")[0]  # which fills pages
    return text[:QUOTED] + (" …" if len(text) > QUOTED else "")


def _version_unknown(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    if not artifact.complete and not artifact.tensors:
        raise NotApplicable("the file could not be read as a model")
    said = artifact.provenance
    if not (said.keras or said.tensorflow or said.producer):
        yield rule.finding(
            f"This {artifact.format.label} states neither a Keras nor a TensorFlow version.",
            evidence={"measured": None},
        )


def _loads_nowhere(rule: Rule, facts: Facts) -> Iterator[Finding]:
    tried = _tried(facts)
    if any(each.status is Status.LOADED for each in (*tried.values(), *facts.elsewhere)):
        refused = next((each for each in tried.values() if each.refused), None)
        if refused and not registration(refused.refused):  # which MA715 reports
            yield rule.finding(
                "tf.saved_model.load fails, but a session of TensorFlow 1 loads the graph and its "
                f"signatures. Error: {' '.join(refused.refused.split())[:QUOTED]}",
                evidence={"measured": refused.refused[:QUOTED]},
                severity=Severity.LOW,
                title="Only a session loads the model",
            )
        return
    if lost := lost_part(facts):
        raise NotApplicable(f"a part of the model is missing or damaged: {lost}")
    if facts.artifact.lite is not None and (
        names := [name for names in lacked_operators(facts.artifact.lite) for name in names]
    ):
        raise NotApplicable(f"the interpreter here lacks {', '.join(names)}: see MA228")
    for each in facts.observations:
        # tf-keras may be missing for good, and reads little of what Keras 3 saves.
        idle = each.runtime == CURRENT and each.status is Status.UNAVAILABLE
        if idle or each.status in CUT_SHORT:
            raise NotApplicable(f"{runtime_name(each.runtime)}: {ENDED[each.status]}")
    runtime, condition = conditions(facts)
    if condition:
        raise NotApplicable(f"{runtime_name(runtime)} loads it if {condition}")
    first = next(iter(tried.values()))
    severity = rule.severity if facts.artifact.complete else Severity.MEDIUM
    if serving_loads(facts):  # only the installed runtimes refuse it
        severity = Severity.LOW
    cause = next(filter(None, (cause_of(facts, each) for each in tried.values())), None)
    more = "" if cause else other_obstacle(facts, first)
    target = first.target or facts.installed
    yield rule.finding(
        _nowhere([runtime_name(name) for name in tried])
        + (f": {cause.text}" if cause else "")
        + f". First error, from {first.call}: {_message(first)}"
        + (f" {more}." if more else ""),
        fix=with_repair(facts, target, cause.fix) if cause else "",
        evidence={
            "measured": {name: _message(each) for name, each in tried.items()},
            "versions": {name: dict(each.versions) for name, each in tried.items()},
        },
        severity=severity,
    )


def _nowhere(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"The model does not load in {names[0]}"
    return f"Neither {' nor '.join(names)} loads the model"


def _origin(facts: Facts) -> str:
    version = numbers(facts.artifact.provenance.keras or "")
    return "Saved by Keras 2: " if version[:1] == (2,) else ""


def _needs_legacy(rule: Rule, facts: Facts) -> Iterator[Finding]:
    tried = _tried(facts)
    current, legacy = tried.get(CURRENT), tried.get(LEGACY)
    if current is not None and current.status is Status.LOADED:
        return
    if current is None or legacy is None:
        raise NotApplicable("only one of Keras 3 and tf-keras was tried")
    if condition := lacked(facts, current):
        raise NotApplicable(f"{runtime_name(CURRENT)} loads it if {condition}")
    if legacy.refused:
        return  # only a session loads it, in both
    if current.status is Status.FAILED and legacy.status is Status.LOADED:
        more = other_obstacle(facts, current)  # the error may be about the file's suffix alone
        yield rule.finding(
            f"{_origin(facts)}Keras {current.versions.get('keras', '3')} rejects the model, "
            f"tf-keras {legacy.versions.get('tf-keras', '2')} loads it"
            f"{' with compile=False' if legacy.uncompiled else ''}."
            + (f" Keras' error is not the only obstacle. {more}." if more else ""),
            evidence={"measured": _message(current), "call": current.call},
            key=current.error_type,
            fix=with_repair(facts, current.target or facts.installed, rule.fix),
        )


def _uncallable(rule: Rule, facts: Facts) -> Iterator[Finding]:
    failed = [seen for seen in facts.observations if seen.uncallable]
    if not failed:
        if not any(seen.status is Status.LOADED for seen in facts.observations):
            raise NotApplicable("no runtime loaded the model")
        return
    if facts.behaviour is None:
        raise NotApplicable(
            f"undecidable without your own inputs: the call failed ({failed[0].uncallable}), but "
            "built-in inputs may be what the model does not accept"
        )
    first = failed[0]
    name, other = runtime_name(first.runtime), runtime_name(facts.behaviour.runtime)
    said = " ".join(first.uncallable.split())
    yield rule.finding(
        f"In {name}, the model loads, but cannot be called as it was saved: "
        f"{said[:QUOTED]}{' …' if len(said) > QUOTED else ''}. With {other}, the same file is called with "
        "inputs as saved without an error.",
        evidence={
            "measured": {seen.runtime: seen.uncallable for seen in failed},
            "works in": facts.behaviour.runtime,
            "versions": {seen.runtime: dict(seen.versions) for seen in facts.observations},
        },
        key=first.runtime,
        fix=with_repair(facts, first.target or facts.installed, rule.fix),
    )


def _loads_but_fails() -> Facts:
    facts = examples.observed(Status.LOADED, Status.LOADED)()
    first, second = facts.observations
    behaviour = examples_behaviour.sound_behaviour().behaviour
    assert behaviour is not None
    return replace(
        facts,
        observations=(replace(first, uncallable="'list' object has no attribute 'shape'"), second),
        behaviour=replace(behaviour, runtime=second.runtime),
    )


def _generation(rule: Rule, facts: Facts) -> Iterator[Finding]:
    architecture = facts.artifact.architecture
    assert architecture is not None
    if architecture.dialect == "keras1":
        yield rule.finding(
            "The saved architecture uses the Keras 1 dialect (version "
            f"{facts.artifact.provenance.keras or 'not stated'}).",
            evidence={"measured": architecture.dialect},
        )


def _keras1() -> Facts:
    facts = examples.healthy()
    artifact = facts.artifact
    assert artifact.architecture is not None
    old = replace(artifact.architecture, dialect="keras1")
    return replace(facts, artifact=replace(artifact, architecture=old))


def _versioned() -> Facts:
    facts = examples.healthy()
    return replace(facts, artifact=replace(facts.artifact, provenance=Provenance(keras="3.8.0")))


RULES = (
    Rule(
        code="MA201",
        name="version-unknown",
        family=Family.COMPATIBILITY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The file does not say which version saved it",
        pass_title="The file says which version saved it",
        why="Without a version, compatibility can only be inferred from the content.",
        fix="Record the version next to the model when you save it.",
        check=_version_unknown,
        bad=examples.healthy,
        good=_versioned,
    ),
    Rule(
        code="MA202",
        name="keras1-dialect",
        family=Family.COMPATIBILITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARCHITECTURE,),
        summary="The architecture uses the Keras 1 dialect",
        pass_title="The architecture uses a dialect that current loaders support",
        why="Keras 3 and tf-keras support neither the class names nor the arguments of Keras 1.",
        fix="Load it with Keras 1 or 2.0, which translates the config, and save it again from "
        "there.",
        check=_generation,
        bad=_keras1,
        good=examples.healthy,
    ),
    Rule(
        code="MA210",
        name="does-not-load",
        family=Family.COMPATIBILITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="The model loads in none of the tested runtimes",
        pass_title="The model loads in at least one tested runtime",
        why="The model cannot be used with the TensorFlow and Keras installed here.",
        fix="The error message gives the reason. Custom classes need `custom_objects`; old files "
        "need the TensorFlow version that wrote them.",
        check=_loads_nowhere,
        bad=examples.observed(Status.FAILED, Status.FAILED, error="Unknown layer"),
        good=examples.observed(Status.LOADED),
    ),
    Rule(
        code="MA211",
        name="needs-legacy-keras",
        family=Family.COMPATIBILITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="Keras 3 rejects the model; tf-keras (Keras 2) loads it",
        pass_title="Keras 3 loads the model",
        why="Code that calls `keras.models.load_model` stops with an error after an upgrade to "
        "TensorFlow 2.16 or newer.",
        fix="Load it with tf-keras (`pip install tf-keras`), which is Keras 2.\n\n"
        "    import os\n"
        '    os.environ["TF_USE_LEGACY_KERAS"] = "1"  # before importing tensorflow\n'
        "    import tf_keras\n"
        '    model = tf_keras.models.load_model("MODEL", compile=False)',
        check=_needs_legacy,
        bad=examples.observed(Status.FAILED, Status.LOADED, error="Unrecognized keyword"),
        good=examples.observed(Status.LOADED, Status.LOADED),
    ),
    Rule(
        code="MA212",
        name="loads-but-cannot-be-called",
        family=Family.COMPATIBILITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="A runtime loads the model, but cannot call it; another one can",
        pass_title="Every runtime that loads the model can call it",
        why="`load_model` raises no error, so a test that only loads the model passes. The first "
        "prediction fails. Keras 3, for example, passes the output of a model of Keras 2 inside "
        "another one as a list, and restores an early Sequential model with an axis too many.",
        fix="Use the runtime that calls the model. tf-keras (`pip install tf-keras`) is Keras 2.\n\n"
        "    import os\n"
        '    os.environ["TF_USE_LEGACY_KERAS"] = "1"  # before importing tensorflow\n'
        "    import tf_keras\n"
        '    model = tf_keras.models.load_model("MODEL", compile=False)',
        check=_uncallable,
        bad=_loads_but_fails,
        good=examples.observed(Status.LOADED),
    ),
)
