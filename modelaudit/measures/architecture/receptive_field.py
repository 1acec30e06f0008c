"""Receptive fields of layers, smallest and largest over all paths from the input.

A window of k positions with dilation d, on a map whose positions are j input pixels apart, adds
(k - 1) d j pixels; a stride multiplies j (Araujo, Norris and Sim 2019,
doi:10.23915/distill.00021). The smallest field shows which layers see no new pixels: a layer whose
inputs all see the whole image only mixes features (Richter et al. 2021, arXiv:2106.12307).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from msgspec import Struct

from modelaudit.audit_types.architecture import LayerField
from modelaudit.facts import Layer, Shape
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import (
    channels_first,
    has_axis_order,
    input_shape,
    spatial_part,
)
from modelaudit.measures.architecture.window_grid import (
    LayerWindow,
    explicit_padding,
    extent,
    layer_window,
    output_size,
    transposed_size,
)
from modelaudit.structs import replace

_TRANSPARENT = Trait.POINTWISE | Trait.CHANNEL_NORMALISATION | Trait.AUGMENTATION


class FieldState(Struct, frozen=True):
    """Receptive field of each position of a layer's map, per spatial axis.

    Attributes:
        low, high: smallest and largest field, in input pixels.
        jump: distance of neighbouring positions, in input pixels.
        size: size of the map, None if undefined.
        flat: whether the map was flattened, so that the next Dense layer sees all of it.
        leading: whether channels are the first axis behind that of the batch.
        ordered: whether a layer says so; an input's shape only suggests it.
    """

    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]
    jump: tuple[Fraction, ...]
    size: Shape
    flat: bool = False
    leading: bool = False
    ordered: bool = False

    @property
    def single(self) -> bool:
        """Whether the map has one position."""
        return all(size == 1 for size in self.size)


def field_states(graph: LayerGraph) -> dict[str, FieldState]:
    """Fields of all layers, except those after an unsupported layer."""
    return graph.propagate(_step, lambda a, b: _merged([a, b]))


def layer_fields(
    graph: LayerGraph, states: Mapping[str, FieldState], input_size: Shape
) -> tuple[LayerField, ...]:
    """Fields of layers that change them (windows, pooling, upsampling), in execution order."""
    fields = []
    for layer in graph.layers:
        state = states.get(layer.route)
        calls = graph.calls[layer.route]
        entry = None if calls or layer.class_name == "InputLayer" else input_state(layer)
        sources = [states[s] for call in calls for s in call if s in states]
        sources += [entry] if entry is not None else []
        changed = state is not None and any(
            (state.low, state.high, state.jump) != (s.low, s.high, s.jump) for s in sources
        )
        if state is None or has(layer.class_name, Trait.MERGE) or not changed:
            continue
        fields.append(
            LayerField(
                route=layer.route,
                minimum=tuple(math.ceil(r) for r in state.low),
                maximum=tuple(math.ceil(r) for r in state.high),
                jump=tuple(max(1, math.ceil(j)) for j in state.jump),
                output_size=state.size,
                border=_is_border(layer, sources, input_size),
            )
        )
    return tuple(fields)


def flattens(layer: Layer) -> bool:
    """Whether a Reshape has one target axis and is thus a Flatten."""
    target = layer.config.get("target_shape")
    return layer.class_name == "Reshape" and isinstance(target, list) and len(target) == 1


def _is_border(layer: Layer, sources: Sequence[FieldState], input_size: Shape) -> bool:
    """Whether all inputs see the whole image on each axis, and the layer's window exceeds 1."""
    window = layer_window(layer, len(input_size))
    return (
        window is not None
        and max(window.kernel) > 1
        and all(
            size is not None and low >= size
            for source in sources
            for low, size in zip(source.low, input_size, strict=True)
        )
    )


def in_its_order(layer: Layer, source: FieldState) -> FieldState | None:
    """A map as the layer takes it; None if its axes for windows are not those of a layer before."""
    first, rank = channels_first(layer), len(source.size)
    if not has_axis_order(layer) or source.leading == first:
        return source
    if source.ordered:
        return None
    size = spatial_part(layer.input_shapes[0], first) if len(layer.input_shapes) == 1 else ()
    return replace(source, size=size if len(size) == rank else (None,) * rank, leading=first)


def _step(layer: Layer, sources: Sequence[FieldState | None]) -> FieldState | None:
    given = [each and in_its_order(layer, each) for each in sources]
    state = _next(layer, given)
    if state is None:
        return None
    known = [each for each in given if each is not None]
    return replace(
        state,
        leading=state.leading or channels_first(layer) or any(each.leading for each in known),
        ordered=has_axis_order(layer) or any(each.ordered for each in known),
    )


def _next(layer: Layer, sources: Sequence[FieldState | None]) -> FieldState | None:
    if any(source is None for source in sources):
        return None
    states = [source for source in sources if source is not None]
    if not states:
        state = input_state(layer)
        if state is None or layer.class_name == "InputLayer":
            return state
        states = [state]
    if layer.class_name == "Concatenate" and not _joins_channels(layer, states):
        return None  # positions of several maps are in one, which no input has
    if has(layer.class_name, Trait.MERGE) or layer.class_name == "Concatenate":
        return _merged(states)
    return _through(layer, states[0]) if len(states) == 1 else None


def input_state(layer: Layer) -> FieldState | None:
    """Initial state for a layer without inbound layers; None for inputs that are not maps."""
    shape = input_shape(layer)
    if shape is None or not 3 <= len(shape) <= 5:
        return None
    leading = channels_first(layer) or _leads_with_channels(shape)
    size = spatial_part(shape, leading)
    one = (Fraction(1),) * len(size)
    return FieldState(one, one, one, size, leading=leading)


def _leads_with_channels(shape: Shape) -> bool:
    """Whether (3, H, W) with H, W > 4 is channels first, which an InputLayer does not save."""
    first, last = shape[1], shape[-1]
    return len(shape) >= 4 and first in (1, 3, 4) and (last is None or last > 4) and shape[2] != 1


def _joins_channels(layer: Layer, states: Sequence[FieldState]) -> bool:
    """Whether maps are joined along their channels, or are no maps any more."""
    if all(state.flat or state.single for state in states):
        return True
    axis, rank = layer.config.get("axis", -1), len(states[0].size) + 2  # with batch and channels
    last = 1 if any(state.leading for state in states) else rank - 1
    return isinstance(axis, int) and axis in (last, last - rank)


def _through(layer: Layer, state: FieldState) -> FieldState | None:
    name, rank = layer.class_name, len(state.size)
    if has(name, _TRANSPARENT) or name == "InputLayer":  # of a nested model
        return state
    if has(name, Trait.GLOBAL_POOLING):
        return _whole(state)
    if name == "Flatten" or flattens(layer):
        return replace(state, flat=True)
    if name == "Dense":
        return _whole(state) if state.flat else state
    if name == "Reshape":
        return state if state.single and _one_position(layer) else None
    padding = explicit_padding(layer, rank)
    if padding is not None:
        grown = zip(state.size, padding, strict=True)
        return replace(
            state, size=tuple(None if n is None else max(0, n + sum(p)) for n, p in grown)
        )
    if name == f"UpSampling{rank}D":
        return _upsampled(layer, state)
    window = layer_window(layer, rank)
    return _windowed(window, state) if window is not None else None


def _one_position(layer: Layer) -> bool:
    """Whether a Reshape gives a map of one position, such as (1, 1, 64)."""
    target = layer.config.get("target_shape")
    return not isinstance(target, list) or sum(size != 1 for size in target) <= 1


def _whole(state: FieldState) -> FieldState | None:
    """A single position that sees the whole map; None if its size is undefined."""
    sizes = [n for n in state.size if n is not None]
    if len(sizes) != len(state.size):
        return None
    reach = [(n - 1) * j for n, j in zip(sizes, state.jump, strict=True)]
    return FieldState(
        low=tuple(r + a for r, a in zip(state.low, reach, strict=True)),
        high=tuple(r + a for r, a in zip(state.high, reach, strict=True)),
        jump=state.jump,
        size=(1,) * len(sizes),
    )


def _windowed(window: LayerWindow, state: FieldState) -> FieldState:
    low, high, jumps, sizes = [], [], [], []
    for axis, size in enumerate(state.size):
        k, s, d = window.kernel[axis], window.strides[axis], window.dilations[axis]
        jump = state.jump[axis]
        if window.transposed:
            # Only every s-th tap contributes to an output position: floor(k/s) to ceil(k/s).
            fewest, most = max(k // s, 1), -(-k // s)
            low.append(state.low[axis] + (fewest - 1) * d * jump)
            high.append(state.high[axis] + (most - 1) * d * jump)
            jumps.append(jump / s)
            sizes.append(None if size is None else transposed_size(size, k, s, d, window.padding))
        else:
            added = (extent(k, d) - 1) * jump
            low.append(state.low[axis] + added)
            high.append(state.high[axis] + added)
            jumps.append(jump * s)
            sizes.append(None if size is None else output_size(size, k, s, d, window.padding))
    return FieldState(tuple(low), tuple(high), tuple(jumps), tuple(sizes))


def _upsampled(layer: Layer, state: FieldState) -> FieldState | None:
    factors = layer.config.get("size", 2)
    if isinstance(factors, int):
        factors = [factors] * len(state.size)
    if not isinstance(factors, list) or len(factors) != len(state.size):
        return None
    whole = [f for f in factors if isinstance(f, int) and f > 0]
    if len(whole) != len(factors):
        return None
    # Interpolation reads the two nearest positions, nearest-neighbour copies one.
    taps = 0 if layer.config.get("interpolation", "nearest") == "nearest" else 1
    return FieldState(
        low=state.low,
        high=tuple(r + taps * j for r, j in zip(state.high, state.jump, strict=True)),
        jump=tuple(j / f for j, f in zip(state.jump, whole, strict=True)),
        size=tuple(None if n is None else n * f for n, f in zip(state.size, whole, strict=True)),
    )


def _merged(states: Sequence[FieldState]) -> FieldState | None:
    """Fields after merging branches; a branch with one position is broadcast."""
    rank = len(states[0].size)
    if any(len(state.size) != rank for state in states):
        return None
    maps = [state for state in states if not state.single] or list(states)
    if any(state.jump != maps[0].jump for state in maps):
        return None
    return FieldState(
        low=tuple(min(s.low[axis] for s in maps) for axis in range(rank)),
        high=tuple(max(s.high[axis] for s in states) for axis in range(rank)),
        jump=maps[0].jump,
        size=maps[0].size,
        flat=any(state.flat for state in states),
    )
