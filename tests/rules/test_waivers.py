"""Waivers mark findings, and expire."""

from __future__ import annotations

import datetime

from modelaudit.facts import ProblemKind
from modelaudit.findings import Outcome
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import with_problem
from modelaudit.rules.policies import apply_waivers
from modelaudit.settings import Waiver

TODAY = datetime.date(2026, 6, 1)
TRUNCATED = rule("MA102")


def _result():
    return run_rule(TRUNCATED, with_problem(ProblemKind.TRUNCATED)())


def _after(*waivers: Waiver):
    return apply_waivers([_result()], waivers, TODAY)[0]


def test_a_waiver_by_code_name_fingerprint_or_path_only() -> None:
    fingerprint = _result().findings[0].fingerprint
    for waiver in (
        Waiver("MA102", "known"),
        Waiver("truncated-file", "known"),
        Waiver("MA102", "known", fingerprint=fingerprint),
        Waiver("", "known", fingerprint=fingerprint),
        Waiver("", "known", path="vision/*"),
    ):
        result = _after(waiver)
        assert result.outcome is Outcome.WAIVED
        assert result.findings[0].waived_by == "known"


def test_a_waiver_for_something_else_covers_nothing() -> None:
    for waiver in (
        Waiver("MA103", "known"),
        Waiver("MA102", "known", fingerprint="0" * 32),
        Waiver("", "known", fingerprint="0" * 32),
    ):
        result = _after(waiver)
        assert result.outcome is Outcome.FAIL
        assert result == _result()


def test_the_expiry_day_is_included() -> None:
    waiver = Waiver("MA102", "known", expires=TODAY, owner="ops")
    assert _after(waiver).findings[0].waived_by == f"known (ops), until {TODAY}"


def test_of_several_expired_waivers_the_last_one_is_named() -> None:
    days = [TODAY - datetime.timedelta(days=ago) for ago in (9, 1, 5)]
    (finding,) = _after(*(Waiver("MA102", "known", expires=day) for day in days)).findings
    assert finding.detail.startswith(f"A waiver for this expired on {days[1]}. ")


def test_an_expired_waiver_reopens_and_is_reported() -> None:
    yesterday = TODAY - datetime.timedelta(days=1)
    result = _after(Waiver("MA102", "known", expires=yesterday))
    assert result.outcome is Outcome.FAIL
    (plain,) = _result().findings
    assert result.findings[0].detail == f"A waiver for this expired on {yesterday}. {plain.detail}"
