"""The values of an input that the files of a model state beside its layers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact, Json
from modelaudit.graphs import WHITE, InputRange


def stated_range(artifact: Artifact, port: Port) -> InputRange | None:
    """What the metadata or the numbers of a TensorFlow Lite model, or a preset's image converter,
    leave of an input; None if they say nothing.
    """
    if artifact.lite is not None:
        ends = [end for each in artifact.signatures for end in each.inputs if end.name == port.name]
        return artifact.lite.input_range(ends[0]) if ends else None
    preset = artifact.extra.get("preset")
    converter = preset.get("converter") if isinstance(preset, dict) else None
    if not isinstance(converter, dict) or len(port.shape or ()) != 4:
        return None
    return _converted(converter)


def _converted(converter: Mapping[str, Json]) -> InputRange | None:
    """What `keras_hub.layers.ImageConverter` makes of pixels: `scale * x + offset`."""
    scale = _factors(converter.get("scale"), 1.0)
    offset = _factors(converter.get("offset"), 0.0)
    count = max(len(scale), len(offset))
    if not {len(scale), len(offset)} <= {1, count} or not min(len(scale), len(offset)):
        return None
    pairs = zip(*(each * (count // len(each)) for each in (scale, offset)), strict=True)
    pixels = [(start, start + WHITE * times) for times, start in pairs]
    return InputRange.of_pixels(pixels, "that the image converter of the preset leaves")


def _factors(value: Json, none: float) -> tuple[float, ...]:
    """One factor for all channels or one for each; () if it is neither."""
    given = [none] if value is None else value if isinstance(value, list) else [value]
    found = [factor for each in given if (factor := number(each)) is not None]
    return tuple(found) if len(found) == len(given) and all(map(math.isfinite, found)) else ()
