"""MA309 to MA312: layers that keep a network from learning, as far as its config shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import (
    axis_orders,
    channels_first,
    has_axis_order,
    input_shape,
)
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network_heads import activation_of, output_heads, saved_graph, weighs
from modelaudit.structs import replace
from modelaudit.thresholds.design import ERASING, IMAGE_SIDE

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
# Layers that leave each axis of an image where it is.
_KEEPS_AXES = Trait.SAME_SHAPE | Trait.PADDING | Trait.LOCAL_POOLING | Trait.AUGMENTATION
_CHANNELS = frozenset((1, 3, 4))


def _is_linear(layer: Layer) -> bool:
    """Whether the output is a linear function of the input, up to constants."""
    known = has(layer.class_name, _LINEAR) or layer.class_name in {"Activation", *_TABLES}
    return known and not layer.custom and activation_of(layer) == "linear"


def _linear(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    heads = list(output_heads(graph))
    if not heads or len(heads) != len(graph.outputs):
        raise NotApplicable("no output is computed by layers whose effect is known")
    behind = {step.layer.route for head in heads for step in head.steps}
    rest = [layer for layer in graph.layers if layer.route not in behind]
    hidden = [layer for layer in rest if weighs(layer)]
    if not hidden:
        raise NotRelevant("the model has one layer with weights")
    if not all(map(_is_linear, rest)):
        yield from _pairs(rule, graph, hidden)
    else:
        last = heads[0].steps[0].layer
        shapes = [input_shape(layer) for layer in graph.layers if not graph.calls[layer.route]]
        trained = bool(facts.artifact.training and facts.artifact.training.get("loss"))
        # A linear autoencoder finds principal components, which can be wanted.
        per_pixel = has(last.class_name, Trait.CONVOLUTION)
        rebuilds = any(
            shape and shape[-1] == heads[0].units and (len(shape) == 2 or per_pixel)
            for shape in shapes
        )
        yield rule.finding(
            f"No layer before {last.route} has a nonlinear activation. Together with the hidden "
            f"{'layer' if len(hidden) == 1 else 'layers'} {_named(hidden)}, it computes what a "
            "single layer can compute.",
            route=hidden[0].route,
            evidence={"measured": 0, "unit": "nonlinear layers", "n": len(hidden)},
            # The vectors of a table are a hidden layer that a sum of them uses well.
            severity=Severity.MEDIUM
            if trained and not rebuilds and not any(x.class_name in _TABLES for x in rest)
            else Severity.LOW,
        )


def _pairs(rule: Rule, graph: LayerGraph, hidden: list[Layer]) -> Iterator[Finding]:
    """A hidden Dense layer without activation directly before another Dense layer."""
    takers = graph.consumers()
    for layer in hidden:
        after, at = takers.get(layer.route, ()), layer
        while len(after) == 1 and has(graph.layer(after[0]).class_name, Trait.DROPOUT):
            at = graph.layer(after[0])
            after = takers.get(at.route, ())
        dense = len(after) == 1 and graph.layer(after[0]).class_name == "Dense"
        if dense and layer.class_name == "Dense" and _is_linear(layer):
            yield rule.finding(
                f"{layer.route} has no activation before {after[0]}: the two together compute what "
                "one of them can compute.",
                route=layer.route,
                evidence={"measured": "linear"},
                severity=Severity.INFO,
                fix="If it is no bottleneck on purpose, give it an activation and train again:\n"
                f'keras.layers.Dense({layer.config.get("units")}, activation="relu", '
                f'name="{layer.name}")',
            )
            return


def _named(layers: list[Layer]) -> str:
    names = ", ".join(layer.name for layer in layers[:3])
    return names + (" and others" if len(layers) > 3 else "")


def _erasing(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found = [layer for layer in saved_graph(facts).layers if has(layer.class_name, Trait.DROPOUT)]
    if not found:
        raise NotRelevant("the model has no dropout")
    for layer in found:
        rate = layer.config.get("rate", layer.config.get("p"))
        if isinstance(rate, (int, float)) and rate >= ERASING.value:
            yield rule.finding(
                f"{layer.route} drops {rate:.0%} of its input in training.",
                route=layer.route,
                evidence={
                    "measured": rate,
                    "unit": "of the input dropped",
                    "threshold": ERASING.value,
                },
            )


def _axes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    takers = graph.consumers()
    inputs = [layer for layer in graph.layers if not graph.calls[layer.route]]
    images = [layer for layer in inputs if len(input_shape(layer) or ()) == 4]
    if not images:
        raise NotRelevant("the model takes no images")
    yield from _orders(rule, graph)
    for layer in images:
        shape = input_shape(layer)
        first = _first_window(graph, takers, layer)
        if shape is None or first is None:
            continue
        _, *sizes = shape
        taken_first = channels_first(first)
        # The axis that the convolution takes for channels, and the one that looks like them.
        taken, looks = (sizes[0], sizes[2]) if taken_first else (sizes[2], sizes[0])
        if looks in _CHANNELS and taken == sizes[1] and (taken or 0) >= IMAGE_SIDE.value:
            yield rule.finding(
                f"{first.route} takes the {'first' if taken_first else 'last'} axis of inputs of "
                f"shape {sizes} for {taken} channels, but these look like images of "
                f"{taken}x{taken} pixels with {looks} {'channel' if looks == 1 else 'channels'}.",
                route=first.route,
                evidence={"measured": [*sizes], "data_format": first.config.get("data_format")},
            )


def _orders(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Layers that take the channels where the layer before them did not put them."""
    orders = axis_orders(graph)
    for layer in graph.layers:
        given = {orders[s] for call in graph.calls[layer.route] for s in call if s in orders}
        own = channels_first(layer)
        if has_axis_order(layer) and given == {not own}:
            names = {True: "channels_first", False: "channels_last"}
            yield rule.finding(
                f"{layer.route} has data_format={names[own]!r}, but gets a map with "
                f"{names[not own]!r}: it takes one side of the map for the channels.",
                route=layer.route,
                evidence={"measured": names[own], "expected": names[not own]},
                fix=f"Use data_format={names[not own]!r} in {layer.name} and train again.",
            )


def _first_window(
    graph: LayerGraph, takers: Mapping[str, tuple[str, ...]], layer: Layer
) -> Layer | None:
    """The first convolution behind an input, through layers that change no axis."""
    for _ in range(8):
        if has(layer.class_name, Trait.CONVOLUTION):
            return layer
        following = takers.get(layer.route, ())
        if len(following) != 1:
            return None
        following_layer = graph.layer(following[0])
        inner = following_layer.class_name == "InputLayer"  # of a model in the model
        same = inner or has(following_layer.class_name, _KEEPS_AXES)
        if not same and not has(following_layer.class_name, Trait.CONVOLUTION):
            return None
        layer = following_layer
    return None


def _bottleneck(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    takers = graph.consumers()
    for layer in graph.layers:
        config = layer.config
        if not weighs(layer) or config.get("units", config.get("filters")) != 1:
            continue
        applied, after = [activation_of(layer)], takers.get(layer.route, ())
        while len(after) == 1 and has(graph.layer(after[0]).class_name, Trait.POINTWISE):
            following = graph.layer(after[0])
            if following.class_name in {"Activation", "ReLU"}:
                applied.append(activation_of(following))
            after = takers.get(following.route, ())
        known = len(after) == 1 and weighs(graph.layer(after[0]))
        narrow = [out for out in graph.outputs if _only_through(graph, layer.route, out)]
        if not known or not narrow:
            continue
        rectified = "relu" in applied
        # A map of one channel still shows where something is.
        vector = layer.output_shape is None or len(layer.output_shape) == 2
        whose = "" if len(narrow) == len(graph.outputs) else f" on the way to {narrow[0]}"
        unit, ends = ("unit", "") if vector else ("channel", " at each position")
        yield rule.finding(
            f"Everything{whose} passes through the single {unit} of {layer.route}"
            + (
                ", and its ReLU gives 0 for all negative values: where it does, the output is the "
                f"same for every input{ends}."
                if rectified
                else "."
            ),
            route=layer.route,
            evidence={"measured": 1, "unit": "units"},
            severity=Severity.MEDIUM if rectified and vector else Severity.LOW,
        )


def _only_through(graph: LayerGraph, route: str, output: str) -> bool:
    """Whether an output depends on inputs by one layer alone, without a way around, as of a gate."""
    if output == route or route not in graph.above([output]):
        return False
    return all(graph.calls.get(each) for each in graph.above([output], around=route))


def _dense(name: str, activation: str = "relu", units: int = 8) -> Layer:
    config: dict[str, Json] = {"units": units, "activation": activation}
    return examples.layer(name, config=config)


def _stack(activation: str) -> Facts:
    return examples.chain(_dense("hidden", activation), _dense("head", "softmax"))


def _narrow(units: int) -> Facts:
    return examples.chain(
        _dense("hidden"), _dense("narrow", units=units), _dense("head", "softmax")
    )


def _dropping(rate: float) -> Facts:
    drop = examples.layer("drop", "Dropout", {}, {"rate": rate})
    return examples.chain(_dense("hidden"), drop, _dense("head", "softmax"))


def _images(*shape: int) -> Facts:
    given = replace(examples.layer("input", "InputLayer", {}), output_shape=(None, *shape))
    return examples.chain(given, examples.layer("conv", "Conv2D"))


_NEEDS = (Need.ARCHITECTURE,)

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
        bad=lambda: _stack("linear"),
        good=lambda: _stack("relu"),
    ),
    Rule(
        code="MA310",
        name="erasing-dropout",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="A dropout layer drops nearly everything in training",
        pass_title="No dropout layer drops nearly everything",
        why="`rate` is the share that is dropped, not the share that is kept. With a rate of 0.9 "
        "or more the next layer trains on noise, and its outputs are often nearly constant.",
        fix="Set rate to the share to drop, usually 0.1 to 0.5, and train again.",
        check=_erasing,
        bad=lambda: _dropping(0.95),
        good=lambda: _dropping(0.5),
    ),
    Rule(
        code="MA311",
        name="exchanged-image-axes",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="A convolution or pooling seems to take a side of the image for its channels",
        pass_title="Convolutions and poolings take the channels of the image for channels",
        why="If the inputs are images, it slides along the colors and one side of the image. The "
        "model loses what is next to what in the image.",
        fix="Give the images as (height, width, channels) and declare the input so, or set "
        'data_format="channels_first", and train again.',
        check=_axes,
        bad=lambda: _images(3, 32, 32),
        good=lambda: _images(32, 32, 3),
    ),
    Rule(
        code="MA312",
        name="single-unit-bottleneck",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="A hidden layer passes on a single number",
        pass_title="No hidden layer passes on a single number",
        why="All that the later layers know of an input is one number. If that number is 0 for "
        "all inputs, the output is constant.",
        fix="Give the layer more units and train again.",
        check=_bottleneck,
        bad=lambda: _narrow(1),
        good=lambda: _narrow(8),
    ),
)
