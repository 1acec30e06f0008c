"""Severities and settings for some models only, the baseline, and waivers, which expire."""

from __future__ import annotations

import datetime
from pathlib import PurePosixPath

import pytest

from modelaudit.findings import Outcome, Severity
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.policies import apply_baseline, apply_severities, apply_waivers
from modelaudit.settings import Policy, Settings, Waiver
from modelaudit.settings.known_models import KnownModel
from modelaudit.structs import replace

RULE = rule("MA102")
TODAY = datetime.date(2026, 6, 1)


def for_model(settings, path):
    return settings.for_model(path, PurePosixPath("/registry") / path)


def severities(*chosen):
    results = [run_rule(RULE, RULE.bad())]
    assert results[0].findings
    (result,) = apply_severities(results, chosen)
    return {finding.severity for finding in result.findings}


def test_without_any_nothing_changes():
    results = (run_rule(RULE, RULE.bad()),)
    assert apply_severities(results, ()) == results
    assert apply_severities(results, [("MA101", Severity.LOW)]) == results


def test_by_code_or_by_name_and_the_first_counts():
    assert severities((RULE.code, Severity.INFO)) == {Severity.INFO}
    assert severities((RULE.name, Severity.LOW)) == {Severity.LOW}
    assert severities((RULE.code, Severity.LOW), (RULE.code, Severity.CRITICAL)) == {Severity.LOW}
    assert severities((RULE.name, Severity.LOW), (RULE.code, Severity.CRITICAL)) == {Severity.LOW}


def test_a_policy_overrides_settings_for_all_models():
    settings = Settings(
        severities=(("MA102", Severity.INFO),),
        thresholds=(("MA604", 0.2), ("MA606", 0.5)),
        policies=(
            Policy(
                "*", severities=(("truncated-file", Severity.LOW),), thresholds=(("MA604", 0.3),)
            ),
            Policy("prod/*", thresholds=(("flip-sensitive-output", 0.4),)),
        ),
    )
    lab, prod = for_model(settings, "lab/a.h5"), for_model(settings, "prod/a.h5")
    for here, threshold in ((lab, 0.3), (prod, 0.4)):
        assert here.threshold("MA604", "flip-sensitive-output") == threshold
        assert here.threshold("MA606", "dead-layer") == 0.5
        assert severities(*here.severities) == {Severity.LOW}


def test_the_last_policy_wins_and_others_stay_as_they_are():
    settings = Settings(
        targets=("tf==2.21",),
        policies=(
            Policy("prod/*", fail_on=Severity.LOW, severities=(("MA102", Severity.LOW),)),
            Policy(
                "prod/eu/*",
                targets=("tf==2.16",),
                severities=(("MA102", Severity.HIGH),),
                thresholds=(("MA604", 0.3),),
            ),
        ),
    )
    assert for_model(settings, "lab/a.h5") == replace(settings, policies=())
    here = for_model(settings, "prod/a.h5")
    assert (here.fail_on, here.targets) == (Severity.LOW, ("tf==2.21",))
    assert here.threshold("MA604") is None
    here = for_model(settings, "prod/eu/a.h5")
    assert (here.fail_on, here.targets) == (Severity.LOW, ("tf==2.16",))
    assert dict(reversed(here.severities))["MA102"] is Severity.HIGH
    assert here.threshold("MA604", "flip-sensitive-output") == 0.3


def found(*names):
    """A result with findings of these severities, whose keys are their positions."""
    plain = run_rule(RULE, RULE.good())
    findings = tuple(
        RULE.finding("cut off", key=str(i), severity=Severity(name)) for i, name in enumerate(names)
    )
    return replace(plain, outcome=Outcome.FAIL, findings=findings)


def known_as(result, *names):
    """The same findings in a baseline, with these severities."""
    prints = [each.fingerprint for each in result.findings]
    pairs = tuple(zip(prints, map(Severity, names), strict=False))
    return KnownModel("model.keras", "", "", frozenset(pairs))


@pytest.mark.parametrize("now", [*Severity])
@pytest.mark.parametrize("then", [*Severity])
def test_a_finding_of_the_baseline_is_waived_unless_it_got_worse(then, now):
    result = found(now)
    (after,) = apply_baseline([result], known_as(result, then), "2026-01-01")
    covered = [*Severity].index(now) <= [*Severity].index(then)
    assert after.outcome is (Outcome.WAIVED if covered else Outcome.FAIL)
    waived_by = "in the baseline of 2026-01-01" if covered else None
    assert after.findings[0].waived_by == waived_by


@pytest.mark.parametrize("severity", [*Severity])
def test_a_finding_that_the_baseline_does_not_have_is_not_waived(severity):
    result = found(severity, severity)
    (after,) = apply_baseline([result], known_as(result, severity), "2026-01-01")
    assert [bool(each.waived_by) for each in after.findings] == [True, False]
    assert after.outcome is Outcome.FAIL
    (after,) = apply_baseline(
        [result], KnownModel("model.keras", "", "", frozenset()), "2026-01-01"
    )
    assert not any(each.waived_by for each in after.findings)


def test_the_worst_of_two_severities_in_a_baseline_counts():
    result = found("high")
    (fingerprint,) = (each.fingerprint for each in result.findings)
    pairs = ((fingerprint, Severity.HIGH), (fingerprint, Severity.LOW))
    known = KnownModel("model.keras", "", "", frozenset(pairs))
    (after,) = apply_baseline([result], known, "2026-01-01")
    assert after.outcome is Outcome.WAIVED


def test_a_waiver_keeps_its_reason_and_a_pass_stays_one():
    result = found("low")
    waived = replace(result, findings=(replace(result.findings[0], waived_by="accepted"),))
    (after,) = apply_baseline([waived], known_as(result, "low"), "2026-01-01")
    assert after.findings[0].waived_by == "accepted"
    passed = run_rule(RULE, RULE.good())
    assert apply_baseline([passed], known_as(result, "low"), "2026-01-01") == (passed,)
    assert apply_baseline([result], None, "") == (result,)


def _result():
    return run_rule(RULE, RULE.bad())


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
