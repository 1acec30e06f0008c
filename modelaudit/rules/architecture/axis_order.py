"""MA311: convolutions that take a side of an image or the length of a series for channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod

from modelaudit.facts import Layer, Shape
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.graphs import reachable
from modelaudit.layer_classes import Trait, has, spatial_rank
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import (
    axis_orders,
    channels_first,
    has_axis_order,
    input_shape,
    mixes_orders,
)
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import joined_graph
from modelaudit.structs import replace
from modelaudit.thresholds.design import IMAGE_ASPECT, IMAGE_SIDE, SMALL_SIDE

# Layers that leave each axis of an image where it is.
_KEEPS_AXES = Trait.SAME_SHAPE | Trait.PADDING | Trait.LOCAL_POOLING | Trait.AUGMENTATION
# Layers and operations that can move axes, or take or join steps of a series of images.
_MOVES = frozenset(
    ("Pack", "Permute", "Reshape", "StridedSlice", "Transpose", "Moveaxis", "Swapaxes", "Einsum")
)
_OVER_SERIES = frozenset(("Conv1D", "SeparableConv1D"))
_VOLUME = 3  # sides of a volume
_CHANNELS = frozenset((1, 3, 4))
_COLORS = frozenset((1, 3))


def _axes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = joined_graph(facts)
    scrambled = [*_reshaped(rule, graph)]
    yield from scrambled
    inputs = [layer for layer in graph.layers if not graph.calls[layer.route]]
    ranks = [len(input_shape(layer) or ()) for layer in inputs]
    images = [layer for layer, rank in zip(inputs, ranks, strict=True) if rank in {4, 5}]
    series = [layer for layer, rank in zip(inputs, ranks, strict=True) if rank == 3]
    if not images and not series and not scrambled:
        raise NotRelevant("the model takes no images or series")
    yield from _orders(rule, graph)
    yield from _short_series(rule, graph, series)
    seen: set[str] = set()
    side = SMALL_SIDE.value
    leading = any(channels_first(layer) for layer in graph.layers if _slides(layer))
    for layer in images:
        if not leading and ((input_shape(layer) or (None,))[-1] or 0) < side:
            continue  # what all windows take for channels is too small for a side
        for first in _first_windows(graph, layer):
            sizes = _sizes(first, input_shape(layer) or ())
            said = _taken(first, sizes) if first.route not in seen else None
            if said is None:
                continue
            seen.add(first.route)
            taken, other, looks = said
            # A cube of features is as likely: a few slices of many channels. So are, where the
            # sides differ, a few series with many features at each step.
            volume = sizes.count(taken) >= _VOLUME or taken != other or taken < IMAGE_SIDE.value
            sides = (taken, other) if channels_first(first) else (other, taken)
            images_of = f"images of {sides[0]}x{sides[1]} pixels with {counted(looks, 'channel', 'channels')}"
            yield rule.finding(
                f"`{first.route}` takes the {'first' if channels_first(first) else 'last'} axis of "
                f"inputs of shape {sizes} for {taken} channels"
                + (
                    f", but these look like {images_of}."
                    if taken == other
                    else f". If they are {images_of}, that is one of the sides."
                ),
                route=first.route,
                evidence={"measured": [*sizes], "data_format": first.config.get("data_format")},
                severity=Severity.LOW if volume else None,
                confidence=Confidence.LOW if volume else None,
            )
            break


def _taken(first: Layer, sizes: list[int | None]) -> tuple[int, int, int] | None:
    """The side of an image that a window takes for channels, the other, and what looks like channels."""
    if len(sizes) < 3:
        return None
    taken_first = channels_first(first)
    taken, side, *rest = sizes if taken_first else sizes[::-1]
    if _keeps_apart(first, -1 if taken_first else 0) or taken is None or side is None:
        return None
    # Of three dimensions, as a video's, the channels can be before or behind the first.
    looks = next((size for size in rest if size in _CHANNELS), None)
    if looks is None or min(taken, side) < SMALL_SIDE.value:
        return None
    if min(taken, side) < IMAGE_SIDE.value and (
        taken != side or looks not in _COLORS or len(rest) > 1
    ):
        return None
    if taken != side:
        # Four are as often rows; a window over just these is made for them.
        short, long = sorted((taken, side))
        usual = long <= short * IMAGE_ASPECT.value and len(rest) == 1
        if not usual or looks not in _COLORS or _merges(first, -1 if taken_first else 0, looks):
            return None
    return taken, side, looks


def _sizes(first: Layer, shape: Shape) -> list[int | None]:
    """The sizes of one image of an input: without the batch, and the steps of a series of images."""
    axes = spatial_rank(first.class_name) + 1
    return [*shape[1:]][-axes:]


def _merges(layer: Layer, axis: int, rows: int) -> bool:
    """Whether its window is over all rows of this axis, and over another number of the other."""
    window = layer.config.get("kernel_size")
    if not isinstance(window, list) or not window:
        return False
    return window[axis] == rows and window[axis] != window[-1 - axis]


def _keeps_apart(layer: Layer, axis: int) -> bool:
    """Whether its window slides, but not along this axis: a series that was given as an image."""
    window = layer.config.get("kernel_size")
    if not isinstance(window, list) or window == [1] * len(window):  # or without a size
        return False
    return window[axis] == 1


def _short_series(rule: Rule, graph: LayerGraph, inputs: list[Layer]) -> Iterator[Finding]:
    """Convolutions over few positions of many channels, which may be channels of many positions."""
    if not any(layer.class_name in _OVER_SERIES for layer in graph.layers):
        return
    for layer in inputs:
        _, *sizes = input_shape(layer) or (None,)
        first = next(iter(_first_windows(graph, layer)), None)
        if first is None or first.class_name not in _OVER_SERIES:
            continue
        steps, channels = sizes[::-1] if channels_first(first) else sizes
        if steps and channels and steps in _CHANNELS | {2} and channels >= IMAGE_SIDE.value * steps:
            positions = counted(steps, "position", "positions")
            yield rule.finding(
                f"`{first.route}` slides over {positions} of {channels} channels. If the "
                f"data are {counted(steps, 'channel', 'channels')} of {channels} positions, it mixes the positions.",
                route=first.route,
                evidence={"measured": [*sizes], "data_format": first.config.get("data_format")},
                severity=Severity.LOW,
                confidence=Confidence.LOW,
                fix=f"Give series as (length, channels) = ({channels}, {steps}) and declare the input "
                "so, then train again.",
            )


def _reshaped(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Reshapes to the same axes in another order, which move no axis but deal values out anew."""
    last = not any(has_axis_order(x) and channels_first(x) for x in graph.layers)
    for layer in graph.layers:
        if layer.class_name != "Reshape":
            continue
        shape, given = layer.output_shape, layer.input_shapes[0] if layer.input_shapes else None
        if not shape or not given:
            continue
        if last and _channels_as_steps(given[1:], shape[1:]):
            yield rule.finding(
                f"`{layer.route}` reshapes {list(given[1:])} to {list(shape[1:])}. That keeps the order of the "
                f"values, so a row is no channel: each has values of different places and of all "
                f"{given[-1]} channels.",
                route=layer.route,
                evidence={"measured": [*given[1:]], "expected": [*shape[1:]]},
                severity=Severity.LOW,
                fix="To get a row for each channel, put this layer before it and train again:\n"
                f"keras.layers.Permute({(len(given) - 1, *range(1, len(given) - 1))})",
            )
        if len(given) != len(shape):
            continue
        before, after = ([n for n in each[1:] if n != 1] for each in (given, shape))
        known = [n for n in before if n is not None]
        free = [*enumerate(given[1:], start=1)]
        order = []
        for size in shape[1:]:
            place = next((i for i, n in free if n == size), 0)
            free = [each for each in free if each[0] != place]
            order.append(place)
        # Of two unknown sizes, either can be the other.
        if before != after and not free and len(known) > 1 and before.count(None) < 2:
            yield rule.finding(
                f"`{layer.route}` reshapes {list(given[1:])} to {list(shape[1:])}. That keeps the "
                "order of the values and moves no axis, so values of different places and "
                "channels are mixed.",
                route=layer.route,
                evidence={"measured": [*given[1:]], "expected": [*shape[1:]]},
                severity=Severity.LOW,
                fix="To move the axes, use this layer and train again:\n"
                f"keras.layers.Permute({tuple(order)}, name={layer.name!r})",
            )


def _channels_as_steps(given: Sequence[int | None], shape: Sequence[int | None]) -> bool:
    """Whether a map, whose channels are last, becomes as many rows as it has channels."""
    if len(shape) != 2 or len(given) < 3:
        return False
    known = [n for n in given if n]
    if len(known) < len(given) or shape[0] != known[-1] or shape[0] == 1:
        return False
    leading = [prod(known[: n + 1]) for n in range(len(known) - 1)]
    return prod(known[:-1]) > 1 and shape[0] not in leading


def _orders(rule: Rule, graph: LayerGraph) -> Iterator[Finding]:
    """Layers that take the channels where the layer before them did not put them."""
    if not mixes_orders(graph):
        return
    orders = axis_orders(graph)
    for layer in graph.layers:
        given = {orders[s] for call in graph.calls[layer.route] for s in call if s in orders}
        own = channels_first(layer)
        series = spatial_rank(layer.class_name) == 1
        if (has_axis_order(layer) or _pools_series(layer)) and given == {not own}:
            names = {True: "channels_first", False: "channels_last"}
            yield rule.finding(
                f"`{layer.route}` has data_format={names[own]!r}, but gets a map with "
                f"{names[not own]!r}: it takes "
                f"{'the steps' if series else 'one side of the map'} for the channels.",
                route=layer.route,
                evidence={"measured": names[own], "expected": names[not own]},
                severity=Severity.LOW if series else None,  # the means of each step may be meant
                fix=f"Use data_format={names[not own]!r} in `{layer.name}` and train again.",
            )


def _pools_series(layer: Layer) -> bool:
    """Whether it pools series, and its config says where the channels are."""
    pools = has(layer.class_name, Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING)
    return pools and spatial_rank(layer.class_name) == 1 and "data_format" in layer.config


def _first_windows(graph: LayerGraph, start: Layer) -> list[Layer]:
    """The first convolutions behind an input, through layers that change no axis.

    None where something else behind the input moves its axes: then both orders are looked at.
    """
    takers = graph.consumers()

    def after(route: str) -> Iterable[str]:
        passes = route == start.route or _keeps_axes(graph, graph.layer(route))
        return takers.get(route, ()) if passes else ()

    met = {route: graph.layer(route) for route in reachable([start.route], after)}
    if any(_may_move(each) and not _keeps_shape(each) for each in met.values()):
        return []
    return [layer for layer in graph.layers if layer.route in met and _slides(layer)]


def _slides(layer: Layer) -> bool:
    """Whether it slides a kernel, perhaps of each step of a series of images."""
    if has(layer.class_name, Trait.RECURRENT):
        return spatial_rank(layer.class_name) > 0
    return has(layer.class_name, Trait.CONVOLUTION)


def _may_move(layer: Layer) -> bool:
    """Whether it moves axes, or has code that may."""
    inner = layer.config.get("layer") if layer.class_name == "TimeDistributed" else None
    name = str(inner.get("class_name")) if isinstance(inner, dict) else operation_name(layer)
    return name in _MOVES or name == "Lambda" or layer.custom


def _keeps_shape(layer: Layer) -> bool:
    """Whether the image, or each image of a series, has the shape that it had."""
    given, shape = layer.input_shapes[0] if layer.input_shapes else (), layer.output_shape or ()
    image = given[-3:]
    return len(image) == 3 and None not in image and shape[-3:] == image


def _keeps_axes(graph: LayerGraph, layer: Layer) -> bool:
    """Whether it leaves each axis of an image, or of each image of a series, where it is."""
    if operation_name(layer) in _MOVES:
        return _keeps_shape(layer)
    inner = graph.last_inside(layer.route) if layer.class_name == "TimeDistributed" else layer
    # The input of a model in the model is no layer of its own.
    return inner is not None and (
        inner.class_name == "InputLayer" or has(inner.class_name, _KEEPS_AXES)
    )


def _images(*shape: int) -> Facts:
    given = replace(examples.layer("input", "InputLayer", {}), output_shape=(None, *shape))
    return examples.chain(given, examples.layer("conv", "Conv2D"))


RULES = (
    Rule(
        code="MA311",
        name="exchanged-image-axes",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.LAYERS,),
        summary="A convolution or pooling seems to take a side of the image for its channels",
        pass_title="Convolutions and poolings take the channels of the image for channels",
        why="If the inputs are images, it slides along the colors and one side of the image. The "
        "model loses what is next to what in the image.",
        fix="Give the images as (height, width, channels) and declare the input so, or set "
        'data_format="channels_first", and train again.',
        check=_axes,
        assumes="order",
        bad=lambda: _images(3, 32, 32),
        good=lambda: _images(32, 32, 3),
    ),
)
