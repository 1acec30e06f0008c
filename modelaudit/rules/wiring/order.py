"""MA338: attention over words that nothing tells the places of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.batch_mixing import given
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace

# Of each step by itself, whatever its place is.
_EACH_STEP = Trait.POINTWISE | Trait.CHANNEL_NORMALISATION | Trait.BATCH_NORMALISATION
_POOLS = frozenset(("GlobalAveragePooling1D", "GlobalMaxPooling1D"))
_LAST = (-1, 2)  # the axis of the features of a sequence


class _Steps(Struct, frozen=True):
    """Steps of which no layer before knows the place.

    Attributes:
        words: the input that they come from.
        attended: whether they were weighed by attention.
        pooled: the layer that pooled them; empty before one.
    """

    words: str
    attended: bool = False
    pooled: str = ""


def _without_places(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    if not any(has(x.class_name, Trait.ATTENTION) for x in graph.layers):
        raise NotRelevant("the model has no attention")
    steps = graph.propagate(lambda layer, values: _step(graph, layer, values), _join)
    pools = [steps[x.route] for x in graph.layers if x.class_name in _POOLS and x.route in steps]
    for each in dict.fromkeys(x for x in pools if x.attended):
        yield rule.finding(
            f"Nothing tells the attention before `{each.pooled}` where a word of `{each.words}` stands: what "
            "is pooled is the same for the words in any other order.",
            route=each.pooled,
            evidence={"measured": 0, "unit": "layers that know the places"},
            fix="Add a vector for each place to those of the words, such as keras_hub.layers."
            "PositionEmbedding or a second Embedding of the numbers of places, and train again.",
        )


def _step(graph: LayerGraph, layer: Layer, values: Sequence[_Steps | None]) -> _Steps | None:
    name = layer.class_name
    if layer.custom:
        return None
    if name == "Embedding":
        before = [*graph.only_sources(layer.route, lambda x: has(x.class_name, _EACH_STEP))]
        told = bool(before) and before[-1].class_name == "InputLayer"
        return _Steps(before[-1].route) if told else None
    known = [each for each in values if each is not None]
    if not known or len(known) < len(values) or any(each.pooled for each in known):
        return None
    if len({each.words for each in known}) > 1:
        return None
    attended = any(each.attended for each in known)
    found = replace(known[0], attended=attended)
    if name == "MultiHeadAttention":
        masked = given(layer, "use_causal_mask", "attention_mask")
        return (
            None if any(x not in (None, False) for x in masked) else replace(found, attended=True)
        )
    if name in _POOLS:
        return replace(found, pooled=layer.route) if _over_steps(layer) else None
    merges = has(name, Trait.MERGE) and len(values) > 1
    dense = name == "Dense" or (name in {"Softmax", "Concatenate"} and _on_features(layer))
    return found if merges or dense or _each_step(layer) else None


def _each_step(layer: Layer) -> bool:
    if not has(layer.class_name, _EACH_STEP) or layer.class_name == "Softmax":
        return False
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    return axis in _LAST


def _on_features(layer: Layer) -> bool:
    return layer.config.get("axis", -1) in _LAST


def _over_steps(layer: Layer) -> bool:
    return layer.config.get("data_format", "channels_last") == "channels_last"


def _join(one: _Steps, other: _Steps) -> _Steps | None:
    return one if one == other else None


def _reader(*, places: bool) -> Facts:
    def behind(name: str, class_name: str, *sources: str, **config: Json) -> Layer:
        return examples.layer(name, class_name, {}, config, inbound=(sources,))

    return Facts(
        examples.model(
            examples.layer("words", "InputLayer", {}),
            behind("vectors", "Embedding", "words"),
            behind("read", "LSTM" if places else "Dropout", "vectors", return_sequences=True),
            behind("weighed", "MultiHeadAttention", "read", "read"),
            behind("pooled", "GlobalAveragePooling1D", "weighed"),
        )
    )


RULES = (
    Rule(
        code="MA338",
        name="order-of-words-unknown",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="Attention over words that nothing tells the places of",
        pass_title="Attention over words is told their places",
        why="Attention weighs each word by what it is, and pooling adds up all of them. Without a vector for "
        'each place, "the dog bites the man" and "the man bites the dog" are the same. Of a set, that '
        "is right.",
        fix="Add a vector for each place to those of the words, and train again.",
        check=_without_places,
        bad=lambda: _reader(places=False),
        good=lambda: _reader(places=True),
    ),
)
