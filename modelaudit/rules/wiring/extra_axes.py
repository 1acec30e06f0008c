"""MA350: outputs with axes of size 1, over which labels are broadcast to every input of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    DISTANCES,
    compiled_losses,
    named_outputs,
)
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace

_SEQUENCE = 3  # axes up to which Keras takes off one, or adds it to the labels


def _extra_axes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    architecture = facts.artifact.architecture
    names = named_outputs(architecture) if architecture else ()
    losses = compiled_losses(facts.artifact.training, names)
    if not any(losses) or len(losses) != len(graph.outputs):
        raise NotRelevant("the model was saved without a loss of Keras")
    for route, loss in zip(graph.outputs, losses, strict=True):
        layer = graph.get(route)
        shape = layer.output_shape if layer else None
        if layer is None or loss is None or not shape or len(shape) <= _SEQUENCE:
            continue
        if {*shape[1:-1]} != {1} or loss.name not in DISTANCES | BINARY:
            continue
        ones = " x ".join(str(n) for n in shape[1:])
        yield rule.finding(
            f"`{route}` gives {ones} values for an input. With labels of shape (batch, {shape[-1]}), "
            f"{loss.name} compares each label with the answers to all inputs of the batch and raises no error.",
            route=route,
            evidence={"measured": [*shape[1:]], "loss": loss.name},
            fix="Put a layer behind it that leaves out these axes, and train again:\nkeras.layers.Flatten()",
        )


def _pooled(*shape: int | None) -> Facts:
    return examples.chain(
        examples.layer("pool", "GlobalAveragePooling2D", {}),
        replace(examples.dense("head", "linear"), output_shape=shape),
    )


RULES = (
    Rule(
        code="MA350",
        name="extra-axes-at-output",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARCHITECTURE,),
        summary="The output has extra axes of size 1, over which labels are broadcast to the whole batch",
        pass_title="No output has extra axes that its labels may lack",
        why="NumPy and TensorFlow stretch (batch, 1) to the shape of (batch, 1, 1, 1) by pairing every label "
        "with every answer. The best answer is then the mean of the labels for every input.",
        fix="Flatten the output, or give the labels its shape, and train again.",
        check=_extra_axes,
        bad=lambda: _pooled(None, 1, 1, 1),
        good=lambda: _pooled(None, 1),
    ),
)
