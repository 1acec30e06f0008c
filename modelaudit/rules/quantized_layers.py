"""Layers that Keras 3 quantized: other variables than their configs imply, in another order."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Artifact, Layer

_COMPLETE = ("int8", "float8")  # modes that keep the shapes, and add scales


def quantized(layer: Layer) -> str:
    """The mode of a layer that was quantized, such as `int8`; "" if it was not."""
    said = layer.config.get("dtype")
    inner = said.get("config") if isinstance(said, Mapping) else None
    mode = inner.get("mode") if isinstance(inner, Mapping) else None
    return mode if isinstance(mode, str) else ""


def packed(layer: Layer) -> bool:
    """Whether its kernel is stored in another shape, as two numbers of 4 bits in each byte."""
    return bool(mode := quantized(layer)) and not mode.startswith(_COMPLETE)


def quantized_owner(artifact: Artifact, name: str) -> Layer | None:
    """The quantized layer beside whose variables a stored tensor is, as its scales are."""
    architecture, group = artifact.architecture, name.rpartition("/")[0]
    for layer in architecture.layers if architecture else ():
        groups = {own.rpartition("/")[0] for own in layer.variables.values()}
        if group in groups and quantized(layer):
            return layer
    return None
