"""Rules on the version that a file was saved with."""

from __future__ import annotations

import pytest

from modelaudit.facts import Provenance
from modelaudit.findings import Outcome
from modelaudit.rules import examples
from modelaudit.rules.compatibility.versions import NEWEST_KERAS, NEWEST_TENSORFLOW, RULES
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes import catalogue
from modelaudit.structs import replace

FUTURE, HOLES = RULES


def outcome(rule, **said):
    facts = examples.healthy()
    facts = replace(facts, artifact=replace(facts.artifact, provenance=Provenance(**said)))
    return run_rule(rule, facts)


def test_the_newest_known_are_those_of_the_profiles():
    known = catalogue.shipped_profiles()
    assert max(each.keras for each in known)[:2] == NEWEST_KERAS
    assert max(each.version for each in known if each.kind == "tf")[:2] == NEWEST_TENSORFLOW


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"keras": "99.0.0"}, 1),
        ({"keras": "3.16.0.dev1"}, 1),
        ({"keras": "4"}, 1),
        ({"keras": "3.8.0", "tensorflow": "7.1.0"}, 1),
        ({"keras": "99.1", "tensorflow": "2.99.0"}, 2),
        ({"keras": "9" * 5000}, 1),
        ({"keras": "3.15.9", "tensorflow": "2.21.3-rc1"}, 0),
        ({"keras": "2.4.0-tf"}, 0),
        ({"keras": "unknown"}, 0),
    ],
)
def test_unreleased_versions(said, found):
    result = outcome(FUTURE, **said)
    assert len(result.findings) == found
    assert result.outcome is (Outcome.FAIL if found else Outcome.PASS)


@pytest.mark.parametrize(("keras", "expected"), [("3.16.0.dev1", "low"), ("4.0.0", "medium")])
def test_the_next_release_of_a_series_is_expected(keras, expected):
    """A nightly, or the release that follows this auditor."""
    (found,) = outcome(FUTURE, keras=keras).findings
    assert found.severity.value == expected


@pytest.mark.parametrize(
    ("keras", "holes"),
    [
        ("2.4.0", {"CVE-2024-3660"}),
        ("2.15.0", set()),
        ("3.15.1", set()),
        ("3.13.1", {"CVE-2026-0897", "CVE-2026-1462", "CVE-2026-1669", "CVE-2026-12570"}),
    ],
)
def test_vulnerabilities_are_those_of_the_version(keras, holes):
    found = outcome(HOLES, keras=keras).findings
    assert {hole for each in found for hole in each.evidence["holes"]} == holes


def test_without_a_version_there_is_no_answer():
    assert outcome(FUTURE).outcome is outcome(HOLES).outcome is Outcome.NOT_APPLICABLE
