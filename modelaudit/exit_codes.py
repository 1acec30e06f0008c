"""Exit codes. Scripts rely on them: see the table in the README."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """How a run ends. Where several hold, the one that is declared first outranks the others."""

    INTERRUPTED = 130
    INTERNAL = 70
    USAGE = 2
    LOCKED = 75
    FINDINGS = 1
    INCOMPLETE = 3
    NO_MODEL = 4
    OK = 0


def worst(codes: Iterable[int]) -> ExitCode:
    """The code that outranks the others; `OK` where there is none."""
    present = set(codes)
    return next((code for code in ExitCode if code in present), ExitCode.OK)
