"""MA6xx: the model's behaviour on probe inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.behaviour import Collapse
from modelaudit.audit_types.loading import Status
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.behaviour.collapse import bits_limit
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.protocol import runtime_name
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.model import (
    Facts,
    Family,
    Limit,
    Need,
    NotApplicable,
    NotRelevant,
    Rule,
)
from modelaudit.settings import TRANSFORMS
from modelaudit.thresholds.answers import (
    CONSTANT,
    DEAD,
    SATURATED,
    STEADY,
    TOP_SHARE,
)
from modelaudit.thresholds.flips import SENSITIVE
from modelaudit.thresholds.texts import TEXTS_ALIKE

ENDINGS = {
    Status.CRASHED: "crashed the process",
    Status.TIMEOUT: "did not finish in the time allowed",
    Status.MEMORY: "used more memory than allowed",
    Status.DISK: "wrote more to its private directory than allowed",
}


def _behaviour(facts: Facts) -> Behaviour:
    assert facts.behaviour is not None
    return facts.behaviour


def _unfinished(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for each in facts.observations:
        if each.status in ENDINGS:
            signal = f" (signal {each.signal})" if each.signal else ""
            timed = each.status is Status.TIMEOUT and each.error
            why = f": {each.error}" if timed else signal
            yield rule.finding(
                f"In {runtime_name(each.runtime)}, loading the model"
                f"{f' with {each.call}' if each.call else ''} and running it "
                f"{ENDINGS[each.status]}{why}.",
                evidence={"measured": each.status.value, "signal": each.signal, "log": each.log},
                key=f"{each.runtime}/{each.status.value}",
            )


def made_up(behaviour: Behaviour) -> str:
    """`made-up ` before the word inputs, if they are not the user's."""
    return "" if behaviour.inputs.kind == "user" else "made-up "


def unless_made_up(behaviour: Behaviour) -> Severity | None:
    """Medium for made-up inputs, which need not be like those that the model is for."""
    return Severity.MEDIUM if made_up(behaviour) else None


def _beside_the_data(facts: Facts) -> bool:
    """Whether made-up inputs may all be unlike those that the model is for.

    They can be unknown to a lookup, or all in one of the bins. Rows and series have no usual scale,
    and where the output depends on larger ones, the model may be for these.
    """
    seen = _behaviour(facts)
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    looks_up = Trait.CATEGORIES | Trait.VOCABULARY
    known = any(has(layer.class_name, looks_up) for layer in layers)
    grown = any((each.collapse.larger or 0.0) > STEADY.value for each in seen.outputs)
    return bool(made_up(seen)) and (known or (grown and not facts.words.oriented))


def constant(seen: Collapse) -> bool:
    """Whether an output differs by rounding only, and not because it is saturated or 0."""
    still = seen.spread <= CONSTANT.value and (seen.unusual or 0.0) <= STEADY.value
    return still and seen.at_bound < SATURATED.value


def steady(seen: Collapse) -> bool:
    """Whether an output hardly differs for inputs on larger scales, or texts of other kinds, either."""
    if seen.texts is not None:
        return seen.texts <= TEXTS_ALIKE.value
    return seen.larger is not None and max(seen.larger, seen.unusual or 0.0) <= STEADY.value


def _confirmed(behaviour: Behaviour) -> bool:
    """Something inside the model also indicates that the output is constant."""
    states = [output.collapse for output in behaviour.outputs if output.collapse.collapsed]
    if any(constant(state) or steady(state) for state in states):
        return True
    dead = any(share >= DEAD.value for share in behaviour.dead.values())
    centred = behaviour.interventions.get("centre_head_bias")
    return dead or (centred is not None and centred.responsible is True)


def _collapsed(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    unsure = made_up(behaviour) and not _confirmed(behaviour)
    if unsure and any(output.collapse.collapsed for output in behaviour.outputs):
        raise NotApplicable(
            "undecidable without your own inputs (--probe-data): the output is nearly the same for "
            "all built-in inputs, which can be correct for inputs without meaning"
        )
    others = any(not output.collapse.collapsed for output in behaviour.outputs)
    for output in behaviour.outputs:
        seen = output.collapse
        if not seen.collapsed:
            continue
        share = (
            f" Class {seen.top_class} (counted from 0) is predicted for {seen.top_share:.0%} of "
            "them."
            if (seen.top_share is not None and seen.top_class is not None)
            else ""
        )
        pixels = output.domain.get("*255", 0.0)
        other = ""
        # On any larger scale, features outweigh a bias that dominates them.
        biased = behaviour.interventions.get("centre_head_bias")
        by_bias = biased is not None and biased.responsible is True
        if seen.classes and pixels >= bits_limit(seen.classes) and not by_bias:
            other = f" Multiplied by 255, they get different outputs ({pixels:.2f} bits)."
        text = f"Output `{output.name}` is the same, or nearly the same,"
        if constant(seen):
            text = f"Output `{output.name}` is the same but for rounding"
        if seen.information is not None and (seen.top_share or 1.0) <= TOP_SHARE.value:
            room = f"{math.log2(seen.classes):.2f} " if seen.classes else ""
            text = (
                f"Output `{output.name}` hardly depends on the input: it carries "
                f"{seen.information:.2g} of {room}bits"
            )
        if seen.larger is not None and steady(seen):
            other += (
                f" Over these inputs and the same ones 30 and 1,000 times as large it varies by "
                f"{seen.larger:.2g} of its scale."
            )
        if seen.texts is not None and steady(seen):
            other += (
                " Texts of one token and short ones, padded before or behind, change the odds of no "
                f"class by more than {math.expm1(seen.texts):.1%} either."
            )
        yield rule.finding(
            f"{text} for {behaviour.inputs.n} different {made_up(behaviour)}inputs.{share}{other}"
            + (" Other outputs depend on the input." if others else ""),
            route=output.name,
            title="The output is the same for all made-up inputs" if made_up(behaviour) else "",
            # One of several outputs may be a constant by design, such as a number of boxes.
            severity=Severity.LOW
            if (others and made_up(behaviour)) or _beside_the_data(facts)
            else unless_made_up(behaviour),
            evidence={
                "measured": seen.information if seen.information is not None else seen.spread,
                "unit": (
                    "bits of information about the input"
                    if seen.information is not None
                    else "as relative spread over the inputs"
                ),
                "classes": seen.classes,
                "top_share": seen.top_share,
                "larger": seen.larger,
                "n": behaviour.inputs.n,
            },
        )


def _sensitive(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    if behaviour.inputs.kind != "user":
        raise NotApplicable(
            f"undecidable without {facts.words.many}: pass 64 or more with --probe-data"
        )
    causes = facts.diagnosis.causes if facts.diagnosis else ()
    if any(cause.cause == "orientation-mismatch" for cause in causes):
        raise NotRelevant("the images have another orientation than in training (MA603)")
    limit = rule.threshold(facts)
    for output in behaviour.outputs:
        if output.collapse.collapsed:
            continue
        for effect in output.transforms:
            mirrored = effect.name in {"H", "flip"}
            if mirrored and effect.nfv is not None and effect.nfv >= limit:
                changed = (
                    f": {1 - effect.agreement:.0%} of the predictions change"
                    if effect.agreement is not None
                    else ""
                )
                yield rule.finding(
                    f"When inputs are {TRANSFORMS[effect.name]}, output `{output.name}` changes "
                    f"{effect.nfv:.2g} times as much as from one input to another{changed}.",
                    route=output.name,
                    evidence={
                        "measured": effect.nfv,
                        "unit": "times the change from one input to another",
                        "threshold": limit,
                        "n": effect.n,
                        "agreement": effect.agreement,
                        "agreement_ci": list(effect.agreement_ci or ()),
                        "kappa": effect.kappa,
                    },
                    key=effect.name,
                )


def _dead(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    if not behaviour.dead:
        raise NotApplicable("the inner activations of this model cannot be read")
    limit, inputs = rule.threshold(facts), f"{made_up(behaviour)}input"
    for route, share in behaviour.dead.items():
        if share >= limit:
            yield rule.finding(
                f"No channel of `{route}` is active for any {inputs}: the layers after it receive a "
                "constant."
                if share >= DEAD.value
                else f"{share:.0%} of the channels of `{route}` are not active for any {inputs}.",
                route=route,
                evidence={
                    "measured": share,
                    "unit": "of the channels (as a share)",
                    "threshold": limit,
                    "n": behaviour.inputs.n,
                },
                title="All channels of a layer are inactive for every made-up input"
                if made_up(behaviour)
                else "",
                severity=Severity.LOW if _beside_the_data(facts) else unless_made_up(behaviour),
            )


RULES = (
    Rule(
        code="MA601",
        name="probe-unfinished",
        family=Family.BEHAVIOUR,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="The model run crashed, timed out or exceeded a resource limit",
        pass_title="Every model run finished",
        why="The model was run in its own process, so nothing else was affected. In production it "
        "could have taken the server down.",
        fix="Read the log below. Raise `--timeout` or `--memory` if the model is legitimate and "
        "large. If the machine was busy, audit the model again, with fewer workers.",
        check=_unfinished,
        bad=examples.observed(Status.CRASHED),
        good=examples.observed(Status.LOADED),
    ),
    Rule(
        code="MA602",
        name="collapsed-output",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.BEHAVIOUR,),
        summary="The output does not depend on the input",
        pass_title="The output depends on the input",
        why="A model that predicts the same for every input is useless, and a test on a few inputs "
        "of one class does not notice it.",
        fix="Find out what makes the output constant: weights that were not restored, a layer that "
        "is never active, a bias that dominates everything else, or inputs that are scaled "
        "differently than in training.",
        check=_collapsed,
        bad=examples_behaviour.collapsed,
        good=examples_behaviour.sound_behaviour,
    ),
    Rule(
        code="MA604",
        name="flip-sensitive-output",
        family=Family.BEHAVIOUR,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.SIDES, Need.BEHAVIOUR, Need.DIAGNOSIS),
        summary="Mirroring the input changes the output considerably",
        pass_title="Mirroring the input changes the output little",
        why="If a mirrored input should mean the same, the model is biased towards the orientation "
        "of its training data. If it means something else (digits, text, left and right), this "
        "behaviour is correct.",
        fix="First decide whether a mirrored input should give the same output. If it should, "
        "train with mirrored images, using a layer that is not saved with the model:\n\n"
        "    import keras  # of a model that needs Keras 2: import tf_keras as keras\n"
        '    flip = keras.layers.RandomFlip("horizontal")\n'
        "    training = keras.Sequential([keras.Input(model.input_shape[1:]), flip, model])\n\n"
        "Compile and fit `training`, then save `model`.",
        check=_sensitive,
        limit=Limit(SENSITIVE.value, 0.001, 10.0, SENSITIVE.unit),
        bad=examples_behaviour.flip_sensitive,
        good=examples_behaviour.sound_behaviour,
    ),
    Rule(
        code="MA606",
        name="dead-layer",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.BEHAVIOUR,),
        summary="All channels of a layer are inactive for every input",
        pass_title="No layer is dead",
        why="The layers after a dead layer receive a constant. If no other way leads around it, the "
        "output is constant too.",
        fix="Check the bias of that layer and the batch normalization around it. Restore a "
        "checkpoint from before the layer died.",
        check=_dead,
        limit=Limit(DEAD.value, 0.01, 1.0, DEAD.unit),
        bad=examples_behaviour.dead,
        good=examples_behaviour.sound_behaviour,
    ),
)
