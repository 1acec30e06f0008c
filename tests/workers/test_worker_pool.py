"""Workers return results whatever a task does to its process."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.facts import Json
from modelaudit.workers import task_allowance, worker_pool
from modelaudit.workers.task_allowance import Allowance
from modelaudit.workers.task_results import TaskResult
from tests.probe.restricted import needs_linux

ROOT = Path(__file__).resolve().parents[2]


GB = 10**9  # more than this process can have freed before


def _run(tasks, work, **options):
    options = {"jobs": 2, "seconds": 30.0} | options
    return {done.index: done for done in worker_pool.run_tasks(tasks, work, **options)}


def test_every_task_is_done_once() -> None:
    done = _run(range(50), lambda n: {"square": n * n})
    assert {i: d.value for i, d in done.items()} == {n: {"square": n * n} for n in range(50)}


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_costs_one_task(number: signal.Signals) -> None:
    def work(n: int) -> dict[str, Json]:
        if n == 3:
            os.kill(os.getpid(), number)
        return {"n": n}

    done = _run(range(8), work)
    assert done[3].value is None
    assert number.name in done[3].lost
    assert all(done[n].value == {"n": n} for n in range(8) if n != 3)


def test_an_exit_without_a_result_is_reported() -> None:
    def work(n: int) -> dict[str, Json]:
        os._exit(9)

    assert "status 9" in _run([0], work)[0].lost


def test_a_hanging_task_is_stopped_and_the_others_continue() -> None:
    def work(n: int) -> dict[str, Json]:
        if n == 0:
            time.sleep(60)
        return {"n": n}

    start = time.monotonic()
    done = _run(range(4), work, seconds=1.0)
    assert "exceeded the time limit" in done[0].lost
    assert [done[n].value for n in (1, 2, 3)] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert time.monotonic() - start < 20


def _spin(seconds: float) -> float:
    while time.process_time() < seconds:
        pass
    return time.process_time()


def _count_in_c(_: float) -> float:
    return sum(range(1 << 50))


@pytest.mark.parametrize("spend", [_spin, _count_in_c])
def test_processor_time_is_bounded_also_in_c(spend: Callable[[float], float]) -> None:
    def work(n: int) -> dict[str, Json]:
        return {"n": spend(60.0)} if n == 1 else {"n": n}

    done = _run(range(3), work, jobs=1, allowed=lambda n: Allowance(0.1 * n))
    assert (done[1].value, done[1].limit) == (None, "cpu_seconds")
    assert "cpu_seconds" in done[1].lost
    assert [done[n].value for n in (0, 2)] == [{"n": 0}, {"n": 2}]


def test_processor_time_is_bounded_in_units_that_are_measured(monkeypatch) -> None:
    """On a processor that is twice as fast, half as many seconds are left from the middle."""
    monkeypatch.setattr(task_allowance, "UNIT_SECONDS", 0.2)
    monkeypatch.setattr(task_allowance, "unit_seconds", lambda: 0.15)
    taken = []

    def work(seconds: float) -> dict[str, Json]:
        return {"n": _spin(time.process_time() + seconds)}

    for seconds in (0.1, 0.2, 0.4):  # of 0.3: before the middle, behind it, and too much
        (done,) = _run([seconds], work, allowed=lambda _: Allowance(60.0, None, 2.0)).values()
        taken.append((done.limit, "work" in done.lost))
    assert taken == [("", False), ("", False), ("work", True)]


def test_a_bound_ends_with_its_task(monkeypatch) -> None:
    """The next one of the same worker has as much, and one without a bound any time."""
    monkeypatch.setattr(task_allowance, "unit_seconds", lambda: task_allowance.UNIT_SECONDS)

    def work(n: int) -> dict[str, Json]:
        start = time.process_time()
        _spin(start + (0.2, 0.2, 0.6)[n])
        return {"n": os.getpid()}

    may = Allowance(60.0, None, 0.3 / task_allowance.UNIT_SECONDS)
    done = _run(range(3), work, jobs=1, allowed=lambda n: Allowance(60.0) if n == 2 else may)
    assert len({str(each.value) for each in done.values()}) == 1


@pytest.mark.parametrize("units", [None, 0.05 / task_allowance.UNIT_SECONDS])
def test_a_part_of_a_task_may_be_uncounted(units: float | None) -> None:
    """What runs in it takes four times what is allowed; after it, time counts again."""

    def work(n: int) -> dict[str, Json]:
        done = task_allowance.uncounted(_spin)(time.process_time() + 0.2)
        return {"n": _spin(60.0) if n else done}

    seconds = 60.0 if units else 0.05
    done = _run(range(2), work, jobs=1, allowed=lambda _: Allowance(seconds, None, units))
    assert (done[0].limit, done[1].limit) == ("", "work" if units else "cpu_seconds")
    assert task_allowance.uncounted(_spin)(0.0) > 0  # outside of a worker


def test_memory_is_bounded_but_for_an_uncounted_part(monkeypatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")

    def work(n: int) -> dict[str, Json]:
        part = task_allowance.uncounted(bytearray)(GB) if n == 2 else b""
        return {"n": len(bytearray(GB)) + len(part)}

    done = _run(range(4), work, jobs=1, allowed=lambda n: Allowance(60.0, n * GB // 4))
    assert [done[n].limit for n in range(4)] == ["memory_bytes"] * 2 + ["", "memory_bytes"]
    assert done[2].value == {"n": 2 * GB}


def test_threads_of_blas_have_memory_of_their_own(monkeypatch) -> None:
    """With less than their stacks, OpenBLAS waited forever: 39 fit into 300 MB."""

    def work(_: int) -> dict[str, Json]:
        return {"bound": resource.getrlimit(resource.RLIMIT_DATA)[0]}

    bounds = []
    for threads in ("1", "9"):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", threads)
        (done,) = _run(
            range(1), work, jobs=1, allowed=lambda _: Allowance(60.0, 20_000_000)
        ).values()
        bounds.append(done.value["bound"])
    assert bounds[1] - bounds[0] > 8 * (32 << 20)  # a buffer for each


def test_large_results_arrive_complete() -> None:
    done = _run(range(3), lambda n: {"text": str(n) * 3_000_000})
    assert [len(str(done[n].value["text"])) for n in range(3)] == [3_000_000] * 3


def test_tasks_that_come_up_one_by_one_go_to_one_worker_until_one_crashes_it() -> None:
    """Each is asked for after the result before it, which it may depend on."""
    found: dict[int, TaskResult] = {}

    def tasks():
        while len(found) < 5:
            yield {"n": len(found), "before": [*found]}

    def work(task):
        if task["n"] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return {**task, "pid": os.getpid(), "large": "x" * 300_000}

    packing = worker_pool.Packing(lambda task: json.dumps(task).encode(), json.loads)
    for done in worker_pool.run_tasks(tasks(), work, jobs=1, seconds=30.0, packing=packing):
        found[done.index] = done
    assert [*found] == [*range(5)]
    assert "SIGKILL" in found[2].lost
    values = {each.index: each.value for each in found.values() if each.value}
    assert {n: each["before"] for n, each in values.items()} == {n: [*range(n)] for n in values}
    assert values[0]["pid"] == values[1]["pid"] != values[3]["pid"] == values[4]["pid"]


def test_a_worker_that_is_killed_while_it_waits_costs_its_next_task() -> None:
    waiting = []

    def tasks():
        yield 0
        os.kill(*waiting, signal.SIGKILL)
        yield 1
        yield 2

    packing = worker_pool.Packing(lambda n: str(n).encode(), int)
    found = []
    for done in worker_pool.run_tasks(
        tasks(), lambda _: {"pid": os.getpid()}, jobs=1, seconds=30.0, packing=packing
    ):
        waiting = waiting or [done.value["pid"]]
        found.append(done.lost)
    assert [bool(each) for each in found] == [False, True, False]


def test_nothing_to_do() -> None:
    assert _run([], lambda n: {}) == {}


def test_no_child_is_left_behind() -> None:
    pids: set[int] = set()
    for done in worker_pool.run_tasks(
        range(6), lambda n: {"pid": os.getpid()}, jobs=3, seconds=30.0
    ):
        pids.add(int(str(done.value["pid"])))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_leaving_early_ends_busy_workers() -> None:
    def work(n: int) -> dict[str, Json]:
        time.sleep(0 if n == 0 else 60)
        return {"n": n}

    running = worker_pool.run_tasks(range(3), work, jobs=2, seconds=120.0)
    assert next(running).index == 0
    start = time.monotonic()
    running.close()
    assert time.monotonic() - start < 5


ORPHANS = """
import os, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
from modelaudit.workers import worker_pool

def work(n):
    while os.getppid() == parent:
        time.sleep(0.01)
    return {"n": n}

parent = os.getpid()
threading.Timer(0.5, os.kill, (parent, signal.SIGKILL)).start()
list(worker_pool.run_tasks(range(2), work, jobs=2, seconds=30.0))
"""


def test_a_worker_that_outlives_its_run_prints_nothing() -> None:
    """Cron would mail its stderr, though neither the model nor the program is at fault."""
    line = [sys.executable, "-c", ORPHANS, str(ROOT)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")


BUSY = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from modelaudit.workers import worker_pool

def work(n):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(600)

list(worker_pool.run_tasks(range(2), work, jobs=2, seconds=600.0))
"""


@needs_linux
def test_busy_workers_end_when_their_run_is_killed() -> None:
    """With them, the models that they run (see `runtime`)."""
    line = [sys.executable, "-c", BUSY, str(ROOT)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        workers = [int(run.stdout.readline()) for _ in range(2)]
        assert all(map(alive, workers))
        run.kill()
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, workers))


def alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False


def test_what_a_lost_worker_gave_before_is_kept() -> None:
    def work(n: int) -> dict[str, Json]:
        worker_pool.keep({"of": n})
        if n % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"n": n}

    done = _run(range(4), work)
    assert {n: each.kept for n, each in done.items()} == {n: {"of": n} for n in range(4)}
    assert {n for n, each in done.items() if each.lost} == {1, 3}
    worker_pool.keep({"of": "nobody"})  # not in a worker
