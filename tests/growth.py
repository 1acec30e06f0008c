"""Growth of the cost of a function with the size of its input, as a ratio within one run, which
does not depend on the speed of the machine or on other load."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import TypeVar

Prepared = TypeVar("Prepared")
TIMES = 4
# Linear cost gives 4 and quadratic cost 16: this is their geometric mean.
LINEAR = 8.0
SQUARE = float(TIMES**2)
ROUNDS = 3
DOUBTFUL_ROUNDS = 9  # for a ratio that is neither linear nor quadratic


def growth(
    prepare: Callable[[int], Prepared], work: Callable[[Prepared], object], size: int
) -> float:
    """CPU time of `work` at `TIMES * size` over that at `size`, each the minimum of all rounds.

    Args:
        prepare: makes an input of a given size; its time is not counted.
        work: the function to measure; must not change its input.
        size: should make `work` take some hundredths of a second.
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
    """CPU time of this thread, without the garbage collector: other tests decide its work."""
    gc.disable()
    try:
        start = time.thread_time()
        work(given)
        return time.thread_time() - start
    finally:
        gc.enable()
