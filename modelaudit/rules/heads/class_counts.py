"""MA317, MA318: outputs and embeddings whose size differs from the names or words they are for."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.graphs import reachable
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.assumed_parts import with_outputs
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.graph_heads import graph_heads
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import NetworkHead, output_heads, saved_graph
from modelaudit.structs import replace
from modelaudit.thresholds.design import KEPT_WORDS

_LOSS_OF_CLASSES = (
    '\nmodel.compile(loss="sparse_categorical_crossentropy")  # of labels from 0, one for each name'
)
_HEADINGS = frozenset(
    ("label", "labels", "class", "classes", "class_name", "class name", "name", "names", "category")
)
_MOST_SPECIAL = 3  # entries for padding, unknown words and the start of a text
# Behind the lookup of a text vectorization: what makes its ragged sequences one array.
_CHOICES = frozenset(("Select", "SelectV2"))
_PASSES_INDICES = _CHOICES | {"RaggedTensorToTensor"}
_TAKES_INDICES = {"Embedding": "input_dim", "CategoryEncoding": "num_tokens"}


def _labels(rule: Rule, facts: Facts) -> Iterator[Finding]:
    labels = facts.artifact.extra.get("labels")
    names = labels.get("names") if isinstance(labels, dict) else None
    if not isinstance(labels, dict) or not isinstance(names, list):
        raise NotRelevant("there is no file with class names next to the model")
    file, n, shared = str(labels.get("file")), len(names), labels.get("shared") is True
    heads = _heads(facts, n)
    sizes = [head.units for head in heads if head.units is not None]
    several = len(sizes) > 1
    if (
        not heads
        or len(sizes) < len(heads)
        or (several and (n == sum(sizes) or any(_owns(size, n) for size in sizes)))
    ):
        raise NotApplicable("the model does not have one output of known size")
    # Of several outputs, none has as many units, nor all together: the names are nearest to these.
    head = min(heads, key=lambda each: abs((each.units or 0) - n))
    units = head.units
    if units is None or head.last not in PROBABILITIES | {"linear"}:
        raise NotApplicable("the number of classes of the output is not known")
    if _owns(units, n) or (units == 1 and head.last == "linear"):
        return
    if n == units + 1 and str(names[0]).strip().lower() in _HEADINGS:
        yield rule.finding(
            f"{file} has {counted(n, 'line', 'lines')} for {counted(units, 'output', 'outputs')} of "
            f"`{head.route}`, as its first line is a heading ({names[0]}): a program that takes each "
            "line for a name is one name off.",
            file=file,
            route=head.route,
            evidence={"measured": units, "unit": "units", "expected": n, "file": file},
            severity=Severity.LOW,
            fix="Delete the heading, or skip it where the file is read.",
        )
        return
    effect = "the last ones are never predicted" if units < n else "some predictions have no name"
    yield rule.finding(
        f"`{head.route}` has {counted(units, 'output', 'outputs')}, but {file} has "
        f"{counted(n, 'name', 'names')}: {effect}, or the names belong to another model"
        + (
            ", unless one output is of a background or a blank, without a name"
            if units == n + 1
            else ""
        )
        + ".",
        file=file,
        route=head.route,
        evidence={"measured": units, "unit": "units", "expected": n, "file": file},
        severity=Severity.MEDIUM
        if head.last in PROBABILITIES and not shared and not several and not _meant(head, n)
        else Severity.LOW,
        fix="Use the names of the training data."
        + (
            ""
            if head.joined
            else " If these are right, train again with:\n"
            + head.code(head.last if units > 1 else "softmax", n)
            + (_LOSS_OF_CLASSES if units == 1 else "")
        ),
    )


def _heads(facts: Facts, n: int) -> list[NetworkHead]:
    if with_outputs(facts.artifact) is None:
        return graph_heads(facts.artifact)
    graph = saved_graph(facts)
    heads = [*output_heads(graph)]
    if len(graph.outputs) == 1:
        return heads
    if len(heads) < len(graph.outputs) or any(_owns(head.units, n) for head in heads):
        return []  # the names may belong to the other
    return [head for head in heads if head.last == "softmax" and (head.units or 0) > 1]


def _meant(head: NetworkHead, n: int) -> bool:
    """Whether one differs on purpose: a blank at each position, or thresholds between grades."""
    shape, units = head.steps[-1].layer.output_shape, head.units or 0
    blank = shape is not None and len(shape) > 2 and units == n + 1
    return blank or (head.last == "sigmoid" and 1 < units == n - 1)


def _owns(units: int | None, n: int) -> bool:
    """Whether n names fit an output; one unit tells two classes apart."""
    return units == n or (units == 1 and n <= 2)


def _vocabulary(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    takers = [layer for layer in graph.layers if layer.class_name in _TAKES_INDICES]
    if not takers:
        raise NotRelevant("the model has no embedding of indices")
    fed = [layer for layer in takers if layer.class_name == "Embedding"]
    yield from _beside(rule, facts, [x for x in fed if not _indices(graph, x)])
    for layer in takers:
        key = _TAKES_INDICES[layer.class_name]
        room = _integer(layer.config.get(key))
        sources = [(count, each) for each in _indices(graph, layer) if (count := _size(each))]
        count, source = max(sources, key=lambda each: each[0], default=(0, layer))
        if room is not None and room < count:
            effect = f"indices from {room:,} on " + (
                "raise an error on a CPU and become 0 on a GPU"
                if layer.class_name == "Embedding"
                else "are encoded as zeros"
                if facts.artifact.architecture is None
                else "are encoded as zeros by Keras 3, and Keras 2 raises an error"
            )
            yield rule.finding(
                f"`{layer.route}` has room for {room:,} indices, but `{source.route}` gives "
                f"{count:,}: {effect}.",
                route=layer.route,
                evidence={
                    "measured": room,
                    "unit": "entries",
                    "expected": count,
                    "vocabulary": source.route,
                },
                # One or two are those for padding and unknown words, of words that hardly occur.
                severity=rule.severity
                if room > _special(source) and count - room <= _MOST_SPECIAL
                else Severity.HIGH,
                fix=f"Use {key}={count} in `{layer.name}` and train again.",
            )


def _beside(rule: Rule, facts: Facts, takers: list[Layer]) -> Iterator[Finding]:
    """An embedding smaller than the vocabulary in a file next to the model.

    Nothing is said if a vocabulary fits an embedding. The largest one is taken for that of words:
    those of positions and segments are smaller, and a layer of somebody's own can have the words.
    """
    said = facts.artifact.extra.get("vocabularies")
    files = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
    rooms = {layer.route: _integer(layer.config.get("input_dim")) or 0 for layer in takers}
    counts = [_integer(each.get("indices")) or 0 for each in files]
    if not takers or not counts or max(rooms.values()) >= min(counts):
        return
    layer = max(takers, key=lambda each: rooms[each.route])
    room, count = rooms[layer.route], min(counts)
    file = files[counts.index(count)]
    # People keep a round number of the most frequent words, and a few entries more.
    kept = room >= KEPT_WORDS.value and any(
        (room - more) % KEPT_WORDS.value == 0 or (room - more).bit_count() == 1
        for more in range(_MOST_SPECIAL + 1)
    )
    # The index of Keras' `Tokenizer` lists all words, whatever number of them it is told to use.
    kept = kept or file["file"] == "word_index.json"
    meant = file.get("shared") is True or len({*rooms.values()}) > 1
    graph = saved_graph(facts)
    # Operations of a graph that are no layer hold no words but before the embedding.
    may_hold = graph.above([layer.route]) if facts.artifact.architecture is None else {*graph.calls}
    meant = meant or any(each.custom and each.route in may_hold for each in graph.layers)
    yield rule.finding(
        f"`{layer.route}` has room for {room:,} indices, but {file['file']} next to the model gives "
        f"{count:,}: indices from {room:,} on raise an error on a CPU and become 0 on a GPU, unless "
        "the program replaces them or the vocabulary is that of another model.",
        route=layer.route,
        evidence={
            "measured": room,
            "unit": "entries",
            "expected": count,
            "vocabulary": str(file["file"]),
        },
        severity=Severity.LOW
        if meant or (kept and count - room > _MOST_SPECIAL)
        else rule.severity,
        confidence=Confidence.MEDIUM,
        fix=f"Use input_dim={count} in `{layer.name}` and train again, or give it the index of unknown "
        f"words for each from {room:,} on.",
    )


def _indices(graph: LayerGraph, layer: Layer) -> list[Layer]:
    """The layers that give the indices, through layers that keep values."""
    conditions: list[str] = []

    def sources(route: str) -> Iterator[str]:
        before = graph.layer(route)
        if route != layer.route and not _keeps_indices(before):
            return
        for call in graph.calls[route]:
            chooses = before.class_name in _CHOICES
            conditions.extend(call[:1] if chooses else ())
            yield from call[1:] if chooses else call

    given = [
        before
        for route in reachable([layer.route], sources)
        if has((before := graph.layer(route)).class_name, Trait.VOCABULARY | Trait.CATEGORIES)
        and before.route != layer.route
        and not before.custom
        and before.config.get("output_mode", "int") == "int"
    ]
    # A choice by the index itself can replace those that are too large.
    replaced = graph.above(conditions)
    return [before for before in given if before.route not in replaced]


def _keeps_indices(layer: Layer) -> bool:
    """Whether a layer, or an operation of a graph, passes indices on, perhaps with others beside."""
    name = layer.class_name
    if layer.custom:
        return name in _PASSES_INDICES
    return name == "Concatenate" or has(name, Trait.KEEPS_RANGE)


def _size(source: Layer) -> int | None:
    """The number of different indices that a layer gives; None if the config does not say it."""
    config = source.config
    if source.class_name == "Hashing":
        return _integer(config.get("num_bins"))
    if source.class_name == "Discretization":
        limits = config.get("bin_boundaries")
        return len(limits) + 1 if isinstance(limits, list) else _integer(config.get("num_bins"))
    said, words = _integer(config.get("vocabulary_size")), config.get("vocabulary")
    if said is not None or not isinstance(words, list) or not words:
        return said
    return len(words) + _special(source)


def _special(source: Layer) -> int:
    """The number of its first indices that stand for no word: unknown words and padding."""
    unknown = _integer(source.config.get("num_oov_indices")) or 0
    return unknown + (source.config.get("mask_token") is not None)


def _integer(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _named(count: int) -> Facts:
    head = examples.layer("head", config={"units": 3, "activation": "softmax"})
    names: list[Json] = [*"abcdefgh"[:count]]
    labels: dict[str, Json] = {"file": "labels.txt", "names": names}
    artifact = examples.model(head, extra={"labels": labels})
    return Facts(artifact)


def _words(room: int) -> Facts:
    vocabulary: dict[str, Json] = {"vocabulary_size": 100, "output_mode": "int"}
    lookup = examples.layer("words", "TextVectorization", {}, vocabulary)
    facts = examples.chain(
        lookup, examples.layer("embedding", "Embedding", {}, {"input_dim": room})
    )
    return replace(facts, path="model.keras")


RULES = (
    Rule(
        code="MA317",
        name="class-names-differ",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARTIFACT,),
        summary="The number of outputs differs from the number of class names",
        pass_title="There are as many outputs as class names next to the model",
        why="The program that shows predictions takes the names from this file by their number. "
        "With another number of names, it shows wrong ones or fails.",
        fix="Use the names of the training data, in the order of the outputs.",
        check=_labels,
        assumes="output",
        bad=lambda: _named(4),
        good=lambda: _named(3),
    ),
    Rule(
        code="MA318",
        name="embedding-smaller-than-vocabulary",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.LAYERS,),
        summary="An embedding has fewer rows than its vocabulary has words",
        pass_title="Every embedding has a row for each index that it gets",
        why="Rare words have the highest indices. On a CPU they raise an error; on a GPU they get a "
        "row of zeros, so all of them mean the same.",
        fix="Use the size of the vocabulary as input_dim and train again.",
        check=_vocabulary,
        assumes="output",
        bad=lambda: _words(50),
        good=lambda: _words(100),
    ),
)
