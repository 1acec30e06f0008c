"""MA316: windows, attention and recurrence over a single position, or a map that is too small."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Shape
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import (
    channels_first,
    one_position,
    one_step,
    spatial_part,
)
from modelaudit.measures.architecture.window_grid import (
    always_beyond,
    extent,
    pooled_whole,
    reaches_all,
)
from modelaudit.rules import examples
from modelaudit.rules.architecture.windows import SHOWN, shown_profile
from modelaudit.rules.examples_architecture import one_map
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.model import Facts, Family, NotRelevant, Rule
from modelaudit.rules.network.network_heads import joined_graph
from modelaudit.rules.plain_graphs.architecture import joined_architecture

_TIMES_SMALLER = 4  # what is left of an image behind poolings that no convolution was before


def _over_one_position(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = shown_profile(facts)
    architecture = joined_architecture(facts.artifact)
    layers = architecture.layers if architecture else ()
    steps = [layer.route for layer in layers if one_step(layer)]
    if steps:
        yield rule.finding(
            f"`{steps[0]}` runs over a single step: its recurrent weights have no effect.",
            route=steps[0],
            evidence={"measured": len(steps), "unit": "layers"},
            fix="Give the layer a sequence, as (batch, steps, features), and train again. If there "
            "is none, a Dense layer does the same.",
        )
    alone = [layer.route for layer in layers if one_position(layer)]
    if alone:
        yield rule.finding(
            f"`{alone[0]}` attends to a single position, whose weight is always 1: its queries and "
            "keys have no effect.",
            route=alone[0],
            evidence={"measured": len(alone), "unit": "layers"},
            severity=Severity.MEDIUM,  # a recurrent layer of one step still has gates
            fix="Give the layer a sequence, as (batch, positions, features), and train again. If there "
            "is none, a Dense layer does the same.",
        )
    if not profile.grids and not alone and not steps:
        raise NotRelevant("the model has no windowed layer on maps of known size")
    windows = [grid for grid in profile.grids if "Transpose" not in grid.class_name]
    single = [grid for grid in windows if set(grid.size) == {1} and max(grid.kernel) > 1]
    larger = [
        grid
        for grid in windows
        if set(grid.size) != {1}
        and any(
            extent(k, d) > n
            for n, k, d in zip(grid.size, grid.kernel, grid.dilations, strict=False)
        )
    ]
    idle = [grid for grid in larger if always_beyond(grid)]
    first_of_all = [grid for grid in larger if grid.route == windows[0].route]
    for found, severity in (
        (single, rule.severity),
        (idle or first_of_all or larger, rule.severity if idle or first_of_all else Severity.INFO),
    ):
        if not found:
            continue
        first, before = found[0], windows[: windows.index(found[0])]
        # Of an image, nothing but a few values is left before anything looked for shapes.
        graph = joined_graph(facts)
        sides = _sides_of_inputs(graph, first.route, profile.input_size)
        looked = any(has(each.class_name, Trait.CONVOLUTION) for each in before)
        lost = _TIMES_SMALLER * max(n or 0 for n in first.size) <= min(sides) and not looked
        pooling = has(first.class_name, Trait.LOCAL_POOLING)
        at_once = found is single and pooled_whole(before, _TIMES_SMALLER)
        alike = pooling and found is not single and reaches_all(first)
        used = "only one of its weights for each pair of channels is used."
        detail = (
            f"a map of a single position: {'it changes nothing.' if pooling else used}"
            if found is single
            else f"a map of {list(first.size)}: it always reaches beyond the map"
            + (", and gives the same value at every position." if alike else "")
            + ("." if not alike else "")
            if pooling
            else f"a map of {list(first.size)}: some of its weights never see anything but padding."
            if found is idle
            else f"a map of {list(first.size)}: at every position, a part of it sees only padding."
        )
        dilated = any(d > 1 for d in first.dilations)
        yield rule.finding(
            f"`{first.route}` slides a window of {list(first.kernel)} over {detail}",
            route=first.route,
            evidence={"measured": len(found), "unit": "layers", "n": len(profile.grids)},
            severity=Severity.MEDIUM if alike or ((lost or at_once) and not pooling) else severity,
            fix=_more_positions(graph, first.route)
            if found is single
            else f"Use a smaller {'dilation_rate' if dilated else 'window'} in `{first.route}`, fewer "
            "poolings and strides before it, or larger inputs, and train again.",
        )


def _sides_of_inputs(graph: LayerGraph, route: str, size: Shape | None) -> list[int]:
    """The sides of the maps from which a layer gets its own; [0] if it gets none, as from a seed.

    Where the file does not tell, those of the model's input.
    """
    before = (x for each in graph.above([route]) if (x := graph.get(each)))
    given = [layer for layer in before if not any(graph.calls[layer.route])]
    shapes = [each.output_shape for each in given if each.output_shape]
    if not shapes:
        return [side or 0 for side in size or (0,)]
    return [side or 0 for shape in shapes if len(shape) > 2 for side in shape[1:-1]] or [0]


def _more_positions(graph: LayerGraph, route: str) -> str:
    """What to do about the layer that leaves a single position; empty if the input had no more."""
    above = graph.above([route]) - {route}
    for layer in reversed(graph.layers):
        if layer.route not in above or not (layer.output_shape and layer.input_shapes):
            continue
        first = channels_first(layer)
        left, had = (spatial_part(x, first) for x in (layer.output_shape, layer.input_shapes[0]))
        if set(left) == {1} and had and set(had) != {1}:
            return (
                f"`{layer.route}` leaves one position of {list(had)}. Use a smaller window or stride in "
                "it or in the layers before it, or larger inputs, and train again."
            )
    return ""


RULES = (
    Rule(
        code="MA316",
        name="window-over-one-position",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        needs=SHOWN,
        summary="A layer slides a window over a single position or a smaller map, or attends to "
        "one or recurs over one",
        pass_title="No layer slides a window over a map that is smaller than it, or attends to or "
        "recurs over one position",
        why="Poolings and strides before it left one position, or the input never had more, so "
        "there is nothing for this layer to compare.",
        fix="Use fewer poolings and strides, or larger inputs, and train again.",
        check=one_for_alike(_over_one_position, "layer"),
        assumes="order",
        bad=examples.measured(one_map(1)),
        good=examples.measured(one_map(4)),
    ),
)
