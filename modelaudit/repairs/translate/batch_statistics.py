"""Batch normalization that Keras 2 always called with training=True, for Keras 3.

Keras 2 normalises such a call by the statistics of its batch; in Keras 3 the caller overrides
`training`. Operations before the layer do the same: they normalise by the batch, then give the
result the moving statistics, which the layer takes out again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from modelaudit.facts import Artifact, Json, Layer
from modelaudit.formats.keras.json_config import integer
from modelaudit.measures.kernels.batchnorm import BatchNormTensors, batchnorm_tensors
from modelaudit.repairs.translate.graph_keras3 import tensor

_EPSILON = 1e-3  # where the config has none


class BatchStatistics(Struct, frozen=True):
    """What the operations before one layer need.

    Attributes:
        axes: axes that the statistics are over.
        epsilon: added to the variance.
        mean, deviation: nested lists that broadcast with the input: the moving mean, and the root
            of the moving variance plus epsilon.
    """

    axes: tuple[int, ...]
    epsilon: float
    mean: Json
    deviation: Json

    def operations(self, first: Json, name: str) -> Iterator[tuple[str, dict[str, Json], Json]]:
        """(class, arguments, inputs) of each operation; its name is among the arguments.

        Args:
            first: the input of the layer.
            name: the layer's name; the last operation is `NAME_statistics`.
        """
        over: dict[str, Json] = {"axis": [*self.axes], "keepdims": True}
        at = {key: f"{name}_{key}" for key in ("mean", "variance", "epsilon", "root")}
        at |= {key: f"{name}_{key}" for key in ("centered", "scaled", "spread", "statistics")}

        def out(key: str) -> Json:
            return tensor(at[key], 0)

        yield "Mean", {"name": at["mean"], **over}, [first]
        yield "Var", {"name": at["variance"], **over}, [first]
        yield "Add", {"name": at["epsilon"]}, [out("variance"), self.epsilon]
        yield "Sqrt", {"name": at["root"]}, [out("epsilon")]
        yield "Subtract", {"name": at["centered"]}, [first, out("mean")]
        yield "TrueDivide", {"name": at["scaled"]}, [out("centered"), out("root")]
        yield "Multiply", {"name": at["spread"]}, [out("scaled"), _constant(self.deviation)]
        yield "Add", {"name": at["statistics"]}, [out("spread"), _constant(self.mean)]


def batch_statistics(artifact: Artifact, route: str) -> BatchStatistics | None:
    """The statistics of the batch normalization at a route; None if they are not known."""
    assert artifact.architecture is not None
    for layer in artifact.architecture.layers:
        if layer.route == route and len(layer.call_kwargs) == 1:
            tensors = (each for each in batchnorm_tensors(artifact) if each.route == route)
            return next((_statistics(layer, each) for each in tensors), None)
    return None


def _statistics(layer: Layer, tensors: BatchNormTensors) -> BatchStatistics | None:
    """None if its shape or its moving statistics are not known, or it is in half precision."""
    rank = len(layer.input_shapes[0]) if layer.input_shapes else 0
    stated = layer.config.get("axis", -1)
    axis = integer(stated[0] if isinstance(stated, list) and len(stated) == 1 else stated)
    sources = (tensors.mean.source, tensors.variance.source)
    mean, variance = (None if source is None else source.array() for source in sources)
    plain = layer.config.get("dtype", "float32") == "float32"
    if mean is None or variance is None or not rank or axis is None or not plain:
        return None
    axis %= rank
    added = layer.config.get("epsilon")
    epsilon = float(added) if isinstance(added, int | float) else _EPSILON
    shape = [len(mean) if place == axis else 1 for place in range(rank)]
    deviation = np.sqrt(variance.astype(np.float64) + epsilon)
    return BatchStatistics(
        tuple(place for place in range(rank) if place != axis),
        epsilon,
        mean.astype(np.float64).reshape(shape).tolist(),
        deviation.reshape(shape).tolist(),
    )


def _constant(values: Json) -> Json:
    config: dict[str, Json] = {"value": values, "dtype": "float32"}
    return {"class_name": "__tensor__", "config": config}
