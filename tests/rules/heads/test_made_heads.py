"""Heads and training as layers, settings and stored values show them, each with a sound twin."""

from __future__ import annotations

import importlib
import math
import re

import numpy as np
import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Provenance
from modelaudit.findings import Severity
from modelaudit.measures.summary import Measurements
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train
from tests.rules.test_made_designs import HEAD, dense, found, layer, names

SCORES = dense(5, "linear", name="scores")
ONE = dense(1, "linear", name="score")
BINARY = {"loss": "binary_crossentropy"}


def applied(function, name="op", **kwargs):
    """A function of TensorFlow as Keras 2 saves it."""
    made = layer("TFOpLambda", function=function, name=name)
    return replace(made, call_kwargs=(kwargs,))


@pytest.mark.parametrize("op", [applied("nn.relu"), layer("Relu", name="op")])
def test_an_operation_is_the_activation_that_it_computes(op):
    assert names(found("MA306", ONE, op, training=BINARY), 'activation="sigmoid"') == "medium"
    assert found("MA306", ONE, op, training={"loss": "poisson"}) == []
    again = found("MA307", ONE, op, applied("math.sigmoid", "prob"), training=BINARY)
    assert names(again, "Remove the layer `op`") == "high"
    labels = found("MA307", SCORES, op, applied("math.sigmoid", "prob"), training=BINARY)
    assert names(labels, "Remove the layer `op`") == "high"  # each of them is always a yes
    gates = found("MA307", SCORES, op, applied("math.sigmoid", "prob"), training={"loss": "mse"})
    assert names(gates, "Remove the layer `op`") == "medium"


def test_an_activation_that_is_a_layer_is_removed_as_one():
    softmax, relu = (layer("Softmax", name=x) for x in ("one", "two")), layer("ReLU", name="relu")
    for behind in ([*softmax], [relu, layer("Softmax", name="two")]):
        fix = f"Remove the layer `{behind[0].name}`, then train again."
        assert found("MA307", SCORES, *behind) == [("medium", fix)]
    ((_, fix),) = found("MA307", dense(5, "relu", name="scores"), layer("Softmax", name="one"))
    assert fix.endswith("# in place of `scores`")


def test_the_axis_of_an_operation():
    def softmax(axis):
        steps = replace(SCORES, output_shape=(None, 16, 5))
        op = replace(applied("nn.softmax", axis=axis), output_shape=(None, 16, 5))
        return found("MA306", steps, op)

    assert names(softmax(1), "axis=-1") == "medium"
    assert softmax(-1) == softmax(None) == []


def test_a_layer_of_the_users_own_is_no_operation():
    own = replace(layer("Relu", name="op"), custom=True)
    assert found("MA306", ONE, own, training=BINARY) == []


def test_probabilities_that_are_limited_again():
    tanh = layer("Activation", activation="tanh", name="out")
    one = {"loss": "categorical_crossentropy"}
    assert names(found("MA307", HEAD, tanh, training=one), "Remove the layer `out`") == "medium"
    assert found("MA306", HEAD, tanh, training=one) == []  # said by MA307
    half = layer("ReLU", max_value=0.5, name="half")
    assert names(found("MA307", HEAD, half, training=one), "Remove the layer `half`") == "medium"
    assert found("MA307", HEAD, layer("ReLU", max_value=6.0, name="six"), training=one) == []
    assert found("MA307", SCORES, layer("ReLU", name="relu"), tanh, training={"loss": "mse"}) == []


def test_noise_that_is_larger_than_the_values():
    assert (
        names(found("MA310", layer("GaussianDropout", rate=0.97), HEAD), "0.1 to 0.5") == "medium"
    )
    assert found("MA310", layer("GaussianDropout", rate=0.5), HEAD) == []
    rows = [layer("GaussianDropout", rate=0.8, name=f"noise_{n}") for n in range(3)]
    assert found("MA310", *rows, HEAD) == []  # drops nothing
    inner = {"class_name": "GaussianDropout", "config": {"name": "noise", "rate": 0.95}}
    (said,) = found("MA310", layer("TimeDistributed", layer=inner), HEAD)
    assert said[0] == "medium"
    around = examples.layer("each", "TimeDistributed", {}, {"layer": inner})
    (seen,) = run_rule(rule("MA310"), examples.chain(around, examples.layer("head"))).findings
    assert "multiplies its input by noise" in seen.detail


def test_dropout_behind_probabilities():
    drop = layer("Dropout", rate=0.3, name="drop")
    assert names(found("MA308", HEAD, drop), "Move `drop` before `head`") == "medium"
    assert names(found("MA308", HEAD, drop, training={"loss": "mse"}), "Move `drop`") == "low"
    assert found("MA308", HEAD, layer("Dropout", rate=0.0, name="drop")) == []
    assert found("MA308", HEAD, layer("GaussianNoise", stddev=0.0, name="noise")) == []
    assert found("MA308", HEAD, layer("GaussianNoise", stddev=0.1, name="noise"))


@pytest.mark.parametrize(
    "loss, head, right, severity",
    [
        ("mean_squared_logarithmic_error", ONE, dense(1, "softplus", name="out"), "low"),
        ("categorical_hinge", HEAD, SCORES, "low"),
        (
            {"class_name": "BinaryFocalCrossentropy", "config": {"from_logits": True}},
            dense(1, "sigmoid", name="out"),
            ONE,
            "medium",
        ),
    ],
)
def test_more_losses_and_heads(loss, head, right, severity):
    assert names(found("MA306", head, training={"loss": loss})) == severity
    assert found("MA306", right, training={"loss": loss}) == []


def test_only_maxima_between_layers():
    def body(activation, *hidden):
        sizes = {"kernel_size": [3, 3], "activation": activation}
        convs = [layer("Conv2D", filters=8, name=f"conv_{n}", **sizes) for n in range(2)]
        pools = [layer("MaxPooling2D", name=f"pool_{n}") for n in range(2)]
        return convs[0], pools[0], convs[1], pools[1], layer("Flatten"), *hidden, HEAD

    said = 'activation="relu"'
    assert names(found("MA309", *body("linear")), said) == "low"
    # Nothing at all is between this layer and the next one.
    assert (
        names(found("MA309", *body("linear", dense(24, "linear", name="hidden"))), said) == "medium"
    )
    assert found("MA309", *body("relu", dense(24, "relu", name="hidden"))) == []


def test_accuracy_of_numbers():
    numbers = {"loss": "mse", "metrics": ["accuracy"]}
    assert names(found("MA320", ONE, training=numbers), "mean_absolute_error") == "low"
    assert found("MA320", ONE, training={**numbers, "metrics": ["mae"]}) == []


def test_metrics_of_several_outputs():
    def outputs(metrics):
        first, second = dense(1, "linear", name="price"), dense(1, "sigmoid", name="sold")
        facts = examples.chain(
            first, second, training={"loss": ["mse", "binary_crossentropy"], "metrics": metrics}
        )
        architecture = replace(facts.artifact.architecture, outputs=("price", "sold"))
        artifact = replace(facts.artifact, architecture=architecture)
        findings = run_rule(rule("MA320"), replace(facts, artifact=artifact)).findings
        return re.findall("does not suit `(.*?)`:", " ".join(each.detail for each in findings))

    assert outputs([["accuracy"], ["accuracy"]]) == ["price"]
    assert outputs({"price": ["accuracy"]}) == ["price"]
    assert outputs([["mae"], ["accuracy"]]) == outputs(["accuracy"]) == []


def kernels(fits, outside=0.0, bias=True, route="a", trainable=True):
    tests = {"fits": fits, "ks_p": 0.5, "level": 0.001, "outside": outside}
    tests |= {"bias_initial": bias, "trainable": trainable}
    state = "fresh" if fits and bias else "trained"
    return KernelInitialization(
        route, f"{route}/kernel", "GlorotUniform", state, weights=500, tests=tests
    )


@pytest.mark.parametrize(
    "steps, outside, severity", [(5, 0.01, "medium"), (5, 0.1, "low"), (40, 0.0, "low")]
)
def test_few_steps_and_weights_as_drawn(steps, outside, severity):
    measured = Measurements(initialization=(kernels(outside == 0, outside),))
    (seen,) = run_rule(
        rule("MA432"), adam(("a", 0.1, 0.1), steps=steps, measurements=measured)
    ).findings
    assert str(seen.severity) == severity
    assert ("as their initializers draw" in seen.detail) == (severity == "medium")


def test_a_rate_of_zero_that_left_the_weights_as_drawn():
    def judged(drawn, steps=500):
        measured = Measurements(initialization=(kernels(drawn, 0.0 if drawn else 0.2, drawn),))
        facts = adam(("a", 0.1, 0.1), rate=0.0, steps=steps, measurements=measured)
        (seen,) = run_rule(rule("MA319"), facts).findings
        assert "learning_rate=0.001" in seen.fix
        return str(seen.severity), seen.detail

    severity, detail = judged(drawn=True)
    assert severity == "high" and "500 steps left the weights as they were drawn" in detail
    assert "is 0: 1 step left" in judged(drawn=True, steps=1)[1]
    assert judged(drawn=False)[0] == "low"  # a schedule of the training code may have ended there


def test_a_frozen_inner_head():
    """A head frozen within an inner model, as drawn; and as a trained part of a GAN."""

    def severity(drawn):
        body, kept = dense(8, "relu", name="body"), dense(4, "softmax", name="head/out")
        hidden = replace(dense(8, "relu", name="head/hidden"), trainable=False)
        model = replace(layer("Sequential", name="head"), is_model=True)
        facts = examples.chain(body, hidden, replace(kept, trainable=False), training=BINARY)
        architecture = facts.artifact.architecture
        layers = (architecture.layers[0], model, *architecture.layers[1:])
        artifact = replace(facts.artifact, architecture=replace(architecture, layers=layers))
        first = kernels(False, 0.2, bias=False, route="body")
        rest = (
            kernels(drawn, 0.0 if drawn else 0.2, drawn, f"head/{name}", trainable=False)
            for name in ("hidden", "out")
        )
        measured = Measurements(initialization=(first, *rest))
        facts = replace(facts, artifact=artifact, measurements=measured)
        (seen,) = run_rule(rule("MA321"), facts).findings
        return str(seen.severity)

    assert severity(drawn=True) == "medium"
    assert severity(drawn=False) == "info"


def test_averages_of_an_optimizer_that_are_not_finite():
    def severity(role, shape):
        nan = replace(examples.ORDINARY, nonfinite=2)
        slot = replace(examples.tensor("optimizer/vars/2", shape, nan), role=role)
        facts = Facts(examples.model(examples.layer(), tensors=(slot,)))
        (seen,) = run_rule(rule("MA111"), facts).findings
        assert ("each step of these weights is 0 or NaN" in seen.detail) == bool(shape)
        return str(seen.severity)

    assert severity("optimizer", (4, 2)) == "medium"
    assert severity("optimizer", ()) == "low"  # a record of the training loop, or a loss scale


def test_a_normalization_that_was_never_adapted():
    def severity(*before):
        names = {"mean": "norm/mean", "variance": "norm/variance"}
        norm = replace(layer("Normalization", name="norm"), variables=names)
        facts = examples.chain(layer("InputLayer", name="given"), *before, norm, HEAD)
        stats = [replace(examples.ORDINARY, minimum=x, maximum=x, mean=x, std=0.0) for x in (0, 1)]
        tensors = [
            examples.tensor(name, (3,), each)
            for name, each in zip(names.values(), stats, strict=True)
        ]
        artifact = replace(facts.artifact, tensors=tuple(tensors))
        (seen,) = run_rule(rule("MA313"), replace(facts, artifact=artifact)).findings
        return str(seen.severity)

    assert severity() == "medium"
    assert severity(layer("Rescaling", scale=1 / 255)) == "low"


@pytest.mark.parametrize("activation, severity", [("sigmoid", "medium"), ("tanh", "medium")])
def test_gradients_that_vanish_in_a_long_row_of_layers(activation, severity):
    """From layer to layer: a single small one is low."""
    facts = adam(*((f"dense_{n}", 0.1, 100.0 ** (0.6 * (n - 9))) for n in range(9)))
    layers = [
        replace(x, config={"units": 2, "activation": activation if n < 8 else "linear"})
        for n, x in enumerate(facts.artifact.architecture.layers)
    ]
    linked = [
        replace(x, inbound=((layers[n - 1].route,),)) if n else x for n, x in enumerate(layers)
    ]
    architecture = replace(facts.artifact.architecture, layers=tuple(linked))
    facts = replace(facts, artifact=replace(facts.artifact, architecture=architecture))
    (seen,) = run_rule(rule("MA434"), facts).findings
    assert str(seen.severity) == severity


@pytest.fixture(scope="module")
def keras():
    return importlib.import_module("keras")


@pytest.mark.slow
def test_attention_as_keras_draws_it(keras, tmp_path):
    """Keras 3.15 counts the contracted axes of the kernels of attention as their inputs."""

    def codes(name, step):
        keras.utils.set_random_seed(3)
        given = keras.Input((12, 16))
        x = keras.layers.MultiHeadAttention(2, 8)(given, given)
        x = keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(32, activation="relu")(x))
        model = keras.Model(given, keras.layers.Dense(4, activation="softmax")(x))
        model.compile("adam", "sparse_categorical_crossentropy")
        rng = np.random.default_rng(0)
        for weight in model.weights:
            value = np.asarray(weight)
            weight.assign(value + step * rng.normal(size=value.shape))
        model.save(tmp_path / name)
        facts = static_facts(tmp_path / name, Settings())
        return {code for code in ("MA404", "MA405") if run_rule(rule(code), facts).findings}

    assert codes("drawn.keras", 0.0) == {"MA404"}
    assert codes("trained.keras", 0.1) == set()


@pytest.mark.slow
def test_operations_as_keras_saves_them(keras, tmp_path):
    """The same findings as for the layers that compute the same."""

    def codes(name, activation):
        given = keras.Input((8,))
        x = keras.layers.Dense(16, activation="relu")(given)
        model = keras.Model(given, activation(keras.layers.Dense(1)(x)))
        model.compile("adam", "binary_crossentropy")
        train(model, np.random.rand(32, 8), np.ones((32, 1)), steps=1)
        model.save(tmp_path / name)
        facts = static_facts(tmp_path / name, Settings())
        return {c for c in ("MA305", "MA306") if run_rule(rule(c), facts).findings}

    for end in ("h5", "keras"):
        assert codes(f"softmax.{end}", keras.ops.softmax) == {"MA305"}
        assert codes(f"tanh.{end}", keras.ops.tanh) == {"MA306"}
        assert codes(f"sigmoid.{end}", keras.ops.sigmoid) == set()


def test_the_noise_of_gaussian_dropout():
    """As in `keras.layers.GaussianDropout`: the square root of rate / (1 - rate)."""
    facts = examples.chain(layer("GaussianDropout", rate=0.9, name="noise"), HEAD)
    (seen,) = run_rule(rule("MA310"), facts).findings
    assert f"{math.sqrt(0.9 / 0.1):.2g} in training" in seen.detail


@pytest.mark.parametrize(
    ("keras", "severity"),
    [("2.15.0", Severity.LOW), ("2.4.0", Severity.MEDIUM), ("3.5.0", Severity.MEDIUM)],
)
def test_keras_2_trained_on_the_scores_before_a_softmax(keras, severity):
    """Its losses look for them, whatever `from_logits` says, so the weights are those meant."""
    loss = {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}
    facts = examples.chain(dense(5, "softmax", name="head"), training={"loss": loss})
    slot = replace(examples.tensor("optimizer/vars/2", (4, 2)), role="optimizer")
    artifact = replace(
        facts.artifact, tensors=(*facts.artifact.tensors, slot), provenance=Provenance(keras=keras)
    )
    (finding,) = run_rule(rule("MA306"), replace(facts, artifact=artifact)).findings
    assert finding.severity is severity
    assert ("The weights may stay" in finding.fix) is (severity is Severity.LOW)


@pytest.mark.parametrize(("between", "times"), [((), math.e), (("exponential",) * 3, 1e304)])
def test_a_second_softmax_over_an_unknown_number_of_classes(between, times):
    """Scores between 0 and 1 differ by 1 at most; exponentials of them by more than a float has."""
    steps = [("Activation", {"activation": each}) for each in (*between, "relu", "softmax")]
    found = run_rule(rule("MA307"), example_head("sigmoid", None, None, *steps)()).findings
    (finding,) = [each for each in found if "softmax" in each.evidence["measured"]]
    assert f"no class gets more than {times:.2g} times what another gets" in finding.detail
