"""MA339: layers that join a tensor with itself, or maps along another axis than their channels."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import axis_orders
from modelaudit.rules import examples
from modelaudit.rules.architecture.constant_layers import is_one
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.batch_mixing import operation
from modelaudit.rules.network.network_heads import behind_weights, saved_graph

# What each makes of a tensor and itself. As operations, `x + x` and `x * x` are meant.
_MADE = {
    "Add": "doubles it",
    "Multiply": "squares it",
    "Average": "changes nothing",
    "Maximum": "changes nothing",
    "Minimum": "changes nothing",
    "Concatenate": "repeats its features",
}
_MAP = 4  # axes of a batch of images
_PLACES = ("rows", "columns")


def _joins(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    joins = [x for x in graph.layers if x.class_name in _MADE and not x.custom]
    joins = [x for x in joins if not operation(x) or x.class_name == "Concatenate"]
    if not joins:
        raise NotRelevant("no layer joins what others give")
    first = axis_orders(graph)
    for layer in joins:
        twice = _twice(graph, layer)
        if twice and behind_weights(graph, layer):
            yield rule.finding(
                f"`{layer.route}` ({layer.class_name}) gets `{twice}` twice and {_MADE[layer.class_name]}: "
                "another tensor, such as that of a skip connection, seems to be meant.",
                route=layer.route,
                evidence={"measured": layer.class_name, "twice": twice},
                fix=f"Give `{layer.name}` the two tensors that are to be joined, such as what `{twice}` "
                "gives and what the block began with, and train again.",
            )
        elif layer.class_name == "Concatenate" and (places := _along(graph, layer, first)):
            yield rule.finding(
                f"`{layer.route}` joins maps along their {places}: one is put beside the other, and no layer "
                "sees the channels of both at one place.",
                route=layer.route,
                evidence={"measured": layer.config.get("axis"), "unit": "axis"},
                fix="To give each place the channels of both, use this layer and train again:\n"
                f"keras.layers.Concatenate(axis=-1, name={layer.name!r})",
            )


def _twice(graph: LayerGraph, layer: Layer) -> str:
    """The layer whose output each call gets more than once; empty if none is."""
    calls = graph.calls[layer.route]
    found = {_repeated(graph, call) for call in calls}
    return found.pop() if len(found) == 1 else ""


def _repeated(graph: LayerGraph, call: tuple[str, ...]) -> str:
    pairs = ((one, other) for place, one in enumerate(call) for other in call[:place])
    return next((one for one, other in pairs if one == other and is_one(graph, (one, other))), "")


def _along(graph: LayerGraph, layer: Layer, first: object) -> str:
    """`rows` or `columns` if maps with their channels last are joined along these."""
    axis, shape = layer.config.get("axis", -1), layer.output_shape
    if not isinstance(axis, int) or not shape or len(shape) != _MAP or not isinstance(first, dict):
        return ""
    axis += _MAP if axis < 0 else 0
    sources = [each for call in graph.calls[layer.route] for each in call]
    if axis not in (1, 2) or not sources or any(first.get(x) is not False for x in sources):
        return ""
    shapes = [each.output_shape for x in sources if (each := graph.get(x)) is not None]
    sizes = {each[1:-1] for each in shapes if each}
    return _PLACES[axis - 1] if len(shapes) == len(sources) and len(sizes) == 1 else ""


def _residual(*ends: str) -> Facts:
    before = examples.layer("block", config={"units": 8})
    after = examples.layer("branch", config={"units": 8}, inbound=(("block",),))
    both: dict[str, Json] = {"trainable": True}
    return Facts(
        examples.model(before, after, examples.layer("sum", "Add", {}, both, inbound=(ends,)))
    )


RULES = (
    Rule(
        code="MA339",
        name="joined-with-itself",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="A layer joins a tensor with itself, or maps along another axis than their channels",
        pass_title="Layers that join others get different tensors, and join maps by their channels",
        why="A skip connection that gets the same tensor twice is none: what it should bring past a "
        "block never arrives, and training shows no error.",
        fix="Give the layer the two tensors that are to be joined, and train again.",
        check=_joins,
        bad=lambda: _residual("branch", "branch"),
        good=lambda: _residual("block", "branch"),
    ),
)
