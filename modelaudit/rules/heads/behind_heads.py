"""MA308: layers behind the activation of an output."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    CATEGORICAL,
    CROSS_ENTROPIES,
    DISTANCES,
    KNOWN,
    SPARSE,
    CompiledLoss,
)
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.optimizer_state import never_stepped
from modelaudit.rules.assumed_parts import with_outputs
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.heads.last_layers import heads_of_layers, paired_heads
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import NetworkHead
from modelaudit.rules.network.value_ranges import head_range
from modelaudit.structs import replace

_RANDOM = Trait.DROPOUT | Trait.NOISE


def _behind(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for head, loss in (*paired_heads(facts), *_only_in_config(facts)):
        yield from _last_dropped(rule, head, loss)
        yield from _dropped_scores(rule, head, loss)
        seen = ""
        for step in head.steps:
            if step.activation in PROBABILITIES:
                seen = step.activation
                continue
            name = step.layer.class_name
            normalises = has(name, Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION)
            sizes = [step.layer.config.get(key) for key in ("rate", "stddev")]
            random = has(name, _RANDOM) and 0 not in sizes
            if seen and (normalises or random):
                yield rule.finding(
                    f"`{step.layer.route}` ({name}) follows the {seen} of the output: "
                    + (
                        "its results are no probabilities."
                        if normalises
                        else "in training it changes at random"
                        + (
                            f" the probabilities that {loss.name} judges."
                            if loss and _of_probabilities(loss)
                            else " probabilities."
                        )
                    ),
                    route=step.layer.route,
                    evidence={"class": name, "activation": seen},
                    key=step.layer.route,
                    # Without such a loss, a sigmoid need not be meant as probabilities.
                    severity=Severity.HIGH
                    if has(name, Trait.BATCH_NORMALISATION)
                    and _of_many_classes(head, loss)
                    and not never_stepped(facts.artifact)
                    else Severity.MEDIUM
                    if (normalises and seen == "softmax") or (loss and _of_probabilities(loss))
                    else Severity.LOW,
                    fix=f"Move `{step.layer.name}` before `{head.weights.name}`, then train again.",
                )
            elif seen and step.activation == "relu" and _passes_shares(step.layer):
                yield rule.finding(
                    f"`{step.layer.route}` (relu) follows the {seen} of the output and changes "
                    "nothing: no probability is negative.",
                    route=step.layer.route,
                    evidence={"class": name, "activation": seen},
                    key=step.layer.route,
                    severity=Severity.INFO,
                    fix=f"Nothing. Without `{step.layer.name}` the model answers the same.",
                )
            elif seen == "softmax" and name.startswith(("GlobalMax", "MaxPooling")):
                yield rule.finding(
                    f"`{step.layer.route}` ({name}) takes the largest value at any position of each "
                    "class: the probabilities of the classes no longer add up to 1.",
                    route=step.layer.route,
                    evidence={"class": name, "activation": seen},
                    key=step.layer.route,
                    severity=Severity.LOW,
                    fix="Pool the scores, then apply the softmax, and train again.",
                )
            elif (
                seen
                and _scales(step.layer)
                and loss
                and _of_probabilities(loss)
                and not _still_shares(head)
            ):
                yield rule.finding(
                    f"`{step.layer.route}` scales the {seen} of the output: its results are no "
                    f"probabilities, which {loss.name} expects.",
                    route=step.layer.route,
                    evidence={"class": name, "activation": seen, "loss": loss.name},
                    key=step.layer.route,
                    fix=f"Remove `{step.layer.name}`, then train again.",
                )


def _only_in_config(facts: Facts) -> Iterator[tuple[NetworkHead, CompiledLoss | None]]:
    """Heads of a class whose graph is in the file, with layers that act in training only."""
    architecture = facts.artifact.architecture
    if architecture is None or not architecture.outputs or with_outputs(facts.artifact):
        return
    for head, loss in heads_of_layers(facts, architecture):
        kept = [x for x in head.steps if not has(x.layer.class_name, Trait.BATCH_NORMALISATION)]
        if any(has(each.layer.class_name, _RANDOM) for each in kept):
            yield replace(head, steps=tuple(kept)), loss


def _last_dropped(rule: Rule, head: NetworkHead, loss: CompiledLoss | None) -> Iterator[Finding]:
    """Dropout or a batch normalization as the last layer behind scores or numbers."""
    step = head.steps[-1]
    if loss is None or head.last in PROBABILITIES:
        return
    name, severity, instead = step.layer.class_name, rule.severity, ""
    if has(name, Trait.BATCH_NORMALISATION) and loss.name in DISTANCES:
        does = f"every number that {loss.name} judges depends on the others of its batch"
        severity, instead = Severity.LOW, " scale the targets instead,"
    elif has(name, Trait.DROPOUT) and step.layer.config.get("rate") != 0:
        does = f"it changes at random what {loss.name} judges"
        if loss.name not in KNOWN:
            severity = Severity.LOW  # contrastive losses may need it, as that of SimCSE
    else:
        return
    yield rule.finding(
        f"`{step.layer.route}` ({name}) is the last layer: in training {does}.",
        route=step.layer.route,
        evidence={"class": name, "activation": head.last, "loss": loss.name},
        key=step.layer.route,
        severity=severity,
        fix=f"Move `{step.layer.name}` before `{head.weights.name}`,{instead} "
        f"{'and ' if instead else 'then '}train again.",
    )


def _dropped_scores(rule: Rule, head: NetworkHead, loss: CompiledLoss | None) -> Iterator[Finding]:
    """Dropout of the scores that a layer of its own turns into probabilities.

    Of scores that have an activation already, MA307 says more.
    """
    for step, after in itertools.pairwise(head.steps):
        if step.activation not in {"", "linear"}:
            return
        name = step.layer.class_name
        dropped = has(name, Trait.DROPOUT) and step.layer.config.get("rate") != 0
        if dropped and after.activation in PROBABILITIES:
            yield rule.finding(
                f"`{step.layer.route}` ({name}) is between the scores of `{head.weights.route}` and their "
                f"{after.activation}: in training it sets scores to 0 at random, which is a score like "
                "any other.",
                route=step.layer.route,
                evidence={"class": name, "activation": after.activation},
                key=step.layer.route,
                title="Dropout changes the scores before the last activation",
                severity=rule.severity if loss and loss.name in CROSS_ENTROPIES else Severity.LOW,
                fix=f"Move `{step.layer.name}` before `{head.weights.name}`, then train again.",
            )


def _of_probabilities(loss: CompiledLoss) -> bool:
    return loss.name in CROSS_ENTROPIES and not loss.from_logits


def _of_many_classes(head: NetworkHead, loss: CompiledLoss | None) -> bool:
    """Whether a loss compares the shares of more than two classes.

    Four classes that softmaxes learn to 0.97 were learnt to 0.23 to 0.84 by 8 networks of two
    layers with a batch normalization behind the softmax.
    """
    exclusive = loss is not None and loss.name in CATEGORICAL | SPARSE and _of_probabilities(loss)
    return exclusive and head.last == "softmax" and (head.units or 0) > 2


def _still_shares(head: NetworkHead) -> bool:
    """Whether the results are between 0 and 1, on both sides of a half, as those kept off 0 and 1."""
    low, high = head_range(head)
    return 0 <= low < 0.5 < high <= 1 and head.last == "sigmoid"


def _passes_shares(layer: Layer) -> bool:
    """Whether a ReLU leaves values from 0 to 1 as they are."""
    most = layer.config.get("max_value")
    whole = most is None or (isinstance(most, int | float) and most >= 1)
    return whole and not layer.config.get("threshold")


def _scales(layer: Layer) -> bool:
    """Whether a layer multiplies or shifts all values by constants."""
    said = layer.config.get("scale"), layer.config.get("offset", 0)
    return layer.class_name == "Rescaling" and said not in ((1, 0), (0, 0))


RULES = (
    Rule(
        code="MA308",
        name="layer-behind-output-activation",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="A layer behind the last activation changes the probabilities",
        pass_title="Nothing changes the probabilities behind the last activation",
        why="Normalised probabilities are no probabilities, and dropped ones are wrong: the loss "
        "judges something else than the model predicts.",
        fix="Move the layer before the last layer with weights, then train again.",
        check=one_for_alike(_behind, "layer"),
        assumes="output",
        bad=example_head("softmax", "categorical_crossentropy", 10, ("BatchNormalization", {})),
        good=example_head("softmax", "sparse_categorical_crossentropy"),
    ),
)
