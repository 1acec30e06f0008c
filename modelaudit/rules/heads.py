"""MA305 to MA308: outputs that are constant by construction or that do not suit their loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.rules import examples
from modelaudit.rules.compiled_losses import (
    BINARY,
    CompiledLoss,
    compiled_losses,
)
from modelaudit.rules.loss_mismatches import MISMATCHES, PROBABILITIES
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network_heads import HeadStep, NetworkHead, output_heads
from modelaudit.structs import replace

Paired = tuple[NetworkHead, CompiledLoss | None]


def _heads(facts: Facts) -> list[Paired]:
    """The heads of the outputs, each with its compiled loss.

    Raises:
        NotApplicable: no output is computed in a known way.
    """
    architecture = facts.artifact.architecture
    assert architecture is not None
    graph = layer_graph(architecture)
    names = [route.rpartition("/")[2] for route in architecture.outputs]
    losses = compiled_losses(facts.artifact.training, names)
    by_route = dict(zip(graph.outputs, losses, strict=False))
    if len(graph.outputs) != len(names):
        by_route = {}  # an inner model has several outputs
    found = [(head, by_route.get(head.route)) for head in output_heads(graph)]
    if not found:
        raise NotApplicable("no output is computed by layers whose effect is known")
    return found


def _compiled(facts: Facts) -> list[tuple[NetworkHead, CompiledLoss]]:
    found = [(head, loss) for head, loss in _heads(facts) if loss is not None]
    if not found:
        raise NotRelevant("the model was saved without a loss of Keras")
    return found


def _over_one_value(head: NetworkHead, step: HeadStep) -> bool:
    """Whether a step normalises over an axis of size 1, which gives a constant."""
    if head.units != 1:
        return False
    if step.activation in {"softmax", "log_softmax"}:
        return step.axis == -1
    # Without its mean, a single value is 0. Other normalisations keep the sign.
    return step.layer.class_name == "LayerNormalization"


def _constant(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for head, _ in _heads(facts):
        step = next((each for each in head.steps if _over_one_value(head, each)), None)
        if step is None:
            continue
        softmax = step.activation == "softmax"
        what = "softmax" if softmax else step.activation or step.layer.class_name
        value = "1" if softmax else "the same value"
        yield rule.finding(
            f"{step.layer.route} applies {what} to a single value, which gives {value} for every "
            "input.",
            route=step.layer.route,
            evidence={"measured": head.units, "unit": "units", "activation": what},
            key=head.route,
            fix=_one_unit_fix(step) if softmax else "",
        )


def _one_unit_fix(step: HeadStep) -> str:
    name = step.layer.name
    return (
        "For two classes, use one unit with a sigmoid. If binary_crossentropy trained it, its "
        "weights may be kept; otherwise, train again:\n"
        f'keras.layers.Dense(1, activation="sigmoid", name={name!r})\n'
        'model.compile(loss="binary_crossentropy", metrics=["accuracy"])\n'
        'For K exclusive classes, use Dense(K, activation="softmax").'
    )


def _unsuited(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for head, loss in _compiled(facts):
        found = next((each for each in MISMATCHES if each.applies(head, loss)), None)
        if found is None:
            continue
        suited = "sigmoid" if loss.name in BINARY else "softmax"
        words = {"loss": loss.name, "last": head.last, "suited": suited}
        yield rule.finding(
            f"{head.route}: {found.detail.format(**words)}",
            route=head.route,
            evidence={
                "loss": loss.name,
                "from_logits": loss.from_logits,
                "activation": head.last,
                "units": head.units,
            },
            key=head.route,
            severity=found.severity,
            fix=found.fix.format(**words),
        )


def _repeated(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for head, _ in _heads(facts):
        squashed = [each for each in head.activations if each.activation in PROBABILITIES]
        if len(squashed) < 2 or any(_over_one_value(head, each) for each in squashed):
            continue
        first, second = squashed[:2]
        # The results are largest for a first result of 1 for one class and 0 for the others.
        if second.activation == "sigmoid":
            limits = "All results are between 0.5 and 0.73."
        elif head.units:
            limits = f"None of the {head.units} classes gets more than {_largest(head.units):.0%}."
        else:
            limits = "All classes get similar probabilities."
        yield rule.finding(
            f"{second.layer.route} applies {second.activation} to the {first.activation} of "
            f"{first.layer.route}. {limits}",
            route=second.layer.route,
            evidence={"measured": [first.activation, second.activation], "units": head.units},
            key=head.route,
        )


def _largest(classes: int) -> float:
    """The largest value of a softmax over values from 0 to 1."""
    return math.e / (math.e + classes - 1)


def _behind(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for head, _ in _heads(facts):
        seen = ""
        for step in head.steps:
            if step.activation in PROBABILITIES:
                seen = step.activation
                continue
            name = step.layer.class_name
            normalises = has(name, Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION)
            if seen and (normalises or has(name, Trait.DROPOUT)):
                yield rule.finding(
                    f"{step.layer.route} ({name}) follows the {seen} of the output: "
                    + (
                        "its results are no probabilities."
                        if normalises
                        else "in training it sets probabilities to 0 at random."
                    ),
                    route=step.layer.route,
                    evidence={"class": name, "activation": seen},
                    key=step.layer.route,
                    severity=Severity.MEDIUM if normalises else Severity.LOW,
                )


def _example(
    activation: str, loss: Json, units: int = 10, *behind: tuple[str, dict[str, Json]]
) -> Callable[[], Facts]:
    """A Dense layer, the layers behind it, and a loss."""
    config: dict[str, Json] = {"units": units, "activation": activation}
    layers = [examples.layer("head", config=config)]
    for index, (name, more) in enumerate(behind):
        before = layers[-1].route
        layers.append(examples.layer(f"behind_{index}", name, {}, more, inbound=((before,),)))
    training: dict[str, Json] = {"loss": loss}
    return lambda: Facts(replace(examples.model(*layers), training=training))


_SOUND = _example("softmax", "sparse_categorical_crossentropy")
_NEEDS = (Need.ARCHITECTURE,)

RULES = (
    Rule(
        code="MA305",
        name="constant-output",
        family=Family.ARCHITECTURE,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="The output is the same for every input, whatever the weights",
        pass_title="No output is constant by construction",
        why="A softmax divides by the sum over the classes. With one class, that is division by "
        "itself: the model predicts 1 for every input. The weights may be sound, because Keras' "
        "binary_crossentropy trains the score before the softmax; other losses leave them "
        "untrained.",
        fix="For two classes, use one unit with a sigmoid; for K exclusive classes, K units with a "
        "softmax. A head that was trained with binary_crossentropy can keep its weights; "
        "otherwise, train again.",
        check=_constant,
        bad=_example("softmax", "binary_crossentropy", 1),
        good=_example("sigmoid", "binary_crossentropy", 1),
    ),
    Rule(
        code="MA306",
        name="loss-unsuited-to-output",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="The compiled loss expects other values than the output gives",
        pass_title="Every compiled loss suits its output",
        why="Such a model trains without an error, but its gradients vanish or point elsewhere, so "
        "it often ends with one answer for every input.",
        fix="Choose the activation of the last layer and the loss together, then train again.",
        check=_unsuited,
        bad=_example("relu", "binary_crossentropy", 1),
        good=_SOUND,
    ),
    Rule(
        code="MA307",
        name="repeated-output-activation",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="A softmax or sigmoid is applied to probabilities",
        pass_title="No softmax or sigmoid is applied twice",
        why="The second one makes all classes nearly equally likely. Confident predictions are "
        "impossible, and gradients are small.",
        fix="Remove one of them, then train again.",
        check=_repeated,
        bad=_example("softmax", "categorical_crossentropy", 10, ("Softmax", {})),
        good=_SOUND,
    ),
    Rule(
        code="MA308",
        name="layer-behind-output-activation",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="A layer behind the last activation changes the probabilities",
        pass_title="Nothing changes the probabilities behind the last activation",
        why="Normalised probabilities are no probabilities, and dropped ones are wrong: the loss "
        "judges something else than the model predicts.",
        fix="Move the layer before the last layer with weights, then train again.",
        check=_behind,
        bad=_example("softmax", "categorical_crossentropy", 10, ("BatchNormalization", {})),
        good=_SOUND,
    ),
)
