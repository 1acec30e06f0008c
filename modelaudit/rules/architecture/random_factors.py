"""Factors of random image changes that count degrees, pixels or percent in place of shares."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer
from modelaudit.findings import Severity

_FULL_TURN = 360  # degrees
# Layers whose factors are shares: of the image's height or width, or of the range of its values.
_SHARES = {
    "RandomTranslation": ("height_factor", "width_factor"),
    "RandomZoom": ("height_factor", "width_factor"),
    "RandomHeight": ("factor",),
    "RandomWidth": ("factor",),
    "RandomBrightness": ("factor",),
}
WITH_FACTORS = frozenset(("RandomRotation", "GaussianNoise", *_SHARES))
_OF = {"RandomBrightness": "the range of values", "RandomWidth": "the width"}


def large_factors(layer: Layer) -> Iterator[tuple[str, Json, Severity, str]]:
    """Factors beyond 1: of a rotation, which is a share of a full turn, and of other changes.

    Keras 3 refuses most of them, but not pairs such as (-40, 40), and Keras 2 refuses few.
    """
    if layer.custom:
        return
    if layer.class_name == "RandomRotation":
        most = _most(layer.config.get("factor"))
        # From half a turn on, in degrees or radians, every direction was meant.
        if most <= 1 or most >= _FULL_TURN / 2 or _is_half_turn(most):
            return
        degrees = most > math.tau or most == round(most)  # nobody writes whole radians
        share = most / (_FULL_TURN if degrees else math.tau)
        detail = (
            f"factor {most:g} is in full turns, not in degrees or radians: training turned images in "
            "every direction"
        )
        fix = f"Use keras.layers.RandomRotation({share:.3g}, name={layer.name!r})"
        yield detail, most, Severity.MEDIUM, fix
    spread = number(layer.config.get("stddev")) if layer.class_name == "GaussianNoise" else None
    if spread is not None and spread > 1:
        detail = f"stddev {spread:g} drowns values up to 1 in noise; Keras 3 refuses more than 1"
        yield detail, spread, Severity.LOW, "Use a smaller one, such as stddev=0.1"
    for key in _SHARES.get(layer.class_name, ()):
        most = _most(layer.config.get(key))
        if most == 1 and layer.class_name == "RandomTranslation":
            detail = f"{key} 1 moves images by as much as their whole size, not by a pixel"
            yield detail, most, Severity.LOW, f"Use a smaller share, such as {key}=0.1"
        if most > 1:
            whole = _OF.get(layer.class_name, "the width" if key[0] == "w" else "the height")
            detail = f"{key} {most:g} is a share of {whole}, and more than all of it"
            yield detail, most, Severity.MEDIUM, f"Use a factor below 1, such as {key}=0.1"


def _is_half_turn(radians: float) -> bool:
    """Whether it is that, or a full turn, written with a few digits."""
    return any(math.isclose(radians, each, rel_tol=0.01) for each in (math.pi, math.tau))


def _most(factor: Json) -> float:
    """The larger end of a factor, which is a number or a pair of numbers; 0 if it is neither."""
    ends = factor if isinstance(factor, list) else [factor]
    return max((abs(each) for each in map(number, ends) if each is not None), default=0.0)
