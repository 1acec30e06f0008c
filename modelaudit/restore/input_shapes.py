"""The shapes of a model's inputs: as its config states them, and as they were restored."""

from __future__ import annotations

from modelaudit.facts import Architecture, Layer, Shape
from modelaudit.probe.protocol import Observation


def stated_shape(layer: Layer) -> Shape | None:
    """Shape of what a model's first layer takes, samples first; None if it does not state one."""
    if layer.class_name == "InputLayer":
        return layer.output_shape
    said = layer.config.get("batch_input_shape")  # of early Sequential models
    if not isinstance(said, list):
        return None
    return tuple(size if type(size) is int else None for size in said)


def changed_inputs(architecture: Architecture, seen: Observation) -> str:
    """How a restored model's inputs differ in rank from those that were saved; "" if they do not.

    Keras 3 takes the shape in the first layer of a Sequential model of Keras 2.2.3 to 2.3 for that
    of one sample. The restored model then refuses inputs of the saved shape.
    """
    layers = [layer for layer in architecture.layers if layer.route in architecture.inputs]
    saved = [shape for layer in layers if (shape := stated_shape(layer)) is not None]
    restored = [port.shape for port in seen.inputs if port.shape is not None]
    if not len(saved) == len(restored) == len(architecture.inputs) == len(seen.inputs):
        return ""
    if sorted(map(len, saved)) == sorted(map(len, restored)):
        return ""
    return f"the restored model takes {_listed(restored)}, but {_listed(saved)} was saved"


def _listed(shapes: list[Shape]) -> str:
    return " and ".join(str(list(shape)) for shape in shapes)
