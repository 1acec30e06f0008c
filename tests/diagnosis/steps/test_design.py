"""Steps about heads that cannot learn."""

from __future__ import annotations

import pytest

from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.steps.design import DESIGN
from modelaudit.diagnosis.suspects import GUILTY
from modelaudit.findings import Severity
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rules
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour, facts, failing, labelled, output, regression, silent

pytestmark = pytest.mark.usefixtures("steps_alone")


def answered(code: str, seen, *, good: bool = False, rules=CATALOGUE):
    """The diagnosis of a rule's example with this behaviour."""
    example = rule(code).good if good else rule(code).bad
    made = example()
    given = replace(facts(seen), artifact=made.artifact)
    if made.measurements is not None:
        given = replace(given, measurements=made.measurements)
    return diagnose(given, run_rules(rules, given))


def test_a_constant_head_explains_a_constant_output():
    found = answered("MA305", behaviour(silent()))
    assert found.causes[0].cause == "constant-by-construction"
    assert found.answer.startswith(
        "The model gives the same answer to every input: `head` applies softmax"
    )
    assert "collapse-open" in {each.cause for each in found.consequences}
    assert found.suspects[1].state == GUILTY


@pytest.mark.parametrize(("seen", "cause"), [(silent(), True), (output(), False)])
def test_an_unsuited_loss_explains_only_a_constant_output(seen, cause):
    found = answered("MA306", behaviour(seen))
    assert (found.causes[0].cause == "loss-unsuited") is cause


@pytest.mark.parametrize("code", DESIGN)
def test_an_unsuited_design_explains_only_a_constant_output(code):
    for seen, explained in ((silent(), True), (output(), False)):
        found = answered(code, behaviour(seen), rules=[rule(code)])
        listed = found.causes[0].cause == "network-design"
        assert listed is explained
        if listed:
            assert found.causes[0].evidence[0].code == code
    sound = answered(code, behaviour(silent()), good=True, rules=[rule(code)])
    assert sound.causes[0].cause != "network-design"


def test_a_suited_loss_explains_nothing():
    assert answered("MA306", behaviour(silent()), good=True).causes[0].cause == "collapse-open"


def test_one_constant_output_of_two_does_not_explain_the_model():
    given = replace(facts(behaviour()), artifact=rule("MA305").bad().artifact)
    architecture = given.artifact.architecture
    two = replace(architecture, outputs=(*architecture.outputs, "other"))
    given = replace(given, artifact=replace(given.artifact, architecture=two))
    found = diagnose(given, run_rules(CATALOGUE, given))
    assert "constant-by-construction" in {each.cause for each in found.ruled_out}


@pytest.mark.parametrize(
    ("code", "severity", "seen", "cause"),
    [
        ("MA306", "low", silent(prior=0.01), "loss-unsuited"),
        ("MA308", "low", silent(), "network-design"),
        ("MA613", "low", silent(), "network-design"),
        ("MA308", "low", output(accuracy={"e": 0.2}), "network-design"),
        ("MA308", "info", silent(), "collapse-open"),
        ("MA308", "low", output(accuracy={"e": 0.95}), "learned-invariance"),
        ("MA609", "high", regression(fit={"e": 0.5}), "labels-outside-output"),
        ("MA609", "medium", output(accuracy={"e": 0.95}), "learned-invariance"),
    ],
)
def test_findings_of_low_severity_explain_what_the_model_did_not_learn(code, severity, seen, cause):
    given = facts(labelled(behaviour(seen)))
    found = diagnose(given, (failing(code, Severity(severity)),)).causes[0]
    assert found.cause == cause
