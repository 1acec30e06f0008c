"""No advice on how to load a dangerous file."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.findings import Severity
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
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
