"""Sentences for users: a file is their subject, not a prefix."""

from __future__ import annotations

import re

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Problem, ProblemKind
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.problem_findings import describe


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("is empty: 0 bytes", "a.h5 is empty: 0 bytes"),
        ("ends at byte 9, its header says 12", "a.h5 ends at byte 9, its header says 12"),
        ("zip archive without an end record", "a.h5: zip archive without an end record"),
        ("isolated bytes", "a.h5: isolated bytes"),
    ],
)
def test_a_problem_that_begins_with_a_verb_has_the_file_as_its_subject(detail, said):
    assert describe(CATALOGUE[0], Problem(ProblemKind.EMPTY, "a.h5", detail)).detail == said


def test_a_model_that_loads_nowhere_is_described_without_option_names():
    facts = examples.observed(Status.FAILED, Status.FAILED)()
    (found,) = (r for r in run_rules(CATALOGUE, facts) if r.code == "MA210")
    assert found.findings[0].detail.startswith(
        "The model loads in neither the installed TensorFlow and Keras nor the installed "
        "TensorFlow with tf-keras. First error"
    )


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_one_of_a_kind_is_in_the_singular(rule):
    for finding in run_rule(rule, rule.bad()).findings:
        told = re.search(
            r"(?<![0-9.,])(?:All )?\b1 (?:[a-z]+ )?(?:times\b|[a-z]+s (?:are|have|hold|belong)\b)",
            finding.detail,
        )
        assert told is None, finding.detail
