"""The order of severities, and the identity of findings."""

from __future__ import annotations

import pytest

from modelaudit.findings import Confidence, Finding, Location, Outcome, RuleResult, Severity
from modelaudit.structs import replace

FINDING = Finding("MA102", "truncated-file", Severity.HIGH, Confidence.HIGH, "title", "detail")


def test_severities_are_ranked_from_0():
    names = ("info", "low", "medium", "high", "critical")
    assert [Severity(name).rank for name in names] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (Location(), ""),
        (Location("a.h5"), "a.h5"),
        (Location("", "layers/conv"), "layers/conv"),
        (Location("a.h5", "layers/conv"), "a.h5:layers/conv"),
    ],
)
def test_a_location_in_words(location, text):
    assert str(location) == text


def test_a_finding_fails_unless_it_is_waived():
    assert FINDING.outcome is Outcome.FAIL
    assert replace(FINDING, waived_by="known").outcome is Outcome.WAIVED


def test_a_fingerprint_follows_the_rule_the_route_and_the_key():
    assert len(FINDING.fingerprint) == 32
    for same in (
        replace(FINDING, detail="other", title="other", severity=Severity.LOW),
        replace(FINDING, location=Location("other.h5")),
    ):
        assert same.fingerprint == FINDING.fingerprint
    changed = (
        replace(FINDING, code="MA103"),
        replace(FINDING, location=Location("", "layers/conv")),
        replace(FINDING, key="conv"),
        replace(FINDING, location=Location("", "\udcff")),
    )
    assert len({each.fingerprint for each in (FINDING, *changed)}) == 5


def test_a_result_is_not_moot_unless_it_says_so():
    assert RuleResult("MA102", "truncated-file", Outcome.PASS).moot is False


@pytest.mark.parametrize(
    ("outcome", "moot", "unanswered"),
    [
        (Outcome.PASS, False, False),
        (Outcome.FAIL, False, False),
        (Outcome.WAIVED, False, False),
        (Outcome.NOT_APPLICABLE, False, True),
        (Outcome.NOT_APPLICABLE, True, False),
        (Outcome.ERROR, False, True),
        (Outcome.ERROR, True, True),
    ],
)
def test_a_rule_is_unanswered_if_it_lacked_data_or_failed(outcome, moot, unanswered):
    assert RuleResult("MA102", "truncated-file", outcome, moot=moot).unanswered is unanswered
