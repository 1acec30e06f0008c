"""Classifiers whose scores no input brings apart, or with labels beyond 0 to 1, with twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import CATALOGUE
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RULES = tuple(each for each in CATALOGUE if each.code in {"MA306", "MA432", "MA439", "MA440"})
DRAW = np.random.default_rng(0)
LABELS = DRAW.integers(0, 3, 400)
PIXELS = np.clip(
    DRAW.uniform(0, 0.3, (400, 20)) + np.eye(3)[LABELS].repeat(6, 1) @ np.eye(18, 20) / 2, 0, 1
)
PIXELS = PIXELS.astype("float32")
RATES = {
    "SGD with momentum": (0.005, 0.05),
    "RMSprop": (0.001, 0.003),
    "Adam": (0.001, 0.005),
    "Adagrad": (0.01, 0.1),
}


def saved(path, keras, layers, optimizer, loss, x, y, *, steps, suffix="keras"):
    keras.utils.set_random_seed(3)
    model = sequential(keras, x.shape[1:], *layers, optimizer=optimizer, loss=loss)
    train(model, x, y, steps=steps)
    model.save(path / f"m.{suffix}")
    return model, [
        (each.code, str(each.severity), each.title) for each in found(RULES, path / f"m.{suffix}")
    ]


@pytest.mark.parametrize("kind", RATES)
def test_pixels_divided_twice(keras, tmp_path, kind):
    """Answers of the first network differ by less than a factor of 1.3, those of its twin more."""
    name, momentum = kind.split()[0], {"momentum": 0.9} if "momentum" in kind else {}
    for scale, rate in zip((255, 1), RATES[kind], strict=True):
        optimizer = getattr(keras.optimizers, name)(rate, **momentum)
        layers = [keras.layers.Dense(24, "relu"), keras.layers.Dense(3, "softmax")]
        loss = "sparse_categorical_crossentropy"
        model, said = saved(
            *(tmp_path, keras, layers, optimizer, loss, PIXELS / scale, LABELS), steps=150
        )
        answers = np.asarray(model(PIXELS / scale))
        same = bool((answers.max(axis=0) / answers.min(axis=0)).max() < 1.3)
        nothing = ("MA440", "medium", "The training inputs were scaled to nearly nothing")
        # Of ten steps, errors of a bias cancel more than those of a kernel.
        other = ("MA439", "low", "Every training input got the same answer, or nearly")
        told = nothing in said or (bool(momentum) and other in said)
        assert same == told == (scale == 255)
        assert told or not [each for each in said if each[0] in {"MA439", "MA440"}]


@pytest.mark.parametrize("name", ["RMSprop", "Adadelta"])
@pytest.mark.parametrize(
    ("labels", "told"), [((0, 1, 2), True), ((-1, 0, 1), True), ((0, 1, 1), False)]
)
def test_labels_beyond_by_squares_alone(keras, tmp_path, name, labels, told):
    y = np.array(labels, "float32")[LABELS]
    optimizer = getattr(keras.optimizers, name)(1.0 if name == "Adadelta" else 0.005)
    layers = [keras.layers.Dense(24, "relu"), keras.layers.Dense(1, "sigmoid")]
    _, said = saved(
        *(tmp_path, keras, layers, optimizer, "binary_crossentropy", PIXELS, y), steps=400
    )
    told_now = [each for each in said if each[2] == "The answers stayed apart from the labels"]
    assert bool(told_now) == told


@pytest.mark.parametrize(
    ("name", "options", "rate", "told"),
    [
        ("SGD", {}, 0.001, True),
        ("SGD", {}, 0.5, False),
        ("SGD", {"momentum": 0.9}, 0.0002, True),
        ("Adagrad", {}, 0.001, True),
        ("Adagrad", {}, 0.1, False),
        ("Adam", {"epsilon": 1.0}, 0.001, True),
        ("Adam", {}, 0.005, False),
    ],
)
def test_small_steps(keras, tmp_path, name, options, rate, told):
    optimizer = getattr(keras.optimizers, name)(rate, **options)
    layers = [keras.layers.Dense(24, "relu"), keras.layers.Dense(3, "softmax")]
    loss = "sparse_categorical_crossentropy"
    model, said = saved(tmp_path, keras, layers, optimizer, loss, PIXELS, LABELS, steps=300)
    # How sure it is: the largest score may be the right one of three that are nearly the same.
    sure = float(np.mean(np.asarray(model(PIXELS))[np.arange(len(LABELS)), LABELS]))
    assert sure < 0.6 if told else sure > 0.8
    assert [each for each in said if each[0] == "MA432"] == [
        ("MA432", "low", "Training hardly changed the weights")
    ] * told


def test_percentages_of_targets_of_zero(keras, tmp_path):
    for lowest in (0.0, 0.5):
        targets = np.maximum(PIXELS[:, :1] * 4, lowest) if lowest else np.round(PIXELS[:, :1])
        layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(1)]
        _, said = saved(
            *(tmp_path, keras, layers, keras.optimizers.Adam(0.003)),
            *("mean_absolute_percentage_error", PIXELS, targets),
            steps=80,
        )
        told = [each for each in said if "percentage error divides" in each[2]]
        assert len(told) == (lowest == 0.0)


def test_clipped_steps_that_all_went_one_way(keras, tmp_path):
    for scale in (50_000.0, 1.0):
        for limit in ({"clipnorm": 1.0}, {"clipvalue": 0.5}, {"clipvalue": 0.5, "momentum": 0.8}):
            layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(1)]
            optimizer = keras.optimizers.SGD(0.01 * (1 - limit.get("momentum", 0)), **limit)
            targets = (LABELS[:, None].astype("float32") + 4) * scale - 4 * (scale == 1)
            _, said = saved(tmp_path, keras, layers, optimizer, "mse", PIXELS, targets, steps=150)
            told = [each for each in said if each[2] == "Training ended on its way to the targets"]
            # By its norm, a single weight gets a part of it.
            assert not told or scale > 1
            assert told or scale == 1 or "clipnorm" in limit


def test_labels_beyond_by_the_last_step_alone(tmp_path):
    """tf-keras keeps the last step of gradient descent without momentum."""
    tf_keras = pytest.importorskip("tf_keras")
    for most in (2, 1):
        y = np.minimum(LABELS, most).astype("float32")
        layers = [tf_keras.layers.Dense(24, "relu"), tf_keras.layers.Dense(1, "sigmoid")]
        _, said = saved(
            *(tmp_path, tf_keras, layers, tf_keras.optimizers.SGD(0.2), "binary_crossentropy"),
            *(PIXELS, y),
            steps=400,
            suffix="h5",
        )
        told = [each for each in said if each[2] == "The answers stayed apart from the labels"]
        assert bool(told) == (most == 2)
        assert not [each for each in said if each[0] == "MA439"]


@pytest.mark.parametrize("name", ["RMSprop", "Adam"])
def test_outputs_of_a_recurrent_layer_that_stay_short(keras, tmp_path, name):
    """Of values up to 1, errors are at least the largest of their products with these."""
    for scale in (100.0, 1.0):
        layers = [keras.layers.Reshape((20, 1)), keras.layers.GRU(8), keras.layers.Dense(1)]
        targets = (LABELS[:, None] - 1) * np.float32(scale)
        optimizer = getattr(keras.optimizers, name)(0.003)
        _, said = saved(tmp_path, keras, layers, optimizer, "mse", PIXELS, targets, steps=100)
        short = "The steps were too small to reach the targets"
        if name == "Adam":  # by what its steps can move a bias
            short = "Training ended on its way to the targets"
        assert (("MA432", "low", short) in said) == (scale > 1)
