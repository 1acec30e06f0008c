"""Artifacts made from arrays, without a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from modelaudit.facts import Architecture, Artifact, Format, Kernel, Layer, Tensor


class ArraySource:
    """A `facts.TensorSource` over an array in memory."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[np.ndarray]:
        flat = self.values.reshape(-1)
        step = max(1, max_bytes // flat.itemsize)
        for start in range(0, flat.size, step):
            yield flat[start : start + step]

    def array(self) -> np.ndarray:
        return self.values


def tensor(name: str, values: np.ndarray) -> Tensor:
    return Tensor(
        name, values.shape, str(values.dtype), values.nbytes, "model", source=ArraySource(values)
    )


def kernel(route: str, shape: Sequence[int], **facts: object) -> Kernel:
    """A Conv kernel called `route/kernel`; `facts` replace any field."""
    spatial = len(shape) - 2
    defaults = {"kind": "conv" if spatial else "dense", "axes": "hwio" if spatial else "io"}
    return Kernel(
        **{
            "route": route,
            "tensor": f"{route}/kernel",
            "spatial": spatial,
            "shape": tuple(shape),
            **defaults,
            **facts,
        }
    )


def layer(name: str, class_name: str, *calls: Sequence[str], **facts: object) -> Layer:
    """A layer at route `name`; each of `calls` lists the inputs of one call."""
    return Layer(
        **{
            "route": name,
            "name": name.rpartition("/")[2],
            "class_name": class_name,
            "inbound": tuple(tuple(call) for call in calls),
            **facts,
        }
    )


def chain(*layers: Layer) -> tuple[Layer, ...]:
    """A chain of layers."""
    from modelaudit.structs import replace

    first, *rest = layers
    linked = [first]
    for following in rest:
        linked.append(replace(following, inbound=((linked[-1].route,),)))
    return tuple(linked)


def architecture(layers: Sequence[Layer], outputs: Sequence[str] = ()) -> Architecture:
    """An architecture; its output is the last layer by default."""
    return Architecture(
        class_name="Functional",
        name="model",
        dialect="keras3",
        layers=tuple(layers),
        inputs=tuple(x.route for x in layers if x.class_name == "InputLayer"),
        outputs=tuple(outputs) or (layers[-1].route,),
    )


def artifact(
    tensors: Mapping[str, np.ndarray],
    kernels: Sequence[Kernel] = (),
    layers: Sequence[Layer] = (),
) -> Artifact:
    return Artifact(
        root=Path("/nowhere/model"),
        format=Format.LEGACY_H5_FULL,
        architecture=architecture(layers) if layers else None,
        tensors=tuple(tensor(name, values) for name, values in tensors.items()),
        kernels=tuple(kernels),
    )
