"""TensorFlow operations that apply a kernel, and operations that can surround them."""

from __future__ import annotations

from msgspec import Struct

from modelaudit.facts import Json
from modelaudit.formats.graph.dataflow import PASSING


class KernelUse(Struct, frozen=True):
    """How an operation applies its kernel: axes of the kernel, and positions of the inputs."""

    kind: str
    axes: str
    kernel: int = 1
    data: int = 0


class KernelGeometry(Struct, frozen=True):
    """Strides, dilations and padding per spatial axis."""

    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    padding: str = ""
    data_format: str = "channels_last"


CONV = KernelUse("conv", "hwio")
_TRANSPOSE = KernelUse("transpose", "hwoi", data=2)
_DENSE = KernelUse("dense", "io")
OPERATIONS = {
    "Conv2D": CONV,
    "Conv3D": CONV,
    "DepthwiseConv2dNative": KernelUse("depthwise", "hwcm"),
    "Conv2DBackpropInput": _TRANSPOSE,
    "Conv3DBackpropInput": _TRANSPOSE,
    "Conv3DBackpropInputV2": _TRANSPOSE,
    "MatMul": _DENSE,
    "_FusedConv2D": CONV,
    "_FusedMatMul": _DENSE,
    "FusedDepthwiseConv2dNative": KernelUse("depthwise", "hwcm"),
    "BatchMatMulV2": _DENSE,
}
BIAS = frozenset({"BiasAdd", "Add", "AddV2"})
ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "LeakyRelu": "leaky_relu",
    "Elu": "elu",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
}
BATCH_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
# Operations whose output has as many channels as their first input.
KEEP_CHANNELS = (
    BIAS
    | ACTIVATIONS.keys()
    | {"MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "BatchToSpaceND", "SpaceToBatchND"}
    | BATCH_NORMS
    | {"Pad", "PadV2", "MirrorPad"}
)
# Operations that turn zeros into zeros.
KEEP_ZERO = frozenset(
    {
        *("Sum", "Mean", "Max", "Min", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Tile"),
        *("StridedSlice", "Slice", "Pad"),
    }
)
# Operations between a kernel's operation and its bias or activation; they change only the shape.
BEHIND = PASSING | {"Squeeze", "BatchToSpaceND", "Reshape"}


def of_training(op: str) -> bool:
    """Whether an operation takes a value for its shape or for gradients only."""
    return op in {"Shape", "ShapeN"} or op.endswith("Grad")


def spatial_part(value: Json, spatial: int, channels_first: bool) -> tuple[int, ...]:
    """Entries of a per-axis attribute for the last `spatial` axes, without batch and channels."""
    entries = numbers(value)
    axes = entries[2:] if channels_first else entries[1:-1]
    return axes[-spatial:]


def numbers(value: Json) -> tuple[int, ...]:
    """Integers of a list attribute; () for anything else."""
    if not isinstance(value, list):
        return ()
    return tuple(item for item in value if isinstance(item, int))
