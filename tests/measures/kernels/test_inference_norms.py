"""Networks trained without `training=True`, told from those that lost their statistics."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from modelaudit.findings import Outcome, Severity
from modelaudit.formats.reader import read
from modelaudit.measures.kernels.inference_norms import trained_at_inference
from modelaudit.measures.measure import measure
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from tests.made.training import train

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)
X = RNG.normal(size=(512, 8, 8, 3)).astype("float32")
Y = (X.mean(axis=(1, 2)) @ [3.0, -2.0, 1.0] + 1.0).astype("float32")[:, None]


def network(keras, bias=0.0):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, bias_initializer=keras.initializers.Constant(bias)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(8, 3, bias_initializer=keras.initializers.Constant(bias)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1),
        ]
    )


def by_hand(keras, tf, bias):
    """Trained as reinforcement learning does, without telling the layers that this is training."""
    model, optimizer = network(keras, bias), keras.optimizers.Adam(0.01)
    for start in range(0, 512 * 4, 64):
        rows = slice(start % 512, start % 512 + 64)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(X[rows]) - Y[rows]))
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    return model


def lost(keras, tf, bias):
    """Trained by fit, then only the trainable weights were restored."""
    trained = network(keras, bias)
    trained.compile(keras.optimizers.Adam(0.01), "mse")
    train(trained, X, Y, batch=64, epochs=4)
    model = network(keras)
    for variable, value in zip(model.trainable_variables, trained.trainable_variables, strict=True):
        variable.assign(value)
    return model


@pytest.mark.parametrize(
    ("bias", "forms"), [(0.0, ("m.keras", "m.h5", "export")), (0.1, ("m.keras",))]
)
@pytest.mark.parametrize(("make", "sound"), [(by_hand, True), (lost, False)])
def test_biases_before_normalizations_move_only_without_batch_statistics(
    tmp_path: Path, make, sound, bias, forms
) -> None:
    tf, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
    model = make(keras, tf, bias)
    for form in forms:
        path = tmp_path / form
        model.export(path, verbose=False) if form == "export" else model.save(path)
        artifact = read(path, Limits())
        assert trained_at_inference(artifact) is sound, form
        facts = Facts(artifact, measurements=measure(artifact))
        result = run_rule(rule("MA401"), facts)
        assert [f.severity for f in result.findings] == [Severity.LOW if sound else Severity.HIGH]
        assert result.outcome is Outcome.FAIL


@pytest.mark.parametrize("loss", ["mse", None, "never compiled"])
def test_statistics_without_biases_before_them(tmp_path: Path, loss: str | None) -> None:
    """An activation in between: only `fit` of Keras' own model shows that statistics were lost.

    Without a loss, the program calls the optimizer itself, in a loop with or without training=True.
    """
    fitted = loss == "mse"
    keras, path = importlib.import_module("keras"), tmp_path / "m.keras"
    norm = keras.layers.BatchNormalization()
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(8, activation="elu"), norm, keras.layers.Dense(1)]
    )
    if loss != "never compiled":
        model.compile("adam", loss)
        slopes = [np.ones(each.shape, "float32") for each in model.trainable_variables]
        for _ in range(3):
            model.optimizer.apply(slopes, model.trainable_variables)
    norm.gamma.assign(np.linspace(0.5, 1.5, 8))
    norm.moving_mean.assign(np.zeros(8))
    norm.moving_variance.assign(np.ones(8))
    model.save(path)
    artifact = read(path, Limits())
    facts = Facts(artifact, measurements=measure(artifact))
    (finding,) = run_rule(rule("MA401"), facts).findings
    assert finding.severity is (Severity.HIGH if fitted else Severity.LOW)
    assert ("the file does not tell" in finding.detail) is not fitted


@pytest.mark.parametrize("frozen", [False, True])
def test_statistics_of_a_frozen_body_say_nothing_about_a_new_head(tmp_path: Path, frozen) -> None:
    """The body brought them; a loop without training=True trains the head on 0 and 1."""
    keras, path = importlib.import_module("keras"), tmp_path / "m.keras"
    layers = keras.layers
    body, head = layers.BatchNormalization(name="body"), layers.BatchNormalization(name="head")
    steps = [keras.Input((8,)), body, layers.Dense(8, "elu"), head, layers.Dense(1)]
    model = keras.Sequential(steps)
    body.moving_mean.assign(np.linspace(0.5, 1.5, 8))
    body.moving_variance.assign(np.linspace(0.5, 2.0, 8))
    head.gamma.assign(np.linspace(0.5, 1.5, 8))
    body.trainable = not frozen
    model.save(path)
    artifact = read(path, Limits())
    facts = Facts(artifact, measurements=measure(artifact))
    (finding,) = run_rule(rule("MA401"), facts).findings
    assert finding.severity is (Severity.LOW if frozen else Severity.HIGH)


@pytest.mark.parametrize(("inference", "severity"), [(False, Severity.LOW), (True, Severity.HIGH)])
def test_a_graph_that_normalises_by_the_batch_lost_nothing(tmp_path: Path, inference, severity):
    """TensorFlow 1, whose averages are updated only by a program that asks for it."""
    tf = importlib.import_module("tensorflow")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 8], "x")
        kept = {
            name: v1.get_variable(f"norm/{name}", [8], initializer=start, trainable=False)
            for name, start in (
                ("moving_mean", v1.zeros_initializer()),
                ("moving_variance", v1.ones_initializer()),
            )
        }
        beta = v1.get_variable("norm/beta", [8], initializer=v1.random_normal_initializer())
        mean, variance = tf.nn.moments(x, [0])
        v1.assign_sub(kept["moving_mean"], 0.1 * (kept["moving_mean"] - mean))
        v1.assign_sub(kept["moving_variance"], 0.1 * (kept["moving_variance"] - variance))
        if inference:
            mean, variance = kept.values()
        tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, beta, None, 1e-3), name="y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    artifact = read(tmp_path / "model.ckpt", Limits())
    facts = Facts(artifact, measurements=measure(artifact))
    assert [f.severity for f in run_rule(rule("MA401"), facts).findings] == [severity]
