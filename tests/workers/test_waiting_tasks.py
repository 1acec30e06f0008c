"""Tasks that share work in the pool: each has a result, and together they take what is there."""

from __future__ import annotations

import os
import resource
import signal
import time

import pytest

from modelaudit.facts import Json
from modelaudit.work_budget import UNIT_SECONDS, lent_budget
from modelaudit.workers import task_allowance
from modelaudit.workers.shared_work import NOTHING_LEFT, SharedWork
from modelaudit.workers.task_allowance import Allowance
from modelaudit.workers.worker_pool import run_tasks


def _shared(tasks, work, shares, jobs):
    may = Allowance(60.0, None, 1e6)
    done = run_tasks(tasks, work, jobs=jobs, seconds=60.0, allowed=lambda _: may, shared=shares.get)
    return {each.index: each for each in done}


def _spend(units: float) -> dict[str, Json]:
    end = time.process_time() + units * UNIT_SECONDS
    while time.process_time() < end:
        pass
    return {"pid": os.getpid()}


@pytest.mark.parametrize("jobs", [1, 3])
def test_tasks_that_share_work_begin_until_it_is_taken(jobs: int) -> None:
    """Of eight that take a unit each, about five find one left; those that share nothing go on."""
    shares = SharedWork(5.5, 5.5, lambda: UNIT_SECONDS)
    done = _shared(range(12), lambda _: _spend(1.0), dict.fromkeys(range(8), shares), jobs=jobs)
    assert len(done) == 12
    begun = [n for n in range(8) if done[n].value]
    assert 2 <= len(begun) <= 5
    assert all(done[n].value for n in range(8, 12))
    for n in set(range(8)) - set(begun):
        assert (done[n].limit, done[n].value) == ("work", None)
    assert any(done[n].lost == NOTHING_LEFT for n in range(8))


def test_a_task_is_stopped_at_what_is_left_for_it() -> None:
    shares = SharedWork(3.0, 3.0, lambda: UNIT_SECONDS)
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = _shared([100.0], _spend, {100.0: shares}, jobs=1)
    took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - started
    assert (done[0].limit, "archive" in done[0].lost) == ("work", True)
    assert _shared([0.0], _spend, {0.0: shares}, jobs=1)[0].lost == NOTHING_LEFT
    assert took < 20 * UNIT_SECONDS  # of 100, on any processor


def test_uncounted_parts_take_nothing_of_what_is_shared() -> None:
    shares = SharedWork(4.0, 4.0, lambda: UNIT_SECONDS)

    def work(n: int) -> dict[str, Json]:
        return {"n": task_allowance.uncounted(_spend)(8.0)}

    done = _shared(range(2), work, dict.fromkeys(range(2), shares), jobs=1)
    assert [bool(done[n].value) for n in range(2)] == [True, True]
    assert shares.left() > 3.0


def test_an_audit_ends_in_good_time_before_what_is_left_for_it() -> None:
    """The budget of an audit in a task is what was lent, so that it can still say what it found."""

    def work(_: int) -> dict[str, Json]:
        return {"units": lent_budget(26.0).units}

    shares = SharedWork(5.0, 5.0)
    done = _shared(range(2), work, {1: shares}, jobs=1)
    assert done[0].value == {"units": 26.0}
    assert done[1].value == {"units": pytest.approx(5.0, abs=0.5)}
    assert lent_budget(26.0).units == 26.0  # not in a worker


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_task_that_crashes_takes_what_it_took(number: signal.Signals) -> None:
    """And not all that it could have taken, which its neighbours need."""
    shares = SharedWork(20.0, 20.0, lambda: UNIT_SECONDS)

    def work(n: int) -> dict[str, Json]:
        if n < 3:
            os.kill(os.getpid(), number)
        return {"n": n}

    done = _shared(range(8), work, dict.fromkeys(range(8), shares), jobs=2)
    assert [bool(done[n].value) for n in range(8)] == [False] * 3 + [True] * 5
    assert shares.left() > 15.0


def test_no_loan_is_left_where_the_results_are_not_taken() -> None:
    shares = SharedWork(20.0, 20.0, lambda: UNIT_SECONDS)
    may = Allowance(60.0, None, 1e6)
    running = run_tasks(
        range(6),
        lambda n: {"n": time.sleep(n)},
        jobs=2,
        seconds=60.0,
        allowed=lambda _: may,
        shared=lambda _: shares,
    )
    next(running)
    running.close()
    loan = shares.lend(1)
    assert loan is not None
    assert loan.units > 9.0  # half of everything, as others were expected
