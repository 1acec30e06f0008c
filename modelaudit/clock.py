"""The time of a run, and of the phases of an audit."""

from __future__ import annotations

import datetime
import time
from contextlib import AbstractContextManager

# Phases of an audit after reading, in the words of a reason.
LATER_PHASES = {"probe": "while it was run", "judge": "while the findings were made"}


def utc_now() -> str:
    """The current time for `created`: UTC, whole seconds, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class PhaseMemoryError(MemoryError):
    """Memory ran out after a model was read; the message says in which phase."""


class Stopwatch(AbstractContextManager["Stopwatch"]):
    """Adds the duration of a block to `timings`, and the phase to a `MemoryError` in it."""

    def __init__(self, timings: dict[str, float], phase: str) -> None:
        self._timings, self._phase, self._start = timings, phase, time.perf_counter()

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        self._timings[self._phase] = round(time.perf_counter() - self._start, 3)
        if isinstance(error, MemoryError) and self._phase in LATER_PHASES:
            raise PhaseMemoryError(LATER_PHASES[self._phase]) from error
