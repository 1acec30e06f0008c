"""A layer that the methods of a class make and keep."""

from __future__ import annotations

from msgspec import Struct

Arm = tuple[int, bool]
"""The line of a condition, and whether it holds."""


class KeptLayer(Struct, frozen=True):
    """A layer, its class by the full name, and which code makes it.

    `place` is a number of the call that makes it. `loop` is that of a loop which may have any
    number of turns, 0 for none, and `turn` the number of the turn, of which the first two are
    followed. `arms` are the conditions under which it is made. `inside` are the classes of what it
    is made of, as of what a wrapper wraps.
    """

    name: str
    place: int
    loop: int = 0
    turn: int = 0
    arms: tuple[Arm, ...] = ()
    inside: tuple[str, ...] = ()


KeptOrders = tuple[tuple[KeptLayer, ...], tuple[KeptLayer, ...]]
"""The same layers as Keras 2 and as Keras 3 have them; both empty where that is the same."""
