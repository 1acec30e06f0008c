"""Inputs of a request to the child: stored arrays, and transforms applied to them there."""

from __future__ import annotations

from msgspec import Struct

from modelaudit.facts import Json


class InputTransform(Struct, frozen=True):
    """Transform of an input in the child; axis 0 is the batch axis.

    Applies `perm` (the new order of all axes), then `flip`, then `scale * x + offset` with one
    value or one for each channel, then `each` (mean 0 and standard deviation 1 for each input),
    computed in float64; for integer inputs it is rounded and clipped.
    """

    perm: tuple[int, ...] | None = None
    flip: tuple[int, ...] = ()
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    channels: int = -1
    each: bool = False

    def as_json(self) -> dict[str, Json]:
        """The transform as JSON."""
        return {
            "perm": None if self.perm is None else list(self.perm),
            "flip": list(self.flip),
            "scale": list(self.scale),
            "offset": list(self.offset),
            "channels": self.channels,
            "each": self.each,
        }


class ActivationRequest(Struct, frozen=True):
    """Layers whose outputs, or with `into` whose inputs, a pass returns.

    With `statistics`, statistics per channel instead of values (see `Session.activations`).
    """

    routes: tuple[str, ...]
    into: bool = False
    statistics: bool = False


class Feed(Struct, frozen=True):
    """An input of the model: the name of a stored array, and a transform."""

    put: str
    transform: InputTransform = InputTransform()
