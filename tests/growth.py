"""How the cost of a piece of work grows with its size: a ratio within one run, so that neither a
slow machine nor other work beside it decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Prepared = TypeVar("Prepared")
TIMES = 4
# Work in proportion to its size gives 4 and a square gives 16: this is as far from one as from
# the other.
LINEAR = 8.0


def growth(
    prepare: Callable[[int], Prepared], work: Callable[[Prepared], object], size: int
) -> float:
    """CPU time of the work on `TIMES * size` over that on `size`, of each the least of three.

    Args:
        prepare: makes what is worked on, of a size; its time does not count.
        work: leaves what it is given as it was.
        size: such that the work takes some hundredths of a second.
    """
    few, many = prepare(size), prepare(TIMES * size)
    taken: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(3):
        for large, given in ((False, few), (True, many)):
            start = time.process_time()
            work(given)
            taken[large].append(time.process_time() - start)
    return min(taken[True]) / min(taken[False])
