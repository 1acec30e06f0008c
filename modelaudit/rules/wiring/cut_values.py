"""MA347: values that are cut off where they enter or leave a network."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    CROSS_ENTROPIES,
    DISTANCES,
    compiled_losses,
    named_outputs,
)
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network.network_heads import (
    LAYERS_OF_ACTIVATIONS,
    activation_of,
    saved_graph,
    weighs,
)
from modelaudit.structs import replace

_CLIPS = frozenset(("Clip", "ClipByValue"))
_SIGNED = frozenset(("Normalization", "BatchNormalization", "InputLayer"))
_PIXELS = 4  # axes from which inputs are images, whose pixels are seldom below 0


def _cut(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    yield from _inputs(rule, graph)
    architecture = facts.artifact.architecture
    names = named_outputs(architecture) if architecture else ()
    losses = compiled_losses(facts.artifact.training, names)
    known = len(losses) == len(graph.outputs)
    for route, loss in zip(graph.outputs, losses, strict=True) if known else ():
        layer = graph.get(route)
        if layer is None or loss is None or operation_name(layer) not in _CLIPS or layer.custom:
            continue
        before = next(iter(graph.only_sources(route, lambda _: False)), None)
        if before is None or not weighs(before) or activation_of(before) != "linear":
            continue
        if loss.name not in DISTANCES | CROSS_ENTROPIES:
            continue
        low, high = (number(layer.config.get(key)) for key in ("x_min", "x_max"))
        between = f" from {low:g} to {high:g}" if low is not None and high is not None else ""
        unit = (low, high) == (0, 1)
        yield rule.finding(
            f"`{route}` cuts the output of `{before.route}` to values{between}. Beyond, {loss.name} gets no "
            "gradient: an answer that is far off stays so.",
            route=route,
            evidence={"measured": [low, high], "loss": loss.name},
            fix=(
                f'Use activation="sigmoid" in `{before.name}` in place of `{layer.name}`'
                if unit
                else f"Remove `{layer.name}` and cut what `predict` returns"
            )
            + ", and train again.",
        )


def _inputs(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """ReLUs of inputs as they come, or as a normalization gives them."""
    for layer in graph.layers:
        if layer.class_name not in LAYERS_OF_ACTIVATIONS or activation_of(layer) != "relu":
            continue
        if layer.custom or len(layer.output_shape or ()) >= _PIXELS:
            continue
        before = [*graph.only_sources(layer.route, lambda x: _passes(x) and not x.custom)]
        start = before[-1] if before else None
        if start is None or start.class_name != "InputLayer" or _never_negative(start):
            continue
        if any(x.class_name == "Rescaling" for x in before):
            continue
        yield rule.finding(
            f"`{layer.route}` (relu) gets the inputs as they come: it makes all below 0 the same, such as those "
            "of standardized columns or of a change.",
            route=layer.route,
            evidence={"measured": "relu", "input": start.route},
            fix=f"Remove `{layer.name}` and train again.",
        )


def _passes(layer: Layer) -> bool:
    keeps = has(layer.class_name, Trait.KEEPS_RANGE) or layer.class_name in _SIGNED
    return keeps and layer.class_name != "InputLayer"


def _never_negative(layer: Layer) -> bool:
    dtype = layer.config.get("dtype")
    return isinstance(dtype, str) and dtype.startswith(("uint", "bool"))


def _first(activation: str) -> Facts:
    config: dict[str, Json] = {"activation": activation}
    given = replace(examples.layer("x", "InputLayer", {}), output_shape=(None, 8))
    return examples.chain(
        given, examples.layer("first", "Activation", {}, config), examples.dense("head", "linear")
    )


RULES = (
    Rule(
        code="MA347",
        name="values-cut-off",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARCHITECTURE,),
        summary="A ReLU cuts off inputs, or an operation cuts off the output",
        pass_title="No inputs or outputs are cut off",
        why="What is cut off is lost: inputs that differ become the same, and where an output is cut off, no "
        "gradient brings it back.",
        fix="Remove the layer and train again.",
        check=_cut,
        bad=lambda: _first("relu"),
        good=lambda: _first("linear"),
    ),
)
