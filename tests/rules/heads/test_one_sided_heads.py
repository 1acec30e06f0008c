"""Sigmoids whose score has one sign, and their sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from modelaudit.rules.heads import one_sided_heads
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
    """Training keeps every answer at 0.5 or above; with a bias, or behind a tanh, it does not."""
    layers = k.layers
    medium = [("MA329", "medium")]
    body = [layers.Dense(8, "relu"), layers.Dropout(0.2)]
    for head, loss, expected in (
        (limited(k), BINARY, medium),
        (limited(k, units=3), BINARY, medium),
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
        ([layers.Dense(8), layers.Activation("softplus")], medium),
        (
            [
                layers.Reshape((6, 1)),
                layers.Conv1D(8, 3, activation="relu"),
                layers.GlobalMaxPooling1D(),
            ],
            medium,
        ),
        ([layers.Dense(8, "sigmoid"), layers.Dropout(0.5)], medium),
        ([layers.Dense(8, layers.ReLU())], medium),
        ([layers.Dense(8, layers.ReLU(negative_slope=0.3))], []),
        (
            [
                layers.Dense(16, "relu"),
                layers.Reshape((4, 4, 1)),
                layers.UpSampling2D(interpolation="bicubic"),
                layers.Flatten(),
            ],
            [],
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


@pytest.mark.parametrize("between", ["BatchNormalization", "Rescaling"])
def test_sums_that_something_shifts_before_the_sigmoid(k, tmp_path, between):
    layers = k.layers
    shift = layers.Rescaling(1.0, -9.0) if between == "Rescaling" else layers.BatchNormalization()
    body = layers.Dense(8, "softplus"), limited(k, activation=None)
    model = sequential(k, (6,), *body, shift, layers.Activation("sigmoid"), loss=BINARY)
    if between != "Rescaling":
        shift.set_weights([np.ones(1), np.full(1, -9.0), np.zeros(1), np.ones(1)])
    assert np.asarray(model(np.zeros((1, 6)))).min() < 0.5
    assert codes(RULES, model, tmp_path) == []


def test_what_training_can_do_with_such_a_head(k):
    """No answer is below 0.5, but a no can be 0.5 itself; its twin with a bias gives less."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(256, 6)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    answers = {}
    for name, body, bias in (
        ("relu", [k.layers.Dense(16, "relu"), k.layers.Dense(16, "relu")], False),
        ("bias", [k.layers.Dense(16, "relu")], True),
    ):
        k.utils.set_random_seed(0)
        head, adam = limited(k, use_bias=bias), k.optimizers.Adam(0.02)
        model = sequential(k, (6,), *body, head, loss=BINARY, optimizer=adam)
        train(model, x, y, epochs=40)
        p = np.asarray(model(x))
        answers[name] = p.min(), np.mean((p > 0.5) == y)
    assert answers["relu"][0] == 0.5 and answers["relu"][1] > 0.9
    assert answers["bias"][0] < 0.5 and answers["bias"][1] > 0.9


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
    assert ("one answer" in only.detail) is bool(np.all(answers > 0.5) or np.all(answers <= 0.5))
    assert codes(RULES, saved(kernel, 0.0), tmp_path) == [
        ("MA329", "low" if sign > 0 else "medium")  # a score of 0 is no yes
    ]
    mixed = kernel.copy()
    mixed[3] *= -1
    for twin in (
        saved(mixed, 0.3 * sign),
        saved(kernel, -0.3 * sign),
        saved(kernel, 0.3 * sign, skip=True),
        saved(np.full_like(kernel, sign), 0.0),  # one value: MA406 tells of it
    ):
        assert codes(RULES, twin, tmp_path) == []


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_weights_that_all_went_to_the_side_of_the_bias(k, momentum, tmp_path):
    """Of labels of one class, by an optimizer that keeps nothing, or what has faded."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")

    def told(labels):
        k.utils.set_random_seed(0)
        body = (k.layers.Dense(64, "relu"), k.layers.Dense(1, "sigmoid"))
        optimizer = k.optimizers.SGD(0.1, momentum=momentum)
        model = sequential(k, (8,), *body, loss="binary_crossentropy", optimizer=optimizer)
        train(model, x, labels.astype("float32")[:, None], steps=200)
        model.save(tmp_path / "m.keras")
        return [(x.severity.value, x.title) for x in found([rule("MA439")], tmp_path / "m.keras")]

    title = "Nearly all errors of training were of one sign"
    if momentum:  # whose averages may tell it as well
        title = "The last labels of training were of one class, or nearly"
    assert told(np.ones(256)) == told(np.zeros(256)) == [("low", title)]
    assert told(x[:, 0] > 0) == told(x[:, 0] > 0.7) == []


def test_columns_that_went_to_one_side(k, tmp_path):
    """Of labels of one class under a softmax, by an optimizer that keeps nothing."""
    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")

    def told(labels):
        k.utils.set_random_seed(0)
        body = (k.layers.Dense(96, "relu"), k.layers.Dense(3, "softmax"))
        options = {"loss": "sparse_categorical_crossentropy", "optimizer": k.optimizers.SGD(0.1)}
        model = sequential(k, (8,), *body, **options)
        train(model, x, labels, steps=200)
        model.save(tmp_path / "m.keras")
        return [x.detail for x in found([rule("MA439")], tmp_path / "m.keras")]

    (only,) = told(np.full(256, 2))
    assert "of unit 2 that left" in only
    assert told((x[:, 0] > 0).astype(int) + (x[:, 1] > 0)) == []
