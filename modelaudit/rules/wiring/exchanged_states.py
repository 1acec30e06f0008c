"""MA349: the two states of an LSTM, given to another one in each other's place."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.structs import replace

_STATES = [1, 2]  # places of the hidden state and of the cell's, behind the output
_DEPTH = 8


def _exchanged(rule: Rule, facts: Facts) -> Iterator[Finding]:
    architecture = facts.artifact.architecture
    config = architecture.config.get("config") if architecture else None
    entries = config.get("layers") if isinstance(config, dict) else None
    layers = [x for x in (architecture.layers if architecture else ()) if x.class_name == "LSTM"]
    takes = [x for x in layers if any(len(call) > 2 for call in x.inbound)]
    if not takes or not isinstance(entries, list):
        raise NotRelevant("no LSTM gets the states of another one")
    named = {x.get("name"): x for x in entries if isinstance(x, dict)}
    lstm = {x.name for x in layers}
    for layer in takes:
        entry = named.get(layer.name)
        found = [*_references(entry.get("inbound_nodes") if isinstance(entry, dict) else None)]
        by_source = [(name, place) for name, place in found if name in lstm and place in _STATES]
        turned = len(by_source) == 2 and [place for _, place in by_source] == _STATES[::-1]
        if turned and len({name for name, _ in by_source}) == 1:
            source = by_source[0][0]
            yield rule.finding(
                f"`{layer.route}` gets the cell state of `{source}` as its hidden state, and the hidden state as "
                "its cell state: Keras gives and takes the hidden one first.",
                route=layer.route,
                evidence={"measured": [place for _, place in by_source], "expected": [*_STATES]},
                fix="Give them in the order in which the layer returns them, and train again:\n"
                "output, hidden, cell = encoder(x)\n"
                "decoder(y, initial_state=[hidden, cell])",
            )


def _references(value: Json, depth: int = 0) -> Iterator[tuple[str, int]]:
    """Layer and output of each tensor in saved nodes, in the spelling of Keras 3 and of Keras 2."""
    if depth > _DEPTH:
        return
    if isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list) and len(history) == 3:
            yield from _reference(history)
            return
        for each in value.values():
            yield from _references(each, depth + 1)
    elif isinstance(value, list):
        plain = len(value) >= 3 and isinstance(value[0], str) and type(value[1]) is int
        if plain:
            yield from _reference(value[:3])
        for each in value[3:] if plain else value:
            yield from _references(each, depth + 1)


def _reference(history: list[Json]) -> Iterator[tuple[str, int]]:
    name, place = history[0], history[2]
    if isinstance(name, str) and type(place) is int:
        yield name, place


def _decoder(*places: int) -> Facts:
    def lstm(name: str, *calls: str) -> Layer:
        return examples.layer(name, "LSTM", {}, {"units": 8}, inbound=(calls,) if calls else ())

    steps = examples.layer("steps", "InputLayer", {})
    layers = (steps, lstm("encoder", "steps"), lstm("decoder", "steps", "encoder", "encoder"))
    made = examples.model(*layers)
    node: list[Json] = [["steps", 0, 0, {}]]
    node += [["encoder", 0, place, {}] for place in places]
    entries: Json = [{"name": "decoder", "inbound_nodes": [node]}]
    assert made.architecture is not None
    return Facts(
        replace(
            made, architecture=replace(made.architecture, config={"config": {"layers": entries}})
        )
    )


RULES = (
    Rule(
        code="MA349",
        name="states-exchanged",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="An LSTM gets the states of another one in each other's place",
        pass_title="Each LSTM gets the hidden state and the cell state of another one as such",
        why="The cell state has no limit, the hidden state is between -1 and 1, and gates read the hidden "
        "one. Exchanged, the decoder starts from numbers that mean something else.",
        fix="Give the states in the order in which the layer returns them, and train again.",
        check=_exchanged,
        bad=lambda: _decoder(2, 1),
        good=lambda: _decoder(1, 2),
    ),
)
