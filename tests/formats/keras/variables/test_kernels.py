"""Properties of the operation that applies a kernel."""

from __future__ import annotations

from modelaudit.facts import Json
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.variables.matching import bind
from modelaudit.settings import Limits
from tests.formats.bindings import conv, layer, missing, sequential, weight

KERNELS = sequential(
    layer("InputLayer", "input", batch_input_shape=[None, 12, 12, 4]),
    conv("grouped", 8, groups=2, dilation_rate=2, activation="relu"),
    layer(
        "SeparableConv2D",
        "separable",
        filters=6,
        kernel_size=3,
        strides=2,
        depth_multiplier=2,
        padding="same",
        activation={"class_name": "LeakyReLU", "config": {}},
        depthwise_initializer={"class_name": "HeNormal", "config": {"seed": 1}},
        pointwise_initializer="glorot_uniform",
    ),
    layer("DepthwiseConv2D", "depthwise", kernel_size=[3, 3]),
    layer("Conv2DTranspose", "up", filters=5, kernel_size=2, strides=2),
)


def test_kernels_describe_their_operation() -> None:
    shapes = {
        "layers/conv2d/vars/0": (3, 3, 2, 8),
        "layers/conv2d/vars/1": (8,),
        "layers/separable_conv2d/vars/0": (3, 3, 8, 2),
        "layers/separable_conv2d/vars/1": (1, 1, 16, 6),
        "layers/separable_conv2d/vars/2": (6,),
        "layers/depthwise_conv2d/vars/0": (3, 3, 6, 1),
        "layers/depthwise_conv2d/vars/1": (6,),
        "layers/conv2d_transpose/vars/0": (2, 2, 5, 6),
        "layers/conv2d_transpose/vars/1": (5,),
    }
    tensors = [weight(name, *shape) for name, shape in shapes.items()]
    binding = bind(parse_architecture(KERNELS, limits=Limits()), tensors, "h5_v3")
    assert (binding.unclaimed, missing(binding)) == ((), ())
    grouped, part, pointwise, depthwise, up = binding.kernels
    assert (grouped.groups, grouped.dilations, grouped.activation) == (2, (2, 2), "relu")
    assert (part.kind, part.axes, part.strides) == ("depthwise", "hwcm", (2, 2))
    assert (part.bias, part.activation) == (None, None)
    assert part.initializer == {"class_name": "HeNormal", "config": {"seed": 1}}
    assert (pointwise.kind, pointwise.strides) == ("conv", (1, 1))
    assert (pointwise.bias, pointwise.activation) == ("layers/separable_conv2d/vars/2", "LeakyReLU")
    assert pointwise.initializer == {"class_name": "GlorotUniform", "config": {}}
    assert (depthwise.kind, depthwise.spatial) == ("depthwise", 2)
    assert (up.kind, up.axes, up.strides) == ("transpose", "hwoi", (2, 2))


def head(*between: dict[str, Json]) -> tuple[int, ...] | None:
    """Grid of the Dense kernel in the model `between` -> Dense, as its layers' shapes give it."""
    config = sequential(
        layer("InputLayer", "input", batch_input_shape=[None, 4, 5, 3]),
        *between,
        layer("Dense", "dense", units=2, use_bias=False),
    )
    architecture = parse_architecture(config, limits=Limits())
    rows = architecture.layer("dense").expected["kernel"][0]
    assert rows is not None
    binding = bind(architecture, [weight("dense/kernel", rows, 2)], "checkpoint")
    return binding.kernels[0].grid


FLAT = layer("Flatten", "flatten")


def test_the_grid_of_a_dense_kernel() -> None:
    dropout = layer("Dropout", "dropout", rate=0.5)
    nested = sequential(
        layer("InputLayer", "inner", batch_input_shape=[None, 4, 5, 3]), FLAT, name="nested"
    )
    assert head(FLAT) == (4, 5, 3)
    assert head(FLAT, dropout, layer("ReLU", "relu")) == (4, 5, 3)
    assert head(nested, dropout) == (4, 5, 3)
    assert head(layer("Reshape", "reshape", target_shape=[-1])) == (4, 5, 3)
    first = layer("Flatten", "flatten", data_format="channels_first")
    assert head(first) == (5, 3, 4)
    assert head(layer("GlobalAveragePooling2D", "gap")) is None
    assert head(FLAT, layer("Dense", "hidden", units=60)) is None
