"""Tasks that share work never take more than all of it, and none waits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.settings.audit_target import OuterArchive
from modelaudit.work_budget import UNIT_SECONDS
from modelaudit.workers.shared_work import UNBOUNDED, Loan, SharedWork, WorkOfArchives, too_costly


def _never() -> float:
    raise AssertionError("measured too early")


def test_a_single_task_has_everything() -> None:
    shares = SharedWork(26.0, 26.0, _never)
    shares.expect(1)
    assert shares.lend(8) == Loan(26.0, 0.0)


def test_tasks_at_the_same_time_leave_some_to_each_other() -> None:
    shares = SharedWork(26.0, 26.0, lambda: UNIT_SECONDS)
    shares.expect(3)
    first, second = shares.lend(2), shares.lend(2)
    assert first == Loan(13.0, UNIT_SECONDS)  # measured for all of them
    assert second == Loan(6.5, UNIT_SECONDS)
    shares.give_back(first, 0.0)
    assert shares.lend(2) == Loan(19.5, UNIT_SECONDS)  # the last one


def test_a_task_waits_until_enough_is_given_back() -> None:
    shares = SharedWork(26.0, 26.0, lambda: UNIT_SECONDS)
    shares.expect(20)
    quarter = Loan(6.5, UNIT_SECONDS)
    assert [shares.lend(16) for _ in range(4)] == [quarter] * 4
    assert shares.lend(16) is None
    shares.give_back(quarter, UNIT_SECONDS)
    assert shares.lend(16) is None  # 5.5 of 6.5
    shares.give_back(quarter, UNIT_SECONDS)
    assert shares.lend(16) == quarter


def test_a_task_begins_with_little_if_no_other_can_give_back() -> None:
    shares = SharedWork(26.0, 26.0, lambda: UNIT_SECONDS)
    shares.take(24.9 * UNIT_SECONDS)
    loan = shares.lend(1)
    assert loan is not None
    assert loan.units == pytest.approx(1.1)


def test_a_task_does_not_begin_with_nothing() -> None:
    shares = SharedWork(26.0, 26.0, lambda: UNIT_SECONDS)
    shares.take(25.1 * UNIT_SECONDS)
    assert shares.lend(1) == Loan(0.0, UNIT_SECONDS)


def test_a_stopped_task_has_taken_all_that_it_had() -> None:
    shares = SharedWork(26.0, 26.0, lambda: UNIT_SECONDS)
    loan = shares.lend(2)
    assert loan is not None
    shares.give_back(loan, None)
    assert shares.left() == pytest.approx(0.0)


def test_units_are_measured_when_half_of_them_are_taken() -> None:
    """Here, one takes twice as long: what was taken is half as many."""
    shares = SharedWork(20.0, 20.0, lambda: 2 * UNIT_SECONDS)
    shares.take(9.9 * UNIT_SECONDS)
    assert shares.left() == pytest.approx(10.1)
    shares.take(0.3 * UNIT_SECONDS)
    assert shares.left() == pytest.approx(14.9)
    loan = shares.lend(1)
    assert loan is not None
    assert loan.unit == 2 * UNIT_SECONDS


@given(
    st.floats(1.0, 500.0),
    st.integers(1, 20),
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 1.0)), max_size=60),
)
def test_all_together_never_take_more(
    units: float, at_once: int, steps: list[tuple[bool, float]]
) -> None:
    shares = SharedWork(units, 26.0, lambda: UNIT_SECONDS)
    shares.expect(sum(begins for begins, _ in steps))
    running: list[Loan] = []
    taken = 0.0
    for begins, part in steps:
        if begins and len(running) < at_once:
            loan = shares.lend(at_once)
            assert loan is not None or running
            if loan is not None and loan.units:
                running.append(loan)
        elif running:
            loan = running.pop(0)
            taken += part * loan.units
            shares.give_back(loan, part * loan.units * UNIT_SECONDS)
        assert taken + sum(loan.units for loan in running) <= units * (1 + 1e-9)


def test_models_of_one_archive_share_and_others_do_not() -> None:
    archives = WorkOfArchives()
    assert archives.of(None, 26.0) is None
    one, other = OuterArchive(Path("/a.zip"), 5.0), OuterArchive(Path("/b.zip"), 5.0)
    assert archives.of(one, 26.0) is archives.of(one, 26.0)
    assert archives.of(one, 26.0) is not archives.of(other, 26.0)


def test_what_shares_nothing_is_not_bounded() -> None:
    assert UNBOUNDED.units > 1e300
    assert "archive" in too_costly("work", shared=True)
    assert "archive" not in too_costly("work", shared=False)
    assert "archive" not in too_costly("cpu_seconds", shared=True)
