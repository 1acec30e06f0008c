"""MA340: what recurrent layers that read in opposite directions give for one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Json, Layer, Shape
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace

_PICKS = frozenset(("GetItem", "Getitem", "StridedSlice"))
_BOTH = "Bidirectional"
_JOINS = classes(Trait.MERGE) | {"Concatenate"}
_SEQUENCE = 3  # axes of a batch of sequences
# Layers that keep the order of the steps.
_EACH_STEP = Trait.POINTWISE | Trait.CHANNEL_NORMALISATION | Trait.BATCH_NORMALISATION


def _directions(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    if not any(_backwards(x) or x.class_name == _BOTH for x in graph.layers):
        raise NotRelevant("no recurrent layer reads backwards")
    for layer in graph.layers:
        if layer.class_name == _BOTH and not layer.custom and (behind := _picked(graph, layer)):
            yield rule.finding(
                f"`{behind}` takes one step of what `{layer.route}` gives for each: at the last step, the "
                "half that reads backwards has seen that step alone, and at the first, the other half.",
                route=layer.route,
                evidence={"measured": layer.class_name, "picked": behind},
                fix=f"Use return_sequences=False in the layer of `{layer.name}`, which gives the last state of "
                f"each half, without `{behind}`, and train again.",
            )
    order = graph.propagate(_order, lambda one, other: one if one == other else None)
    for layer in graph.layers:
        if layer.class_name not in _JOINS or layer.custom or layer.config.get("axis") == 1:
            continue
        for call in graph.calls[layer.route]:
            read = {order.get(each) for each in call}
            turned = [each for each in call if order.get(each) is True]
            if {True, False} <= read and turned:
                yield rule.finding(
                    f"`{layer.route}` joins each step with another one: what comes of `{turned[0]}` begins with "
                    "the last step, since a layer with go_backwards=True gives its steps in the order in which "
                    "it reads them.",
                    route=layer.route,
                    evidence={"measured": layer.class_name, "backwards": turned[0]},
                    fix="Use keras.layers.Bidirectional, which turns them round again, and train again.",
                )
                break


def _config(layer: Layer) -> Mapping[str, Json]:
    inner = layer.config.get("layer")
    config = inner.get("config") if isinstance(inner, dict) else layer.config
    return config if isinstance(config, dict) else {}


def _backwards(layer: Layer) -> bool:
    return has(layer.class_name, Trait.RECURRENT) and layer.config.get("go_backwards") is True


def _order(layer: Layer, values: Sequence[bool | None]) -> bool | None:
    """Whether a sequence begins with its last step; None where that is not known."""
    name = layer.class_name
    if layer.custom:
        return None
    if not values:
        return False
    if has(name, Trait.RECURRENT):
        if layer.config.get("return_sequences") is not True or values[0] is None:
            return None
        return values[0] is not _backwards(layer)
    if name == _BOTH:
        return values[0] if _config(layer).get("return_sequences") is True else None
    steps = has(name, _EACH_STEP | Trait.SEQUENCE) or name in {"Dense", "TimeDistributed"}
    keeps = steps or name in _JOINS
    return values[0] if keeps and len({*values}) == 1 else None


def _picked(graph: LayerGraph, layer: Layer) -> str:
    """The operation that takes one step of all that a layer gives; empty if none does."""
    if _config(layer).get("return_sequences") is not True:
        return ""
    behind = [*graph.only_takers(layer.route, lambda x: has(x.class_name, _EACH_STEP))]
    if not behind or behind[-1].custom or operation_name(behind[-1]) not in _PICKS:
        return ""
    last = behind[-1]
    given = last.input_shapes[0] if last.input_shapes else _shape_before(graph, last)
    taken = last.output_shape
    one = given and taken and len(given) == _SEQUENCE and len(taken) == _SEQUENCE - 1
    return last.name if one and given and taken and given[-1] == taken[-1] else ""


def _shape_before(graph: LayerGraph, layer: Layer) -> Shape | None:
    before = next(iter(graph.only_sources(layer.route, lambda _: False)), None)
    return before.output_shape if before else None


def _joined(*, alike: bool) -> Facts:
    def read(name: str, **more: Json) -> Layer:
        config: dict[str, Json] = {"units": 8, "return_sequences": True, **more}
        return examples.layer(name, "LSTM", {}, config, inbound=(("steps",),))

    return Facts(
        examples.model(
            replace(examples.layer("steps", "InputLayer", {}), output_shape=(None, 9, 3)),
            read("there", go_backwards=alike),
            read("back", go_backwards=True),
            examples.layer("both", "Concatenate", {}, {"axis": -1}, inbound=(("there", "back"),)),
        )
    )


RULES = (
    Rule(
        code="MA340",
        name="directions-apart",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="Recurrent layers of opposite directions are joined at different steps",
        pass_title="Recurrent layers of opposite directions are joined where both have read the same",
        why="A layer that reads backwards has seen everything at the first step, not at the last. Taken "
        "from the wrong end, half of the features know a single step.",
        fix="Use keras.layers.Bidirectional with return_sequences=False for one answer, and train again.",
        check=_directions,
        bad=lambda: _joined(alike=False),
        good=lambda: _joined(alike=True),
    ),
)
