"""MA324: fill behind the end of texts that no mask hides from a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.model import Facts, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.masks import mask_before
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.thresholds.small_layers import FILL_AHEAD, FILL_COUNTED

Check = Callable[[Rule, Facts], Iterator[Finding]]
_MOST = 16  # layers between
_READERS = frozenset(("Bidirectional", "GlobalAveragePooling1D"))


def with_unmasked_fill(check: Check) -> Check:
    """What else is said of masks: that one is missing, by what training left of index 0."""

    @wraps(check)
    def checked(rule: Rule, facts: Facts) -> Iterator[Finding]:
        found = [*_unmasked(rule, facts)]
        yield from found
        try:
            yield from check(rule, facts)
        except (NotApplicable, NotRelevant):
            if not found:
                raise

    return checked


def _unmasked(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Embeddings whose gradients nearly all went to index 0, without a mask before what reads them.

    The gradient that comes to a position of a recurrent layer without a mask falls with its distance
    from the end. In front of a text, fill gets less than words; behind it, it gets nearly all. Where
    each position has an answer, or all have one weight in a mean, it gets as much as it is frequent.
    """
    sizes = facts.measurements.fill_rows if facts.measurements else {}
    if not sizes:
        return
    graph = saved_graph(facts)
    for route, times in sizes.items():
        layer = graph.get(route)
        taker = _reader(graph, layer) if layer is not None else None
        if layer is None or taker is None or layer.config.get("mask_zero") is True:
            continue
        each = "return_sequences" not in taker.config or taker.config["return_sequences"] is True
        each = each and taker.class_name != "Bidirectional"
        least, unit = (
            (FILL_COUNTED.value, FILL_COUNTED.unit) if each else (FILL_AHEAD.value, FILL_AHEAD.unit)
        )
        if times < least or mask_before(graph, taker.route) is not None:
            continue
        yield rule.finding(
            f"In training, index 0 of `{route}` got {times:,.2g} times the squared gradients of any other, and no "
            f"mask hides it from `{taker.route}`. So it is where texts are filled up with 0 to a length that "
            "most do not have"
            + (
                ": what is learnt of the fill counts as much as what is learnt of the words."
                if each
                else ' behind their end (padding="post"): the layer has forgotten the words when it has '
                "read the fill."
            ),
            route=route,
            evidence={"measured": times, "unit": unit, "threshold": least},
            key=f"{route} fill",
            title="Fill that nothing masks takes most of what an embedding learns from",
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix="If index 0 is fill, hide it, and train again:\n"
            f"keras.layers.Embedding({layer.config.get('input_dim')}, {layer.config.get('output_dim')}, "
            f"mask_zero=True, name={layer.name!r})"
            + '\n\nOr fill up in front of the texts:\nx = keras.utils.pad_sequences(texts, padding="pre")'
            * (not each),
        )


def _reader(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The recurrent layer, or the mean, behind layers that keep positions apart."""
    takers = graph.consumers()
    for _ in range(_MOST):
        after = takers.get(layer.route, ())
        if len(after) != 1:
            return None
        layer = graph.layer(after[0])
        if layer.custom or layer.class_name in _READERS or has(layer.class_name, Trait.RECURRENT):
            return None if layer.custom else layer
        if not has(layer.class_name, Trait.SAME_SHAPE):
            return None
    return None
