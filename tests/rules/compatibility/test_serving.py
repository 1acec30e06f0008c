"""The declared serving runtime decides: a refusal there fails, one elsewhere at most warns."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.findings import Outcome, Severity, Verdict
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import judge, run_rule, run_rules
from modelaudit.runtimes.catalogue import covers
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.settings import Settings
from modelaudit.structs import replace

HERE = "tf==2.21.0"
SERVING = rule("MA225")
WHY = {
    LoadOutcome.LOADS: (),
    LoadOutcome.FAILS: (Reason("moved", LoadOutcome.FAILS, "it moved", "TypeError", "mend it"),),
    LoadOutcome.DIFFERS: (Reason("other", LoadOutcome.DIFFERS, "it differs", "no error"),),
}


def predicted(runtime, outcome):
    return Prediction(runtime, "load_model", LoadOutcome(outcome), WHY[LoadOutcome(outcome)])


def seen(runtime, status, name="here"):
    error = "" if status is Status.LOADED else "no such class"
    kind = "" if status is Status.LOADED else "TypeError"
    return Observation(name, "load_model", status, kind, error, target=runtime)


def facts(*predictions, serving="", observations=(), elsewhere=()):
    return replace(
        examples.healthy(),
        settings=Settings(serving=serving),
        predictions=predictions,
        installed=HERE,
        observations=observations,
        elsewhere=elsewhere,
    )


def found(code, *given, **others):
    return run_rule(rule(code), facts(*given, **others)).findings


def verdict(given):
    rules = [each for each in CATALOGUE if each.code[:4] == "MA22" or each.code[:4] == "MA21"]
    return judge(run_rules(rules, given), given, Severity.HIGH)


def test_a_model_that_the_serving_runtime_refuses_fails_and_names_it():
    given = facts(predicted("tf==2.16.2", "fails"), predicted(HERE, "loads"), serving="tf==2.16")
    told, reason = verdict(given)
    assert told is Verdict.FAIL
    assert "serving runtime tf==2.16.2" in reason
    (finding,) = run_rule(SERVING, given).findings
    assert (finding.severity, finding.fix) == (Severity.HIGH, "mend it")


def test_a_refusal_by_the_installed_keras_alone_only_warns():
    predictions = (predicted("tf==2.15.1", "loads"), predicted(HERE, "fails"))
    told, _ = verdict(facts(*predictions, serving="tf==2.15"))
    assert told is Verdict.WARN
    failed = (seen(HERE, Status.FAILED), seen("tf-keras==2.21.0", Status.FAILED, "here-legacy"))
    given = facts(*predictions, serving="tf==2.15", observations=failed)
    assert verdict(given)[0] is Verdict.WARN
    (finding,) = run_rule(rule("MA210"), given).findings
    assert finding.severity is Severity.LOW


def test_the_same_refusal_fails_without_a_serving_runtime_or_in_it():
    failed = (seen(HERE, Status.FAILED), seen("tf-keras==2.21.0", Status.FAILED, "here-legacy"))
    assert verdict(facts(predicted(HERE, "loads"), observations=failed))[0] is Verdict.FAIL
    given = facts(predicted(HERE, "loads"), observations=failed, serving="tf==2.21")
    assert verdict(given)[0] is Verdict.FAIL
    (finding,) = run_rule(SERVING, given).findings
    assert "no such class" in finding.detail


def test_what_was_observed_in_the_serving_runtime_outweighs_the_prediction():
    good = (seen("tf==2.16.2", Status.LOADED, "tf216"),)
    given = facts(predicted("tf==2.16.2", "fails"), serving="tf==2.16", elsewhere=good)
    assert run_rule(SERVING, given).outcome is Outcome.PASS
    bad = (seen("tf==2.16.2", Status.FAILED, "tf216"),)
    given = facts(predicted("tf==2.16.2", "loads"), serving="tf==2.16", elsewhere=bad)
    assert run_rule(SERVING, given).outcome is Outcome.FAIL


def test_the_rule_is_moot_without_a_serving_runtime():
    told = run_rule(SERVING, facts(predicted(HERE, "fails")))
    assert (told.outcome, told.moot) == (Outcome.NOT_APPLICABLE, True)


def test_only_a_conditional_reason_is_a_warning():
    reason = Reason("slots", LoadOutcome.FAILS, "it has slots", unless="tf-keras is installed")
    given = Prediction("tf==2.16.2", "saved_model.load", LoadOutcome.FAILS, (reason,))
    (finding,) = found("MA225", given, serving="tf==2.16")
    assert finding.severity is Severity.MEDIUM


def test_without_an_observation_the_installed_keras_has_to_load_it():
    predictions = (predicted(HERE, "fails"), predicted("tf-keras==2.21.0", "loads"))
    (finding,) = found("MA220", *predictions)
    assert (finding.title, finding.severity) == (
        "The installed Keras cannot load the model",
        Severity.MEDIUM,
    )
    assert not found("MA220", *predictions, observations=(seen(HERE, Status.FAILED),))
    assert not found("MA220", predicted(HERE, "loads"), predicted("tf-keras==2.21.0", "fails"))


def test_a_silent_difference_matters_where_the_model_is_served():
    predictions = (predicted("tf==2.15.1", "loads"), predicted(HERE, "differs"))
    assert [each.severity for each in found("MA221", *predictions)] == [Severity.HIGH]
    elsewhere = found("MA221", *predictions, serving="tf==2.15")
    assert [each.severity for each in elsewhere] == [Severity.MEDIUM]
    there = found("MA221", *predictions, serving="tf==2.21")
    assert [each.severity for each in there] == [Severity.HIGH]


@pytest.mark.parametrize(
    ("asked", "runtime", "expected"),
    [
        ("tf==2.16", "tf==2.16.2", True),
        ("tensorflow==2.16", "tf==2.16.2", True),
        ("tf==2.16.1", "tf==2.16.2", False),
        ("tf==2.1", "tf==2.16.2", False),
        ("tf==2.16", "tf==2.16.2+keras==3.6.0", False),
        ("tf==2.16+keras==3.6", "tf==2.16.2+keras==3.6.0", True),
        ("tf==2.16+keras==3.3", "tf==2.16.2", True),
        ("tf==2.16+keras==3.6", "tf==2.16.2", False),
        ("keras==3.6", "tf==2.16.2+keras==3.6.0", True),
        ("keras==3.3", "tf==2.16.2", True),
        ("tf-keras==2.16", "tf==2.16.2", False),
        ("tf-keras==2.16", "tf-keras==2.16.0", True),
        ("tf==2.16+tf-keras==2.16", "tf==2.16.2", True),
    ],
)
def test_which_runtimes_a_declaration_covers(asked, runtime, expected):
    assert covers(asked, runtime) is expected
