"""Batch normalizations in front of which every input was the same, as Keras trains them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = pytest.mark.slow


def said(path, scale, *, shortcut=False, momentum=0.99, steps=60, initial="ones", batch=32):
    import keras

    layers = keras.layers
    draw = np.random.default_rng(2)
    x, y = draw.random((64, 6)) * scale, draw.integers(0, 3, 64)
    given = keras.Input((6,))
    inner = layers.Dense(8, use_bias=False)(given)
    norm = layers.BatchNormalization(
        momentum=momentum, name="norm", moving_variance_initializer=initial
    )(inner)
    hidden = layers.Dense(8, activation="relu")(norm)
    if shortcut:
        hidden = layers.Concatenate()([hidden, given])
    model = keras.Model(given, layers.Dense(3, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    train(model, x.astype("float32"), y, steps=steps, batch=batch)
    model.save(path / "m.keras")
    found = run_rule(rule("MA439"), static_facts(path / "m.keras", Settings())).findings
    return [(str(x.severity), x.detail) for x in found if x.location.route == "norm"]


@pytest.mark.parametrize(("momentum", "steps"), [(0.99, 60), (0.9, 40)])
def test_inputs_that_were_scaled_twice(tmp_path, momentum, steps):
    ((severity, detail),) = said(tmp_path, 1 / 255**2, momentum=momentum, steps=steps)
    assert severity == "high"
    assert f"what {steps} steps leave" in detail and "scaled twice" in detail


def test_inputs_that_reach_the_output_around_it(tmp_path):
    assert [each[0] for each in said(tmp_path, 1 / 255**2, shortcut=True)] == ["medium"]


def test_inputs_that_differ(tmp_path):
    assert said(tmp_path, 1e-2) == []


def test_a_variance_that_starts_elsewhere(tmp_path):
    assert said(tmp_path, 1 / 255**2, initial="zeros") == []


@pytest.mark.parametrize(("batch", "said_so"), [(1, True), (2, False)])
def test_batches_of_one_input(tmp_path, batch, said_so):
    found = said(tmp_path, 1, batch=batch)
    assert ["each batch is one input" in detail for _, detail in found] == [True] * said_so


@pytest.mark.parametrize(
    ("optimizer", "momentum", "steps"), [("sgd", 0.99, 90), ("adam", 0.9, 200), ("adam", 0.9, 900)]
)
def test_nothing_else_is_said_of_batches_of_one_input(keras, tmp_path, optimizer, momentum, steps):
    """Behind beta, which is 0, a ReLU passes no gradient: only the last bias moves."""
    layers = keras.layers
    draw = np.random.default_rng(2)
    x, y = draw.random((64, 6)).astype("float32"), draw.integers(0, 2, 64)
    given = keras.Input((6,))
    hidden = layers.Dense(24, activation="relu")(given)
    norm = layers.BatchNormalization(momentum=momentum)(layers.Dense(8)(hidden))
    model = keras.Model(given, layers.Dense(1, activation="sigmoid")(layers.ReLU()(norm)))
    chosen = keras.optimizers.SGD(0.01, momentum=0.9) if optimizer == "sgd" else "adam"
    model.compile(chosen, "binary_crossentropy")
    train(model, x, y, steps=steps, batch=1)
    model.save(tmp_path / "m.keras")
    codes = ("MA404", "MA405", "MA433", "MA434", "MA437", "MA439")
    facts = static_facts(tmp_path / "m.keras", Settings())
    findings = [x for code in codes for x in run_rule(rule(code), facts).findings]
    assert [x.code for x in findings] == ["MA439"]
    assert "batch_size=32" in findings[0].fix and "one input" in findings[0].title


def test_a_single_value_for_all_inputs(tmp_path):
    """Inputs of 0 leave means of 0, which batches of one input do not."""
    ((_, detail),) = said(tmp_path, 0)
    assert "one input" not in detail


@pytest.mark.parametrize(("batch", "told"), [(1, True), (8, False)])
def test_an_export_of_a_training_with_batches_of_one_input(keras, tmp_path, batch, told):
    layers = keras.layers
    draw = np.random.default_rng(2)
    x, y = draw.random((64, 6)).astype("float32"), draw.integers(0, 3, 64)
    norm = layers.BatchNormalization()(layers.Dense(8)(given := keras.Input((6,))))
    model = keras.Model(given, layers.Dense(3, activation="softmax")(layers.ReLU()(norm)))
    model.compile("adam", "sparse_categorical_crossentropy")
    train(model, x, y, steps=70, batch=batch)
    model.export(tmp_path / "exported", verbose=False)
    found = run_rule(rule("MA439"), static_facts(tmp_path / "exported", Settings())).findings
    assert ["70 steps" in each.detail for each in found] == [True] * told
