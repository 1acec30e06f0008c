"""MA315, MA328: hidden layers that shrink or blow up what passes through them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Json, Kernel, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES, compiled_losses
from modelaudit.formats.keras.dialects import activation
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import candidates, canonical_name, fans
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network_heads import activation_of, plain_activation, saved_graph, weighs
from modelaudit.structs import replace
from modelaudit.thresholds.design import PLAIN_SIGMOIDS, SIGMOIDS, STARTING_SIZE

# Without an upper limit: a state that is fed back can grow at each step.
_UNBOUNDED = frozenset(
    {
        *("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "mish", "linear"),
        *("softplus", "exponential"),
    }
)
# Trained recurrent ReLUs start with the identity (Le et al., 2015).
_STABLE = frozenset(("identity", "eye"))


def _vanishing(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    yield from _recurrent(rule, graph)
    takers = graph.consumers()
    for layer in graph.layers:
        behind = _next_weights(graph, takers, layer)
        if behind and activation_of(layer) == "softmax" and (weighs(layer) or _lone(graph, layer)):
            yield rule.finding(
                f"{layer.route} has a softmax, but is no output: the values that {behind} gets add "
                "up to 1, so all but a few are nearly 0.",
                route=layer.route,
                evidence={"measured": "softmax"},
                fix=_code(layer),
            )
    plain = _plain_descent(facts)
    limit = PLAIN_SIGMOIDS.value if plain else SIGMOIDS.value
    depths: dict[str, int] = graph.propagate(_sigmoids, max)
    if plain:  # a cross-entropy takes the slope of the output's sigmoid out of the gradient
        names = [route.rpartition("/")[2] for route in graph.outputs]
        losses = compiled_losses(facts.artifact.training, names)
        for route, loss in zip(graph.outputs, losses, strict=True):
            if loss is None or loss.name in CROSS_ENTROPIES:
                depths[route] = depths.get(route, 0) - 1
    deepest = max(depths.values(), default=0)
    if deepest >= limit:
        ends = [route for route, depth in depths.items() if depth == deepest]
        yield rule.finding(
            f"{deepest} sigmoid layers follow each other up to {ends[0]}, without a normalization "
            f"or a shortcut: at most 1/{4**deepest:,} of the gradient passes all their slopes"
            + (", and plain SGD does not scale its steps up." if deepest < SIGMOIDS.value else "."),
            route=ends[0],
            evidence={"measured": deepest, "unit": "layers", "threshold": limit},
            fix=_code(graph.layer(ends[0])),
        )


def _recurrent(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    for layer in graph.layers:
        config, name = _recurrent_config(layer)
        said = activation(config.get("activation", "tanh"))
        applied = plain_activation(said or "linear")
        start = config.get("recurrent_initializer")
        start = canonical_name(start if isinstance(start, dict) else {"class_name": str(start)})
        around = graph.get(layer.route.rpartition("/")[0])  # a Bidirectional, an RNN or its cells
        inner = around is not None and around.class_name != "StackedRNNCells"
        if inner or not name or applied not in _UNBOUNDED or start in _STABLE:
            continue
        units = config.get("units", config.get("output_dim"))
        made = layer.class_name if layer.class_name == f"{name}Cell" else name
        again = ", return_sequences=True" * (config.get("return_sequences") is True)
        yield rule.finding(
            f"{layer.route} ({name}) has the activation {applied}, which has no limit: its state "
            "is fed back and can grow at every step, to NaN in long sequences.",
            route=layer.route,
            evidence={"measured": applied, "class": name},
            fix="Use the default activation and train again:\n"
            + _bounded(layer, f'keras.layers.{made}({units}, activation="tanh"{again}'),
        )


def _bounded(layer: Layer, code: str) -> str:
    if layer.class_name == "Bidirectional":
        code = f"keras.layers.Bidirectional({code})"
    return f'{code}, name="{layer.name}")'


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
    """Whether it was trained by gradient descent without momentum, which keeps no slots."""
    state = optimizer_state(facts.artifact)
    if state is None or state.name.lower() not in {"", "sgd"} or state.settings.get("momentum"):
        return False
    return not any(t.role == "optimizer" and t.shape for t in facts.artifact.tensors)


def _lone(graph: LayerGraph, layer: Layer) -> bool:
    """Whether an activation layer is directly behind weights."""
    calls = graph.calls[layer.route]
    before = graph.get(calls[0][0]) if len(calls) == 1 and len(calls[0]) == 1 else None
    return before is not None and weighs(before)


def _next_weights(graph: LayerGraph, takers: Mapping[str, tuple[str, ...]], layer: Layer) -> str:
    """The one layer with weights that takes the output, through layers that keep its values."""
    for _ in range(8):
        after = takers.get(layer.route, ())
        if len(after) != 1:
            return ""
        layer = graph.layer(after[0])
        if weighs(layer):
            return layer.route
        if not has(layer.class_name, Trait.KEEPS_RANGE):
            return ""
    return ""


def _sigmoids(layer: Layer, values: Sequence[int | None]) -> int | None:
    """The number of sigmoid layers in a row that end here; None starts again."""
    before = values[0] or 0 if len(values) == 1 else 0
    if has(layer.class_name, Trait.KEEPS_RANGE | Trait.LOCAL_POOLING):
        return before
    if weighs(layer) or layer.class_name == "Activation":
        name = activation_of(layer)
        return before + 1 if name == "sigmoid" else before if name == "linear" else 0
    return None


def _code(layer: Layer) -> str:
    units = layer.config.get("units", layer.config.get("filters"))
    if not isinstance(units, int):
        return f'keras.layers.Activation("relu", name="{layer.name}")'
    size = layer.config.get("kernel_size")
    shape = f"{units}, {size}" if size else f"{units}"
    return f'keras.layers.{layer.class_name}({shape}, activation="relu", name="{layer.name}")'


def _starting(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    sizes = _StartingSizes({kernel.route: kernel for kernel in facts.artifact.kernels})
    found: dict[str, float] = graph.propagate(sizes.step, max)
    if not sizes.layers:
        raise NotRelevant("the model has no layer with weights and a known initializer")
    least = min(found, key=lambda route: found[route], default="")
    size = 10.0 ** (found[least] / 2) if least else 1.0
    if size < STARTING_SIZE.value:
        name = sizes.layers[-1].initializer or {}
        said = canonical_name(name)
        yield rule.finding(
            f"Before training, the values behind {least} had less than {size:.1g} of the size of "
            f"those at the start of its stack, and gradients shrink alike: {said} halves what each "
            "ReLU layer gets.",
            route=least,
            evidence={
                "measured": size,
                "unit": STARTING_SIZE.unit,
                "threshold": STARTING_SIZE.value,
                "initializer": said,
                "n": len(sizes.layers),
            },
            fix=f"{rule.fix}\n{_drawn(graph.layer(least))}",
        )


def _drawn(layer: Layer) -> str:
    """The layer with an initializer for ReLUs."""
    code = _code(layer)
    return code.replace(", name=", ', kernel_initializer="he_normal", name=')


class _StartingSizes:
    """Steps from the mean square of a layer's inputs to that of its output, before training.

    Values are decimal logarithms, relative to the last input, normalization or layer of unknown
    effect. With independent weights of mean 0 and variance v, each sum of n values has n v times
    their mean square, and a ReLU keeps half of that (He et al., 2015, section 2.2).
    """

    def __init__(self, kernels: Mapping[str, Kernel]) -> None:
        self.kernels = kernels
        self.layers: list[Kernel] = []

    def step(self, layer: Layer, values: Sequence[float | None]) -> float | None:
        """The value of one call; never below what is certain."""
        known = [each for each in values if each is not None]
        if layer.custom or not known or len(known) < len(values):
            return 0.0
        name = layer.class_name
        if has(name, Trait.AFFINE):
            scale = self._variance(layer)
        elif name in {"Activation", "ReLU"}:
            scale = 1.0
        elif has(name, Trait.KEEPS_RANGE) or name == "Concatenate":
            return max(known)
        elif has(name, Trait.LOCAL_POOLING):
            window = layer.config.get("pool_size")
            size = (
                math.prod(n for n in window if isinstance(n, int))
                if isinstance(window, list)
                else 4
            )
            return max(known) + (0.0 if has(name, Trait.LINEAR) else math.log10(max(size, 1)))
        elif has(name, Trait.MERGE | Trait.LINEAR) and has(name, Trait.MERGE):
            return max(known) + 2 * math.log10(len(known))
        else:
            return 0.0
        applied = activation_of(layer)
        if applied not in {"relu", "linear"} or scale is None:
            return 0.0
        return known[0] + math.log10(scale / 2 if applied == "relu" else scale)

    def _variance(self, layer: Layer) -> float | None:
        """The number of inputs of a unit times the largest variance that its weights start with."""
        kernel = self.kernels.get(layer.route)
        if kernel is None or kernel.initializer is None or len(kernel.shape) < 2:
            return None
        drawn = candidates(kernel.initializer, kernel.shape)
        spreads = [each.spread(kernel.shape) for each in drawn]
        if not spreads or min(spreads) <= 0:
            return None
        self.layers.append(kernel)
        return fans(kernel.shape)[0] * max(spreads) ** 2


def _dense(name: str, activation: str = "relu") -> Layer:
    return examples.layer(name, config={"units": 8, "activation": activation})


def _hidden(activation: str) -> Facts:
    return examples.chain(_dense("hidden", activation), _dense("head", "softmax"))


def _deep(initializer: str) -> Facts:
    layers = [_dense(f"hidden_{n}") for n in range(32)]
    kernels = tuple(
        Kernel(
            *(layer.route, f"{layer.route}/kernel", "dense", "io", 0, (8, 8)),
            initializer={"class_name": initializer},
        )
        for layer in layers
    )
    facts = examples.chain(*layers, _dense("head", "softmax"))
    return replace(facts, artifact=replace(facts.artifact, kernels=kernels))


_NEEDS = (Need.ARCHITECTURE,)

RULES = (
    Rule(
        code="MA315",
        name="vanishing-activations",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="Activations of hidden layers let gradients vanish, or states grow without limit",
        pass_title="No hidden layer has a softmax, no recurrent one an unlimited activation, and sigmoids "
        "do not follow each other often",
        why="Such a network can be trained, but slowly. Its first layers often stay as they were "
        "drawn, and all inputs get nearly the same answer. A state that grows ends in huge weights, "
        "or in NaN.",
        fix='Use activation="relu" in hidden layers, "tanh" in recurrent ones, and train again.',
        check=_vanishing,
        bad=lambda: _hidden("softmax"),
        good=lambda: _hidden("relu"),
        references=("Glorot, Bengio (2010)", "Pascanu, Mikolov, Bengio (2013)"),
    ),
    Rule(
        code="MA328",
        name="signal-lost-at-start",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="The initial weights of a deep stack let nothing through",
        pass_title="The initial weights of every stack keep the size of what passes through",
        why="The output hardly depends on the input when training starts, and hardly any gradient "
        "arrives at the first layers. What is learned then is the bias of the last layer: one "
        "answer for every input.",
        fix='Use kernel_initializer="he_normal" in layers with ReLU, batch normalization, residual '
        "connections or fewer layers, and train again.",
        check=_starting,
        bad=lambda: _deep("GlorotUniform"),
        good=lambda: _deep("HeNormal"),
        references=("He, Zhang, Ren, Sun (2015), arXiv:1502.01852",),
    ),
)
