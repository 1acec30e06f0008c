"""Findings of two audits of one model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.changes.judgement import compare_findings, verdict_step
from modelaudit.findings import Verdict
from tests.rows import finding

FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from("abcdef"),
        st.sampled_from(["MA101", "MA405"]),
        st.sampled_from(["low", "high"]),
        waived_by=st.sampled_from([None, "known"]),
    ),
    unique_by=lambda each: each.fingerprint,
)


@given(FINDINGS, FINDINGS, st.sets(st.sampled_from(["MA101", "MA405"])))
def test_every_open_finding_is_in_one_group(old, new, unanswered):
    found = compare_findings(old, new, unanswered)
    was = [each for each, _ in found.regraded]
    now = [each for _, each in found.regraded]
    opened = {each.fingerprint for each in old if not each.waived_by}
    left = (*found.fixed, *found.unchecked, *found.waived, *was)
    assert {each.fingerprint for each in (*left, *found.same)} == opened
    is_open = {each.fingerprint for each in new if not each.waived_by}
    came = (*found.new, *found.reopened, *now, *found.same)
    assert {each.fingerprint for each in came} == is_open
    assert len((*left, *found.same)) == len(opened)
    assert len(came) == len(is_open)
    assert {each.code for each in found.unchecked} <= unanswered
    assert {each.code for each in found.fixed}.isdisjoint(unanswered)
    assert compare_findings(new, new).equal


@pytest.mark.parametrize(
    ("old", "new", "group"),
    [
        (None, {}, "new"),
        ({"waived_by": "known"}, {}, "reopened"),
        ({"severity": "low"}, {"severity": "high"}, "regraded"),
        ({}, {}, "same"),
        ({}, None, "fixed"),
        ({"code": "MA405"}, None, "unchecked"),
        ({}, {"waived_by": "known"}, "waived"),
        (None, {"waived_by": "known"}, ""),
        ({"waived_by": "known"}, None, ""),
    ],
)
def test_the_group_says_what_became_of_a_finding(old, new, group):
    sides = [[] if each is None else [finding(**each)] for each in (old, new)]
    found = compare_findings(*sides, unanswered={"MA405"})
    groups = ("new", "reopened", "regraded", "same", "fixed", "unchecked", "waived")
    assert [name for name in groups if getattr(found, name)] == [group] * bool(group)
    assert found.equal is (group in ("", "same"))


def test_a_step_to_a_worse_verdict_is_negative():
    assert verdict_step(Verdict.PASS, Verdict.FAIL) < 0 < verdict_step(Verdict.FAIL, Verdict.WARN)
    assert verdict_step(Verdict.WARN, Verdict.WARN) == 0
