"""Small configs and tensors for binding tests, and what a binding lacks."""

from __future__ import annotations

from math import prod

from modelaudit.facts import Json, Tensor
from modelaudit.formats.keras.variables.matching import Binding


def layer(class_name: str, name: str, **config: Json) -> dict[str, Json]:
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def conv(name: str, filters: int, **more: Json) -> dict[str, Json]:
    return layer("Conv2D", name, filters=filters, kernel_size=[3, 3], padding="same", **more)


def sequential(*layers: dict[str, Json], name: str = "model") -> dict[str, Json]:
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def weight(name: str, *shape: int, role: str = "weight") -> Tensor:
    return Tensor(name, shape, "float32", 4 * prod(shape), "model.h5", role)


def missing(binding: Binding) -> tuple[tuple[str, str], ...]:
    """Layer and role of variables that the config implies but no tensor is bound to."""
    return tuple(
        (layer.route, role)
        for layer in binding.architecture.layers
        for role in layer.expected
        if role not in layer.variables
    )


PLAIN = sequential(
    layer("InputLayer", "input", batch_input_shape=[None, 8, 8, 4]),
    conv("conv2d", 4),
    conv("conv2d_1", 4),
    layer("Flatten", "flatten"),
    layer("Dropout", "dropout", rate=0.5),
    layer("Dense", "dense", units=2),
)

SHAPES = {
    "conv2d/kernel": (3, 3, 4, 4),
    "conv2d/bias": (4,),
    "conv2d_1/kernel": (3, 3, 4, 4),
    "conv2d_1/bias": (4,),
    "dense/kernel": (256, 2),
    "dense/bias": (2,),
}


def faults(binding: Binding) -> tuple[object, ...]:
    return binding.unclaimed, missing(binding), binding.misordered
