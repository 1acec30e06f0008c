"""MA341: embeddings that get numbers that are not the indices of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph, weighs
from modelaudit.structs import replace

_COLUMNS = frozenset(("multi_hot", "one_hot", "count", "tf_idf", "binary", "tf-idf"))
_TABLES = Trait.CATEGORIES | Trait.VOCABULARY
_FRACTIONS = Trait.CHANNEL_NORMALISATION | Trait.BATCH_NORMALISATION | Trait.RECURRENT
_ADDED = Trait.DROPOUT | Trait.NOISE  # which change numbers in training alone


def _indices(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    rows = [x for x in graph.layers if x.class_name == "Embedding" and not x.custom]
    if not rows:
        raise NotRelevant("the model has no embedding")
    starts = {x.route: _start(graph, x) for x in rows}
    for layer in rows:
        before = starts[layer.route]
        if before is None:
            continue
        if _is_columns(before):
            yield rule.finding(
                f"`{layer.route}` looks up the rows 0 and 1 alone: `{before.route}` gives a column for each "
                "category, not the number of one.",
                route=layer.route,
                evidence={"measured": before.config.get("output_mode"), "unit": "output_mode"},
                fix=f'Use output_mode="int" in `{before.name}`, or a Dense layer in place of '
                f"`{layer.name}`, and train again.",
            )
        elif has(before.class_name, _ADDED):
            yield rule.finding(
                f"`{before.route}` ({before.class_name}) changes, in training, the numbers by which "
                f"`{layer.route}` looks up rows: it gets those of other words, or of none.",
                route=layer.route,
                evidence={"measured": before.class_name},
                fix=f"Put `{before.name}` behind `{layer.name}`, and train again.",
            )
        elif _gives_fractions(before):
            yield rule.finding(
                f"`{layer.route}` cuts what `{before.route}` ({before.class_name}) gives to whole numbers, to "
                "look up rows: values that are close become the same row, and no gradient passes.",
                route=layer.route,
                evidence={"measured": before.class_name},
                fix=f"Give `{layer.name}` the whole numbers of the input, before `{before.name}`, or use a "
                "Dense layer in its place, and train again.",
            )
    for at, small, large in _of_other_sizes(rows, starts):
        few, many = small.config["input_dim"], large.config["input_dim"]
        places = at.output_shape is not None and at.output_shape[1:] == (few,)
        yield rule.finding(
            f"`{small.route}` has {few} rows and `{large.route}` has {many}, and both look up the numbers of "
            f"`{at.route}`"
            + (
                f", which has {few} places: rows of places, as they seem to be, are looked up by words."
                if places
                else ": one lacks rows, or has some that nothing looks up."
            ),
            route=small.route,
            evidence={"measured": [few, many], "unit": "rows"},
            severity=Severity.MEDIUM if places else Severity.LOW,
            fix=f"Give `{small.name}` the numbers of the places, and train again:\n"
            f"{small.name}(keras.ops.arange({few}))"
            if places
            else f"Use input_dim={many} in `{small.name}`, or the number of categories in both, and train "
            "again.",
        )


def _of_other_sizes(
    rows: Sequence[Layer], starts: Mapping[str, Layer | None]
) -> Iterator[tuple[Layer, Layer, Layer]]:
    """Inputs, and of the tables that look up their numbers each and the next larger one."""
    tables: dict[str, list[tuple[int, int, Layer]]] = {}
    inputs: dict[str, Layer] = {}
    for number, layer in enumerate(rows):
        at, size = starts[layer.route], layer.config.get("input_dim")
        if at is not None and at.class_name == "InputLayer" and type(size) is int:
            inputs[at.route] = at
            tables.setdefault(at.route, []).append((size, number, layer))
    for route, found in tables.items():
        for (few, _, small), (many, _, large) in pairwise(sorted(found, key=lambda x: x[:2])):
            if few != many:
                yield inputs[route], small, large


def _start(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The first layer before one that does not leave numbers as they are."""
    before = [*graph.only_sources(layer.route, lambda x: _keeps(x) and not x.custom)]
    return before[-1] if before and not before[-1].custom else None


def _keeps(layer: Layer) -> bool:
    name = layer.class_name
    return has(name, Trait.KEEPS_RANGE) and name != "InputLayer" and not has(name, _ADDED)


def _is_columns(layer: Layer) -> bool:
    said = layer.config.get("output_mode")
    tells = has(layer.class_name, _TABLES) or layer.class_name == "CategoryEncoding"
    return tells and isinstance(said, str) and said in _COLUMNS


def _gives_fractions(layer: Layer) -> bool:
    name = layer.class_name
    return weighs(layer) or has(name, _FRACTIONS) or name in {"Normalization", "Softmax"}


def _looked_up(before: str) -> Facts:
    words = replace(examples.layer("words", "InputLayer", {}), output_shape=(None, 9))
    rows: dict[str, Json] = {"input_dim": 50, "output_dim": 8}
    given = examples.layer("given", before, {}, {"units": 9})
    return examples.chain(words, given, examples.layer("rows", "Embedding", {}, rows))


RULES = (
    Rule(
        code="MA341",
        name="embedding-of-no-indices",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="An embedding gets numbers that are not row indices",
        pass_title="Embeddings get the indices of their rows",
        why="An embedding looks up one row for each whole number. Of fractions, columns of 0 and 1, or "
        "numbers of something else, it looks up rows that mean nothing.",
        fix="Give the embedding the whole numbers that its rows stand for, and train again.",
        check=_indices,
        bad=lambda: _looked_up("Dense"),
        good=lambda: _looked_up("Flatten"),
    ),
)
