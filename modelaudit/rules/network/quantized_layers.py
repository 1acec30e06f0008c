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


def quantized_owners(artifact: Artifact) -> Mapping[str, Layer]:
    """The quantized layers by the groups of their variables, in which their scales are as well."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    return {
        name.rpartition("/")[0]: layer
        for layer in layers
        if quantized(layer)
        for name in layer.variables.values()
    }
