"""No advice on how to load a dangerous file."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.findings import Outcome, Remedy, RuleResult, Severity
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.model import Family
from modelaudit.rules.security.config.examples import ARITHMETIC, SYSTEM, lambda_layer, with_layers
from modelaudit.rules.unsafe_advice import WITHHELD, withhold_unsafe_fixes
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.structs import replace

REFUSED = Reason(
    "lambda-refused", LoadOutcome.FAILS, "it holds code", "ValueError", "safe_mode=False"
)


def results(*codes):
    facts = with_layers(*map(lambda_layer, codes))
    prediction = Prediction("tf==2.21.0", "load_model", LoadOutcome.FAILS, (REFUSED,))
    return run_rules(CATALOGUE, replace(facts, predictions=(prediction,)))


def fixes(found):
    return {f.code: f.fix for result in found for f in result.findings}


def test_no_advice_on_compatibility_or_unsafe_loading_with_a_danger():
    found = fixes(withhold_unsafe_fixes(results(SYSTEM, ARITHMETIC), CATALOGUE))
    assert found["MA220"] == WITHHELD
    assert found["MA701"] == WITHHELD
    assert found["MA702"] != WITHHELD
    assert not any("safe_mode=False" in fix for fix in found.values())


def test_a_withheld_repair_is_not_offered():
    found = run_rules(CATALOGUE, with_layers(lambda_layer(SYSTEM)))
    rule = next(each for each in CATALOGUE if each.code == "MA220")
    advice = Remedy("Make another.", repair="modelaudit repair m.h5 --for tf==2.21.0")
    offered = RuleResult("MA220", rule.name, Outcome.FAIL, findings=(rule.finding("", fix=advice),))
    held = withhold_unsafe_fixes((*found, offered), CATALOGUE)
    assert (held[-1].findings[0].fix, held[-1].findings[0].repair) == (WITHHELD, "")
    assert offered.findings[0].repair == advice.repair


@pytest.mark.parametrize("code", ["MA314", "MA702"])
def test_a_name_in_advice_does_not_withhold_it(code):
    rule = next(each for each in CATALOGUE if each.code == code)
    named = rule.finding("", fix="Remove the layer `keras.models.load_model(x)`.")
    told = RuleResult(code, rule.name, Outcome.FAIL, findings=(named,))
    found = run_rules(CATALOGUE, with_layers(lambda_layer(SYSTEM)))
    assert withhold_unsafe_fixes((*found, told), CATALOGUE)[-1] == told


@pytest.mark.parametrize(
    ("family", "loads", "held"),
    [
        (Family.WEIGHTS, False, True),
        (Family.WEIGHTS, True, True),
        (Family.SECURITY, False, False),
        (Family.SECURITY, True, True),
    ],
)
def test_advice_of_a_plug_in_on_a_dangerous_file(family, loads, held):
    rule = replace(CATALOGUE[0], code="ACME101", name="acme", family=family)
    told = rule.finding("", fix=Remedy("Read it.", loads=loads))
    result = RuleResult(rule.code, rule.name, Outcome.FAIL, findings=(told,))
    found = run_rules(CATALOGUE, with_layers(lambda_layer(SYSTEM)))
    given = withhold_unsafe_fixes((*found, result), (*CATALOGUE, rule))
    assert (given[-1].findings[0].fix == WITHHELD) is held


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_advice_that_loads_a_file_says_so(rule):
    calls = ("safe_mode=False", "load_model(", "model_from_json(")
    default = rule.finding("")
    for each in (default, *run_rule(rule, rule.bad()).findings):
        assert each.loads or not any(call in each.fix for call in calls)


def test_without_a_danger_all_advice_is_given():
    found = results(ARITHMETIC)
    assert withhold_unsafe_fixes(found, CATALOGUE) == found
    assert "safe_mode=False" in fixes(found)["MA220"]


@pytest.mark.parametrize("change", [{"waived_by": "looked at"}, {"severity": Severity.HIGH}])
def test_with_a_waived_danger_all_advice_is_given(change):
    found = tuple(
        replace(
            each,
            findings=tuple(
                replace(f, **change) if f.severity is Severity.CRITICAL else f
                for f in each.findings
            ),
        )
        for each in results(SYSTEM)
    )
    assert withhold_unsafe_fixes(found, CATALOGUE) == found
