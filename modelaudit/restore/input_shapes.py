"""The shapes of a model's inputs: as its config states them, and as they were restored."""

from __future__ import annotations

from modelaudit.facts import Architecture, Shape
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.probe.protocol import Observation


def changed_inputs(architecture: Architecture, seen: Observation) -> str:
    """How a restored model's inputs differ in rank from those that were saved; "" if they do not.

    Keras 3 takes the shape in the first layer of a Sequential model of Keras 2.2.3 to 2.3 for that
    of one sample. The restored model then refuses inputs of the saved shape.
    """
    layers = [layer for layer in architecture.layers if layer.route in architecture.inputs]
    saved = [shape for layer in layers if (shape := input_shape(layer)) is not None]
    restored = [port.shape for port in seen.inputs if port.shape is not None]
    if not len(saved) == len(restored) == len(architecture.inputs) == len(seen.inputs):
        return ""
    if sorted(map(len, saved)) == sorted(map(len, restored)):
        return ""
    return f"the restored model takes {_listed(restored)}, but {_listed(saved)} was saved"


def _listed(shapes: list[Shape]) -> str:
    return " and ".join(str(list(shape)) for shape in shapes)
