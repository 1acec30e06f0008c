"""Sigmoids whose score has one sign, and their sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules import one_sided_heads
from tests.made.training import train
from tests.rules.saved import codes, found, sequential

RULES = one_sided_heads.RULES
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
BINARY = "binary_crossentropy"


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def limited(k, *, units=1, **more):
    given = {"use_bias": False, "kernel_constraint": k.constraints.NonNeg(), **more}
    return k.layers.Dense(units, given.pop("activation", "sigmoid"), **given)


def test_weights_that_cannot_be_negative_behind_a_relu(k, tmp_path):
    """Training keeps every answer above 0.5; with a bias, or in front of a tanh, it does not."""
    layers = k.layers
    high = [("MA329", "high")]
    body = [layers.Dense(8, "relu"), layers.Dropout(0.2)]
    for head, loss, expected in (
        (limited(k), BINARY, high),
        (limited(k, units=3), BINARY, high),
        (limited(k), "mse", [("MA329", "low")]),
        (limited(k, use_bias=True), BINARY, []),
        (limited(k, kernel_constraint=None), BINARY, []),
        (limited(k, activation="linear"), "mse", []),
        (limited(k, units=3, activation="softmax"), "categorical_crossentropy", []),
    ):
        model = sequential(k, (6,), *body, head, loss=loss)
        kernel = np.random.default_rng(0).normal(size=(8, head.units))
        kernel = np.abs(kernel) if head.kernel_constraint else kernel
        head.set_weights([kernel, np.full(head.units, -1.0)][: len(head.get_weights())])
        assert codes(RULES, model, tmp_path) == expected, (head.get_config(), loss)
    for before, expected in (
        ([layers.Dense(8, "tanh")], []),
        ([layers.Dense(8, "relu"), layers.BatchNormalization()], []),
        ([layers.Dense(8), layers.LeakyReLU()], []),
        ([layers.Dense(8), layers.Activation("softplus")], high),
        (
            [
                layers.Reshape((6, 1)),
                layers.Conv1D(8, 3, activation="relu"),
                layers.GlobalMaxPooling1D(),
            ],
            high,
        ),
        ([layers.Reshape((6, 1)), layers.GRU(8)], []),
        ([], []),
    ):
        assert (
            codes(RULES, sequential(k, (6,), *before, limited(k), loss=BINARY), tmp_path)
            == expected
        )
    model = sequential(k, (6,), *body, limited(k, activation=None), layers.Activation("sigmoid"))
    assert codes(RULES, model, tmp_path) == [("MA329", "low")]
    (only,) = found(RULES, tmp_path / "model.keras")
    assert 'Dense(1, activation="sigmoid", name=' in only.fix


def test_what_training_can_do_with_such_a_head(k):
    """At the usual limit it says yes to all; its twin with a bias learns."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(256, 6)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    answers = {}
    for bias in (False, True):
        k.utils.set_random_seed(0)
        head = limited(k, use_bias=bias)
        model = sequential(
            k,
            (6,),
            k.layers.Dense(16, "relu"),
            head,
            loss=BINARY,
            optimizer=k.optimizers.Adam(0.02),
        )
        train(model, x, y, epochs=20)
        p = np.asarray(model(x))
        answers[bias] = p.min(), np.mean((p > 0.5) == y)
    assert answers[False][0] >= 0.5
    assert answers[True][0] < 0.5 and answers[True][1] > 0.9


@pytest.mark.parametrize(("sign", "side"), [(1, "less"), (-1, "more")])
def test_stored_weights_of_one_sign(k, tmp_path, sign, side):
    """As a sum over features shows: the answer of the saved model is the same for all inputs."""
    layers = k.layers
    rng = np.random.default_rng(2)
    kernel = sign * rng.uniform(0.01, 1.0, (8, 1))

    def saved(kernel, bias, *, skip=False, loss=BINARY):
        given = layers.Input((6,))
        features = layers.Dense(8, "relu")(given)
        features = layers.Add()([features, layers.Dense(8)(given)]) if skip else features
        head = layers.Dense(1, "sigmoid")
        model = k.Model(given, head(features))
        model.compile("adam", loss)
        head.set_weights([kernel, np.array([bias])])
        return model

    one = saved(kernel, 0.3 * sign)
    answers = np.asarray(one(rng.normal(scale=9, size=(500, 6))))
    assert np.all(answers >= 0.5) if sign > 0 else np.all(answers <= 0.5)
    assert codes(RULES, one, tmp_path) == [("MA329", "medium")]
    (only,) = found(RULES, tmp_path / "model.keras")
    assert f"never gives {side} than 0.5" in only.detail
    mixed = kernel.copy()
    mixed[3] *= -1
    for twin in (
        saved(mixed, 0.3 * sign),
        saved(kernel, -0.3 * sign),
        saved(kernel, 0.3 * sign, skip=True),
        saved(np.full_like(kernel, sign), 0.0),  # one value: MA406 tells of it
    ):
        assert codes(RULES, twin, tmp_path) == []
