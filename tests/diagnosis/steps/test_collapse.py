"""Steps about outputs that carry too little information."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import Intervention
from modelaudit.diagnosis.procedure import diagnose
from modelaudit.diagnosis.steps.collapse import (
    collapse_open,
    dead_units,
    drawing,
    head_bias,
    little_information,
    nondeterministic,
    nonfinite_output,
)
from modelaudit.graphs import Graph, GraphNode
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.command_line import SAMPLES
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    fit,
    initial,
    labelled,
    measurements,
    output,
    quiet,
    silent,
)
from tests.thresholds.edges import answer, case

pytestmark = pytest.mark.usefixtures("steps_alone")


@pytest.mark.parametrize(("share", "kind"), [(0.0, "excluded"), (0.01, "found"), (1.0, "found")])
def test_any_value_that_is_not_finite_is_found(share, kind):
    assert answer(nonfinite_output, behaviour(output(), output(nonfinite=share))) == kind


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("no kernel has a bias", "excluded"), ("the head was not found", "unknown"), ("", "unknown")],
)
def test_a_model_without_a_bias_has_no_biased_head(reason, kind):
    skipped = {"centred head bias": reason} if reason else {}
    assert answer(head_bias, behaviour(skipped=skipped)) == kind


@pytest.mark.parametrize("responsible", [True, False])
@pytest.mark.parametrize("name", ["digit", "another"])
def test_a_biased_head_is_found_by_centring_its_bias(responsible, name):
    tried = Intervention(output=name, before=0.0, after=3.0, excess=9.0, responsible=responsible)
    seen = behaviour(silent(), interventions={"centre_head_bias": tried})
    expected = "unknown" if name == "another" else "found" if responsible else "excluded"
    assert answer(head_bias, seen) == expected
    if expected == "found":
        found = head_bias(case(seen))
        assert len(found.evidence) == 3


@pytest.mark.parametrize("deterministic", [True, False])
def test_outputs_that_differ_between_runs(deterministic):
    seen = behaviour(deterministic=deterministic)
    assert answer(nondeterministic, seen) == ("excluded" if deterministic else "found")


def noisy(op="", training=None, custom=False, repeat_differs=True):
    """Answers that differ, and differ from those of a call without a flag, whatever draws them."""
    graph = Graph((), (GraphNode(f"{'chain_of_' * 40}/sample/normal", op, ()),))
    dropout = replace(examples.layer("drop", "Dropout", {}), call_kwargs=({"training": training},))
    own = replace(examples.layer("own", "Norm", {}), custom=True)
    artifact = examples.model(own if custom else dropout)
    if op:
        artifact = replace(artifact, architecture=None, graphs=(graph,))
    changes = {"training_flag_matters": True, "repeat_differs": repeat_differs}
    seen = case(behaviour(deterministic=False, **changes)).facts
    return replace(seen, artifact=artifact)


@pytest.mark.parametrize(
    ("given", "cause", "flag_told"),
    [
        ({"op": "RandomStandardNormal"}, "sampled-output", False),  # a policy
        ({"op": "RandomUniform"}, "nondeterministic", False),  # of an active dropout
        ({"op": "RandomStandardNormal", "repeat_differs": False}, "nondeterministic", False),
        ({"custom": True}, "nondeterministic", False),  # nothing shows that it draws
        ({"custom": True, "repeat_differs": False}, "nondeterministic", False),
        ({"training": True}, "nondeterministic", True),
        ({"training": False}, "nondeterministic", False),
    ],
)
def test_what_draws_random_numbers_is_told_from_the_model(given, cause, flag_told):
    facts = noisy(**given)
    first = diagnose(facts, ()).causes[0]
    assert first.cause == cause
    assert first.belief is None
    assert all(len(each.text) < 200 for each in first.evidence)
    assert ("has training=True" in first.evidence[0].text) is flag_told
    may = given.get("custom", False) and given.get("repeat_differs", True)
    assert ("may draw random numbers" in first.evidence[0].text) is may


def test_a_policy_that_samples_and_was_never_trained_was_never_trained():
    kernels = measurements(initial("a", "fresh"), initial("b", "fresh"))
    found = diagnose(replace(noisy("RandomStandardNormal"), measurements=kernels), ())
    assert [each.cause for each in found.causes] == ["never-loaded", "sampled-output"]
    assert not {"learned-invariance", "output-follows-flip"} & {x.cause for x in found.ruled_out}
    assert "was drawn" not in found.answer and "at random" not in found.answer


def test_dead_layers_without_activations_to_read():
    assert answer(dead_units, behaviour(dead={})) == "excluded"
    skipped = {"dead units": "no layers"}
    assert answer(dead_units, behaviour(dead={}, skipped=skipped)) == "excluded"
    assert answer(dead_units, behaviour(silent(), dead={}, skipped=skipped)) == "excluded"


def test_a_layer_that_another_form_of_the_inputs_wakes_is_not_the_cause():
    dead = {"relu": 1.0}
    scaled = silent(accuracy={"e": 0.1, "*255": 0.9}, chance_p=0.5)
    found = diagnosed(labelled(behaviour(scaled, dead=dead)))
    assert [(each.cause, each.transform) for each in found.causes] == [("input-domain", "*255")]
    hopeless = silent(accuracy={"e": 0.1, "*255": 0.12}, chance_p=0.5)
    assert diagnosed(labelled(behaviour(hopeless, dead=dead))).causes[0].cause == "dead-units"


def test_of_a_dead_layer_it_is_told_that_inputs_were_made_up():
    made_up = dead_units(case(behaviour(silent(), user=False, dead={"relu": 1.0})))
    assert "made-up inputs" in made_up.evidence[0].text


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (behaviour(), "excluded"),
        (behaviour(silent()), "found"),
        (behaviour(silent(), user=False), "unknown"),
    ],
)
def test_a_collapse_is_open_only_on_images(seen, kind):
    assert answer(collapse_open, seen) == kind


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (behaviour(), "excluded"),
        (behaviour(quiet()), "found"),
        (behaviour(quiet(), user=False), "unknown"),
        (behaviour(silent(), quiet()), "unknown"),
        (behaviour(quiet(accuracy={"e": 0.9})), "excluded"),
        (labelled(behaviour(quiet()), 0.95), "excluded"),
        (behaviour(quiet(), batchnorm=(fit(0.1), fit(0.3))), "found"),
    ],
)
def test_predictions_that_are_alike(seen, kind):
    assert answer(little_information, seen) == kind


def called(**arguments):
    return examples.model(replace(examples.layer("drop", "Dropout"), call_kwargs=(arguments,)))


def test_a_layer_that_is_called_in_training_mode_draws():
    assert drawing(called(training=True)) == ("drop",)


@pytest.mark.parametrize("arguments", [{}, {"training": False}, {"training": None}, {"mask": 1}])
def test_a_layer_that_is_called_otherwise_does_not(arguments):
    assert drawing(called(**arguments)) == ()


def test_random_operations_are_found_in_the_graph():
    facts = static_facts(SAMPLES / "digits_random_export", Settings())
    assert drawing(facts.artifact) == ("digits_1/random_flip_1",)


@pytest.mark.parametrize(
    "sample", ["digits_tf1_savedmodel", "digits_statistics_lost", "digits_robust.keras"]
)
def test_initializers_are_random_too_but_are_not_run_for_predictions(sample):
    assert drawing(static_facts(SAMPLES / sample, Settings()).artifact) == ()
