"""Weights of convolutions and matrix products in a TensorFlow Lite model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Kernel
from modelaudit.formats.tflite.schema import schema
from modelaudit.graphs import Json, LiteModel, LiteOperator, LiteSubgraph, LiteTensor
from modelaudit.structs import replace


class _Weights(Struct, frozen=True):
    """How an operator stores its weights.

    Attributes:
        kind, axes: see `facts.Kernel`.
        order: the stored axes in the order of `axes`.
        place: index of the input that is the kernel.
        bias: index of the input that is the bias; -1 if it has none.
        spatial: letters of its spatial axes in the names of the options.
    """

    kind: str
    axes: str
    order: tuple[int, ...]
    place: int = 1
    bias: int = 2
    spatial: str = "hw"


_OPERATORS: Mapping[str, _Weights] = {
    "CONV_2D": _Weights("conv", "hwio", (1, 2, 3, 0)),
    "DEPTHWISE_CONV_2D": _Weights("depthwise", "hwcm", (1, 2, 3, 0)),
    "TRANSPOSE_CONV": _Weights("transpose", "hwoi", (1, 2, 0, 3), bias=3),
    "CONV_3D": _Weights("conv", "hwio", (0, 1, 2, 3, 4), spatial="dhw"),
    "CONV_3D_TRANSPOSE": _Weights("transpose", "hwoi", (0, 1, 2, 3, 4), bias=3, spatial="dhw"),
    "FULLY_CONNECTED": _Weights("dense", "io", (1, 0), spatial=""),
    "BATCH_MATMUL": _Weights("dense", "io", (0, 1), bias=-1, spatial=""),
}


def find_kernels(model: LiteModel) -> tuple[Kernel, ...]:
    """The kernels in the order of their operators; one that several apply is listed once."""
    found: dict[str, Kernel] = {}
    for graph in model.subgraphs:
        for kernel in _kernels(graph):
            found.setdefault(kernel.tensor, kernel)
    return tuple(found.values())


def _kernels(graph: LiteSubgraph) -> Iterator[Kernel]:
    makers = {out: operator for operator in graph.operators for out in operator.outputs}
    for operator in graph.operators:
        weights = _OPERATORS.get(operator.name)
        if weights is None or weights.place >= len(operator.inputs):
            continue
        index = operator.inputs[weights.place]
        tensor = _behind_dequantize(graph, makers, index)
        if tensor is None or not tensor.constant or len(tensor.shape or ()) != len(weights.order):
            continue
        kernel = _kernel(graph, operator, weights, tensor)
        if operator.name == "FULLY_CONNECTED":
            kernel = replace(kernel, grid=_flattened(graph, makers, operator, kernel.shape[0]))
        yield kernel


def _behind_dequantize(
    graph: LiteSubgraph, makers: Mapping[int, LiteOperator], index: int
) -> LiteTensor | None:
    """The constant of an input: float16 weights pass a DEQUANTIZE operator first."""
    maker = makers.get(index)
    if maker is not None and maker.name == "DEQUANTIZE" and len(maker.inputs) == 1:
        index = maker.inputs[0]
    return graph.tensor(index)


def _kernel(
    graph: LiteSubgraph, operator: LiteOperator, weights: _Weights, tensor: LiteTensor
) -> Kernel:
    options, stored = operator.options, [size or 0 for size in tensor.shape or ()]
    order = weights.order
    if operator.name == "BATCH_MATMUL" and options.get("adj_y"):
        order = (1, 0)
    shape = tuple(stored[axis] for axis in order)
    spatial = len(weights.spatial)
    inputs = graph.tensor(operator.inputs[0])
    channels = (inputs.shape or (None,))[-1] if inputs is not None else None
    groups = 1
    if weights.kind == "depthwise":
        # Stored as (1, height, width, channels by multiplier).
        multiplier = _whole(options.get("depth_multiplier")) or 1
        if shape[2] % multiplier == 0:
            shape = (*shape[:2], shape[2] // multiplier, multiplier)
    elif weights.kind == "conv" and channels and shape[-2] and channels % shape[-2] == 0:
        groups = channels // shape[-2]
    bias = operator.inputs[weights.bias] if 0 < weights.bias < len(operator.inputs) else -1
    added = graph.tensor(bias)
    output = graph.tensor(operator.outputs[0]) if operator.outputs else None
    return Kernel(
        # Operators have no names: converters join those of the operations that one replaces.
        route=(output.name if output is not None else tensor.name).partition(";")[0],
        tensor=tensor.constant,
        kind=weights.kind,
        axes=weights.axes,
        spatial=spatial,
        shape=shape,
        bias=added.constant if added is not None and added.constant else None,
        strides=tuple(_whole(options.get(f"stride_{axis}")) or 1 for axis in weights.spatial),
        dilations=tuple(
            _whole(options.get(f"dilation_{axis}_factor")) or 1 for axis in weights.spatial
        ),
        padding=_word("Padding", options.get("padding")) if spatial else "",
        groups=groups,
        activation=_word("ActivationFunctionType", options.get("fused_activation_function"))
        or None,
        order=order,
    )


def _flattened(
    graph: LiteSubgraph, makers: Mapping[int, LiteOperator], operator: LiteOperator, inputs: int
) -> tuple[int, ...] | None:
    """(height, width, channels) of the map that was flattened for a matrix product."""
    maker = makers.get(operator.inputs[0])
    source = graph.tensor(maker.inputs[0]) if maker is not None and maker.inputs else None
    if maker is None or maker.name != "RESHAPE" or source is None:
        return None
    inner = tuple(size or 0 for size in (source.shape or ())[1:])
    return inner if len(inner) == 3 and inner[0] * inner[1] * inner[2] == inputs else None


def _whole(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _word(enum: str, value: Json) -> str:
    """The name of an enumeration's value in lower case; "" for none."""
    names = schema().enums[enum]
    number = _whole(value)
    name = names[number].lower() if 0 <= number < len(names) else ""
    return "" if name == "none" else name
