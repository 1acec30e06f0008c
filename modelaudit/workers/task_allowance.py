"""What a task may take of its worker process: bounds that the kernel keeps, whatever it calls."""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import ParamSpec, TypeVar

from msgspec import Struct

from modelaudit import work_budget
from modelaudit.structs import replace
from modelaudit.work_budget import UNIT_SECONDS, unit_seconds
from modelaudit.workers.shared_work import Loan

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

_BLAS_BUFFER = 64 << 20  # of each thread of OpenBLAS: 32 MB, and what it is aligned to
_STACK = 8 << 20  # where there is no limit
_AT_ONCE = 1e-6  # seconds: a timer of 0 is none

# The soft limit on data from before the current task, while that has one of its own.
_unbounded: ContextVar[int | None] = ContextVar("_unbounded")


class Allowance(Struct, frozen=True):
    """What a task may take.

    Attributes:
        seconds: of processor time, outside of the kernel.
        memory: the bytes that it may add to the data of its worker; None for no limit.
        units: of plain work, as processor time; None for no other limit than `seconds`.
        unit: the seconds that one takes, if they were measured; 0 if not.
    """

    seconds: float
    memory: int | None = None
    units: float | None = None
    unit: float = 0.0

    def within(self, loan: Loan) -> Allowance:
        """The same, but no more work than is lent."""
        if loan.units >= (math.inf if self.units is None else self.units):
            return self
        return replace(self, units=loan.units, unit=loan.unit)


# By the signal that ends a worker, the setting that bounds what its task took.
LIMITS: dict[int, str] = {signal.SIGPROF: "work", signal.SIGVTALRM: "cpu_seconds"}

# What the current task may take: of time before an uncounted part, and after it again.
_allowed: ContextVar[Allowance | None] = ContextVar("_allowed", default=None)
_taken: ContextVar[float] = ContextVar("_taken", default=0.0)  # of it, before the counted part
_since: ContextVar[float] = ContextVar("_since", default=0.0)  # when that began


def prepare() -> None:
    """Let this process end when its time is spent, in C as well."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, LIMITS)
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)


def begin(allowance: Allowance, loan: Loan) -> None:
    """Bound the task that begins now, to what it may take alone and of what others share."""
    allowance = allowance.within(loan)
    _allowed.set(allowance)
    _taken.set(0.0)
    work_budget.lend(loan.units, loan.unit)
    _bound_time(allowance)
    if allowance.memory is not None:
        _bound_memory(allowance.memory)


def end() -> None:
    """Lift the bounds."""
    _allowed.set(None)
    _lift_time()
    _lift_memory()


def taken() -> float:
    """The seconds of processor time that the current task has taken, but for uncounted parts."""
    return _taken.get() + time.process_time() - _since.get()


def memory_is_bounded() -> bool:
    """Whether the current task has a bound on its memory."""
    return _unbounded.get(None) is not None


def uncounted(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`work`, during which the processor time and the memory of a worker's task do not count.

    After it, the task may take as much time again as it may before, and any memory. Outside a
    worker, nothing changes.
    """

    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        allowance = _allowed.get()
        if allowance is not None:
            _taken.set(taken())
        _lift_time()
        _lift_memory()
        try:
            return work(*args, **kwargs)
        finally:
            if allowance is not None:
                _bound_time(allowance)

    return run


def _bound_time(allowance: Allowance) -> None:
    """Count the processor time from now on, and end this process when it is spent.

    How long a unit of work takes here is measured only when half of the units are spent, if they
    are as long as they usually are. Until Python runs again, in a long call of C, `seconds` hold.
    """
    since = time.process_time()
    _since.set(since)
    signal.setitimer(signal.ITIMER_VIRTUAL, allowance.seconds)
    if allowance.units is None:
        return
    units = allowance.units
    if allowance.unit:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, min(units * allowance.unit, allowance.seconds))
        return

    def at_half(*_: object) -> None:
        left = units * unit_seconds() - (time.process_time() - since)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, min(max(left, _AT_ONCE), allowance.seconds))

    signal.signal(signal.SIGPROF, at_half)
    signal.setitimer(signal.ITIMER_PROF, min(units * UNIT_SECONDS / 2, allowance.seconds))


def _lift_time() -> None:
    signal.signal(signal.SIGPROF, signal.SIG_IGN)  # also one that has come, but was not handled
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)


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
