"""A pool of child processes that each work on one model after another.

A model that crashes its worker (a fault in a C library, memory, a hang) costs one row: the parent
records the reason, forks a new worker and continues. Messages are length-prefixed JSON on pipes, so
that nothing from a child can execute in the parent.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Generic, NoReturn, TypeVar

from msgspec import Struct, field

from modelaudit.clock import PhaseMemoryError
from modelaudit.facts import Json
from modelaudit.workers import task_allowance
from modelaudit.workers.messages import (
    MESSAGE_BYTES,
    ORDER,
    first_message,
    packed,
    read_exactly,
    send,
)
from modelaudit.workers.shared_work import NOTHING_LEFT, UNBOUNDED, Loan, SharedWork, too_costly
from modelaudit.workers.task_allowance import Allowance
from modelaudit.workers.task_results import TOO_LONG, TaskResult, why_lost
from modelaudit.workers.waiting_tasks import WaitingTasks

Task = TypeVar("Task")
Work = Callable[[Task], dict[str, Json]]
Taken = Callable[[int, bytes], Task]  # of a worker: the task of a message

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
STOP_SECONDS = 2.0  # for a worker to remove partially written files
COLLECTED = 20_000  # objects between two searches for cycles, of which an audit makes hardly any


class _PoolWorker(Struct):
    pid: int
    to_child: int
    from_child: int
    task: int | None = None
    deadline: float = 0.0
    kept: Json = None
    shares: SharedWork | None = None
    loan: Loan = UNBOUNDED
    reported: float = 0.0  # seconds of processor time that its tasks took
    buffer: bytearray = field(default_factory=bytearray)

    def give_back(self, seconds: float | None) -> None:
        """Return what the task may take, of which it took so many seconds; None: all of it."""
        self.reported += seconds or 0.0
        if self.shares:
            self.shares.give_back(self.loan, seconds)
        self.shares, self.loan = None, UNBOUNDED


_answer: ContextVar[int] = ContextVar("_answer")  # of a worker: the pipe to its parent


def keep(value: Json) -> None:
    """Give the parent a part of the current task's result, which it has if this worker is lost.

    Outside a worker, it does nothing.
    """
    pipe = _answer.get(None)
    if pipe is not None:
        with suppress(BrokenPipeError):
            send(pipe, packed({"kept": value}))


class _WorkerStopped(BaseException):
    """The parent stopped this worker; tasks must not catch this."""


def _stopped(number: int, _frame: object) -> NoReturn:
    raise _WorkerStopped(number)


def end_with(parent: int) -> None:
    """Make the kernel kill this process if its parent is killed, on Linux.

    Runtimes and the models in them end with the last process that uses them.
    """
    set_parent_death_signal = 1
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _serve(
    taken: Taken[Task],
    work: Work[Task],
    receive: int,
    answer: int,
    memory: int | None,
    allowed: Callable[[Task], Allowance] | None,
) -> NoReturn:
    """The main loop of a worker: a task in, its result out, until the parent closes the pipe."""
    status = 0
    _answer.set(answer)
    gc.freeze()  # exempt forked objects from garbage collection, which would copy their memory
    gc.set_threshold(COLLECTED)
    try:
        if memory:
            # Only the soft limit: a runtime that is started from here has its own limits.
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interrupts
        signal.signal(signal.SIGTERM, _stopped)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        task_allowance.prepare()
        while order := read_exactly(receive, ORDER.size):
            index, units, unit, size = ORDER.unpack(order)
            task = taken(index, read_exactly(receive, size))
            if allowed:
                task_allowance.begin(allowed(task), Loan(units, unit))
            try:
                value = work(task)
                message = packed({"value": value, "seconds": task_allowance.taken()})
            except MemoryError as error:
                phase = str(error) if isinstance(error, PhaseMemoryError) else ""
                limit = "memory_bytes" if task_allowance.memory_is_bounded() else "read_memory"
                took = task_allowance.taken()
                task_allowance.end()
                message = packed({"value": None, "seconds": took, "limit": limit, "phase": phase})
            task_allowance.end()
            with suppress(BrokenPipeError):  # the parent was killed, which closed its pipe
                send(answer, message)
    except _WorkerStopped:
        pass
    except BaseException:  # a forked child must never return into the parent's code
        import traceback

        traceback.print_exc()
        status = 70
    finally:
        os._exit(status)


def _start(
    taken: Taken[Task],
    work: Work[Task],
    others: Sequence[_PoolWorker],
    memory: int | None,
    allowed: Callable[[Task], Allowance] | None,
) -> _PoolWorker:
    child_reads, to_child = os.pipe()
    from_child, child_writes = os.pipe()
    # An interrupt must not reach the child while it is still in the parent's code.
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        end_with(parent)
        # Close the parent's ends and those of the other workers: a pipe that a sibling keeps open
        # would never signal its end.
        theirs = [fd for each in others for fd in (each.to_child, each.from_child)]
        for fd in (to_child, from_child, *theirs):
            os.close(fd)
        _serve(taken, work, child_reads, child_writes, memory, allowed)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    os.close(child_reads)
    os.close(child_writes)
    return _PoolWorker(pid, to_child, from_child)


def _bare_seconds() -> float:
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


def _stop(worker: _PoolWorker, *, kill: bool) -> int:
    """Stop a worker and return its wait status.

    If it was lost, its task took what it did not report, less what any process takes.
    """
    os.close(worker.to_child)
    if kill:
        os.kill(worker.pid, signal.SIGKILL)
    os.close(worker.from_child)
    _, status, used = os.wait4(worker.pid, 0)
    ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended in task_allowance.LIMITS:
        worker.give_back(None)
    elif worker.shares:
        took = used.ru_utime + used.ru_stime - worker.reported - _bare_seconds()
        worker.give_back(max(took, 0.0))
    return status


def _stop_all(workers: Sequence[_PoolWorker]) -> None:
    """Stop every worker; busy ones get a moment to remove partially written files.

    An interrupt ends that moment.
    """
    busy = [worker for worker in workers if worker.task is not None]
    try:
        for worker in busy:
            os.kill(worker.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for worker in tuple(busy):
            left = max(0.0, deadline - time.monotonic())
            # A worker that ends closes its pipe; messages from now on are ignored.
            while worker in busy and select.select([worker.from_child], [], [], left)[0]:
                if not os.read(worker.from_child, 1 << 20):
                    busy.remove(worker)
    finally:
        for worker in workers:
            _stop(worker, kill=worker in busy)


class Packing(Struct, Generic[Task], frozen=True):
    """How tasks become bytes, if they come up after workers were forked, and the inverse."""

    pack: Callable[[Task], bytes]
    unpack: Callable[[bytes], Task]


def run_tasks(
    tasks: Iterable[Task],
    work: Work[Task],
    *,
    jobs: int,
    seconds: float,
    memory: int | None = None,
    allowed: Callable[[Task], Allowance] | None = None,
    shared: Callable[[Task], SharedWork | None] = lambda _: None,
    packing: Packing[Task] | None = None,
) -> Iterator[TaskResult]:
    """Run `work` on every task, `jobs` in parallel, and yield results as they arrive.

    Args:
        tasks: passed to the children by fork, so they need not be serialisable.
        work: returns a JSON object; runs in a child.
        jobs: number of workers, at least 1.
        seconds: time limit for one task in wall-clock seconds; then its worker is killed.
        memory: limit of a worker's address space in bytes; None for no limit.
        allowed: what a task may take, whatever it calls. The kernel ends the worker of one that
            takes more time, and gives no more memory.
        shared: what a task may take together with others; a task for which nothing is left does not
            begin. Only with `allowed`.
        packing: tasks are passed as bytes instead, and each is asked for when a worker is free:
            with one job, when the result of the one before it has been taken.

    Yields:
        One `TaskResult` for every task, in order of completion.
    """
    forked = () if packing else tuple(tasks)

    def taken(index: int, data: bytes) -> Task:
        return packing.unpack(data) if packing else forked[index]

    for each in filter(None, map(shared, forked)):
        each.expect(1)
    waiting = WaitingTasks(tasks if packing else forked, shared, jobs)
    workers: list[_PoolWorker] = []
    try:
        while True:
            while sum(worker.task is not None for worker in workers) < jobs:
                if (following := waiting.next()) is None:
                    break
                index, task, shares, loan = following
                if not loan.units:
                    yield TaskResult(index, None, NOTHING_LEFT, "work")
                    continue
                free = [worker for worker in workers if worker.task is None]
                if not free:
                    free.append(_start(taken, work, workers, memory, allowed))
                    workers += free
                free[0].task, free[0].deadline = index, time.monotonic() + seconds
                free[0].kept, free[0].shares, free[0].loan = None, shares, loan
                data = packing.pack(task) if packing else b""
                order = ORDER.pack(index, loan.units, loan.unit, len(data))
                with suppress(BrokenPipeError):  # it was killed, which is read next
                    send(free[0].to_child, order + data)
            if all(worker.task is None for worker in workers):
                break
            yield from _collect(workers)
    finally:
        _stop_all(workers)


def _collect(workers: list[_PoolWorker]) -> Iterator[TaskResult]:
    """Wait for messages from busy workers; workers that are gone are removed from the list."""
    busy = {worker.from_child: worker for worker in workers if worker.task is not None}
    patience = max(0.0, min(worker.deadline for worker in busy.values()) - time.monotonic())
    ready, _, _ = select.select(list(busy), [], [], patience)
    for fd in ready:
        worker = busy[fd]
        piece = os.read(fd, 1 << 20)
        worker.buffer += piece
        index = worker.task
        assert index is not None
        if not piece or len(worker.buffer) > MESSAGE_BYTES:
            workers.remove(worker)
            shared = bool(worker.shares)
            status = _stop(worker, kill=bool(piece))
            ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            limit = task_allowance.LIMITS.get(ended, "")
            why = too_costly(limit, shared=shared) if limit else why_lost(status)
            yield TaskResult(index, None, why, limit, kept=worker.kept)
            continue
        while message := first_message(worker.buffer):
            if "kept" in message:
                worker.kept = message["kept"]
                continue
            worker.task = None
            took = message.get("seconds")
            worker.give_back(took if isinstance(took, float) else None)
            value, limit = message.get("value"), str(message.get("limit") or "")
            phase = str(message.get("phase") or "")
            lost = " ".join(filter(None, ("out of memory", phase, f"(limit {limit})")))
            found = value if isinstance(value, dict) else None
            yield TaskResult(index, found, lost if limit else "", limit, phase, worker.kept)
    now = time.monotonic()
    for worker in [each for each in workers if each.task is not None and each.deadline <= now]:
        workers.remove(worker)
        _stop(worker, kill=True)
        assert worker.task is not None
        yield TaskResult(worker.task, None, TOO_LONG, "read_seconds", kept=worker.kept)
