"""How much of its time a child ran, and how much it waited for a processor."""

from __future__ import annotations

import contextlib
from pathlib import Path

_NANOSECONDS = 1e-9


def shares(process: Path) -> str:
    """What to say of a process beside the time that it took; "" where Linux does not count it.

    The threads wait for a processor while other programs have them, so more waiting than running
    says that the machine was busy. A process that sleeps does neither.

    Args:
        process: its directory in /proc.
    """
    ran = waited = 0.0
    with contextlib.suppress(OSError, ValueError):
        for thread in process.glob("task/*/schedstat"):
            with contextlib.suppress(OSError):  # it has ended
                running, waiting, _ = thread.read_text().split()
                ran += int(running) * _NANOSECONDS
                waited += int(waiting) * _NANOSECONDS
    if not ran:
        return ""
    if waited > ran:
        return (
            f", of which it ran {ran:,.1f} s and waited {waited:,.1f} s for a processor: the "
            "machine was busy"
        )
    return f", of which it ran {ran:,.1f} s"
