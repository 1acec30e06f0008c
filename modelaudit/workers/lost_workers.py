"""Why a worker ended before its task did, and what any process takes to start and end."""

from __future__ import annotations

import os
import signal

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def bare_seconds() -> float:
    """The processor time of a process that is forked now and ends at once.

    The kernel counts the return of the memory that it shares with this one as its time.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    used = os.wait4(pid, 0)[2]
    return used.ru_utime + used.ru_stime


def why_lost(status: int) -> str:
    """In words, by the wait status of its process."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name
        return f"the process that read it was killed by signal {number} ({name})"
    return f"the process that read it exited with status {os.WEXITSTATUS(status)}"
