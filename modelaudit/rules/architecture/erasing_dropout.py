"""MA310: dropout that leaves too little to learn from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import channels_first
from modelaudit.rules import examples
from modelaudit.rules.assumed_parts import with_held_layers
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.plain_graphs.architecture import shown_by_graph
from modelaudit.thresholds.design import ERASED_IN_ALL, ERASED_ROWS, ERASING, LARGE_DROPOUT

_OLD_KERAS = re.compile(r"(?:1\.[0-9]+|2\.[0-3])\.[0-9]+")  # that in TensorFlow was 2.2.4-tf
_WITH_DROPOUT = Trait.RECURRENT | Trait.RECURRENT_CELL | Trait.ATTENTION
_DROPPING = _WITH_DROPOUT | Trait.DROPOUT
_WRAPPERS = frozenset(("Bidirectional", "TimeDistributed", "RNN"))


def _erasing(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if shown_by_graph(facts.artifact) is not None:
        raise NotApplicable("a graph for inference does not show dropout, which only training has")
    graph = saved_graph(facts)
    rates = {layer.route: _rates(layer) for layer in graph.layers}
    for route in [each for each, said in rates.items() if said and _wrapped(graph, each)]:
        rates[route] = []
    if not any(rates.values()):
        raise NotRelevant("the model has no dropout")
    erasing = [
        (graph.layer(x), *said) for x in rates for said in rates[x] if said[1] >= ERASING.value
    ]
    for layer, key, rate, class_name in erasing:
        what = "input" if key in {"rate", "p", "dropout"} else "state"
        if has(class_name, Trait.ATTENTION):
            what = "attention"
        effect = f"drops {rate:.0%} of its {what} in training"
        if class_name == "GaussianDropout":  # keras.layers.GaussianDropout.call
            noise = math.sqrt(rate / (1 - rate)) if rate < 1 else math.inf
            effect = f"multiplies its input by noise with a standard deviation of {noise:.2g} in training"
        unharmed = class_name == "Dropout" and rate == 1 and _of_old_keras(facts)
        if unharmed:  # keras.layers.core.Dropout.call of then
            effect = (
                f"has a rate of 1: Keras {facts.artifact.provenance.keras}, which saved it, drops "
                "nothing then, and Keras from 2.4 on everything in training"
            )
        yield rule.finding(
            f"`{layer.route}` {effect}.",
            route=layer.route,
            evidence={
                "measured": rate,
                "unit": f"of the {what} dropped",
                "threshold": ERASING.value,
            },
            key=layer.route if key in {"rate", "p"} else f"{layer.route} {key}",
            # Much of the input is hidden on purpose in masked and denoising training.
            severity=Severity.LOW
            if unharmed
            or (key in {"rate", "p"} and class_name != "GaussianDropout" and _first(graph, layer))
            else None,
            fix="Remove the layer, or set its rate, before you train the model any further."
            if unharmed
            else ""
            if key in {"rate", "p"}
            else f"Set {key} to the share to drop, usually 0.1 to 0.5, and train again.",
        )
    if erasing:
        return
    rows = [*_whole_rows(rule, graph, rates)]
    yield from rows

    def step(layer: Layer, values: Sequence[float | None]) -> float | None:
        # A sum or concatenation passes on what the way with the least dropout passes on.
        kept = max((1.0 if each is None else each for each in values), default=1.0)
        # Gaussian dropout drops nothing: it multiplies by noise with a mean of 1.
        own = [
            rate
            for key, rate, class_name in rates[layer.route]
            if key in {"rate", "p"} and class_name != "GaussianDropout"
        ]
        return kept * (1 - own[0] if own else 1.0)

    passed: dict[str, float] = graph.propagate(step, max)
    least = min(graph.outputs, key=lambda route: passed.get(route, 1.0), default="")
    if passed.get(least, 1.0) < ERASED_IN_ALL.value:
        yield rule.finding(
            f"The dropout layers one after another up to {least} leave {passed[least]:.2%} of the "
            "ways through the network in training.",
            route=least,
            evidence={
                "measured": passed[least],
                "unit": ERASED_IN_ALL.unit,
                "threshold": ERASED_IN_ALL.value,
            },
            severity=Severity.LOW,
            fix="Use fewer dropout layers, or lower rates, usually 0.1 to 0.5, and train again.",
        )
    elif not rows:
        yield from _larger_than_usual(rule, graph, rates)


def _larger_than_usual(
    rule: Rule, graph: LayerGraph, rates: Mapping[str, Sequence[tuple[str, float, str]]]
) -> Iterator[Finding]:
    """Rates that are taken for the share to keep, which TensorFlow 1 had in their place."""
    for route, said in rates.items():
        layer = graph.layer(route)
        for key, rate, class_name in said:
            if rate < LARGE_DROPOUT.value or class_name == "GaussianDropout":
                continue
            if key in {"rate", "p"} and _first(graph, layer):
                continue
            yield rule.finding(
                f"`{route}` drops {rate:.0%} in training: only {1 - rate:.0%} of what it gets is left to learn "
                "from.",
                route=route,
                evidence={
                    "measured": rate,
                    "unit": "of the input dropped",
                    "threshold": LARGE_DROPOUT.value,
                },
                key=f"{route} {key}",
                title="A dropout rate is larger than usual",
                severity=Severity.LOW,
                fix=f"If {rate:g} was meant as the share to keep, set {key} to {1 - rate:.2g}; otherwise to "
                "between 0.1 and 0.5. Then train again.",
            )


def _whole_rows(
    rule: Rule, graph: LayerGraph, rates: Mapping[str, Sequence[tuple[str, float, str]]]
) -> Iterator[Finding]:
    """A dropout over so few values that it often drops all that a layer gives for an input."""
    for route, said in rates.items():
        layer = graph.layer(route)
        if said and layer.class_name.startswith("SpatialDropout") and _single_channel(layer):
            yield rule.finding(
                f"`{route}` drops whole channels, and gets one: for {said[0][1]:.0%} of the training inputs "
                "nothing is left.",
                route=route,
                evidence={"measured": 1, "unit": "channels"},
                severity=Severity.LOW,
                title="A dropout layer often drops all values of an input",
                fix="Drop single values, and train again:\n"
                f"keras.layers.Dropout({said[0][1]:.2g}, name={layer.name!r})",
            )
            continue
        if layer.class_name != "Dropout" or not said or _first(graph, layer):
            continue
        values = _values_of_a_row(graph, layer)
        rate = said[0][1]
        if not values or layer.config.get("noise_shape"):
            continue
        share = rate**values
        if share >= ERASED_ROWS.value:
            yield rule.finding(
                f"`{route}` drops {rate:.0%} of {values} values: for {share:.0%} of the training inputs it "
                "drops all of them, and nothing of the input is left.",
                route=route,
                evidence={
                    "measured": share,
                    "unit": ERASED_ROWS.unit,
                    "threshold": ERASED_ROWS.value,
                    "n": values,
                },
                severity=Severity.LOW,
                title="A dropout layer often drops all values of an input",
                fix="Use a lower rate or more units before it, and train again:\n"
                f"keras.layers.Dropout({min(0.2, rate / 2):.2g}, name={layer.name!r})",
            )


def _single_channel(layer: Layer) -> bool:
    shape = layer.output_shape
    return bool(shape) and (shape or ())[1 if channels_first(layer) else -1] == 1


def _values_of_a_row(graph: LayerGraph, layer: Layer) -> int:
    """The number of values of an input, where the layer takes one row of them from weights; or 0."""
    before = next(graph.only_sources(layer.route, lambda x: x.class_name == "Activation"), None)
    while before is not None and before.class_name == "Activation":
        before = next(graph.only_sources(before.route, lambda _: False), None)
    if before is None or not has(before.class_name, Trait.AFFINE | Trait.RECURRENT):
        return 0
    shape = before.output_shape
    units = shape[1] if shape is not None and len(shape) == 2 else None
    return units or 0


def _of_old_keras(facts: Facts) -> bool:
    """Whether the file says that Keras before 2.4 saved it, which was not yet tf.keras.

    The word of a file is enough for what its author trained; no rule on security takes it.
    """
    old = _OLD_KERAS.fullmatch(facts.artifact.provenance.keras or "")
    return old is not None


def _first(graph: LayerGraph, layer: Layer) -> bool:
    """Whether it drops inputs of the network as they are."""
    calls = graph.calls[layer.route]
    before = (graph.get(source) for call in calls for source in call)
    return all(each is not None and each.class_name == "InputLayer" for each in before)


def _wrapped(graph: LayerGraph, route: str) -> bool:
    """Whether it is the layer or cell that another one runs, which is judged with that one."""
    around = graph.get(route.rpartition("/")[0])
    return around is not None and around.class_name in _WRAPPERS


def _rates(layer: Layer) -> list[tuple[str, float, str]]:
    """The settings that drop values, of a layer or of that which it runs, and the class of it."""
    config, name = layer.config, layer.class_name
    if not has(name, _DROPPING) and name not in _WRAPPERS:
        return []
    for key in ("layer", "cell"):
        inner = config.get(key)
        found = inner.get("config") if isinstance(inner, dict) else None
        if name in _WRAPPERS and isinstance(found, dict):
            config, name = found, str(inner.get("class_name") if isinstance(inner, dict) else "")
    keys: tuple[str, ...] = ("rate", "p") if has(name, Trait.DROPOUT) else ()
    if has(name, _WITH_DROPOUT):
        keys = ("dropout", "recurrent_dropout")
    said = [(key, config.get(key)) for key in keys]
    return [
        (key, float(rate), name)
        for key, rate in said
        if isinstance(rate, int | float) and 0 < rate <= 1
    ]


def _dropping(rate: float) -> Facts:
    drop = examples.layer("drop", "Dropout", {}, {"rate": rate})
    return examples.chain(examples.layer("hidden"), drop, examples.layer("head"))


RULES = (
    Rule(
        code="MA310",
        name="erasing-dropout",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.LAYERS,),
        summary="A dropout layer drops nearly everything in training",
        pass_title="No dropout layer drops nearly everything",
        why="`rate` is the share that is dropped, not the share that is kept. With a rate of 0.9 "
        "or more the next layer trains on noise, and its outputs are often nearly constant.",
        fix="Set rate to the share to drop, usually 0.1 to 0.5, and train again.",
        check=with_held_layers(one_for_alike(_erasing, "layer")),
        bad=lambda: _dropping(0.95),
        good=lambda: _dropping(0.5),
    ),
)
