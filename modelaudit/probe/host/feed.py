"""What one question feeds a model in the child: kept arrays, and what is done to them there."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.facts import Json


@dataclass(frozen=True, slots=True)
class InputTransform:
    """What the child does to an input before it is fed; axes count the batch axis 0.

    First `perm` (the new order of all axes), then `flip`, then `scale * x + offset`, which is
    computed in float64 and, for integer inputs, rounded and clipped.
    """

    perm: tuple[int, ...] | None = None
    flip: tuple[int, ...] = ()
    scale: float = 1.0
    offset: float = 0.0

    def as_json(self) -> dict[str, Json]:
        """The transform as it travels."""
        return {
            "perm": None if self.perm is None else list(self.perm),
            "flip": list(self.flip),
            "scale": self.scale,
            "offset": self.offset,
        }


@dataclass(frozen=True, slots=True)
class ActivationRequest:
    """What a pass is to show of layers: what leaves them, or, with `into`, what enters them.

    With `statistics`, not the values but what is said of each channel (see `Session.activations`).
    """

    routes: tuple[str, ...]
    into: bool = False
    statistics: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """An input of the model: the name of a kept array and what is done to it."""

    put: str
    transform: InputTransform = InputTransform()
