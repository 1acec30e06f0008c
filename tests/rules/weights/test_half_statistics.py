"""Batch normalizations of which one of two moving statistics is as before training."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseExcluded, CauseFound
from modelaudit.diagnosis.steps.weight import statistics_lost
from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = pytest.mark.slow
HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


def saved(
    path,
    change,
    *,
    affine=True,
    steps=20,
    inputs=1.0,
    trainable=True,
    compiled=True,
    first=False,
    columns=6,
):
    """Facts of a model whose layer `norm` was trained for these steps, then changed.

    It is the `first` layer, or behind one with weights.
    """
    import keras

    layers = keras.layers
    draw = np.random.default_rng(2)
    x, y = draw.normal(1, 2, (64, columns)) * inputs, draw.integers(0, 3, 64)
    norm = layers.BatchNormalization(scale=affine, center=affine, name="norm", trainable=trainable)
    head = layers.Dense(3, activation="softmax", name="head")
    before = [] if first else [layers.Dense(6, activation="tanh")]
    hidden = layers.Dense(32, activation="relu")
    model = keras.Sequential([keras.Input((columns,)), *before, norm, hidden, head])
    model.compile("adam", "sparse_categorical_crossentropy")
    train(model, x.astype("float32"), y, steps=steps)
    change(norm)
    file = path / ("m.keras" if compiled else "m.weights.h5")
    if compiled:
        model.save(file)
    else:  # `save_weights` would save the optimizer as well
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        copy.save_weights(file)
    return static_facts(file, Settings())


def put(place, value):
    """Set one of gamma, beta, mean and variance, counted from the end."""

    def change(norm):
        values = norm.get_weights()
        values[place] = np.full_like(values[place], value)
        norm.set_weights(values)

    return change


def severities(facts):
    found = run_rule(rule("MA401"), facts).findings
    return [(each.severity, each.location.route) for each in found]


@pytest.mark.parametrize(("place", "start", "word"), [(-2, 0, "mean"), (-1, 1, "variance")])
@pytest.mark.parametrize("affine", [True, False])
def test_one_of_two_statistics_was_lost(tmp_path, place, start, word, affine):
    facts = saved(tmp_path, put(place, start), affine=affine)
    assert severities(facts) == [(HIGH, "norm")]
    (finding,) = run_rule(rule("MA401"), facts).findings
    assert f"the moving {word} is {start} in all 6 channels" in finding.detail
    assert isinstance(statistics_lost(Case(facts, ())), CauseFound)


@pytest.mark.parametrize("value", [(-2, 0.5), (-1, 2)])
def test_statistics_of_one_other_value_are_those_of_equal_inputs(tmp_path, value):
    assert severities(saved(tmp_path, put(*value))) == []


def test_sound_statistics(tmp_path):
    facts = saved(tmp_path, lambda norm: None)
    assert severities(facts) == []
    assert isinstance(statistics_lost(Case(facts, ())), CauseExcluded)


def test_inputs_of_zero_leave_a_mean_of_zero(tmp_path):
    """As Keras trains it: the variance falls alike in all channels."""
    assert severities(saved(tmp_path, lambda norm: None, inputs=0.0, first=True)) == []


@pytest.mark.parametrize("steps", [20, 0])
def test_a_scaler_that_a_program_set(tmp_path, steps):
    """A layer without gamma and beta that no step has changed."""

    def scaler(norm):
        norm.set_weights([np.zeros(6, "float32"), np.arange(1, 7, dtype="float32")])

    kept = {"affine": False, "steps": steps, "trainable": steps == 0}
    assert severities(saved(tmp_path, scaler, **kept)) == [(LOW, "norm")]


def test_weights_alone_show_it_by_gamma(tmp_path):
    found = severities(saved(tmp_path, put(-2, 0), compiled=False))
    assert [severity for severity, _ in found] == [MEDIUM]


@pytest.mark.parametrize(("place", "start", "severity"), [(-2, 0, LOW), (-1, 1, HIGH)])
def test_a_lost_mean_at_the_inputs_may_be_that_of_centred_data(tmp_path, place, start, severity):
    facts = saved(tmp_path, put(place, start), first=True)
    assert severities(facts) == [(severity, "norm")]


def test_a_lost_mean_of_many_inputs_is_that_of_no_design(tmp_path):
    assert severities(saved(tmp_path, put(-2, 0), first=True, columns=16)) == [(HIGH, "norm")]


@pytest.mark.parametrize("reshaped", [False, True])
def test_a_designed_experiment_is_centred_exactly(tmp_path, reshaped):
    """A central composite design, in one batch: each factor takes values of both signs alike."""
    import keras

    corners = np.array(list(product([-1.0, 1.0], repeat=3)))
    axes = np.concatenate([1.75 * np.eye(3), -1.75 * np.eye(3)])
    x = (np.concatenate([corners, axes, np.zeros((2, 3))]) * [1, 2, 4]).astype("float32")
    layers = keras.layers
    norm = layers.BatchNormalization(name="norm")
    shaped = [layers.Reshape((1, 3)), layers.Flatten()] if reshaped else []
    hidden = layers.Dense(16, activation="tanh")
    model = keras.Sequential([keras.Input((3,)), *shaped, norm, hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    train(model, x, (x**2).sum(1, keepdims=True) / 10, batch=16, steps=60)
    assert not norm.moving_mean.numpy().any()  # as trained
    model.save(tmp_path / "m.keras")
    facts = static_facts(tmp_path / "m.keras", Settings())
    assert severities(facts) == [(LOW, "norm")]
    (finding,) = run_rule(rule("MA401"), facts).findings
    assert "centred exactly" in finding.detail
    assert isinstance(statistics_lost(Case(facts, ())), CauseExcluded)


def test_a_converter_that_folds_the_mean(tmp_path):
    """The outputs stay the same, so the statistics were not lost."""
    import keras

    layers = keras.layers
    draw = np.random.default_rng(3)
    x = draw.normal(size=(256, 6)).astype("float32")
    norm, head = layers.BatchNormalization(name="norm"), layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((6,)), layers.Dense(16, activation="relu"), norm, head])
    model.compile("adam", "binary_crossentropy")
    train(model, x, (x[:, :1] > 0).astype("float32"), steps=40)
    before = model(x).numpy()
    gamma, beta, mean, variance = norm.get_weights()
    shift = gamma * mean / np.sqrt(variance + norm.epsilon)
    norm.set_weights([gamma, beta - shift, 0 * mean, variance])
    assert np.allclose(model(x).numpy(), before, atol=1e-5)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.save(tmp_path / "m.keras")
    facts = static_facts(tmp_path / "m.keras", Settings())
    assert severities(facts) == [(MEDIUM, "norm")]
    (finding,) = run_rule(rule("MA401"), facts).findings
    assert "a converter folded it" in finding.detail


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [Severity.HIGH]),
        ({"compiled": False}, [Severity.LOW]),  # by a program without `training=True`, perhaps
        ({"trainable": False}, [Severity.LOW]),
    ],
)
def test_both_statistics_of_a_layer_without_gamma_and_beta(tmp_path, given, expected):
    """The optimizer has made steps, and `fit` updates them in each."""

    def reset(norm):
        norm.set_weights([np.zeros(6, "float32"), np.ones(6, "float32")])

    found = run_rule(rule("MA402"), saved(tmp_path, reset, affine=False, **given)).findings
    assert [each.severity for each in found] == expected


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("training", [False, None])
def test_layers_of_keras_2_that_are_called_for_inference(tmp_path, training, affine, nested):
    """`fit` leaves their statistics as they are, and trains gamma and beta with them."""
    keras = pytest.importorskip("tf_keras")
    layers = keras.layers
    norm = layers.BatchNormalization(scale=affine, center=affine, name="norm")
    if nested:
        inner = keras.Input((6,))
        norm = keras.Model(inner, norm(inner), name="base")
    given = keras.Input((6,))
    hidden = layers.Dense(32, activation="relu")(norm(given, training=training))
    model = keras.Model(given, layers.Dense(3, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    draw = np.random.default_rng(2)
    model.fit(draw.normal(1, 2, (64, 6)), draw.integers(0, 3, 64), epochs=4, verbose=0)
    model.save(tmp_path / "m.h5")
    facts = static_facts(tmp_path / "m.h5", Settings())
    states = facts.measurements.batchnorm
    assert [each.statistics_initial for each in states] == [training is False]
    found = [x for code in ("MA401", "MA402") for x in run_rule(rule(code), facts).findings]
    wanted = [] if training is None else [Severity.INFO if affine else Severity.LOW]
    assert [each.severity for each in found] == wanted
    assert isinstance(statistics_lost(Case(facts, ())), CauseExcluded) or not affine


@pytest.mark.parametrize("training", [True, False])
def test_a_training_loop_that_calls_the_model_for_inference(tmp_path, training):
    """Without `training=True`, gamma and beta learn with the statistics of before the training."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    draw = np.random.default_rng(2)
    x = draw.normal(1, 2, (320, 6)).astype("float32")
    y = (x[:, 0] > 1).astype(int) + (x[:, 1] > 1)
    layers = keras.layers.Dense(16), keras.layers.BatchNormalization(name="norm")
    end = keras.layers.ReLU(), keras.layers.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((6,)), *layers, *end])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    for _ in range(12):
        for at in range(0, 320, 32):
            with tf.GradientTape() as tape:
                given = model(x[at : at + 32], training=training)
                loss = keras.losses.sparse_categorical_crossentropy(y[at : at + 32], given)
            weights = model.trainable_variables
            model.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    model.save(tmp_path / "m.keras")
    found = run_rule(rule("MA401"), static_facts(tmp_path / "m.keras", Settings())).findings
    assert [str(each.severity) for each in found] == ["low"] * (not training)
    assert all("outputs = model(x, training=True)" in each.fix for each in found)
    assert all("would change the answers" in each.fix for each in found)
