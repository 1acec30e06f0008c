"""MA315: hidden layers that shrink or blow up what passes through them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES, compiled_losses, named_outputs
from modelaudit.formats.keras.dialects import activation
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import canonical_name
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules import examples
from modelaudit.rules.assumed_parts import with_held_layers
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network.network_heads import (
    activation_of,
    joined_graph,
    plain_activation,
    saved_graph,
    weighs,
)
from modelaudit.rules.network.sigmoids import (
    is_sigmoid,
    relu_code,
    relus_code,
    sigmoid_depths,
    sigmoid_maps,
)
from modelaudit.rules.plain_graphs.architecture import joined_architecture
from modelaudit.thresholds.design import (
    MANY_SIGMOIDS,
    PLAIN_SIGMOIDS,
    SIGMOID_MAPS,
    SIGMOIDS_IN_ROW,
)

# Without an upper limit: a state that is fed back can grow at each step.
_UNBOUNDED = frozenset(
    {
        *("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "mish", "linear"),
        *("softplus", "exponential"),
    }
)
_LEAST = {"tanh": -1, "sigmoid": 0, "softmax": 0}  # value of activations that give at most 1
_HALVES = frozenset(("sigmoid", "hard_sigmoid"))
_RECURRENT = Trait.RECURRENT
# Trained recurrent ReLUs start with the identity (Le et al., 2015).
_STABLE = frozenset(("identity", "eye"))

# Activations that suit no hidden layer before weights, and why.
_HIDDEN = {
    "softmax": "a softmax, but is no output: the values that `{}` gets add up to 1, so all but a few "
    "are nearly 0",
    "exponential": "the activation exponential, but is no output: the values that `{}` gets grow "
    "without limit, and gradients with them",
}


def _vanishing(rule: Rule, facts: Facts) -> Iterator[Finding]:
    yield from _recurrent(rule, saved_graph(facts))
    graph = joined_graph(facts)
    yield from _squashed_again(rule, graph)
    yield from _cut_scores(rule, graph)
    for layer in graph.layers:
        applied = activation_of(layer)
        if applied not in _HIDDEN or not (weighs(layer) or _lone(graph, layer)):
            continue
        behind = _next_weights(graph, layer)
        if behind:
            yield rule.finding(
                f"`{layer.route}` has {_HIDDEN[applied].format(behind)}.",
                route=layer.route,
                evidence={"measured": applied},
                fix=relu_code(layer),
            )
    yield from _maps(rule, graph)
    if sum(map(is_sigmoid, graph.layers)) < PLAIN_SIGMOIDS.value:
        return
    plain = _plain_descent(facts)
    limit = PLAIN_SIGMOIDS.value if plain else SIGMOIDS_IN_ROW.value
    depths = sigmoid_depths(graph)
    # A cross-entropy takes the slope of the output's sigmoid out of the gradient.
    architecture = joined_architecture(facts.artifact)
    names = named_outputs(architecture) if architecture else ()
    losses = compiled_losses(facts.artifact.training, names)
    for route, loss in zip(graph.outputs, losses, strict=False):
        if loss.name in CROSS_ENTROPIES if loss else plain:
            depths[route] = depths.get(route, 0) - 1
    deepest = max(depths.values(), default=0)
    if deepest >= limit:
        ends = [route for route, depth in depths.items() if depth == deepest]
        row = [
            graph.layer(ends[0]),
            *graph.only_sources(ends[0], lambda x: bool(depths.get(x.route))),
        ]
        hidden = [
            layer
            for layer in reversed(row)
            if activation_of(layer) == "sigmoid" and layer.route not in graph.outputs
        ]
        if architecture is not facts.artifact.architecture:  # a graph shows it behind the weights
            hidden = [_weights_before(graph, layer) for layer in hidden]
        yield rule.finding(
            f"{deepest} sigmoid layers follow each other up to {ends[0]}, without a normalization "
            f"or a shortcut: at most 1/{4**deepest:,} of the gradient passes all their slopes"
            + (
                ", and plain SGD does not scale its steps up."
                if deepest < SIGMOIDS_IN_ROW.value
                else "."
            ),
            route=ends[0],
            evidence={"measured": deepest, "unit": "layers", "threshold": limit},
            severity=Severity.MEDIUM if deepest >= MANY_SIGMOIDS.value else None,
            fix=relus_code(hidden) if hidden else "",  # each gives an output, too
        )


def _maps(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Convolutions that give sigmoids to the next layers."""
    layers = [*sigmoid_maps(graph)]
    if len(layers) >= SIGMOID_MAPS.value:
        named = ", ".join(f"`{each.route}`" for each in layers[:3])
        yield rule.finding(
            f"{len(layers)} hidden convolutions have the activation sigmoid ({named}): all their values "
            "are above 0 and close to 0.5 at the start, and at most 1/4 of a gradient passes each.",
            route=layers[0].route,
            evidence={"measured": len(layers), "unit": "layers", "threshold": SIGMOID_MAPS.value},
            key="maps",
            fix=relus_code(layers),
        )


def _recurrent(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    for layer in graph.layers:
        config, name = _recurrent_config(layer)
        if not name:
            continue
        said = activation(config.get("activation", "tanh"))
        applied = plain_activation(said or "linear")
        start = config.get("recurrent_initializer")
        start = canonical_name(start if isinstance(start, dict) else {"class_name": str(start)})
        around = graph.get(layer.route.rpartition("/")[0])  # a Bidirectional, an RNN or its cells
        inner = around is not None and around.class_name != "StackedRNNCells"
        if inner:
            continue
        units = config.get("units", config.get("output_dim"))
        made = layer.class_name if layer.class_name == f"{name}Cell" else name
        again = ", return_sequences=True" if config.get("return_sequences") is True else ""
        default = _bounded(layer, f'keras.layers.{made}({units!r}, activation="tanh"{again}')
        gates = plain_activation(activation(config.get("recurrent_activation")) or "sigmoid")
        if gates in _UNBOUNDED - {"linear"}:
            yield rule.finding(
                f"The gates of `{layer.route}` ({name}) have the activation {gates}: they are factors of "
                "the state, and above 1 it grows at every step.",
                route=layer.route,
                evidence={"measured": gates, "class": name},
                key=f"{layer.route} gates",
                fix="Use the default recurrent_activation and train again:\n"
                + _bounded(
                    layer, f'keras.layers.{made}({units!r}, recurrent_activation="sigmoid"{again}'
                ),
            )
        if applied == "softmax":
            yield rule.finding(
                f"`{layer.route}` ({name}) has the activation softmax, but its gates and states are no "
                "shares: they add up to 1 over all units, so all but a few are nearly 0.",
                route=layer.route,
                evidence={"measured": applied, "class": name},
                fix="Use the default activation, with a Dense layer for the classes behind it, and train "
                f"again:\n{default}",
            )
        gated = "recurrent_activation" in config  # as Elman networks are not
        if applied in _HALVES and gated:
            yield rule.finding(
                f"`{layer.route}` ({name}) has the activation {applied}, whose values are all above 0: its state "
                "cannot be negative, and at most 1/4 of a gradient passes what it takes up.",
                route=layer.route,
                evidence={"measured": applied, "class": name},
                fix=f"Use the default activation and train again:\n{default}",
            )
        if applied not in _UNBOUNDED or start in _STABLE:
            continue
        yield rule.finding(
            f"`{layer.route}` ({name}) has the activation {applied}, which has no limit: its state "
            "is fed back and can grow at every step, to NaN in long sequences.",
            route=layer.route,
            evidence={"measured": applied, "class": name},
            fix=f"Use the default activation and train again:\n{default}",
        )


def _squashed_again(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Sigmoids, as layers of their own, of what another activation had limited already."""
    takers = graph.consumers()
    for layer in graph.layers:
        if layer.class_name != "Activation" or activation_of(layer) != "sigmoid":
            continue
        passes = graph.only_sources(layer.route, lambda x: has(x.class_name, Trait.KEEPS_RANGE))
        if not (sources := [*passes]) or sources[-1].custom:
            continue
        before = sources[-1]
        config, name = _recurrent_config(before)
        said = activation(config.get("activation", "tanh")) if name else ""
        applied = plain_activation(said or "") if name else activation_of(before)
        hidden = takers.get(layer.route) and layer.route not in graph.outputs
        if applied not in _LEAST or not hidden:
            continue
        least = _LEAST[applied]
        yield rule.finding(
            f"`{layer.route}` applies a sigmoid to the {applied} of `{before.route}`, whose values are "
            f"from {least} to 1: all results are from {1 / (1 + math.exp(-least)):.2g} to 0.73.",
            route=layer.route,
            evidence={"measured": ["sigmoid", applied]},
            fix=f"Remove the layer `{layer.name}` and train again.",
        )


def _cut_scores(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Hidden softmaxes, such as those of gates, of scores that a ReLU has cut off."""
    for layer in graph.layers:
        if layer.class_name not in {"Activation", "Softmax"} or layer.route in graph.outputs:
            continue
        passes = graph.only_sources(layer.route, lambda x: has(x.class_name, Trait.KEEPS_RANGE))
        before = next(reversed([*passes]), None)
        if before is None or before.custom or activation_of(layer) != "softmax":
            continue
        if activation_of(before) != "relu" or not (weighs(before) or _lone(graph, before)):
            continue
        yield rule.finding(
            f"`{layer.route}` is a softmax of what the relu of `{before.route}` gives: no score is below 0, "
            "scores of 0 get no gradient, and where all are 0 all shares are the same.",
            route=layer.route,
            evidence={"measured": ["softmax", "relu"]},
            fix=f"Give `{before.name}` no activation, so that the softmax gets scores of both signs, and "
            "train again."
            if weighs(before)
            else f"Remove the layer `{before.name}` and train again.",
        )


def _bounded(layer: Layer, code: str) -> str:
    if layer.class_name == "Bidirectional":
        code = f"keras.layers.Bidirectional({code})"
    return f"{code}, name={layer.name!r})"


def _recurrent_config(layer: Layer) -> tuple[Mapping[str, Json], str]:
    """Config and class of a recurrent layer, also inside Bidirectional and RNN; no class if none."""
    config, name = layer.config, layer.class_name
    for key in ("layer", "cell"):
        inner = config.get(key)
        found = inner.get("config") if isinstance(inner, dict) else None
        if name in {"Bidirectional", "RNN"} and isinstance(inner, dict) and isinstance(found, dict):
            config, name = found, str(inner.get("class_name"))
    kind = name.removesuffix("Cell")
    plain = has(kind, Trait.RECURRENT) and kind != "RNN"  # which has no activation of its own
    return config, kind if plain else ""


def _plain_descent(facts: Facts) -> bool:
    """Whether it was trained by gradient descent without momentum.

    Slots tell of a momentum where the file has no settings; tf-keras keeps one for a momentum of 0, too.
    """
    state = optimizer_state(facts.artifact)
    if state is None or state.name.lower() not in {"", "sgd"}:
        return False
    if (momentum := state.settings.get("momentum")) is not None:
        return not momentum
    return not any(t.role == "optimizer" and t.shape for t in facts.artifact.tensors)


def _lone(graph: LayerGraph, layer: Layer) -> bool:
    """Whether an activation layer is directly behind weights."""
    calls = graph.calls[layer.route]
    before = graph.get(calls[0][0]) if len(calls) == 1 and len(calls[0]) == 1 else None
    recurs = before is not None and has(before.class_name, _RECURRENT)
    return before is not None and (weighs(before) or recurs)


def _weights_before(graph: LayerGraph, layer: Layer) -> Layer:
    """The layer with weights whose activation this is; itself where there is none."""
    return graph.layer(graph.calls[layer.route][0][0]) if _lone(graph, layer) else layer


def _next_weights(graph: LayerGraph, layer: Layer) -> str:
    """The one layer with weights that takes the output, through layers that keep its values."""
    behind = [*graph.only_takers(layer.route, lambda x: has(x.class_name, Trait.KEEPS_RANGE))]
    return behind[-1].route if behind and weighs(behind[-1]) else ""


_NEEDS = (Need.LAYERS,)

RULES = (
    Rule(
        code="MA315",
        name="vanishing-activations",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="Activations of hidden layers let gradients vanish, or values grow without limit",
        pass_title="No hidden layer has a softmax or exponential, no recurrent one an unlimited "
        "activation, and sigmoids do not follow each other often",
        why="Such a network can be trained, but slowly. Its first layers often stay as they were "
        "drawn, and all inputs get nearly the same answer. A state that grows ends in huge weights, "
        "or in NaN.",
        fix='Use activation="relu" in hidden layers, "tanh" in recurrent ones, and train again.',
        check=with_held_layers(one_for_alike(_vanishing, "layer")),
        assumes="output",
        bad=lambda: examples.hidden("softmax"),
        good=lambda: examples.hidden("relu"),
        references=("Glorot, Bengio (2010)", "Pascanu, Mikolov, Bengio (2013)"),
    ),
)
