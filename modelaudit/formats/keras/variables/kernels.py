"""Convolution and dense kernels, with the operation that applies them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from msgspec import Struct

from modelaudit.facts import Json, Kernel, Layer, Tensor
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.dialects import activation, channels_first, initializer, to_keras2
from modelaudit.formats.keras.shapes.layers import RULES
from modelaudit.formats.keras.shapes.windows import convolution, window
from modelaudit.formats.keras.variables.slots import LayerTree
from modelaudit.layer_classes import Trait, classes
from modelaudit.structs import replace

TRANSPARENT = classes(Trait.POINTWISE | Trait.CHANNEL_NORMALISATION)
"""Layers that do not move elements, so that a Dense layer after them can still have a grid."""

MAX_HOPS = 64


class _KernelPart(Struct, frozen=True):
    """A kernel of a layer: role of its variable, and `kind`, `axes` and `spatial` of `Kernel`."""

    role: str
    kind: str
    axes: str
    spatial: int = 0
    initializer: str = "kernel_initializer"
    last: bool = True  # bias and activation apply to its result


def kernels_of(
    layers: Sequence[Layer], tree: LayerTree, tensors: Mapping[str, Tensor]
) -> tuple[Kernel, ...]:
    """Kernels of bound layers (with `Layer.variables`), in execution order.

    A separable convolution has two kernels, depthwise and pointwise; a recurrent convolution has
    one for its input and one for its state.
    """
    return tuple(kernel for layer in layers for kernel in _kernels(layer, tree, tensors))


def _kernels(layer: Layer, tree: LayerTree, tensors: Mapping[str, Tensor]) -> Iterator[Kernel]:
    if layer.custom or not layer.variables:
        return
    class_name, config = to_keras2(layer.class_name, layer.config)
    for part in _parts(class_name, config):
        name = layer.variables.get(part.role)
        if name is None or len(tensors[name].shape) != part.spatial + 2:
            continue
        yield _kernel(layer, class_name, config, part, tensors[name], tree)


def _parts(class_name: str, config: Mapping[str, Json]) -> tuple[_KernelPart, ...]:
    """The kernels that a layer of this class has."""
    if class_name == "Dense":
        return (_KernelPart("kernel", "dense", "io"),)
    if class_name not in RULES or RULES[class_name] is not convolution:
        return _recurrent_parts(class_name)
    found = window(class_name, config)
    if found is None or class_name.startswith("Locally"):
        return ()
    rank = found[0]
    depthwise = _KernelPart("depthwise_kernel", "depthwise", "hwcm", rank, "depthwise_initializer")
    if class_name.startswith("Depthwise"):
        return (depthwise,)
    if class_name.startswith("Separable"):
        pointwise = _KernelPart("pointwise_kernel", "conv", "hwio", rank, "pointwise_initializer")
        return (replace(depthwise, last=False), pointwise)
    if class_name.endswith("Transpose"):
        return (_KernelPart("kernel", "transpose", "hwoi", rank),)
    if config.get("dim_ordering") == "th":  # Keras 1 with Theano's axis order
        return (_KernelPart("kernel", "conv", "oihw", rank),)
    if "filter_length" in config:  # Keras 1 stored Conv1D as a 2D convolution of width 1
        return (_KernelPart("kernel", "conv", "hwio", rank + 1),)
    return (_KernelPart("kernel", "conv", "hwio", rank),)


def _recurrent_parts(class_name: str) -> tuple[_KernelPart, ...]:
    rank = {"ConvLSTM1D": 1, "ConvLSTM2D": 2, "ConvLSTM3D": 3}.get(class_name)
    if rank is None:
        return ()
    return (
        _KernelPart("kernel", "conv", "hwio", rank),
        _KernelPart("recurrent_kernel", "conv", "hwio", rank, "recurrent_initializer", last=False),
    )


def _kernel(
    layer: Layer,
    class_name: str,
    config: Mapping[str, Json],
    part: _KernelPart,
    tensor: Tensor,
    tree: LayerTree,
) -> Kernel:
    spatial = part.spatial
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    padding, groups = "", 1
    found = window(class_name, config) if spatial else None
    if found is not None:
        ones = (1,) * spatial
        strides, dilations, padding = (*found[2], *ones)[:spatial], (*found[3], *ones), found[4]
        dilations = dilations[:spatial]
        if part.role in ("pointwise_kernel", "recurrent_kernel"):
            strides, dilations = ones, ones
            padding = "valid" if part.role == "pointwise_kernel" else "same"
        if part.kind == "conv" and part.role == "kernel":
            groups = kj.size(config, "groups") or 1
    return Kernel(
        route=layer.route,
        tensor=tensor.name,
        kind=part.kind,
        axes=part.axes,
        spatial=part.spatial,
        shape=tensor.shape,
        bias=layer.variables.get("bias") if part.last else None,
        strides=strides,
        dilations=dilations,
        padding=padding,
        groups=groups,
        data_format="channels_first" if channels_first(config) else "channels_last",
        activation=activation(config.get("activation")) if part.last else None,
        initializer=initializer(config.get(part.initializer)),
        bias_initializer=initializer(config.get("bias_initializer")) if part.last else None,
        grid=_grid(layer, tensor, tree) if part.kind == "dense" else None,
    )


def _grid(layer: Layer, tensor: Tensor, tree: LayerTree) -> tuple[int, ...] | None:
    """(height, width, channels) of the feature map that the rows of a Dense kernel belong to."""
    source = _source(layer, tree)
    hops = 0
    while source is not None and source.class_name in TRANSPARENT and hops < MAX_HOPS:
        source, hops = _source(source, tree), hops + 1
    if source is None or source.class_name not in ("Flatten", "Reshape"):
        return None
    shape = source.input_shapes[0] if len(source.input_shapes) == 1 else ()
    if len(shape) != 4 or source.output_shape is None or len(source.output_shape) != 2:
        return None
    _, config = to_keras2(source.class_name, source.config)
    # Flatten moves the channels last before it flattens; Reshape does not move axes.
    if source.class_name == "Flatten" and channels_first(config):
        shape = (shape[0], *shape[2:], shape[1])
    grid = tuple(n for n in shape[1:] if n is not None)
    return grid if len(grid) == 3 and prod(grid) == tensor.shape[0] else None


def _source(layer: Layer, tree: LayerTree) -> Layer | None:
    """The single layer whose output `layer` takes, across the borders of nested models."""
    found = _feeder(layer, tree)
    hops = 0
    while found is not None and found.is_model and hops < MAX_HOPS:
        inner = tree.below(found.route)
        ends = kj.sequence(found.config.get("output_layers"))
        # The layer name in `[["dense", 0, 0]]` or `["dense", 0, 0]`
        first = ends[0] if ends else None
        if isinstance(first, list) and len(ends) == 1:
            first = first[0] if first else None
        name = first if isinstance(first, str) else None
        if "output_layers" in found.config:
            inner = [item for item in inner if item.name == name]
        found, hops = (inner[-1] if inner else None), hops + 1
    return found


def _feeder(layer: Layer, tree: LayerTree) -> Layer | None:
    current: Layer | None = layer
    hops = 0
    while current is not None and hops < MAX_HOPS:
        if len(current.inbound) > 1 or (current.inbound and len(current.inbound[0]) > 1):
            return None
        sources = current.inbound[0] if current.inbound else ()
        if sources:
            found = tree.layers.get(sources[0])
            if found is None or found.class_name != "InputLayer":
                return found
            current = found
            continue
        # The first layer of a nested model, or its input: continue with the model's own inputs.
        current, hops = tree.parent[current.route], hops + 1
    return None
