"""How much of its time a child ran, and how much it waited for a processor."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_NANOSECONDS = 1e-9
_TAKES_PART = 0.01  # of the time of all threads: from there on one counts


def shares(process: Path, processors: int | None = None) -> str:
    """What to say of a process beside the time that it took; "" where Linux does not count it.

    A process that sleeps neither runs nor waits for a processor. While k of its own threads keep n
    processors from each other, they wait at most k / n - 1 times as long as they run. Where they
    waited longer, other programs had the processors: the machine was busy.

    Args:
        process: its directory in /proc.
        processors: how many it can have; those of this process by default.
    """
    processors = processors or len(os.sched_getaffinity(0))
    threads: list[tuple[float, float]] = []
    with contextlib.suppress(OSError, ValueError):
        for thread in process.glob("task/*/schedstat"):
            with contextlib.suppress(OSError):  # it has ended
                running, waiting, _ = thread.read_text().split()
                threads.append((int(running) * _NANOSECONDS, int(waiting) * _NANOSECONDS))
    ran, waited = (sum(each) for each in zip(*threads, strict=True)) if threads else (0.0, 0.0)
    if not ran:
        return ""
    least = _TAKES_PART * (ran + waited)
    working = sum(sum(each) >= least for each in threads)
    said = f"; its threads ran {ran:,.1f} s in all"
    if waited > ran * max(1.0, working / processors):
        said += f" and waited {waited:,.1f} s for a processor: the machine was busy"
    return said
