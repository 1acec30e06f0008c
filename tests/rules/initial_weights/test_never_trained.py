"""When kernels as drawn show that the whole model was never trained."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.diagnosis.procedure import diagnose
from modelaudit.facts import TensorStats
from modelaudit.file_formats import Format
from modelaudit.findings import Severity
from modelaudit.measures.summary import Measurements
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.initial_explained import NETWORK
from modelaudit.rules.initial_weights.initial_values import left_initial, never_trained
from modelaudit.rules.model import Facts
from modelaudit.rules.training.never_learned import why_initial
from modelaudit.rules.training.steps import adam
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train
from tests.rules.initial_kernels import (
    drawn,
    model,
    moved,
    severities,
    trained_slots,
    untouched_slots,
)


def test_an_untrained_model_is_not_a_partial_restore():
    kernels = (drawn("a"), drawn("b"), drawn("c", 300))
    assert severities(*kernels) == {}
    assert never_trained(model(), kernels) == (True, "")
    one_by_chance = (*kernels, moved("d", 64, bias=True))
    assert severities(*one_by_chance) == {}


@pytest.mark.parametrize(
    ("kernels", "artifact", "norms", "why"),
    [
        ((drawn("a"),), model(), (), None),
        ((drawn("a"),), untouched_slots(), (), None),
        ((drawn("a", bias=None),), trained_slots(), (), "optimizer"),
        ((drawn("a"), drawn("b", bias=False)), trained_slots(), (), "optimizer"),
        # Training moves biases: the weights are not those that the optimizer trained.
        ((drawn("a"),), trained_slots(), (), None),
        ((drawn("a", guessed=True),), model(), (), "guess"),
        ((drawn("a"), drawn("b", 9000, None, state="undecidable")), model(), (), "larger"),
        ((drawn("a"), drawn("b", 100, None, state="undecidable")), model(), (), None),
        ((drawn("a"),), model(), (BatchNormState("n", 4, True, True, 1.0),), None),
        ((drawn("a"),), model(), (BatchNormState("n", 4, False, True, 0.5),), "statistics"),
    ],
)
def test_never_trained_needs_more_than_kernels_as_drawn(kernels, artifact, norms, why):
    never, said = never_trained(artifact, kernels, norms)
    assert never is (why is None)
    assert (why or "") in said


@pytest.mark.parametrize(
    ("stats", "never"),
    [
        (TensorStats(-0.02, 0.03, 0.0, 0.01, 0, 0), False),  # a bias that training moved
        (TensorStats(0.97, 1.05, 1.0, 0.01, 0, 0), False),  # a scale
        (TensorStats(0.0, 1.0, 0.25, 0.43, 48, 0), True),  # the bias of an LSTM, as it starts
        (TensorStats(0.0, 0.0, 0.0, 0.0, 64, 0), True),
        (TensorStats(1.0, 1.0, 1.0, 0.0, 0, 0), True),
        (TensorStats(-1e-6, 1e-6, 0.0, 1e-7, 0, 0), True),  # without effect, as elsewhere
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_vectors_of_unknown_layers_show_that_a_model_was_trained(stats, never, bias):
    """As of a transformer of the author's own, of which only the last Dense can be tested."""
    artifact = model()
    layer = examples.layer("own", "Encoder", {"ffn/vars/1": "own/ffn/vars/1"})
    made = examples.model(examples.layer("a"), replace(layer, custom=True)).architecture
    vector = replace(examples.tensor("own/ffn/vars/1", (64,)), stats=stats)
    slight = TensorStats(-7e-6, -7e-6, -7e-6, 0.0, 0, 0)
    own = () if bias else (examples.tensor("a/bias", (96,), slight),)
    tensors = (*artifact.tensors, vector, *own)
    found = never_trained(
        replace(artifact, architecture=made, tensors=tensors), (drawn("a", bias=bias),)
    )
    assert found[0] is never
    assert ("`own/ffn/vars/1`, in a layer" in found[1]) is not never


def test_a_guessed_model_without_any_trained_weight_was_never_trained():
    bare = replace(model(), architecture=None)
    kernels = (drawn("a", guessed=True, law="uniform"), drawn("b", guessed=True, law="uniform"))
    assert never_trained(bare, kernels) == (True, "")
    assert "guess" in never_trained(bare, (*kernels, drawn("c", guessed=True)))[1]
    no_bias = [replace(k, tests=dict(k.tests) | {"bias_initial": None}) for k in kernels]
    assert "guess" in never_trained(bare, no_bias)[1]


@pytest.mark.parametrize(("statistics", "expected"), [(True, True), (False, False)])
def test_where_no_batch_normalization_has_moved_no_kernel_has(statistics, expected):
    """In an export of unknown initializers: a step changes the statistics of all of them."""
    bare = replace(model(), architecture=None)
    norms = (BatchNormState("norm", 8, statistics, True, 0.5),)
    odd = replace(moved("b", bias=True), guessed=True, state="undecidable")
    kernels = (drawn("a", guessed=True, initializer="HeNormal"), odd)
    assert never_trained(bare, kernels, norms)[0] is expected
    assert never_trained(bare, (*kernels, moved("c")), norms) == (False, "")


@pytest.mark.parametrize(
    ("change", "expected"), [({}, True), ({"bias": False}, False), ({"trainable": False}, False)]
)
def test_an_orthogonal_matrix_shows_that_no_step_was_made(change, expected):
    """Beside kernels without a bound, in an export, which names no initializer."""
    bare = replace(model(), architecture=None)
    own = {"guessed": True, "law": "orthogonal", "initializer": "Orthogonal"} | change
    kernels = (drawn("rnn", 1024, **own), drawn("b", 256, guessed=True, initializer="HeNormal"))
    assert never_trained(bare, kernels)[0] is expected
    assert never_trained(bare, kernels[1:])[0] is False
    assert never_trained(bare, (*kernels, moved("c", bias=None)))[0] is False
    # Of another initializer than those that are tried: its bias has not moved.
    odd = replace(moved("c", 9000, bias=True), guessed=True, state="undecidable")
    assert never_trained(bare, (*kernels, odd))[0] is expected


def with_biases(furthest):
    """Kernels with a spread of 0.5, and biases up to this far from 0."""
    ends = TensorStats(-furthest, furthest, 0.0, furthest / 2, 0, 0)
    biases = [examples.tensor(f"{name}/bias", (4,), ends) for name in "ab"]
    layers = [examples.layer(name) for name in "ab"]
    kernels = [examples.tensor(f"{name}/kernel", (48, 96)) for name in "ab"]
    return examples.model(*layers, tensors=(*kernels, *biases))


@pytest.mark.parametrize(("furthest", "expected"), [(2e-6, True), (1e-3, False)])
def test_biases_that_rounding_moved_do_not_make_a_model_trained(furthest, expected):
    """Adadelta at the default rate of Keras: every bias moves by 1e-6, no kernel visibly."""
    artifact = with_biases(furthest)
    kernels = tuple(drawn(name, bias=False, state="trained") for name in "ab")
    assert never_trained(artifact, kernels) == (expected, "")
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    result = run_rule(rule("MA404"), facts)
    assert [f.severity.value for f in result.findings] == ["high"] * expected
    assert all("training had hardly any effect" in f.detail for f in result.findings)
    causes = diagnose(facts, ()).causes
    assert ("never-loaded" in {each.cause for each in causes}) is expected
    # One kernel that has moved, as of a pretrained part without biases, shows training.
    assert never_trained(artifact, (*kernels, moved("c", bias=None)))[0] is False
    trained = BatchNormState("norm", 4, False, True, 0.5)
    assert never_trained(artifact, kernels, (trained,))[0] is False


@pytest.mark.parametrize(
    ("optimizer", "furthest", "expected"),
    [
        ("Adam", 6.5e-4, True),
        ("Adam", 1.1e-3, False),
        ("SGD", 6.5e-4, False),
        ("RMSprop", 3.1e-3, True),  # the root of 1 - rho is 0.316
        ("RMSprop", 3.3e-3, False),
    ],
)
def test_less_than_one_step_of_the_optimizer_is_no_training(optimizer, furthest, expected):
    """The first step of Adam moves a bias by the learning rate; that of SGD by its gradient."""
    settings = {"class_name": optimizer, "config": {"learning_rate": 1e-3}}
    artifact = replace(with_biases(furthest), training={"optimizer": settings})
    kernels = tuple(drawn(name, bias=False, state="trained") for name in "ab")
    assert never_trained(artifact, kernels) == (expected, "")
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    details = [f.detail for f in run_rule(rule("MA404"), facts).findings]
    assert ["less than one step of the optimizer (0.00" in each for each in details] == (
        [True] * expected
    )


def test_one_step_is_told_as_one_step():
    """Adam's first step is the learning rate but for its epsilon."""
    settings = {"class_name": "Adam", "config": {"learning_rate": 1e-3}}
    one = TensorStats(1.0, 1.0, 1.0, 0.0, 0, 0)
    count = replace(examples.tensor("optimizer/iterations", (), one), role="optimizer")
    artifact = replace(with_biases(9.998e-4), training={"optimizer": settings})
    artifact = replace(artifact, tensors=(*artifact.tensors, count))
    kernels = tuple(drawn(name, bias=False, state="trained") for name in "ab")
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    (finding,) = run_rule(rule("MA404"), facts).findings
    assert finding.severity is Severity.MEDIUM
    assert "the one training step moved no bias further than 0.001" in finding.detail


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 60])
def test_a_policy_whose_last_bias_is_a_constant_was_never_trained(tmp_path, steps):
    """Exported, so that nothing names its initializers, as TF-Agents' Q networks are."""
    import keras

    keras.utils.set_random_seed(5)
    starts = keras.initializers
    last = starts.RandomUniform(-0.03, 0.03)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(
                96, "relu", kernel_initializer=starts.VarianceScaling(2.0, "fan_in")
            ),
            keras.layers.Dense(5, kernel_initializer=last, bias_initializer=starts.Constant(-0.2)),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "mse")
    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    train(model, x, x[:, :5] ** 2, batch=64, steps=steps)
    model.export(str(tmp_path / "policy"), verbose=False)
    facts = static_facts(tmp_path / "policy", Settings())
    assert facts.artifact.architecture is None
    for code, expected in (("MA404", ["high"] * (not steps)), ("MA405", [])):
        seen = run_rule(rule(code), facts).findings
        assert [each.severity.value for each in seen] == expected


def with_own_head(value):
    """Weights of an LSTM as drawn, and of a layer of the user's own with a bias of this size."""
    ends = TensorStats(0.0, value, value / 2, value / 2, 0, 0)
    tensors = (examples.tensor("a/kernel", (48, 96)), examples.tensor("own/bias_1", (2,), ends))
    return replace(examples.model(examples.layer("a"), tensors=tensors), architecture=None)


@pytest.mark.parametrize(("value", "expected"), [(33.2, False), (0.0, True)])
def test_a_bias_that_no_initializer_draws_shows_training(value, expected):
    artifact, kernels = with_own_head(value), (drawn("a"),)
    never, why = never_trained(artifact, kernels)
    assert never is expected
    assert ("`own/bias_1` has the value 33.2" in why) is not expected
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    assert len(run_rule(rule("MA404"), facts).findings) == expected
    found = diagnose(facts, ()).causes
    assert ("never-loaded" in {each.cause for each in found}) is expected


@pytest.mark.parametrize("bias", [True, None])
def test_no_bias_is_said_to_be_unmoved_that_was_not_looked_at(bias):
    kernels = (drawn("a", bias=bias),)
    artifact = with_own_head(0.5)
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    causes = {each.cause: each for each in diagnose(facts, ()).causes}
    said = " ".join(each.text for each in causes["never-loaded"].evidence)
    assert "bias has moved" not in said
    assert ("none of their biases has moved" in said) is (bias is True)


@pytest.mark.parametrize("first", [0.0, 1e-9])
def test_steps_without_any_gradient_are_told_as_steps(first):
    why, severity, _ = why_initial(adam(("a", first, 0.0), ("b", 0.0, 0.0), steps=128), 0.0)
    assert severity is None
    assert why.startswith("the 128 training steps had no effect" if not first else "the model was")


@pytest.mark.parametrize(("second", "severity"), [(1e-4, "medium"), (1e-36, "low")])
def test_moments_that_faded_in_trained_kernels_tell_nothing(second, severity):
    """Long after the last gradient, Adam's averages are 0 in kernels that it has moved, too."""
    artifact = adam(("a", 0.0, 0.0), ("b", 0.0, second), ("c", 0.1, 1e-4)).artifact
    kernels = (drawn("a"), moved("b"), moved("c"))
    (found,) = left_initial(artifact, kernels)
    assert (found.severity.value, "no gradient" in found.against) == (severity, second > 1e-30)
    # Beside a bias that was trained, a kernel as drawn is nothing then.
    own = replace(drawn("a", bias=False, state="trained"), guessed=True)
    assert bool(left_initial(artifact, (own, *kernels[1:]))) is (second > 1e-30)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (drawn("model/1/last"), True),  # a target network that was never brought up to date
        (moved("model/1/last"), False),  # a body whose head was trained
    ],
)
def test_each_network_of_a_checkpoint_is_judged_by_itself(last, expected):
    bare = replace(model(), architecture=None)
    kernels = [moved(f"model/0/{name}") for name in "abc"]
    kernels += [drawn("model/1/a"), drawn("model/1/b"), last]
    found = left_initial(bare, kernels)
    assert found
    assert {each.against == NETWORK for each in found} == {expected}
    if expected:
        facts = Facts(bare, measurements=Measurements(initialization=tuple(kernels)))
        (finding,) = run_rule(rule("MA405"), facts).findings
        assert finding.severity == "low"
        assert "networks" in finding.detail and "target.set_weights" in finding.fix


@pytest.mark.parametrize("form", [Format.FROZEN_GRAPH, Format.KERAS_ARCHIVE])
def test_a_graph_has_no_load_weights(form):
    facts = rule("MA404").bad()
    facts = replace(facts, artifact=replace(facts.artifact, format=form))
    (found,) = run_rule(rule("MA404"), facts).findings
    assert ("load_weights" in found.fix) is (form is not Format.FROZEN_GRAPH)
    assert ("freeze it again" in found.fix) is (form is Format.FROZEN_GRAPH)


@pytest.mark.parametrize(
    ("slot", "larger"),
    [("accum_update", True), ("accum_var", True), ("accum", False), ("momentum", False)],
)
def test_a_training_of_hardly_any_effect_by_adadelta_needs_a_larger_rate(slot, larger):
    """Its slots tell it where the file names no optimizer, as in a checkpoint."""
    artifact = with_biases(2e-6)
    name = f"a/bias/.OPTIMIZER_SLOT/optimizer/{slot}"
    kept = replace(examples.tensor(name, (4,)), role="optimizer")
    artifact = replace(artifact, tensors=(*artifact.tensors, kept))
    kernels = tuple(drawn(name, bias=False, state="trained") for name in "ab")
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    (found,) = run_rule(rule("MA404"), facts).findings
    assert ("larger learning rate" in found.fix) is larger
    assert ("load_weights" in found.fix) is not larger


@pytest.mark.parametrize(("rate", "larger"), [(0.001, True), (1.0, False)])
def test_adadelta_in_the_config_at_the_rate_of_its_paper_is_no_small_rate(rate, larger):
    artifact = with_biases(2e-6)
    optimizer = {"class_name": "Adadelta", "config": {"learning_rate": rate}}
    artifact = replace(artifact, training={"optimizer_config": optimizer, "loss": "mse"})
    kernels = tuple(drawn(name, bias=False, state="trained") for name in "ab")
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    (found,) = run_rule(rule("MA404"), facts).findings
    assert ("larger learning rate" in found.fix) is larger


@pytest.mark.parametrize(
    ("form", "said", "unsaid"),
    [
        (Format.KERAS_ARCHIVE, "model.save(path)", "save_weights"),
        (Format.WEIGHTS_H5_V3, "model.save_weights(path)", "model.save(path)"),
        (Format.TF2_CHECKPOINT, "tf.train.Checkpoint(model=model).save(path)", "model.save(path)"),
        (Format.SAVEDMODEL_TF1, "in its session", "model.fit"),
        (Format.FROZEN_GRAPH, "freeze it again", "model.fit"),
    ],
)
def test_the_advice_for_a_model_that_was_never_trained_can_be_followed_in_its_format(
    form, said, unsaid
):
    facts = adam(("hidden", 0.0, 0.0), steps=0)
    facts = replace(facts, artifact=replace(facts.artifact, format=form))
    _, _, fix = why_initial(facts, 0.0)
    assert said in fix
    assert unsaid not in fix
