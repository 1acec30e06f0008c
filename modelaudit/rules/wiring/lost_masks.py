"""MA324: masks of padded positions that a layer drops, or that nothing makes."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, classes
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.architecture.sequences import inner_config
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.masks import unmet_masks
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.wiring.unmasked_fill import with_unmasked_fill

# Layers that use a mask, and those through which Keras passes it on.
_USE_MASKS = (
    classes(Trait.RECURRENT | Trait.ATTENTION)
    | {"Bidirectional"}
    | {
        *("GlobalAveragePooling1D", "TimeDistributed", "Concatenate"),
    }
)
_LOSE_MASKS = frozenset(("Flatten", "Reshape", "Permute")) | {
    *("Conv1D", "SeparableConv1D"),
    *("MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D"),
    *("ZeroPadding1D", "Cropping1D", "UpSampling1D"),
}
_MOST = 16


def _masks(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    sources = [x for x in graph.layers if x.class_name == "Masking" or x.config.get("mask_zero")]
    if not sources:
        raise NotRelevant("the model masks no positions")
    yield from unmet_masks(rule, graph)
    for layer in sources:
        lost = _where_lost(graph, layer)
        if lost is not None:
            yield rule.finding(
                f"`{layer.route}` masks padded positions, but `{lost.route}` ({lost.class_name}) drops "
                "the mask: the layers behind it treat padding as data.",
                route=lost.route,
                evidence={"measured": lost.class_name, "mask": layer.route},
                fix=_pooled(lost),
            )


def _where_lost(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The layer that drops the mask before the end of the sequence; None if none does."""
    takers, used = graph.consumers(), False
    for _ in range(_MOST):
        after = takers.get(layer.route, ())
        if len(after) != 1:
            return None
        layer = graph.layer(after[0])
        # A recurrent layer repeats its last output at masked steps: no new maximum, but positions.
        if layer.class_name in ({"Flatten"} if used else _LOSE_MASKS):
            return layer
        if layer.custom or layer.class_name in _USE_MASKS:
            if inner_config(layer).get("return_sequences") is not True:
                return None
            used = True
    return None


def _pooled(lost: Layer) -> str:
    if lost.class_name in {"Flatten", "GlobalMaxPooling1D"}:
        code = f"keras.layers.GlobalAveragePooling1D(name={lost.name!r})"
        return f"Use a layer that skips masked positions, and train again:\n{code}"
    return ""


def _text(behind: str) -> Facts:
    words = examples.layer("words", "Embedding", {}, {"input_dim": 100, "mask_zero": True})
    return examples.chain(words, examples.layer("behind", behind, {}, {}))


RULES = (
    Rule(
        code="MA324",
        name="lost-mask",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="A layer drops the mask of padded positions",
        pass_title="Masks of padded positions reach a layer that uses them",
        why="The mask was meant to keep padding out of the result. Short inputs are mostly padding, "
        "so they get similar answers.",
        fix="Use layers that pass on masks, or pool over the unmasked positions, and train again.",
        check=with_unmasked_fill(_masks),
        assumes="output",
        bad=lambda: _text("Flatten"),
        good=lambda: _text("LSTM"),
    ),
)
