"""Scales from numbers to positions, and round tick values."""

from __future__ import annotations

import math

from msgspec import Struct

STEPS = (1, 2, 5)
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)  # ticks of an axis of shares
FARTHEST = 1e300  # the ends of a scale stay finite, and so does their difference


class Scale(Struct, frozen=True):
    """The numbers from `low` to `high` along an axis; values outside are clipped to its ends.

    `low` may exceed `high`: then the axis is reversed. A logarithmic scale needs positive ends.
    """

    low: float
    high: float
    log: bool = False

    def fraction(self, value: float) -> float:
        """The position of a number, from 0 at `low` to 1 at `high`."""
        ends = [min(max(end, -FARTHEST), FARTHEST) for end in (self.low, self.high, value)]
        low, high, at = (math.log(max(end, 1e-300)) if self.log else end / 2 for end in ends)
        return min(max((at - low) / (high - low), 0.0), 1.0) if high != low else 0.0


def round_numbers(low: float, high: float, most: int = 9) -> list[float]:
    """Evenly spaced numbers within [low, high] in steps of 1, 2 or 5 times a power of ten.

    At most `most`; 0 is included if it is in the interval.
    """
    if not (0 < high - low < FARTHEST):
        return []
    slack = max(1e-9 * (high - low), 4 * math.ulp(max(abs(low), abs(high))))
    low, high = low - slack, high + slack  # includes the ends despite rounding
    least = (high - low) / (most - 1)
    power = math.floor(math.log10(least))
    steps = [
        digit * 10.0**exponent for exponent in (power - 1, power, power + 1) for digit in STEPS
    ]
    widest = next(i for i, step in enumerate(steps) if step >= least)
    for step in reversed(steps[: widest + 1]):
        found = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
        if len(found) > 1:
            return found[:most]
    return []


def powers_of_two(highest: float, most: int = 6) -> list[int]:
    """Powers of two from 1 to `highest`, evenly thinned to at most `most`."""
    found = [2**k for k in range(int(highest).bit_length())]
    return found[:: max(1, math.ceil(len(found) / most))]


def every(count: int, most: int) -> range:
    """At most `most` evenly spaced indices below `count`, always including the last."""
    step = max(1, math.ceil(count / most))
    return range((count - 1) % step, count, step)
