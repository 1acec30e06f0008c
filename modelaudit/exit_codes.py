"""Exit codes. Scripts rely on them: see the table in the README."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a run. If several apply, the one declared first takes precedence."""

    INTERRUPTED = 130
    INTERNAL = 70
    USAGE = 2
    LOCKED = 75
    FINDINGS = 1
    INCOMPLETE = 3
    NO_MODEL = 4
    OK = 0


def worst(codes: Iterable[int]) -> ExitCode:
    """The code with the highest precedence; `OK` if there is none."""
    present = set(codes)
    return next((code for code in ExitCode if code in present), ExitCode.OK)
