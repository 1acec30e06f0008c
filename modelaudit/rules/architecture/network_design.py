"""MA309: networks that are linear, as a whole or between two layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.rules import examples
from modelaudit.rules.grammar import quoted
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import activation_of, joined_graph, output_heads, weighs
from modelaudit.terminal_text import first_of

# Layers that are linear in their input at inference, if their activation is.
_LINEAR = (
    Trait.LINEAR
    | Trait.CONVOLUTION
    | Trait.KEEPS_RANGE
    | Trait.RESCALING
    | Trait.BATCH_NORMALISATION
    | Trait.UPSAMPLING
    | Trait.PADDING
    | Trait.CATEGORIES
)
# A table is linear in which of its rows is chosen, as a kernel is in a one-hot input.
_TABLES = frozenset(("Embedding", "CategoryEncoding", "TextVectorization"))
_POOLINGS = Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
_BEFORE_WEIGHTS = _POOLINGS | Trait.DROPOUT | Trait.PADDING | Trait.UPSAMPLING
_MOVES = frozenset(("Reshape", "Permute"))
_PLAIN = frozenset(("Conv1D", "Conv2D", "Conv3D"))
_SLOPES = frozenset(("LeakyReLU", "ReLU"))  # linear where the slope below 0 is 1


_PAIR = "Two layers with weights have no activation between them"


def _is_linear(layer: Layer) -> bool:
    """Whether the output is a linear function of the input, up to constants."""
    known = has(layer.class_name, _LINEAR) or layer.class_name in {"Activation", *_SLOPES, *_TABLES}
    return known and not layer.custom and activation_of(layer) == "linear"


def _linear(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = joined_graph(facts)
    heads = list(output_heads(graph))
    if not heads or len(heads) != len(graph.outputs):
        raise NotApplicable("no output is computed by layers whose effect is known")
    ends = [each for head in heads for each in (head, *head.joined)]
    behind = {step.layer.route for head in ends for step in head.steps}
    rest = [layer for layer in graph.layers if layer.route not in behind]
    hidden = [layer for layer in rest if weighs(layer)]
    if not hidden:
        raise NotRelevant("there is no hidden layer with weights")
    trained = bool(facts.artifact.training and facts.artifact.training.get("loss"))
    exported = facts.artifact.architecture is None
    curved = [layer for layer in rest if not _is_linear(layer)]
    last = heads[0].steps[0].layer
    shapes = [input_shape(layer) for layer in graph.layers if not graph.calls[layer.route]]
    # A linear autoencoder finds principal components, which can be wanted.
    given = graph.layer(heads[0].route).output_shape
    per_pixel = has(last.class_name, Trait.CONVOLUTION) and (given is None or len(given) > 2)
    rebuilds = any(
        shape and shape[-1] == heads[0].units and (len(shape) == 2 or per_pixel) for shape in shapes
    )
    # The vectors of a table are a hidden layer that a sum of them uses well.
    meant = rebuilds or any(layer.class_name in _TABLES for layer in rest)
    total = sum(head.units or 0 for head in heads)
    meant = meant or any(_limits_rank(layer, total) for layer in hidden)
    # Before scores of classes, an activation was rather forgotten.
    meant = meant or (_filters(rest, hidden) and heads[0].last == "linear")
    if curved and len(hidden) > 1 and not meant and _only_maxima(graph, curved, hidden):
        yield rule.finding(
            f"No layer before `{heads[0].weights.route}` has an activation: only maxima over positions "
            f"stand between the hidden layers {_named(hidden)}.",
            route=hidden[0].route,
            evidence={"measured": 0, "unit": "nonlinear layers", "n": len(hidden)},
            title="Only maxima over positions stand between the hidden layers",
            # Maxima may be meant as activations, but nothing is between layers that follow at once.
            severity=Severity.MEDIUM if trained and _at_once(graph, hidden) else Severity.LOW,
            fix=f'Give them an activation, as with activation="relu" in `{hidden[0].name}`, and train '
            "again.",
        )
    elif curved:
        yield from _pairs(rule, graph, hidden)
        yield from _bare_convolutions(rule, graph, hidden)
        yield from _bare_row(rule, graph, hidden)
    else:
        slopes = [layer for layer in rest if layer.class_name in _SLOPES]
        yield rule.finding(
            f"No layer before `{last.route}` has a nonlinear activation. Together with the hidden "
            f"{'layer' if len(hidden) == 1 else 'layers'} {_named(hidden)}, it computes what a "
            "single layer can compute.",
            route=hidden[0].route,
            evidence={"measured": 0, "unit": "nonlinear layers", "n": len(hidden)},
            severity=Severity.MEDIUM
            if not meant and (trained or (exported and heads[0].last in PROBABILITIES))
            else Severity.LOW,
            fix=f"With a slope of 1, `{slopes[0].name}` changes nothing. Use this layer and train "
            f"again:\nkeras.layers.ReLU(name={slopes[0].name!r})"
            if slopes
            else "",
        )


def _at_once(graph: LayerGraph, hidden: list[Layer]) -> bool:
    """Whether only linear layers stand between a hidden layer and the next one with weights."""

    def passes(layer: Layer) -> bool:
        return not weighs(layer) and (_is_linear(layer) or layer.class_name == "Flatten")

    seen: set[str] = set()
    for layer in hidden:
        for behind in graph.only_takers(layer.route, passes):
            if behind.route in seen:
                break  # the rest of this way leads to no weights
            seen.add(behind.route)
            if weighs(behind):
                return True
    return False


def _pairs(rule: Rule, graph: LayerGraph, hidden: list[Layer]) -> Iterator[Finding]:
    """Hidden Dense layers without activation directly before another Dense layer."""
    followed = {
        layer.route: behind
        for layer in hidden
        if layer.class_name == "Dense"
        and _is_linear(layer)
        and (behind := _next_dense(graph, layer)) is not None
    }
    if not followed:
        return
    found = [*followed]
    # Behind another one, a layer is no bottleneck that was put before the last of them.
    again = [route for route in found if any(x.route == route for x in followed.values())]
    useless = again or [each for each in found if _adds_nothing(graph, each, followed[each])]
    # Two can be a bottleneck and what widens it again; three have no use, and two none either
    # if each has as many units as the layer behind it.
    chain = _longest_chain(followed)
    wide = {route: b for route, b in followed.items() if _as_wide(graph, route, b)}
    narrowing = _longest_chain(wide)
    certain = len(chain) > 2 or len(narrowing) > 1
    # Each of them stays linear if only the last is given an activation.
    named = (
        chain if len(chain) > 2 else narrowing if len(narrowing) > 1 else [(useless or found)[0]]
    )
    after = followed[named[-1]].route
    yield rule.finding(
        f"`{named[0]}` has no activation before `{after}`: the two together "
        "compute what one of them can compute."
        if len(named) == 1
        else f"{first_of(quoted(named), 6)} have no activation before `{after}`: together they compute "
        "what one of them can compute.",
        route=named[0],
        evidence={"measured": "linear", "n": len(found)},
        title=_PAIR,
        severity=Severity.MEDIUM if certain else Severity.LOW if useless else Severity.INFO,
        fix=("Give " if useless or certain else "If it is no bottleneck on purpose, give ")
        + f"{'them' if len(named) > 1 else 'it'} an activation and train again:\n"
        + "\n".join(_activated(graph.layer(route)) for route in named),
    )


def _activated(layer: Layer) -> str:
    units = layer.config.get("units")
    return f'keras.layers.Dense({units!r}, activation="relu", name={layer.name!r})'


def _longest_chain(followed: Mapping[str, Layer]) -> list[str]:
    """The longest chain of layers, each followed by the next and named once."""
    longest: list[str] = []
    for route in sorted(followed.keys() - {behind.route for behind in followed.values()}):
        chain, at = dict[str, None](), route
        while at in followed and at not in chain:  # calls of a shared layer can close a ring
            chain[at] = None
            at = followed[at].route
        longest = max(longest, [*chain], key=len)
    return longest


def _bare_convolutions(rule: Rule, graph: LayerGraph, hidden: list[Layer]) -> Iterator[Finding]:
    """A hidden convolution with no activation up to the next weights, behind poolings at most.

    Before a Dense layer, behind a batch normalization as well; before another convolution, that is a
    bottleneck that is linear on purpose (Sandler et al., 2018).
    """
    bare: list[tuple[Layer, list[Layer]]] = []
    for layer in hidden:
        if has(layer.class_name, Trait.CONVOLUTION) and _is_linear(layer):
            behind = [*graph.only_takers(layer.route, _waits)]
            normalized = any(has(each.class_name, Trait.BATCH_NORMALISATION) for each in behind)
            if (
                behind
                and weighs(behind[-1])
                and (not normalized or behind[-1].class_name == "Dense")
            ):
                bare.append((layer, behind))
    if not bare:
        return
    first, behind = bare[0]
    norms = [x.route for x in behind if has(x.class_name, Trait.BATCH_NORMALISATION)]
    effect = (
        "only a maximum over positions stands between the two"
        if any(map(_takes_maximum, behind))
        else "the two together compute what one of them can compute"
    )
    effect += f" (`{norms[-1]}` between them is linear, too)" if norms else ""
    others = first_of(quoted(layer.route for layer, _ in bare[1:]), 6)
    yield rule.finding(
        f"`{first.route}` has no activation before `{behind[-1].route}`: {effect}."
        + (f" Nor has {others} before the next layer with weights." if len(bare) > 1 else ""),
        route=first.route,
        evidence={"measured": "linear", "n": len(bare)},
        title=_PAIR,
        severity=Severity.LOW,
        fix=f"Put an activation behind `{norms[-1]}`, and train again:\nkeras.layers.ReLU()"
        if norms
        else f"Give {'it' if len(bare) == 1 else 'each of them'} an activation, as with "
        f'activation="relu" in `{first.name}`, and train again.',
    )


def _bare_row(rule: Rule, graph: LayerGraph, hidden: list[Layer]) -> Iterator[Finding]:
    """Two convolutions or more without activation, each before the next: one is a bottleneck."""
    followed: dict[str, Layer] = {}
    for layer in filter(_wide, hidden):
        behind = [*graph.only_takers(layer.route, lambda x: _waits(x) or _joins(x))]
        between = any(has(x.class_name, Trait.BATCH_NORMALISATION) or _joins(x) for x in behind)
        if between and _is_linear(layer) and _wide(behind[-1]):
            followed[layer.route] = behind[-1]
    row = _longest_chain(followed)
    if len(row) > 1:
        yield rule.finding(
            f"{first_of(quoted(row), 6)} have no activation before `{followed[row[-1]].route}`: only "
            "linear layers stand between them, so their windows together do what one larger window can.",
            route=row[0],
            evidence={"measured": "linear", "n": len(row)},
            key="row",
            title=_PAIR,
            severity=Severity.LOW,
            fix="Give each of them an activation, or put one behind its normalization, and train again:\n"
            "keras.layers.ReLU()",
        )


def _joins(layer: Layer) -> bool:
    return layer.class_name == "Concatenate"


def _wide(layer: Layer) -> bool:
    """Whether it is a convolution of all its channels, over several positions along each axis."""
    window = layer.config.get("kernel_size")
    sizes = window if isinstance(window, list) else []
    return layer.class_name in _PLAIN and bool(sizes) and all(size != 1 for size in sizes)


def _only_maxima(graph: LayerGraph, curved: list[Layer], hidden: list[Layer]) -> bool:
    """Whether all these are maxima over positions, none of them over units as in maxout."""
    above = graph.above([layer.route for layer in curved])
    moved = [x.route for x in graph.layers if x.class_name in _MOVES and x.route in above]
    behind = graph.above(moved) & {layer.route for layer in hidden}
    return all(map(_takes_maximum, curved)) and not behind


def _takes_maximum(layer: Layer) -> bool:
    return has(layer.class_name, _POOLINGS) and not has(layer.class_name, Trait.LINEAR)


def _waits(layer: Layer) -> bool:
    """Whether it may stand between a convolution and the next weights without being an activation."""
    passes = _BEFORE_WEIGHTS | Trait.BATCH_NORMALISATION
    return has(layer.class_name, passes) or layer.class_name == "Flatten"


def _next_dense(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The Dense layer that alone takes the output of a layer, perhaps behind dropout."""

    def passes(x: Layer) -> bool:
        return has(x.class_name, Trait.DROPOUT) or (
            x.class_name == "Activation" and activation_of(x) == "linear"
        )

    behind = [*graph.only_takers(layer.route, passes)]
    return behind[-1] if behind and behind[-1].class_name == "Dense" else None


def _as_wide(graph: LayerGraph, route: str, behind: Layer) -> bool:
    """Whether a layer has at least as many units as the layer behind it."""
    own, next_ = graph.layer(route).config.get("units"), behind.config.get("units")
    return isinstance(own, int) and isinstance(next_, int) and own >= next_


def _adds_nothing(graph: LayerGraph, route: str, behind: Layer) -> bool:
    """Whether a layer has as many units as its input or the layer behind it, so limits no rank."""
    layer = graph.layer(route)
    given = layer.input_shapes[0][-1] if layer.input_shapes and layer.input_shapes[0] else None
    sizes = [n for n in (given, behind.config.get("units")) if isinstance(n, int)]
    units = layer.config.get("units")
    return len(sizes) == 2 and isinstance(units, int) and units >= min(sizes)


def _filters(rest: list[Layer], hidden: list[Layer]) -> bool:
    """Whether the hidden layers are convolutions without bias, as banks of linear filters are."""
    plain = all(
        has(each.class_name, Trait.CONVOLUTION) and each.config.get("use_bias") is False
        for each in hidden
    )
    return plain and not any(has(each.class_name, Trait.BATCH_NORMALISATION) for each in rest)


def _limits_rank(layer: Layer, units: int | None) -> bool:
    """Whether a layer has fewer units than its input and the output, as in reduced-rank regression."""
    given = layer.input_shapes[0][-1] if layer.input_shapes and layer.input_shapes[0] else None
    own = layer.config.get("units")
    return isinstance(own, int) and own < min(given or 0, units or 0)


def _named(layers: list[Layer]) -> str:
    names = ", ".join(quoted(layer.name for layer in layers[:3]))
    return names + (" and others" if len(layers) > 3 else "")


_NEEDS = (Need.LAYERS,)

RULES = (
    Rule(
        code="MA309",
        name="linear-network",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="No hidden layer has a nonlinear activation",
        pass_title="The network has a nonlinear layer",
        why="Linear functions of linear functions are linear. However many layers such a network "
        "has, it computes what one layer of that kind can compute.",
        fix='Give the hidden layers an activation, such as activation="relu", and train again.',
        check=_linear,
        assumes="output",
        bad=lambda: examples.hidden("linear"),
        good=lambda: examples.hidden("relu"),
    ),
)
