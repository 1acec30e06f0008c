"""Batch normalizations of which one of two moving statistics is as before training."""

from __future__ import annotations

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
HIGH, LOW = Severity.HIGH, Severity.LOW


def saved(path, change, *, affine=True, steps=20, inputs=1.0, trainable=True, compiled=True):
    """Facts of a model whose layer `norm` was trained for these steps, then changed."""
    import keras

    layers = keras.layers
    draw = np.random.default_rng(2)
    x, y = draw.normal(1, 2, (64, 6)) * inputs, draw.integers(0, 3, 64)
    norm = layers.BatchNormalization(scale=affine, center=affine, name="norm", trainable=trainable)
    head = layers.Dense(3, activation="softmax", name="head")
    model = keras.Sequential([keras.Input((6,)), norm, layers.Dense(32, activation="relu"), head])
    model.compile("adam", "sparse_categorical_crossentropy")
    train(model, x.astype("float32"), y, steps=steps)
    change(norm)
    file = path / ("m.keras" if compiled else "m.weights.h5")
    model.save(file) if compiled else model.save_weights(file)
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
    assert severities(saved(tmp_path, lambda norm: None, inputs=0.0)) == []


@pytest.mark.parametrize("steps", [20, 0])
def test_a_scaler_that_a_program_set(tmp_path, steps):
    """A layer without gamma and beta that no step has changed."""

    def scaler(norm):
        norm.set_weights([np.zeros(6, "float32"), np.arange(1, 7, dtype="float32")])

    kept = {"affine": False, "steps": steps, "trainable": steps == 0}
    assert severities(saved(tmp_path, scaler, **kept)) == [(LOW, "norm")]


def test_weights_alone_show_it_by_gamma(tmp_path):
    found = severities(saved(tmp_path, put(-2, 0), compiled=False))
    assert [severity for severity, _ in found] == [HIGH]


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
