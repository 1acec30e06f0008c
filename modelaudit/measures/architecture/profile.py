"""Properties of the architecture that determine how it treats positions and orientations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.architecture import ArchitectureProfile, WindowGrid
from modelaudit.facts import Architecture, Layer, Shape
from modelaudit.graphs import reachable
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.measures.architecture.layer_shapes import channels_first, spatial_part
from modelaudit.measures.architecture.receptive_field import (
    FieldState,
    field_states,
    flattens,
    in_its_order,
    input_state,
    layer_fields,
)
from modelaudit.measures.architecture.window_grid import (
    axis_symmetric,
    explicit_padding,
    layer_window,
)
from modelaudit.structs import PerObject

_PASSED_OVER = classes(Trait.POINTWISE | Trait.CHANNEL_NORMALISATION | Trait.MERGE) | {
    *("Concatenate", "Dense", "Reshape"),
    "InputLayer",  # of a nested model
}
_BLUR_NAMES = ("blurpool", "blur_pool", "antialias", "anti_alias")
_ARITHMETIC = (
    *("math.multiply", "math.truediv", "math.divide"),
    *("math.subtract", "math.add"),
)
# If the outputs have different heads, the first of these is reported.
_HEADS = ("flatten", "spatial", "gap", "unknown", "dense")


def architecture_profile(
    architecture: Architecture, graph: LayerGraph, blurs: bool
) -> ArchitectureProfile:
    """Profile a saved architecture.

    Args:
        graph: the same as a flat graph.
        blurs: whether a stored depthwise kernel is a fixed blur (`symmetry.is_lowpass`).
    """
    states = field_states(graph)
    entries = [input_state(layer) for layer in graph.layers if not graph.calls[layer.route]]
    image = max((entry.size for entry in entries if entry is not None), key=len, default=())
    fields = layer_fields(graph, states, image)
    strides = [field.jump for field in fields if set(field.output_size) != {1}]
    return ArchitectureProfile(
        grids=tuple(grid for layer in graph.layers for grid in _grids(layer, graph, states)),
        fields=fields,
        input_size=image,
        augmentation=tuple(x.route for x in graph.layers if has(x.class_name, Trait.AUGMENTATION)),
        rescaling=tuple(x.route for x in graph.layers if _rescales(x, graph)),
        head=_head(graph, states),
        total_stride=strides[-1] if strides else (),
        antialiased=blurs or any(_names_blur(layer) for layer in architecture.layers),
    )


def _read(architecture: Architecture) -> ArchitectureProfile:
    return architecture_profile(architecture, layer_graph(architecture), blurs=False)


plain_profile = PerObject(_read)
"""The profile of an architecture whose kernels are not looked at."""


def unfollowed(graph: LayerGraph) -> str:
    """Why some receptive fields are unknown, or ""."""
    states = field_states(graph)
    missing = [
        layer
        for layer in graph.layers
        if layer.route not in states
        and (
            has(layer.class_name, Trait.ATTENTION)
            or any(layer_window(layer, rank) for rank in (1, 2, 3))
        )
    ]
    if not missing:
        return ""
    return (
        f"{len(missing)} layer(s) with windows or attention are not followed, "
        f"the first is {missing[0].route} ({missing[0].class_name})"
    )


def _grids(
    layer: Layer, graph: LayerGraph, states: Mapping[str, FieldState]
) -> Iterator[WindowGrid]:
    """One grid for each map size that the layer is called on."""
    seen: set[tuple[int, ...]] = set()
    for call in graph.calls[layer.route] or ((),):
        if len(call) > 1:
            continue
        source = graph.get(call[0]) if call else None
        size = _map_size(layer, states.get(call[0]) if call else None)
        sizes = tuple(n for n in size if n is not None)
        if len(sizes) != len(size) or sizes in seen:
            continue
        seen.add(sizes)
        window = layer_window(layer, len(sizes))
        if window is None or max(window.kernel + window.strides) == 1:
            continue
        none = ((0, 0),) * len(sizes)
        padding = (explicit_padding(source, len(sizes)) if source is not None else None) or none
        unpadded = tuple(n - sum(p) for n, p in zip(sizes, padding, strict=True))
        yield WindowGrid(
            route=layer.route,
            class_name=layer.class_name,
            size=sizes,
            kernel=window.kernel,
            strides=window.strides,
            dilations=window.dilations,
            padding=window.padding,
            symmetric=tuple(
                axis_symmetric(window, axis, unpadded[axis], padding[axis])
                for axis in range(len(sizes))
            ),
        )


def _map_size(layer: Layer, source: FieldState | None) -> Shape:
    """Spatial size of a layer's input: as propagated, or else from the saved shapes."""
    given = in_its_order(layer, source) if source is not None else None
    if given is not None:
        return given.size
    shape = layer.input_shapes[0] if len(layer.input_shapes) == 1 else ()
    return spatial_part(shape, channels_first(layer))


def _head(graph: LayerGraph, states: Mapping[str, FieldState]) -> str:
    """Kind of the model's head, from the last layers that determine it."""
    found: set[str] = set()

    def undecided(route: str) -> list[str]:
        """The layers before one that does not determine the kind."""
        sources = [source for call in graph.calls[route] for source in call]
        given = [states.get(source) for source in sources]
        kind = _head_kind(graph.layer(route), states.get(route), given)
        found.add(kind)
        return [] if kind else sources

    list(reachable(graph.outputs, undecided))
    return next((kind for kind in _HEADS if kind in found), "unknown")


def _head_kind(layer: Layer, state: FieldState | None, sources: Sequence[FieldState | None]) -> str:
    """The kind of head that a layer implies, or "" if its inputs determine it."""
    single = state is not None and state.single
    name = layer.class_name
    if has(name, Trait.GLOBAL_POOLING) or (has(name, Trait.LOCAL_POOLING) and single):
        return "gap"
    if name == "Flatten" or (name == "Reshape" and flattens(layer)):
        unknown = any(source is None for source in sources)
        return "" if not unknown and all(s.single for s in sources if s) else "flatten"
    if not sources:
        return "dense" if state is None else "spatial"
    window = layer_window(layer, len(state.size)) if state is not None else None
    if window is not None:
        if single:  # a window over the whole map weights each position separately
            return "flatten" if max(window.kernel) > 1 else ""
        return "spatial"
    if name in _PASSED_OVER:
        return ""
    return "unknown" if state is None else "spatial"


def _rescales(layer: Layer, graph: LayerGraph) -> bool:
    """Whether a layer rescales values: a rescaling layer, or arithmetic right after an input."""
    if has(layer.class_name, Trait.RESCALING):
        return True
    sources = [source for call in graph.calls[layer.route] for source in call]
    entry = bool(sources) and all(not graph.calls[source] for source in sources)
    return (
        entry and layer.class_name == "TFOpLambda" and layer.config.get("function") in _ARITHMETIC
    )


def _names_blur(layer: Layer) -> bool:
    words = f"{layer.class_name} {layer.registered_name or ''}".lower()
    return any(name in words for name in _BLUR_NAMES)
