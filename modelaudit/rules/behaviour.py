"""MA6xx: what the model does when it is run on probe inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.behaviour.orientation import GAIN, MIN_INPUTS, understood_better
from modelaudit.measures.kernels.batchnorm import off_scale
from modelaudit.measures.summary import BatchNormFit, Behaviour, OutputBehaviour
from modelaudit.probe.protocol import Status, runtime_name
from modelaudit.rules import examples
from modelaudit.rules import examples_behaviour as made
from modelaudit.rules.model import (
    DoesNotArise,
    Facts,
    Family,
    Limit,
    Need,
    NotApplicable,
    Rule,
)
from modelaudit.settings import TRANSFORMS

SAME_ACCURACY = 0.02  # gain on labels under which they do not confirm another orientation
SENSITIVE = 0.20  # NFV over which a flip matters as much as a fifth of another input
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
            yield rule.finding(
                f"Running the model by {each.call or 'its loader'} in {runtime_name(each.runtime)} "
                f"{ENDINGS[each.status]}{signal}.",
                evidence={"measured": each.status.value, "signal": each.signal, "log": each.log},
                key=f"{each.runtime}/{each.status.value}",
            )


def _confirmed(behaviour: Behaviour) -> bool:
    """Something inside the model says, too, that the output is constant."""
    dead = any(share >= 1.0 for share in behaviour.dead.values())
    bias = behaviour.interventions.get("centre_head_bias", {}).get("responsible")
    return dead or bias is True


def _collapsed(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    made_up = behaviour.inputs.kind != "user" and not _confirmed(behaviour)
    if made_up and any(output.collapse.collapsed for output in behaviour.outputs):
        raise NotApplicable(
            "undecidable without inputs of your own (--probe-data): the answer to all built-in "
            "inputs is nearly the same, which may be right for inputs that mean nothing"
        )
    for output in behaviour.outputs:
        seen = output.collapse
        if not seen.collapsed:
            continue
        share = (
            f" Class {seen.top_class}, counting from 0, is the answer for {seen.top_share:.0%} of "
            "them."
            if (seen.top_share is not None and seen.top_class is not None)
            else ""
        )
        yield rule.finding(
            f"Output {output.name} is (nearly) the same for {behaviour.inputs.n} different inputs."
            f"{share}",
            route=output.name,
            evidence={
                "measured": seen.information if seen.information is not None else seen.spread,
                "unit": (
                    "bits of information about the input"
                    if seen.information is not None
                    else "as relative spread over the inputs"
                ),
                "classes": seen.classes,
                "top_share": seen.top_share,
                "n": behaviour.inputs.n,
            },
        )


def best_orientation(
    output: OutputBehaviour, fits: Sequence[BatchNormFit] = ()
) -> tuple[str, float, float] | None:
    """(transform, its bits, bits as given) of the orientation that the model was made for.

    None where the orientation given is as good as any, where classes are not known, or where the
    inputs are on another scale than in training, by `fits` of the batch normalisations.
    """
    classes, profile, labelled = output.collapse.classes, output.orientation, output.accuracy
    if not classes or classes < 3 or "e" not in profile:
        return None
    given, room = profile["e"], math.log2(classes)
    better = understood_better(profile, given, room, output.orientation_ci)
    best = next(iter(better), None)  # transforms are listed in order of simplicity
    if best is None or off_scale(fits, best):
        return None
    if labelled.get(best, 1.0) < labelled.get("e", 0.0) + SAME_ACCURACY:
        return None
    return best, profile[best], given


def _orientation(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    if behaviour.inputs.kind != "user":
        raise NotApplicable("undecidable without images: give 64 or more by --probe-data")
    if behaviour.inputs.n < MIN_INPUTS:
        raise NotApplicable(f"{behaviour.inputs.n} images are too few: give 64 by --probe-data")
    for output in behaviour.outputs:
        found = best_orientation(output, behaviour.batchnorm)
        if found:
            best, bits, given = found
            words, scores = TRANSFORMS.get(best, best), output.accuracy
            right = (
                f"{scores[best]:.0%} of its answers are right like that, {scores['e']:.0%} as given"
                if best in scores and "e" in scores
                else f"its answers ({output.name}) say {bits:.2f} bits about them like that, "
                f"{given:.2f} as given, of {math.log2(output.collapse.classes or 1):.2f} possible"
            )
            yield rule.finding(
                f"The model expects images {words} compared with those it gets: {right}.",
                route=output.name,
                evidence={
                    "measured": bits - given,
                    "unit": "bits more than with the input as given",
                    "threshold": GAIN,
                    "n": behaviour.inputs.n,
                    "profile": dict(output.orientation),
                },
                key=best,
            )


def _sensitive(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    if behaviour.inputs.kind != "user":
        raise NotApplicable("undecidable without images: give 64 or more by --probe-data")
    if any(best_orientation(output, behaviour.batchnorm) for output in behaviour.outputs):
        raise DoesNotArise("the images come in another orientation than in training (MA603)")
    limit = rule.threshold(facts)
    for output in behaviour.outputs:
        if output.collapse.collapsed:
            continue
        for effect in output.transforms:
            mirrored = effect.name in {"H", "flip"}
            if mirrored and effect.nfv is not None and effect.nfv >= limit:
                changed = (
                    f": {1 - effect.agreement:.0%} of the answers change"
                    if effect.agreement is not None
                    else ""
                )
                yield rule.finding(
                    f"When inputs are {TRANSFORMS[effect.name]}, output {output.name} moves "
                    f"{effect.nfv:.2g} times as far as from one input to another{changed}.",
                    route=output.name,
                    evidence={
                        "measured": effect.nfv,
                        "unit": "times what another input changes",
                        "threshold": limit,
                        "n": effect.n,
                        "agreement": effect.agreement,
                        "agreement_ci": list(effect.agreement_ci or ()),
                        "kappa": effect.kappa,
                    },
                    key=effect.name,
                )


def _nondeterministic(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    if not behaviour.deterministic:
        yield rule.finding(
            "The same inputs give different outputs when they are fed twice (largest difference "
            f"{behaviour.noise_floor:.3g}).",
            evidence={
                "measured": behaviour.noise_floor,
                "unit": "as largest difference between two runs on the same input",
                "n": behaviour.inputs.n,
            },
        )


def _dead(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = _behaviour(facts)
    if not behaviour.dead:
        raise NotApplicable("inner activations cannot be read from this model")
    limit = rule.threshold(facts)
    for route, share in behaviour.dead.items():
        if share >= limit:
            yield rule.finding(
                f"No channel of {route} is ever active, whatever the input: everything behind it "
                "sees a constant."
                if share >= 1.0
                else f"{share:.0%} of the channels of {route} are never active, whatever the input.",
                route=route,
                evidence={
                    "measured": share,
                    "unit": "of the channels (as a share)",
                    "threshold": limit,
                    "n": behaviour.inputs.n,
                },
            )


RULES = (
    Rule(
        code="MA601",
        name="probe-unfinished",
        family=Family.BEHAVIOUR,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="Running the model ended in a crash, a timeout or out of memory",
        pass_title="Every attempt to run the model came to an end",
        why="The model was run in a process of its own, so nothing else was harmed. In production "
        "it would have taken its server down.",
        fix="Look at the log below. Raise `--timeout` or `--memory` if the model is honest and "
        "large.",
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
        why="A model that answers the same for everything is useless, and a test on a few inputs "
        "of one class does not notice.",
        fix="Find out what makes it constant: weights that were not restored, a layer that is never "
        "active, a bias that drowns the rest, or inputs on another scale than in training.",
        check=_collapsed,
        bad=made.collapsed,
        good=made.lively,
    ),
    Rule(
        code="MA603",
        name="orientation-mismatch",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.BEHAVIOUR,),
        summary="The model understands the images only in another orientation",
        pass_title="No other orientation of the images is understood better",
        why="Images reach the model mirrored or turned against those it was trained on, so it "
        "answers badly, or always the same.",
        fix="Compare how training and serving decode images (camera mounting, EXIF rotation, "
        "width and height order). Undo the difference before the model, not inside it.",
        check=_orientation,
        bad=made.wrong_way_round,
        good=made.lively,
    ),
    Rule(
        code="MA604",
        name="flip-sensitive-output",
        family=Family.BEHAVIOUR,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.BEHAVIOUR,),
        summary="Mirroring the input changes the output a lot",
        pass_title="Mirroring the input changes the output little",
        why="If a mirrored input means the same to you, the model is biased to the orientation of "
        "its training data. If it means something else (digits, text, left and right), this is "
        "right.",
        fix="Ask first whether a mirrored input should get the same answer. If so, train with "
        "mirrored images, by a layer that is not saved with the model:\n\n"
        "    import keras  # of a model that needs Keras 2: import tf_keras as keras\n"
        '    flip = keras.layers.RandomFlip("horizontal")\n'
        "    training = keras.Sequential([keras.Input(model.input_shape[1:]), flip, model])\n\n"
        "Compile and fit `training`, then save `model`.",
        check=_sensitive,
        limit=Limit(SENSITIVE, 0.001, 10.0, "times what another input changes"),
        bad=made.flip_sensitive,
        good=made.lively,
    ),
    Rule(
        code="MA605",
        name="nondeterministic-output",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.BEHAVIOUR,),
        summary="The same input gives different outputs",
        pass_title="The same input gives the same output",
        why="A layer behaves as in training (dropout, noise, batch statistics) or draws at random, "
        "so no single answer can be trusted.",
        fix="Look for `training=True` in the saved calls and for random layers, and rebuild the "
        "model without. `model.export` of Keras 3 leaves layers that augment at random at work: "
        "export a call with `training=False` by `keras.export.ExportArchive`.",
        check=_nondeterministic,
        bad=made.noisy,
        good=made.lively,
    ),
    Rule(
        code="MA606",
        name="dead-layer",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.BEHAVIOUR,),
        summary="A whole layer never becomes active",
        pass_title="No layer is dead",
        why="Everything behind a dead layer sees a constant, so the output is constant too.",
        fix="Look at the bias of that layer and at the batch normalisation around it; restore the "
        "checkpoint from before the values went away.",
        check=_dead,
        limit=Limit(1.0, 0.01, 1.0, "as share of a layer's channels"),
        bad=made.dead,
        good=made.lively,
    ),
)
