"""Experiments with graphs: which of their operations a runtime joins to one that it cannot compute.

Before TensorFlow runs a graph on a CPU, it joins a convolution or a product of matrices, what
scales or shifts its result, and an activation to one operation. Some of these it does not have.
"""

from __future__ import annotations

import importlib

from .signatures import AnyObject

PRODUCTS = ("", "Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul", "Conv3D")
SHIFTS = ("BiasAdd", "FusedBatchNorm")
ACTIVATIONS = (
    *("Elu", "LeakyRelu", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"),
)
CHANNELS = 4


def fusions_refused() -> list[list[str]]:
    """[product, shift, activation] that cannot be computed in a graph, but one by one."""
    return [
        [product, shift, activation]
        for product in PRODUCTS
        for shift in SHIFTS
        if (shift == "BiasAdd" or product not in ("MatMul", "Conv3D"))
        for activation in ACTIVATIONS
        if not computes(product, shift, activation)
    ]


def computes(product: str, shift: str, activation: str) -> bool:
    """Whether a graph of these operations returns a value."""
    tensorflow = importlib.import_module("tensorflow")
    data = importlib.import_module("numpy").ones(shape_for(product), "float32")

    def chain(value: AnyObject) -> AnyObject:
        value = shifted(multiplied(value, product), shift)
        return getattr(tensorflow.raw_ops, activation)(
            **{"x" if activation in ("Sigmoid", "Tanh") else "features": value}
        )

    try:
        chain(tensorflow.constant(data))
    except Exception:
        return True  # this version has no such operation
    try:
        tensorflow.function(chain)(tensorflow.constant(data))
    except tensorflow.errors.UnimplementedError:
        return False
    return True


def shape_for(product: str) -> tuple[int, ...]:
    """The shape of the input of a product."""
    size = {"MatMul": 0, "Conv3D": 3}.get(product, 2)
    return (2,) + (6,) * size + (CHANNELS,)


def multiplied(value: AnyObject, product: str) -> AnyObject:
    """The result of a convolution or of a product of matrices."""
    tensorflow = importlib.import_module("tensorflow")
    operations = tensorflow.raw_ops
    size = len(value.shape) - 2
    kernel = tensorflow.ones((3,) * size + (CHANNELS, CHANNELS))
    moves = {"strides": [1] * (size + 2), "padding": "SAME"}
    if product == "MatMul":
        return operations.MatMul(a=value, b=kernel)
    if product == "DepthwiseConv2dNative":
        return operations.DepthwiseConv2dNative(input=value, filter=kernel[..., :1], **moves)
    if product == "Conv2DBackpropInput":
        return operations.Conv2DBackpropInput(
            input_sizes=list(value.shape), filter=kernel, out_backprop=value, **moves
        )
    return getattr(operations, product)(input=value, filter=kernel, **moves) if product else value


def shifted(value: AnyObject, shift: str) -> AnyObject:
    """The values with a bias, or normalised with constants."""
    tensorflow = importlib.import_module("tensorflow")
    ones = tensorflow.ones((CHANNELS,))
    if shift == "BiasAdd":
        return tensorflow.nn.bias_add(value, ones)
    return tensorflow.raw_ops.FusedBatchNormV3(
        x=value, scale=ones, offset=ones, mean=ones, variance=ones, is_training=False
    ).y
