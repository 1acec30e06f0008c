"""MA401 to MA406: the measurements on which they fail, and their reports."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseFound, CauseUnknown
from modelaudit.diagnosis.steps.weight import statistics_lost
from modelaudit.facts import Format, TensorStats
from modelaudit.findings import Outcome, Severity
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

BATCHNORM = ("MA401", "MA402", "MA403")
INITIALIZATION = ("MA404", "MA405")


def result_of(code, facts):
    return run_rule(rule(code), facts)


def normalized(*states):
    return examples.measured(Measurements(batchnorm=states))()


def state(route="bn", *, statistics=False, affine=False, variance=0.5, channels=8):
    return BatchNormState(route, channels, statistics, affine, variance)


def kernel(route, state, **given):
    drawn = state == "fresh"
    own = {} if state == "undecidable" else {"fits": drawn, "bias_initial": drawn}
    given = {"weights": 4608} | given | {"tests": own | given.get("tests", {})}
    return KernelInitialization(route, f"{route}/kernel", "GlorotUniform", state, **given)


def initialized(*states):
    kernels = tuple(kernel(f"conv{i}", state) for i, state in enumerate(states))
    return examples.measured(Measurements(initialization=kernels))()


@pytest.mark.parametrize("code", [*BATCHNORM, *INITIALIZATION])
def test_without_measurements_there_is_no_answer(code):
    result = result_of(code, examples.healthy())
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, False)
    assert "not measured" in result.reason


@pytest.mark.parametrize("code", [*BATCHNORM, *INITIALIZATION])
def test_without_such_layers_the_rule_does_not_apply(code):
    result = result_of(code, examples.measured(Measurements())())
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, True)
    assert ("batch normalization" if code in BATCHNORM else "kernel") in result.reason


@pytest.mark.parametrize(
    ("statistics", "affine", "failing"),
    [
        (False, False, set()),
        (False, True, set()),  # frozen gamma and beta
        (True, False, {"MA401"}),
        (True, True, {"MA402"}),
    ],
)
def test_initial_statistics_are_lost_or_untouched_never_both(statistics, affine, failing):
    facts = normalized(state(statistics=statistics, affine=affine))
    failed = {code for code in BATCHNORM if result_of(code, facts).outcome is Outcome.FAIL}
    assert failed == failing


@pytest.mark.parametrize(("code", "affine"), [("MA401", False), ("MA402", True)])
def test_one_finding_names_all_layers_at_initial_statistics(code, affine):
    bad = [state(f"bn{i}", statistics=True, affine=affine) for i in range(9)]
    (finding,) = result_of(code, normalized(state("fine"), *bad)).findings
    names = [each.route for each in bad]
    assert finding.evidence == {
        "measured": 9,
        "unit": "layers",
        "threshold": 0,
        "n": 10,
        "layers": names,
    }
    assert finding.location.route == "bn0"
    assert "9 of 10" in finding.detail
    assert ", ".join(f"`{name}`" for name in names[:8]) in finding.detail
    assert "bn8" not in finding.detail
    assert "1 more" in finding.detail


@pytest.mark.parametrize(("code", "affine"), [("MA401", False), ("MA402", True)])
def test_eight_layers_are_listed_in_full(code, affine):
    bad = [state(f"bn{i}", statistics=True, affine=affine) for i in range(8)]
    (finding,) = result_of(code, normalized(*bad)).findings
    assert all(each.route in finding.detail for each in bad)
    assert "more" not in finding.detail


@pytest.mark.parametrize(
    ("variance", "outcome"),
    [(1e-30, Outcome.PASS), (0.0, Outcome.PASS), (-1e-30, Outcome.FAIL)],
)
def test_a_variance_is_negative_just_below_zero(variance, outcome):
    assert result_of("MA403", normalized(state(variance=variance))).outcome is outcome


def test_a_variance_that_rounding_made_negative_is_low():
    """Far below the epsilon of the layer, there is no root of a negative number."""
    layer = examples.layer("bn", "BatchNormalization", config={"epsilon": 1e-3})
    for config, expected in ((layer.config, [Severity.LOW]), ({"epsilon": 1e-9}, [Severity.HIGH])):
        facts = normalized(state("bn", variance=-3e-8))
        facts = replace(facts, artifact=examples.model(replace(layer, config=config)))
        found = result_of("MA403", facts).findings
        assert [finding.severity for finding in found] == expected


def test_every_layer_of_negative_variance_is_a_finding():
    facts = normalized(state("a", variance=-0.25, channels=3), state("b"), state("c", variance=-1))
    first, second = result_of("MA403", facts).findings
    assert (first.location.route, second.location.route) == ("a", "c")
    assert first.evidence["measured"] == -0.25
    assert (first.evidence["threshold"], first.evidence["n"]) == (0.0, 3)
    assert "-0.25" in first.detail


@pytest.mark.parametrize(
    ("states", "failing"),
    [
        (["trained"], set()),
        (["trained", "undecidable"], set()),
        (["fresh"], {"MA404"}),
        (["fresh", "fresh", "undecidable"], {"MA404"}),
        (["fresh", "trained"], {"MA405"}),
        (["fresh", "fresh", "trained", "undecidable"], {"MA405"}),
    ],
)
def test_a_model_is_never_trained_or_partly_restored(states, failing):
    facts = initialized(*states)
    failed = {code for code in INITIALIZATION if result_of(code, facts).outcome is Outcome.FAIL}
    assert failed == failing


@pytest.mark.parametrize("code", INITIALIZATION)
def test_with_undecidable_kernels_only_the_rule_does_not_apply(code):
    result = result_of(code, initialized("undecidable", "undecidable"))
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, True)
    assert "could be decided" in result.reason


def test_never_trained_counts_the_kernels_that_can_be_tested():
    (finding,) = result_of("MA404", initialized("undecidable", "fresh", "fresh")).findings
    assert finding.evidence == {
        "measured": 2,
        "unit": "kernels",
        "n": 2,
        "layers": ["conv1", "conv2"],
    }
    assert finding.location.route == "conv1"


def test_layers_at_initial_values_are_one_finding_with_all_places():
    tests = {"ks": {"p": 0.4}}
    kernels = (
        kernel("head", "fresh", weights=320, tests=tests),
        kernel("stem", "trained", weights=500),
        kernel("body", "trained", weights=500),
        kernel("tail", "fresh", weights=64),
        kernel("tiny", "undecidable", weights=4),
    )
    facts = examples.measured(Measurements(initialization=kernels))()
    (head,) = result_of("MA405", facts).findings
    own = {"fits": True, "bias_initial": True}
    places = {"measured": 2, "unit": "layers", "places": ["head", "tail"]}
    assert head.evidence == {"n": 320, "tests": own | tests, "tested": 4} | places
    assert head.location.route == "head"
    assert head.detail.endswith("The same is true of 1 other layer: `tail`.")
    assert "2 other kernels" in head.detail
    assert "skipped when the weights were restored, or not trained" in head.detail
    assert head.severity is Severity.MEDIUM  # too small to be sure


def test_kernels_without_gradient_are_one_finding_that_blames_no_restore():
    slots = [
        replace(examples.tensor("m/zero", (4, 2), constant()), role="optimizer"),
        replace(examples.tensor("m/moved", (9, 9)), role="optimizer"),
    ]
    names = ("a", "b")
    tensors = [examples.tensor(f"{name}/kernel", (4, 2)) for name in names]
    artifact = examples.model(examples.layer(), tensors=(*tensors, *slots))
    kernels = (*(kernel(name, "fresh") for name in names), kernel("c", "trained"))
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    (finding,) = result_of("MA405", facts).findings
    assert finding.detail.startswith("`a`, `b` still have values as drawn")
    assert "no gradient" in finding.detail and "restored" not in finding.detail
    assert "load_weights" not in finding.fix


def constant(value=0.0, nonfinite=0):
    return TensorStats(value, value, value, 0.0, 0, nonfinite)


def one_layer(stats, shape=(4, 2), role="kernel"):
    layer = examples.layer(variables={role: "weight"})
    tensors = (examples.tensor("weight", shape, stats),)
    return Facts(examples.model(layer, tensors=tensors))


@pytest.mark.parametrize(
    ("stats", "outcome"),
    [
        (constant(0.0), Outcome.FAIL),
        (constant(0.25), Outcome.FAIL),
        (TensorStats(0.0, 1e-38, 5e-39, 5e-39, 4, 0), Outcome.PASS),
        (constant(0.0, nonfinite=1), Outcome.PASS),  # MA3xx and MA4xx rules on values report it
        (None, Outcome.PASS),
    ],
)
def test_a_kernel_is_constant_when_all_its_values_are_one(stats, outcome):
    assert result_of("MA406", one_layer(stats)).outcome is outcome


@pytest.mark.parametrize(
    ("shape", "outcome"), [((1, 1), Outcome.PASS), ((2, 1), Outcome.FAIL), ((1, 2), Outcome.FAIL)]
)
def test_a_single_value_is_no_constant_kernel(shape, outcome):
    assert result_of("MA406", one_layer(constant(), shape)).outcome is outcome


@pytest.mark.parametrize(
    ("role", "outcome"),
    [
        ("depthwise_kernel", Outcome.FAIL),
        ("pointwise_kernel", Outcome.FAIL),
        ("recurrent_kernel", Outcome.FAIL),
        ("embeddings", Outcome.FAIL),
        ("bias", Outcome.PASS),
        ("gamma", Outcome.PASS),
    ],
)
def test_only_kernels_must_not_be_constant(role, outcome):
    assert result_of("MA406", one_layer(constant(), role=role)).outcome is outcome


def test_a_constant_kernel_is_located_in_its_file():
    (finding,) = result_of("MA406", one_layer(constant(0.25))).findings
    assert (finding.location.file, finding.location.route) == ("model.weights.h5", "dense/kernel")
    assert finding.evidence["measured"] == 0.25
    assert finding.evidence["n"] == 8


def test_a_kernel_whose_tensor_is_not_in_the_file_is_not_constant():
    layer = examples.layer(variables={"kernel": "elsewhere"})
    tensors = (examples.tensor("weight", stats=constant()),)
    facts = Facts(examples.model(layer, tensors=tensors))
    assert result_of("MA406", facts).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(examples.model(tensors=(examples.tensor("w"),))), "architecture"),
        (Facts(examples.model(examples.layer(), tensors=())), "tensor"),
    ],
)
def test_a_constant_kernel_needs_layers_and_tensors(facts, reason):
    result = result_of("MA406", facts)
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert reason in result.reason


@pytest.mark.parametrize(
    ("moved", "others", "expected"),
    [
        (True, (), Severity.HIGH),  # every layer, while biases were trained
        (False, (), Severity.MEDIUM),  # nothing was
        (False, (state("fine"),), Severity.HIGH),  # while another one was trained
    ],
)
def test_batch_normalization_at_initial_values_beside_what_was_trained(moved, others, expected):
    new = state("norm", statistics=True, affine=True)
    kernel = KernelInitialization(
        *("a", "a/kernel", "GlorotUniform", "trained", "", 600), {"bias_initial": not moved}
    )
    measured = Measurements(batchnorm=(new, *others), initialization=(kernel,))
    facts = examples.measured(measured)()
    (finding,) = result_of("MA402", facts).findings
    assert finding.severity is expected
    # Without a configuration, nobody knows which layers were frozen.
    bare = replace(facts, artifact=replace(facts.artifact, architecture=None))
    (finding,) = result_of("MA402", bare).findings
    assert finding.severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("roles", "expected"), [((), Severity.LOW), (("gamma", "beta"), Severity.HIGH)]
)
def test_a_normalization_without_gamma_and_beta_may_have_been_trained_at_inference(roles, expected):
    """A loop without `training=True` keeps mean 0 and variance 1, and there is nothing else."""
    variables = {role: f"norm/{role}" for role in ("moving_mean", "moving_variance", *roles)}
    layer = examples.layer("norm", "BatchNormalization", variables)
    tensors = tuple(examples.tensor(name, (2,)) for name in variables.values())
    kernel = KernelInitialization(
        *("a", "a/kernel", "GlorotUniform", "trained", "", 600), {"bias_initial": False}
    )
    measured = Measurements(
        batchnorm=(state("norm", statistics=True, affine=True),), initialization=(kernel,)
    )
    facts = Facts(examples.model(layer, tensors=tensors), measurements=measured)
    (finding,) = result_of("MA402", facts).findings
    assert finding.severity is expected
    step = statistics_lost(Case(facts, (result_of("MA402", facts),)))
    assert isinstance(step, CauseUnknown if expected is Severity.LOW else CauseFound)


@pytest.mark.parametrize(("kept", "expected"), [("a", Severity.LOW), ("an", Severity.HIGH)])
def test_a_normalization_without_optimizer_state_was_frozen(kept, expected):
    names = {"a": "a/kernel", "n": "norm/gamma"}
    tensors = [examples.tensor(names["a"]), examples.tensor("norm/beta", (2,))]
    tensors += [examples.tensor(f"norm/{x}", (2,)) for x in ("gamma", "moving_mean")]
    tensors += [examples.tensor("norm/moving_variance", (2,))]
    slots = [replace(examples.tensor(f"{names[x]}/Adam", (2,)), role="optimizer") for x in kept]
    new = state("norm", statistics=True, affine=True)
    facts = examples.measured(Measurements(batchnorm=(new, state("fine"))))()
    artifact = replace(facts.artifact, tensors=(*tensors, *slots))
    (finding,) = result_of("MA402", replace(facts, artifact=artifact)).findings
    assert finding.severity is expected


def test_a_frozen_graph_is_frozen_again_since_no_keras_can_recalibrate_it():
    lost = normalized(state(statistics=True, affine=False))
    graph = replace(lost, artifact=replace(lost.artifact, format=Format.FROZEN_GRAPH))
    (of_keras,), (of_graph,) = (result_of("MA401", each).findings for each in (lost, graph))
    assert "--recalibrate" in of_keras.fix
    assert "Freeze the graph again" in of_graph.fix
    assert "--recalibrate" not in of_graph.fix
