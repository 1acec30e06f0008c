"""MA336: numbers of categories that a dense layer takes for sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.batch_mixing import operation
from modelaudit.rules.network.network_heads import saved_graph

_NUMBERS = classes(Trait.CATEGORIES | Trait.VOCABULARY) - {"Discretization"}  # which have an order
_KEEP = frozenset(("cast", "expanddims", "squeeze", "reshape", "concatenate", "concat"))
_COUNTS = ("vocabulary_size", "num_bins", "max_tokens")
_WHOLE = frozenset(("int32", "int64"))
_ROW = 2  # axes of a batch of sequences of numbers
_FEW = 3  # an unknown word, yes and no: numbers of two categories are a yes or no


def _read_as_sizes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    found = [*_words_as_sizes(rule, graph)]
    yield from found
    tables = [x for x in graph.layers if x.class_name in _NUMBERS and not x.custom]
    if not tables and not found:
        raise NotRelevant("no layer gives numbers of categories")
    for layer in tables:
        if layer.config.get("output_mode", "int") != "int" or layer.config.get("invert") is True:
            continue
        last = [*graph.only_takers(layer.route, _keeps_numbers)][-1:]
        if not last or last[0].class_name != "Dense" or last[0].custom or _few(layer.config):
            continue
        texts = layer.class_name == "TextVectorization"
        pooled, columns = (
            ("GlobalAveragePooling1D()", "tf_idf") if texts else ("Flatten()", "one_hot")
        )
        yield rule.finding(
            f"`{last[0].route}` takes the numbers that `{layer.route}` gives to {'words' if texts else 'categories'} as sizes: number 20 "
            "counts for twice as much as number 10, and those of neighboring numbers are nearly alike.",
            route=last[0].route,
            evidence={"measured": layer.class_name, "unit": "numbers of categories"},
            fix=f"Put keras.layers.Embedding(n, 8) and {pooled} behind `{layer.name}`, or give it "
            f'output_mode="{columns}", and train again.',
        )


def _words_as_sizes(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Sequences of whole numbers that a recurrent layer or a convolution takes as they are."""
    for layer in graph.layers:
        dtype = layer.config.get("dtype")
        whole = isinstance(dtype, str) and dtype in _WHOLE and layer.class_name == "InputLayer"
        shape = layer.output_shape
        if not whole or shape is None or len(shape) != _ROW:
            continue
        behind = [*graph.only_takers(layer.route, _keeps_numbers)]
        reads = behind[-1] if len(behind) > 1 and not behind[-1].custom else None
        if reads is None or not (
            has(reads.class_name, Trait.RECURRENT)
            or reads.class_name in {"Conv1D", "SeparableConv1D", "Bidirectional"}
        ):
            continue
        yield rule.finding(
            f"`{reads.route}` takes the whole numbers of `{layer.route}` for sizes. If they stand for words, "
            "number 20 counts for twice as much as number 10.",
            route=reads.route,
            evidence={"measured": dtype, "unit": "type of the input"},
            confidence=Confidence.LOW,
            fix=f"For words, put keras.layers.Embedding(n, 32) in place of `{behind[0].name}`, and train again.",
        )


def _keeps_numbers(layer: Layer) -> bool:
    keeps = has(layer.class_name, Trait.KEEPS_RANGE | Trait.RESCALING)
    return not layer.custom and (
        keeps or layer.class_name == "Concatenate" or operation(layer) in _KEEP
    )


def _few(config: Mapping[str, Json]) -> bool:
    """Whether its numbers are of so few categories that they may be a yes or no."""
    words = config.get("vocabulary")
    sizes = [config.get(key) for key in _COUNTS] + [len(words) if isinstance(words, list) else None]
    return any(isinstance(size, int) and size <= _FEW for size in sizes)


def _table(behind: str) -> Facts:
    words: Json = ["a", "b", "c", "d"]
    found = examples.layer("lookup", "StringLookup", {}, {"vocabulary": words})
    return examples.chain(found, examples.layer("next", behind), examples.dense("head"))


RULES = (
    Rule(
        code="MA336",
        name="categories-as-sizes",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.LAYERS,),
        summary="A dense layer takes numbers of categories for sizes",
        pass_title="Numbers of categories reach an embedding or an encoding",
        why="The numbers that a vocabulary or a hash gives have no order. A dense layer multiplies them "
        "by a weight, so it can only learn what rises or falls with the number.",
        fix="Use an Embedding, or one column for each category, and train again.",
        check=_read_as_sizes,
        bad=lambda: _table("Dense"),
        good=lambda: _table("Embedding"),
    ),
)
