"""Causes in training: none, diverged, dead, or only the labels' frequencies."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import Collapse
from modelaudit.audit_types.kernels import ConstantLayer
from modelaudit.diagnosis import diagnose
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.initial_weights.sized_kernels import example_kernel
from modelaudit.rules.training.alike_inputs import _inputs
from modelaudit.rules.training.steps import _initial, adam
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    behaviour,
    failing,
    initial,
    labelled,
    measurements,
    output,
    silent,
)

pytestmark = pytest.mark.usefixtures("steps_alone")


def causes(facts, *others):
    results = (*run_rules(CATALOGUE, facts), *others)
    return [each.cause for each in diagnose(facts, results).causes]


def test_an_optimizer_without_steps():
    assert causes(_initial(0))[0] == "not-trained"
    assert "not-trained" not in causes(_initial(0, moved=True))
    assert "not-trained" not in causes(_initial(50))


def test_a_rate_of_zero_is_told_from_weights_that_were_not_loaded():
    fresh = measurements(initial("a", "fresh"), initial("b", "fresh"))
    layers = (("a", 0.1, 0.1), ("b", 0.1, 0.1))
    still = adam(*layers, rate=0.0)
    assert causes(replace(still, measurements=fresh), failing("MA404", "high"))[0] == "not-trained"
    moved = adam(*layers)
    assert "not-trained" not in causes(replace(moved, measurements=fresh))
    decay = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": 0.0}}
    config = {"learning_rate": decay, "epsilon": 1e-7}
    settings = {"optimizer": {"class_name": "Adam", "config": config}}
    scheduled = replace(
        still, measurements=fresh, artifact=replace(still.artifact, training=settings)
    )
    results = (*run_rules(CATALOGUE, scheduled), failing("MA404", "high"))
    first = diagnose(scheduled, results).causes[0]
    assert first.cause == "not-trained"
    assert first.evidence[0].text.startswith("The learning rate starts with 0: 500 steps changed")


@pytest.mark.parametrize(
    ("seen", "first"),
    [
        (None, "exploded-weights"),
        (behaviour(silent()), "exploded-weights"),
        (behaviour(output()), "learned-invariance"),
    ],
)
def test_enormous_weights(seen, first):
    facts = replace(example_kernel(1e5), behaviour=seen, measurements=measurements())
    assert causes(facts)[0] == first


def test_a_layer_that_is_dead_by_its_weights_needs_no_run():
    dead = ConstantLayer("dense", "dead", False, ("dense",))
    facts = replace(example_kernel(0.2), measurements=measurements(constant=(dead,)))
    assert causes(facts)[0] == "dead-units"
    assumed = measurements(constant=(replace(dead, nonnegative=True),))
    assert "dead-units" not in causes(replace(facts, measurements=assumed))


def died(first, seen=None):
    """A layer that is dead now, and the average gradient that it had at the end of training."""
    facts = adam(("relu", first, 1.0), ("head", 0.5, 1.0))
    seen = seen or behaviour(silent(), dead={"relu": 1.0})
    found = replace(facts, behaviour=seen, measurements=measurements())
    return diagnose(found, run_rules(CATALOGUE, found)).causes[0]


def test_the_optimizer_tells_units_that_died_in_training_from_a_wrong_restore():
    trained, restored = died(1e-20), died(0.3)
    assert trained.cause == restored.cause == "dead-units"
    assert "MA433" in {each.code for each in trained.evidence}
    assert not trained.against
    assert "restored wrongly" in restored.against[0].text


def test_an_output_that_is_the_frequencies_of_the_labels():
    facts = replace(example_kernel(0.2), measurements=measurements())
    prior = replace(facts, behaviour=labelled(behaviour(silent(prior=0.01)), 0.6))
    assert causes(prior)[0] == "prior-only"
    other = replace(facts, behaviour=labelled(behaviour(silent(prior=0.4)), 0.6))
    assert causes(other)[0] == "collapse-open"
    varied = replace(facts, behaviour=labelled(behaviour(output(prior=0.01)), 0.6))
    assert "prior-only" not in causes(varied)


def test_a_kernel_that_shrank_to_nothing_explains_a_constant_output():
    facts = replace(example_kernel(1e-6), measurements=measurements())
    assert causes(facts)[0] == "prior-only"
    assert causes(replace(facts, behaviour=behaviour(silent())))[0] == "prior-only"
    assert "prior-only" not in causes(replace(facts, behaviour=behaviour(output())))


def test_inputs_that_were_alike_leave_only_the_frequencies():
    """Their kernels get no gradient and look as drawn, but no restore skipped them."""
    judged = run_rule(rule("MA439"), _inputs(0.0, 0.0))
    assert judged.findings
    facts = replace(adam(("a", 0.1, 0.1)), measurements=measurements())

    def first(seen):
        return diagnose(replace(facts, behaviour=seen), (judged,)).causes[0]

    assert first(None).cause == first(behaviour(silent())).cause == "prior-only"
    assert "all inputs were the same" in first(None).evidence[0].text
    assert first(behaviour(output())).cause != "prior-only"


def test_few_steps_explain_only_an_output_that_is_constant_or_wrong():
    def judged(seen, steps):
        facts = replace(adam(("a", 0.1, 0.1), steps=steps), measurements=measurements())
        return causes(replace(facts, behaviour=labelled(behaviour(seen))))[0]

    assert judged(silent(prior=0.01), 16) == "not-trained"
    assert judged(silent(prior=0.01), 180) == "prior-only"
    assert judged(output(accuracy={"e": 0.2}), 16) == "not-trained"
    assert judged(output(accuracy={"e": 0.2}), 180) == "not-understood"
    assert judged(output(accuracy={"e": 0.95}), 16) == "learned-invariance"


def test_one_class_for_nearly_all_inputs_is_told_by_labels_that_differ():
    alike = Collapse(False, 0.1, 2, 0, 0.98, 0.3)

    def first(accuracy, largest):
        seen = output(collapse=alike, accuracy={"e": accuracy}, unpredicted=(1,))
        facts = replace(example_kernel(0.2), measurements=measurements())
        facts = replace(facts, behaviour=labelled(behaviour(seen), largest))
        return diagnose(facts, run_rules(CATALOGUE, facts)).causes[0]

    found = first(0.76, 0.76)
    assert found.cause == "prior-only"
    assert "the commonest label has 76%" in found.evidence[0].text
    assert "Your labels have class 1 (counted from 0)" in found.evidence[1].text
    assert first(0.96, 0.76).cause != "prior-only"
    assert first(0.98, 0.98).cause != "prior-only"  # labels of one kind


def test_the_share_of_the_commonest_label_and_classes_that_are_never_predicted():
    facts = replace(example_kernel(0.2), measurements=measurements())
    for prior, largest, cause in ((0.01, 0.88, "prior-only"), (None, 0.1, "")):
        seen = silent(prior=prior, unpredicted=(1, 2))
        given = replace(facts, behaviour=labelled(behaviour(seen), largest))
        found = diagnose(given, run_rules(CATALOGUE, given)).causes[0]
        assert found.cause == (cause or "collapse-open")
        assert "classes 1, 2 (counted from 0)" in found.evidence[-1].text
        assert ("commonest label has 88%" in found.evidence[0].text) is bool(cause)
