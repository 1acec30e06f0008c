"""MA312: hidden layers that pass on a single number, or a single pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_

from msgspec import Struct

from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import channels_first, spatial_part
from modelaudit.rules import examples
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network.network_heads import activation_of, joined_graph, weighs

# Layers with as many channels as they get, each from its own.
_KEEPS_CHANNELS = (
    Trait.POINTWISE | Trait.PADDING | Trait.UPSAMPLING | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
)


_CUT_OR_RESIZED = Trait.PADDING | Trait.RESIZING
_IMAGE, _COLORS = 4, 4  # axes of a batch of images, and channels that these have as they come
_READ_WORDS = Trait.RECURRENT | Trait.CONVOLUTION | Trait.ATTENTION
_ONLY_PIXELS = Trait.KEEPS_RANGE | Trait.RESCALING | Trait.AUGMENTATION


class _Narrow(Struct, frozen=True):
    """A layer of one unit, or of two ReLUs, before weights.

    Attributes:
        units: how many.
        rectified: whether a ReLU is applied to it.
        vector: whether it gives one number for each input, not one for each position.
    """

    layer: Layer
    rectified: bool
    vector: bool
    units: int = 1


def _bottleneck(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = joined_graph(facts)
    yield from _one_pixel(rule, graph)
    yield from _means_of_images(rule, graph)
    yield from _single_columns(rule, graph)
    found = [*_narrow_layers(graph)]
    if not found:
        return
    through = _through(graph, [each.layer.route for each in found])
    for number, each in enumerate(found):
        route = each.layer.route
        narrow = [x for x in graph.outputs if x != route and through.get(x, 0) >> number & 1]
        if not narrow:
            continue
        whose = "" if len(narrow) == len(graph.outputs) else f" on the way to `{narrow[0]}`"
        unit, ends = ("unit", "") if each.vector else ("channel", " at each position")
        single = each.units == 1
        many = f"single {unit}" if single else f"two {unit}s"
        yield rule.finding(
            f"Everything{whose} passes through the {many} of `{route}`"
            + (
                f". For all inputs for which {'its ReLU gives' if single else 'both ReLUs give'} 0, the "
                f"output is the same{ends}."
                if each.rectified
                else "."
            ),
            route=route,
            evidence={"measured": each.units, "unit": "units"},
            title="" if single else "A hidden layer passes on two numbers, by ReLUs",
            severity=Severity.LOW
            if each.vector and not single
            else Severity.INFO
            if not single
            else Severity.MEDIUM
            if each.rectified and each.vector
            else Severity.LOW,
            fix=""
            if single
            else f'If training stays at one answer, use activation="leaky_relu" or more units in `{route}`, '
            "or leave it out, and train again.",
        )


def _one_pixel(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Layers that cut or resize each image to one pixel."""
    for layer in graph.layers:
        if not has(layer.class_name, _CUT_OR_RESIZED) or layer.custom:
            continue
        shape, before = layer.output_shape, layer.input_shapes[:1]
        if shape is None or len(shape) < 4 or (before and len(before[0]) != len(shape)):
            continue
        first = channels_first(layer)
        left = spatial_part(shape, first)
        had = spatial_part(before[0], first) if before else (None,)
        if set(left) != {1} or set(had) == {1}:
            continue
        # Behind convolutions, the pixel in the middle stands for all that they see.
        above = (graph.layer(x) for x in graph.above([layer.route]) if graph.get(x))
        looked = any(not has(x.class_name, _ONLY_PIXELS) for x in above)
        if not looked and any(_through(graph, [layer.route]).get(x, 0) for x in graph.outputs):
            does = "resizes each image to" if _resizes(layer) else "leaves of each image"
            yield rule.finding(
                f"`{layer.route}` {does} one pixel: what follows sees no shape.",
                route=layer.route,
                evidence={"measured": 1, "unit": "pixels", "input": list[Json](had)},
                fix=f"Use a larger size in `{layer.name}` and train again."
                if _resizes(layer)
                else f"Cut off less in `{layer.name}` and train again.",
            )


def _means_of_images(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Poolings of whole images that no convolution was before."""
    for layer in graph.layers:
        given = layer.input_shapes[0] if layer.input_shapes else ()
        if not has(layer.class_name, Trait.GLOBAL_POOLING) or layer.custom or len(given) != _IMAGE:
            continue
        first = channels_first(layer)
        sides, colors = spatial_part(given, first), given[1 if first else -1]
        if not colors or colors > _COLORS or any(n is not None and n <= 1 for n in sides):
            continue
        above = (graph.layer(x) for x in graph.above([layer.route]) - {layer.route} if graph.get(x))
        if not all(has(x.class_name, _ONLY_PIXELS) and not x.custom for x in above):
            continue
        if any(_through(graph, [layer.route]).get(x, 0) for x in graph.outputs):
            yield rule.finding(
                f"`{layer.route}` pools whole images as they come: of each it leaves "
                f"{'a number' if colors == 1 else f'{colors} numbers'}, whatever it shows.",
                route=layer.route,
                evidence={"measured": colors, "unit": "numbers", "input": list[Json](sides)},
                severity=Severity.LOW,
                fix=f"Put convolutions before `{layer.name}` and train again.",
            )


def _single_columns(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Embeddings of one number for each word, which a layer of several words reads.

    As the weight of each word in a sum, one is right.
    """
    for layer in graph.layers:
        if layer.class_name != "Embedding" or layer.config.get("output_dim") != 1 or layer.custom:
            continue
        behind = [*graph.only_takers(layer.route, lambda x: has(x.class_name, Trait.DROPOUT))]
        reads = behind[-1] if behind and not behind[-1].custom else None
        if reads is None or not (
            has(reads.class_name, _READ_WORDS) or reads.class_name == "Bidirectional"
        ):
            continue
        yield rule.finding(
            f"`{layer.route}` gives a single number for each of its {layer.config.get('input_dim')} words, and "
            f"`{reads.route}` reads their sequence: words with close numbers are nearly alike.",
            route=layer.route,
            evidence={"measured": 1, "unit": "numbers for each word"},
            severity=Severity.LOW,
            fix=f"Use more numbers for each word, such as output_dim=32, in `{layer.name}`, and train again.",
        )


def _resizes(layer: Layer) -> bool:
    return layer.class_name == "Resizing"


def _narrow_layers(graph: LayerGraph) -> Iterator[_Narrow]:
    for layer in graph.layers:
        config = layer.config
        units = config.get("units", config.get("filters"))
        if not isinstance(units, int) or units not in {1, 2} or config.get("return_state"):
            continue
        recurs = has(layer.class_name, Trait.RECURRENT)
        if not weighs(layer) and not recurs:
            continue
        applied = ["" if recurs else activation_of(layer)]
        vector = _is_vector(layer)
        behind = [*graph.only_takers(layer.route, _keeps_channels)]
        for each in behind:
            vector = vector or has(each.class_name, Trait.GLOBAL_POOLING)
            if each.class_name in {"Activation", "ReLU"}:
                applied.append(activation_of(each))
        rectified = "relu" in applied
        if behind and _weighs(behind[-1]) and (rectified or units == 1):
            yield _Narrow(layer, rectified, vector, units)


def _keeps_channels(layer: Layer) -> bool:
    return has(layer.class_name, _KEEPS_CHANNELS)


def _is_vector(layer: Layer) -> bool:
    """Whether it gives one row for each input; a map of one channel still shows where things are."""
    if layer.output_shape is not None:
        return len(layer.output_shape) == 2
    return layer.config.get("return_sequences") is not True


def _weighs(layer: Layer) -> bool:
    return weighs(layer) or has(layer.class_name, Trait.RECURRENT)


def _through(graph: LayerGraph, routes: list[str]) -> dict[str, int]:
    """Layer -> those of `routes` that all ways to it from any input pass: bit n for number n."""
    bits = {route: 1 << number for number, route in enumerate(routes)}

    def step(layer: Layer, values: Sequence[int | None]) -> int:
        # A value that is not known yet, of a shared layer, passes nothing for certain.
        known = [each or 0 for each in values]
        return (reduce(and_, known) if known else 0) | bits.get(layer.route, 0)

    found: dict[str, int] = graph.propagate(step, and_)
    return found


def _narrow(units: int) -> Facts:
    sizes = {"hidden": 8, "narrow": units, "head": 8}
    made: list[Layer] = []
    for name, size in sizes.items():
        config: dict[str, Json] = {"units": size, "activation": "relu"}
        made.append(examples.layer(name, config=config))
    return examples.chain(*made)


RULES = (
    Rule(
        code="MA312",
        name="single-unit-bottleneck",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.LAYERS,),
        summary="A hidden layer passes on a single number, or a single pixel",
        pass_title="No hidden layer passes on a single number or pixel",
        why="All that the later layers know of an input is one number, or one color. If that number "
        "is 0 for all inputs, the output is constant.",
        fix="Give the layer more units and train again.",
        check=one_for_alike(_bottleneck, "layer"),
        assumes="output",
        bad=lambda: _narrow(1),
        good=lambda: _narrow(8),
    ),
)
