"""MA345: layers that a call fixes to the mode of inference, or to that of training."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace

_RANDOM = Trait.DROPOUT | Trait.NOISE | Trait.AUGMENTATION


def _inference(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    architecture = facts.artifact.architecture
    if architecture is None or architecture.dialect == "keras3":
        raise NotRelevant("Keras 3 writes training=False of every call, and does not keep to it")
    asked = [x for x in graph.layers if has(x.class_name, _RANDOM | Trait.BATCH_NORMALISATION)]
    if not asked:
        raise NotRelevant("no layer acts in another way in training")
    shaken = [x for x in graph.layers if _always_random(x)]
    if shaken:
        yield rule.finding(
            f"`{shaken[0].route}` ({shaken[0].class_name}) is called with training=True: it changes inputs at "
            "random in predictions, too.",
            route=shaken[0].route,
            evidence={"measured": len(shaken), "unit": "layers", "n": len(asked)},
            fix=f"Call `{shaken[0].name}` without training=True: Keras chooses the mode.",
        )
    called = [x for x in asked if x.trainable and not x.custom and _in_inference(x)]
    norms = [x for x in called if has(x.class_name, Trait.BATCH_NORMALISATION)]
    idle = [x for x in called if x not in norms and x.config.get("rate") != 0]
    measured = facts.measurements.batchnorm if facts.measurements else ()
    learnt = {x.route for x in measured if not x.statistics_initial}
    norms = [
        x for x in norms if x.route not in learnt
    ]  # statistics of another training may be meant
    for found, does in (
        (
            norms,
            "it never learns the statistics of its inputs, and normalizes by those that it began with",
        ),
        (idle, "it does nothing in training"),
    ):
        if found:
            more = len(found) - 1
            others = counted(more, "further layer", "further layers")
            yield rule.finding(
                f"`{found[0].route}` ({found[0].class_name}) is called with training=False: {does}"
                + (f", as {others} {'does' if more == 1 else 'do'}." if more else "."),
                route=found[0].route,
                evidence={"measured": len(found), "unit": "layers", "n": len(asked)},
                fix=f"Call `{found[0].name}` without training=False, and train again: Keras chooses the mode.",
            )


def _always_random(layer: Layer) -> bool:
    """Whether an augmentation is called in training mode; a dropout is, where answers are to vary."""
    calls = layer.call_kwargs
    augments_inputs = has(layer.class_name, Trait.AUGMENTATION) and not layer.custom
    return augments_inputs and bool(calls) and all(call.get("training") is True for call in calls)


def _in_inference(layer: Layer) -> bool:
    calls = layer.call_kwargs
    return bool(calls) and all(
        call.get("training") in (False, 0) and "training" in call for call in calls
    )


def _called(*, training: bool | None) -> Facts:
    norm = examples.layer("norm", "BatchNormalization", {})
    call = {} if training is None else {"training": training}
    norm = replace(norm, call_kwargs=(call,))
    facts = examples.chain(examples.dense("hidden"), norm, examples.dense("head"))
    assert facts.artifact.architecture is not None
    second = replace(facts.artifact.architecture, dialect="keras2")
    return replace(facts, artifact=replace(facts.artifact, architecture=second))


RULES = (
    Rule(
        code="MA345",
        name="inference-mode-in-training",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="A layer is called in one mode, in training and in predictions",
        pass_title="No layer is fixed to one mode by its call",
        why="With training=False in its call, a dropout drops nothing, and a batch normalization that is "
        "to learn never sees the statistics of the data. Of a base that is frozen, that is right. "
        "With training=True, an augmentation changes the inputs of predictions at random.",
        fix="Call the layer without `training`, and train again.",
        check=_inference,
        bad=lambda: _called(training=False),
        good=lambda: _called(training=None),
    ),
)
