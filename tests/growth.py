"""How the cost of a piece of work grows with its size: a ratio within one run, so that neither a
slow machine nor other work beside it decides."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import TypeVar

Prepared = TypeVar("Prepared")
TIMES = 4
# Work in proportion to its size gives 4 and a square gives 16: this is as far from one as from
# the other.
LINEAR = 8.0
SQUARE = float(TIMES**2)
ROUNDS = 3
DOUBTFUL_ROUNDS = 9  # where the ratio is neither that of the one nor that of the other


def growth(
    prepare: Callable[[int], Prepared], work: Callable[[Prepared], object], size: int
) -> float:
    """CPU time of the work on `TIMES * size` over that on `size`, of each the least of all rounds.

    Args:
        prepare: makes what is worked on, of a size; its time does not count.
        work: leaves what it is given as it was.
        size: such that the work takes some hundredths of a second.
    """
    few, many = prepare(size), prepare(TIMES * size)
    taken: dict[bool, float] = {False: math.inf, True: math.inf}
    for done in range(1, DOUBTFUL_ROUNDS + 1):
        for large, given in ((False, few), (True, many)):
            taken[large] = min(taken[large], _cpu_seconds(work, given))
        if done >= ROUNDS and not LINEAR <= taken[True] / taken[False] < SQUARE:
            break
    return taken[True] / taken[False]


def _cpu_seconds(work: Callable[[Prepared], object], given: Prepared) -> float:
    """Of this thread, and without the garbage collector: that walks all that other tests left."""
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time()
        work(given)
        return time.thread_time() - start
    finally:
        gc.enable()
