"""Every rule's own examples, and the catalogue's invariants."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from modelaudit.facts import ProblemKind
from modelaudit.findings import Outcome
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Family, Rule
from tests.sources import SOURCES, within

FAMILY_DIGIT = {family: str(digit) for digit, family in enumerate(Family, start=1)}


@pytest.mark.parametrize("each", CATALOGUE, ids=lambda each: each.code)
def test_bad_example_fails(each: Rule) -> None:
    result = run_rule(each, each.bad())
    assert result.outcome is Outcome.FAIL, result.reason
    assert all(finding.code == each.code for finding in result.findings)
    assert all(finding.detail.strip() for finding in result.findings)


@pytest.mark.parametrize("each", CATALOGUE, ids=lambda each: each.code)
def test_good_example_passes(each: Rule) -> None:
    result = run_rule(each, each.good())
    assert result.outcome is Outcome.PASS, (result.reason, result.findings)


@pytest.mark.parametrize("each", CATALOGUE, ids=lambda each: each.code)
def test_declaration_is_complete(each: Rule) -> None:
    assert re.fullmatch(r"MA[1-8]\d\d", each.code)
    assert each.code[2] == FAMILY_DIGIT[each.family]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each.name)
    for text in (each.summary, each.pass_title, each.why, each.fix):
        assert text.strip() == text
        assert len(text) > 10
    assert not each.summary.endswith(".")
    assert each.why.endswith(".")


def test_every_module_that_declares_rules_is_in_the_catalogue() -> None:
    declared = {
        name: {each.code for each in import_module(name).RULES if isinstance(each, Rule)}
        for name, source in SOURCES.items()
        if within(name, ("modelaudit.rules",)) and re.search(r"^RULES\b", source, re.M)
    }
    assert len(declared) > 20
    listed = {each.code for each in CATALOGUE}
    assert {name: codes - listed for name, codes in declared.items() if codes - listed} == {}


def test_codes_and_names_are_unique() -> None:
    assert len({each.code for each in CATALOGUE}) == len(CATALOGUE)
    assert len({each.name for each in CATALOGUE}) == len(CATALOGUE)


def test_every_problem_kind_has_a_rule() -> None:
    """No problem of a reader may be lost."""
    from modelaudit.rules.examples import with_problem

    for kind in ProblemKind:
        facts = with_problem(kind)()
        results = [run_rule(each, facts) for each in CATALOGUE]
        assert any(result.outcome is Outcome.FAIL for result in results), kind


def test_lookup_by_code_and_name() -> None:
    first = CATALOGUE[0]
    assert rule(first.code) is first
    assert rule(first.name) is first
    with pytest.raises(KeyError):
        rule("MA999")
