"""MA342: units of a recurrent layer that another one reads as if they were steps."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer, Shape
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.batch_mixing import operation
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace

_SLIDE = frozenset(("Conv1D", "SeparableConv1D"))
_EXPANDS = frozenset(("reshape", "expanddims"))
_STATE = 2  # axes of a batch of last states


def _units(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    reads = [x for x in graph.layers if not x.custom and _reads(x) and x.route in graph.calls]
    if not reads:
        raise NotRelevant("the model reads no sequence")
    inside = tuple(f"{x.route}/" for x in reads if x.class_name == "Bidirectional")
    for layer in reads:
        if inside and layer.route.startswith(inside):
            continue
        before = [*graph.only_sources(layer.route, lambda x: _passes(x) and not x.custom)]
        state = before[-1] if before else None
        turned = next((x for x in before if _makes_column(graph, x)), None)
        if state is None or turned is None or not _is_state(state):
            continue
        yield rule.finding(
            f"`{layer.route}` runs over the units of `{state.route}`, which `{turned.route}` makes steps of one "
            "value each: units have no order, and the steps of the input are gone.",
            route=layer.route,
            evidence={"measured": turned.class_name, "units": state.route},
            fix=f"Use return_sequences=True in `{state.name}`, without `{turned.name}`, and train again.",
        )


def _reads(layer: Layer) -> bool:
    name = layer.class_name
    return has(name, Trait.RECURRENT) or name == "Bidirectional" or name in _SLIDE


def _passes(layer: Layer) -> bool:
    """Whether units are behind it what they were before: in another shape, normalized or dropped."""
    if has(layer.class_name, Trait.RECURRENT):
        return False
    shapes = layer.class_name == "Reshape" or operation(layer) in _EXPANDS
    return shapes or has(layer.class_name, Trait.POINTWISE | Trait.CHANNEL_NORMALISATION)


def _makes_column(graph: LayerGraph, layer: Layer) -> bool:
    if layer.class_name != "Reshape" and operation(layer) not in _EXPANDS:
        return False
    shape: Shape | None = layer.output_shape
    given = layer.input_shapes[0] if layer.input_shapes else None
    if given is None:
        source = next(iter(graph.only_sources(layer.route, lambda _: False)), None)
        given = source.output_shape if source else None
    return bool(
        shape
        and given
        and len(given) == _STATE
        and len(shape) == _STATE + 1
        and shape[-1] == 1
        and shape[1] == given[1] != 1
    )


def _is_state(layer: Layer) -> bool:
    inner = layer.config.get("layer")
    config = inner.get("config") if isinstance(inner, dict) else layer.config
    recurrent = has(layer.class_name, Trait.RECURRENT) or layer.class_name == "Bidirectional"
    return recurrent and isinstance(config, dict) and config.get("return_sequences") is False


def _stack(*, sequences: bool) -> Facts:
    config: dict[str, Json] = {"units": 8, "return_sequences": sequences}
    shape = (None, 9, 8) if sequences else (None, 8)
    first = replace(examples.layer("first", "LSTM", {}, config), output_shape=shape)
    column = replace(examples.layer("column", "Reshape", {}), output_shape=(None, 8, 1))
    column = replace(column, input_shapes=(shape,))
    return examples.chain(first, column, examples.layer("second", "LSTM", {}, config))


RULES = (
    Rule(
        code="MA342",
        name="units-as-steps",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="A layer reads the units of a recurrent layer as if they were steps",
        pass_title="No layer reads the units of a recurrent layer as steps",
        why="A recurrent layer that gives its last state alone does not fit before another one. A "
        "Reshape silences the error, but the second layer then reads units, whose order means nothing.",
        fix="Use return_sequences=True in the first layer, without the Reshape, and train again.",
        check=_units,
        bad=lambda: _stack(sequences=False),
        good=lambda: _stack(sequences=True),
    ),
)
