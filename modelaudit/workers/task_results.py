"""The outcome of a task, and why there may be none."""

from __future__ import annotations

import os
import signal

from msgspec import Struct

from modelaudit.facts import Json

TOO_LONG = "it exceeded the time limit and was stopped (limit read_seconds)"


class TaskResult(Struct, frozen=True):
    """The outcome of one task: its result, or why there is none.

    `limit` names the setting that stopped it, "" if none did, and `phase` what ran out of memory
    if that was not reading. `kept` is what `keep` last received.
    """

    index: int
    value: dict[str, Json] | None
    lost: str = ""
    limit: str = ""
    phase: str = ""
    kept: Json = None


def why_lost(status: int) -> str:
    """In words, by the wait status of its process."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name
        return f"the process that read it was killed by signal {number} ({name})"
    return f"the process that read it exited with status {os.WEXITSTATUS(status)}"
