"""The rule on its examples, and the report on an audit."""

from __future__ import annotations

import acme_modelaudit as acme
import pytest

from modelaudit.plugins import run_rule


@pytest.mark.parametrize("rule", acme.RULES, ids=lambda rule: rule.code)
def test_every_rule_fails_on_its_bad_example_and_passes_on_its_good_one(rule):
    assert run_rule(rule, rule.bad()).outcome.value == "fail"
    assert run_rule(rule, rule.good()).outcome.value == "pass"


def test_the_limit_itself_is_allowed():
    (rule,) = acme.RULES
    assert acme.parameters(acme.example(2_236).artifact) <= acme.MOST_PARAMETERS
    assert run_rule(rule, acme.example(2_236)).outcome.value == "pass"
    assert run_rule(rule, acme.example(2_237)).outcome.value == "fail"


def test_the_report_has_a_line_for_each_model():
    from modelaudit.plugins import Job

    assert acme.CSV.load()(Job([], {})) == b"model,verdict,findings\r\n"
