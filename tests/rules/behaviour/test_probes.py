"""Undecided results of the behaviour rules, and details of MA603."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import Collapse, InformationGain, Intervention
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseFound, CauseUnknown
from modelaudit.diagnosis.steps.collapse import nondeterministic
from modelaudit.facts import Graph, GraphFunction, GraphNode, Signature
from modelaudit.findings import Outcome, Severity
from modelaudit.rules import examples, examples_behaviour
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.diagnosis.cases import judged

SERVED = Signature("serving_default", "", (), ())


def outcome(facts: Facts, code: str):
    return next(result for result in run_rules(CATALOGUE, facts) if result.code == code)


def on_built_in_inputs(facts: Facts, **changes) -> Facts:
    seen = facts.behaviour
    inputs = replace(seen.inputs, kind="synthetic")
    return replace(facts, behaviour=replace(seen, inputs=inputs, **changes))


def test_a_constant_output_on_synthetic_inputs_needs_confirmation_inside():
    constant = examples_behaviour.collapsed()
    assert outcome(constant, "MA602").outcome is Outcome.FAIL
    alone = outcome(on_built_in_inputs(constant), "MA602")
    assert alone.outcome is Outcome.NOT_APPLICABLE
    assert "undecidable without" in alone.reason
    silenced = on_built_in_inputs(constant, dead={"relu": 1.0})
    assert outcome(silenced, "MA602").outcome is Outcome.FAIL
    bias = Intervention(before=0.0, after=3.0, responsible=True)
    biased = on_built_in_inputs(constant, interventions={"centre_head_bias": bias})
    assert outcome(biased, "MA602").outcome is Outcome.FAIL


def called(**kwargs):
    return replace(examples.layer("drop", "Dropout", {}), call_kwargs=(kwargs,))


def operation(name):
    return examples.layer("op", "TFOpLambda", {}, {"function": name})


@pytest.mark.parametrize(
    ("layer", "ops", "severity"),
    [
        (examples.layer("z", "Sampling", {}), (), Severity.MEDIUM),
        (examples.layer("drop", "Dropout", {}), (), Severity.HIGH),
        (called(training=True), (), Severity.MEDIUM),
        (called(training=False), (), Severity.HIGH),
        (operation("random.normal"), (), Severity.MEDIUM),
        (operation("math.exp"), (), Severity.HIGH),
        (None, (("policy/sample", "Multinomial"),), Severity.MEDIUM),
        (None, (("dropout/noise", "RandomStandardNormal"),), Severity.HIGH),
        (None, (("dense/dropout/random_uniform", "RandomUniform"),), Severity.HIGH),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_model_that_samples_on_purpose_is_told_so(layer, ops, severity, inside):
    noisy = examples_behaviour.noisy()
    noisy = replace(noisy, behaviour=replace(noisy.behaviour, repeat_differs=True))
    nodes = tuple(GraphNode(name, op, ()) for name, op in ops)
    functions = {"f": GraphFunction("f", (), nodes)}  # where TensorFlow 2 has them
    graph = Graph((), (), functions) if inside else Graph((), nodes)
    artifact = replace(noisy.artifact, graphs=(graph,), architecture=None)
    if layer:
        artifact = examples.model(replace(layer, custom=layer.class_name == "Sampling"))
    (found,) = outcome(replace(noisy, artifact=artifact), "MA605").findings
    assert found.severity is severity
    custom = layer is not None and layer.class_name == "Sampling"  # whose code is not at hand
    assert ("on purpose" in found.detail) is (severity is Severity.MEDIUM and not custom)
    assert ("may draw random numbers" in found.detail) is custom
    # Nothing is drawn where the same batch gives the same outputs.
    batch = replace(noisy.behaviour, repeat_differs=False)
    (found,) = outcome(replace(noisy, artifact=artifact, behaviour=batch), "MA605").findings
    assert found.severity is Severity.HIGH
    assert "random" not in found.detail and "batches of other inputs" in found.detail


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("stateful", [False, True])
def test_a_state_that_is_kept_is_no_random_number(stateful, wrapped):
    noisy = examples_behaviour.noisy()
    layer = examples.layer("gru", "GRU", {}, {"stateful": stateful})
    if wrapped:
        inner = {"class_name": "GRU", "config": {"stateful": stateful}}
        layer = examples.layer("gru", "Bidirectional", {}, {"layer": inner})
    facts = replace(noisy, artifact=examples.model(layer))
    result = outcome(facts, "MA605")
    assert len(result.findings) == (not stateful)
    assert ("`gru` keeps its state" in result.reason) is stateful
    step = nondeterministic(Case(facts, ()))
    assert isinstance(step, CauseUnknown if stateful else CauseFound)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("MA606", {"dead": {"relu": 1.0}}),
        ("MA607", {"outputs": (replace(examples_behaviour.HEALTHY, nonfinite=1.0),)}),
    ],
)
@pytest.mark.parametrize(
    ("notes", "severity"),
    [
        (("range 0…1 assumed: the model does not contain its value range",), Severity.MEDIUM),
        (("range 0…255 from Rescaling",), Severity.MEDIUM),
    ],
)
def test_made_up_inputs_prove_less(code, changes, notes, severity):
    facts = on_built_in_inputs(examples_behaviour.sound_behaviour(), **changes)
    inputs = replace(facts.behaviour.inputs, notes=notes)
    facts = replace(facts, behaviour=replace(facts.behaviour, inputs=inputs))
    (found,) = outcome(facts, code).findings
    assert found.severity is severity
    assert "made-up input" in found.detail
    user = replace(facts.behaviour, inputs=replace(inputs, kind="user"))
    (found,) = outcome(replace(facts, behaviour=user), code).findings
    assert (found.severity, "made-up" in found.detail) == (Severity.HIGH, False)


@pytest.mark.parametrize(("user", "severity"), [(True, Severity.HIGH), (False, Severity.LOW)])
def test_one_constant_output_beside_others_may_be_meant(user, severity):
    """A detector gives the number of its boxes, which is that of the anchors."""
    constant = examples_behaviour.collapsed().behaviour.outputs[0]
    constant = replace(constant, collapse=replace(constant.collapse, spread=0.0))
    facts = examples_behaviour.sound_behaviour()
    facts = replace(
        facts, behaviour=replace(facts.behaviour, outputs=(constant, examples_behaviour.HEALTHY))
    )
    (found,) = outcome(facts if user else on_built_in_inputs(facts), "MA602").findings
    assert found.severity is severity
    assert found.detail.endswith("Other outputs depend on the input.")


@pytest.mark.parametrize(
    ("op", "signatures", "expected"),
    [
        ("ResourceApplyAdam", (), Outcome.NOT_APPLICABLE),
        ("ResourceApplyAdam", (SERVED,), Outcome.FAIL),
        ("MatMul", (), Outcome.FAIL),
    ],
)
def test_noise_of_a_training_graph_says_nothing_about_inference(op, signatures, expected):
    noisy = examples_behaviour.noisy()
    graph = Graph((), (GraphNode("n", op, ()),))
    artifact = replace(noisy.artifact, graphs=(graph,), signatures=signatures)
    facts = replace(noisy, artifact=artifact)
    assert outcome(facts, "MA605").outcome is expected
    found = [cause.cause for cause in diagnose(facts, ()).causes]
    assert ("nondeterministic" in found) == (expected is Outcome.FAIL)


@pytest.mark.parametrize(
    ("bits", "biased", "said"), [(2.3, False, True), (0.05, False, False), (2.3, True, False)]
)
def test_a_constant_output_that_varies_on_another_scale_says_so(bits, biased, said):
    facts = examples_behaviour.collapsed()
    (output, *others) = facts.behaviour.outputs
    outputs = (replace(output, domain={"*255": bits, "/255": 0.0}), *others)
    bias = Intervention(before=0.0, after=3.0, responsible=biased)
    seen = replace(facts.behaviour, outputs=outputs, interventions={"centre_head_bias": bias})
    (found,) = outcome(replace(facts, behaviour=seen), "MA602").findings
    assert ("Multiplied by 255, they get different outputs" in found.detail) is said


@pytest.mark.parametrize(
    ("bits", "share", "said"),
    [
        (0.03, 0.22, "hardly depends on the input: it carries 0.03 of 3.32 bits"),
        (0.0, 1.0, "is the same, or nearly the same"),
    ],
)
def test_predictions_that_differ_are_not_called_the_same(bits, share, said):
    facts = examples_behaviour.collapsed()
    (output, *others) = facts.behaviour.outputs
    state = replace(output.collapse, information=bits, top_share=share)
    seen = replace(facts.behaviour, outputs=(replace(output, collapse=state), *others))
    (found,) = outcome(replace(facts, behaviour=seen), "MA602").findings
    assert said in found.detail


def test_different_outputs_on_synthetic_inputs_pass():
    assert (
        outcome(on_built_in_inputs(examples_behaviour.sound_behaviour()), "MA602").outcome
        is Outcome.PASS
    )


LITTLE = {"collapse": Collapse(False, 0.4, 10, 1, 0.5, 0.3)}
MUCH = InformationGain(2.5, 20.0)


@pytest.mark.parametrize(
    ("gain", "changes", "fails"),
    [
        (MUCH, LITTLE, True),
        (InformationGain(0.3, 7.0), LITTLE, True),  # of a model that is unsure of everything
        (InformationGain(0.3, 3.0), LITTLE, False),  # within sampling error
        (InformationGain(0.02, 3.0), LITTLE, False),
        (MUCH, LITTLE | {"accuracy": {"e": 0.9, "H": 0.2}}, False),
        (MUCH, LITTLE | {"accuracy": {"e": 0.2, "H": 0.9}}, True),
        (MUCH, {"collapse": Collapse(False, 0.0, 2, 0, 1.0, 0.1)}, False),
    ],
)
def test_another_orientation(gain, changes, fails):
    seen = replace(examples_behaviour.HEALTHY, gains={"H": gain}, **changes)
    facts = examples_behaviour.with_behaviour(seen)
    assert (judged("MA603", facts).outcome is Outcome.FAIL) is fails


def test_few_images_show_no_orientation():
    seen = replace(examples_behaviour.HEALTHY, gains={"H": MUCH}, **LITTLE)
    facts = examples_behaviour.with_behaviour(seen)
    few = replace(facts.behaviour, inputs=replace(facts.behaviour.inputs, n=31))
    assert judged("MA603", replace(facts, behaviour=few)).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("kind", "shape", "severity"),
    [
        ("synthetic", (64, 5), Severity.LOW),  # no file shows how large the values of a table are
        ("synthetic", (64, 32, 32, 3), Severity.MEDIUM),
        ("user", (64, 5), Severity.HIGH),
    ],
)
def test_causes_that_made_up_rows_show_are_low(kind, shape, severity):
    facts = rule("MA624").bad()
    inputs = replace(facts.behaviour.inputs, kind=kind, shape=shape)
    facts = replace(facts, behaviour=replace(facts.behaviour, inputs=inputs))
    (found,) = run_rule(rule("MA624"), facts).findings
    assert found.severity is severity
