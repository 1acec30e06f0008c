"""MA343: words that a model is to give for each place, and that it reads there."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.batch_mixing import given
from modelaudit.rules.network.network_heads import NetworkHead, output_heads, saved_graph
from modelaudit.structs import replace

_WORDS = 3  # axes of an output of words for each place


class WordWays(Struct, frozen=True):
    """Where the words of an embedding go.

    Attributes:
        behind: routes of the embedding and of all layers that depend on it.
        alone: routes of layers that depend on its inputs and on no other input of the model.
    """

    behind: set[str]
    alone: set[str]


def _seen(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    tables = [x for x in graph.layers if x.class_name == "Embedding"]
    rows: dict[Json, Layer] = {
        size: x for x in tables if type(size := x.config.get("input_dim")) is int
    }
    heads = [x for x in output_heads(graph) if _of_words(x, rows)]
    if not heads:
        raise NotRelevant("the model gives no word of its own vocabulary for each place")
    for head in heads:
        words = rows[head.units]
        own = graph.above([head.route])
        ways = _ways(graph, words)
        between = own & ways.behind
        for layer in graph.layers:
            if layer.route not in between or layer.custom or layer is words:
                continue
            looks = _looks_ahead(graph, layer, ways)
            if not looks:
                continue
            decodes = _decodes(graph, own)
            yield rule.finding(
                f"`{layer.route}` {looks}, so what `{head.route}` gives for each position of `{words.route}` comes "
                "of the words behind it, too. If it is trained to give the next word, that word is among "
                "them, and it learns to copy it.",
                route=layer.route,
                evidence={"measured": layer.class_name, "words": words.route},
                # Of a single sequence, words that are masked may be what it gives.
                severity=Severity.LOW
                if decodes or layer.class_name != "MultiHeadAttention"
                else Severity.INFO,
                fix=_instead(layer),
            )
            break


def _of_words(head: NetworkHead, rows: dict[Json, Layer]) -> bool:
    shape = head.steps[-1].layer.output_shape
    sequence = shape is not None and len(shape) == _WORDS and shape[1] != 1
    return sequence and type(head.units) is int and head.units in rows and not head.joined


def _looks_ahead(graph: LayerGraph, layer: Layer, ways: WordWays) -> str:
    if layer.class_name == "Bidirectional":
        return "reads in both directions"
    size = layer.config.get("kernel_size")
    if layer.class_name in {"Conv1D", "SeparableConv1D"}:
        same = layer.config.get("padding") == "same" and size not in (1, [1])
        return "slides a window that reaches behind each place" if same else ""
    if layer.class_name != "MultiHeadAttention":
        return ""
    calls = graph.calls[layer.route]
    if not calls or any(not ways.alone.issuperset(call) for call in calls):
        return ""
    said = given(layer, "use_causal_mask", "attention_mask")
    if any(x not in (None, False) for x in said) or any(
        x.get(key) not in (None, False)
        for x in layer.call_kwargs
        for key in ("use_causal_mask", "attention_mask")
    ):
        return ""
    return "attends to the words behind each one as to those before"


def _ways(graph: LayerGraph, words: Layer) -> WordWays:
    """In one pass over the layers, which come in the order of their calls."""
    starts = {x for x in graph.above([words.route]) if not any(graph.calls.get(x, ()))}
    behind, of_starts, of_others = {words.route}, set[str](), set[str]()
    for layer in graph.layers:
        sources = {each for call in graph.calls[layer.route] for each in call}
        if not sources:
            (of_starts if layer.route in starts else of_others).add(layer.route)
        for found in (behind, of_starts, of_others):
            if not found.isdisjoint(sources):
                found.add(layer.route)
    return WordWays(behind, of_starts - of_others)


def _decodes(graph: LayerGraph, own: set[str]) -> bool:
    """Whether it attends to another sequence as well, as a decoder does."""
    return sum(not any(graph.calls[x]) for x in own) > 1


def _instead(layer: Layer) -> str:
    if layer.class_name == "Bidirectional":
        return f"For the next word, use the layer inside `{layer.name}` alone, and train again."
    if layer.class_name != "MultiHeadAttention":
        return f'For the next word, use padding="causal" in `{layer.name}` and the like, and train again.'
    return f"For the next word, call `{layer.name}` with use_causal_mask=True, and train again."


def _reader(class_name: str) -> Facts:
    words: dict[str, Json] = {"input_dim": 100, "output_dim": 8}
    head = examples.layer("head", config={"units": 100, "activation": "softmax"})
    return examples.chain(
        replace(examples.layer("words", "InputLayer", {}), output_shape=(None, 9)),
        examples.layer("vectors", "Embedding", {}, words),
        examples.layer("read", class_name, {}, {"return_sequences": True}),
        replace(head, output_shape=(None, 9, 100)),
    )


RULES = (
    Rule(
        code="MA343",
        name="language-model-not-causal",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.LOW,
        needs=(Need.ARCHITECTURE,),
        summary="A language model sees the words after each position, too",
        pass_title="Language models see only the words before each position",
        why="A network that is trained to give the next word, and sees it, copies it: its loss is next to "
        "nothing, and what it writes by itself makes no sense. For words that were masked, seeing "
        "both sides is right.",
        fix="Use layers that read forwards, or a causal mask, and train again.",
        check=_seen,
        assumes="order",
        bad=lambda: _reader("Bidirectional"),
        good=lambda: _reader("LSTM"),
    ),
)
