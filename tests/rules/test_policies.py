"""Severities and settings for some models only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from modelaudit.findings import Severity
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.policies import apply_severities
from modelaudit.settings import Policy, Settings

RULE = rule("MA102")


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


def test_what_a_policy_says_wins_over_what_is_said_of_all_models():
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
