"""What a task may take of its worker process: bounds that the kernel keeps, whatever it calls."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import ParamSpec, TypeVar

from msgspec import Struct

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

_BLAS_BUFFER = 64 << 20  # of each thread of OpenBLAS: 32 MB, and what it is aligned to
_STACK = 8 << 20  # where there is no limit

# The soft limit on data from before the current task, while that has one of its own.
_unbounded: ContextVar[int | None] = ContextVar("_unbounded")


class Allowance(Struct, frozen=True):
    """What a task may take: `seconds` of processor time, and `memory`, the bytes that it may add
    to the data of its worker; None for no limit."""

    seconds: float
    memory: int | None = None


def prepare() -> None:
    """Let this process end when its time is spent, in C as well."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


def begin(allowance: Allowance) -> None:
    """Bound the task that begins now."""
    signal.setitimer(signal.ITIMER_PROF, allowance.seconds, allowance.seconds)
    if allowance.memory is not None:
        _bound_memory(allowance.memory)


def end() -> None:
    """Lift the bounds."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    _lift_memory()


def memory_is_bounded() -> bool:
    """Whether the current task has a bound on its memory."""
    return _unbounded.get(None) is not None


def uncounted(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`work`, during which the processor time and the memory of a worker's task do not count.

    After it, the task may take as much time again as it may before, and any memory. Outside a
    worker, nothing changes.
    """

    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        _, seconds = signal.setitimer(signal.ITIMER_PROF, 0)
        _lift_memory()
        try:
            return work(*args, **kwargs)
        finally:
            signal.setitimer(signal.ITIMER_PROF, seconds, seconds)

    return run


def _bound_memory(more: int) -> None:
    """Let the data of this process grow by `more` bytes from now on, where Linux counts them."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data and stack
    except OSError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = pages * resource.getpagesize() + more + _of_blas()
    bounds = [each for each in (bound, soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    _unbounded.set(soft)


def _of_blas() -> int:
    """What OpenBLAS takes for its threads, which begin with the first product in a process.

    Without that memory, it waits for them forever. The command line has it use one.
    """
    said = os.environ.get("OPENBLAS_NUM_THREADS", "")
    threads = int(said) if said.isdecimal() else os.cpu_count() or 1
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    return max(0, threads - 1) * (
        _BLAS_BUFFER + (_STACK if stack == resource.RLIM_INFINITY else stack)
    )


def _lift_memory() -> None:
    soft = _unbounded.get(None)
    if soft is not None:
        resource.setrlimit(
            resource.RLIMIT_DATA, (soft, resource.getrlimit(resource.RLIMIT_DATA)[1])
        )
        _unbounded.set(None)
