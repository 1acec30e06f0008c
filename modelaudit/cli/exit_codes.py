"""Exit codes. Scripts rely on them: see the table in the README."""

from __future__ import annotations

from collections.abc import Iterable

OK = 0
FINDINGS = 1
USAGE = 2
INCOMPLETE = 3
NO_MODEL = 4
INTERNAL = 70
LOCKED = 75
INTERRUPTED = 130

# Where several hold, the first of these is the one to give.
PRECEDENCE = (INTERRUPTED, INTERNAL, USAGE, LOCKED, FINDINGS, INCOMPLETE, NO_MODEL, OK)


def worst(codes: Iterable[int]) -> int:
    """The code that outranks the others; `OK` where there is none."""
    present = set(codes)
    return next((code for code in PRECEDENCE if code in present), OK)
