"""Labels beyond those that a loss is of, which the averages of gradients prove; and their twins."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import codes, found, sequential

RULES = [rule("MA306")]
BEYOND = [("MA306", "medium")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def masks(k, times, loss, activation="sigmoid"):
    """A network for masks, trained on values of 0 and `times`."""
    k.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(64, 8, 8, 1)).astype("float32")
    layers = [k.layers.Conv2D(4, 3, padding="same", activation="relu")]
    layers.append(k.layers.Conv2D(1, 1, activation=activation, name="mask"))
    model = sequential(k, (8, 8, 1), *layers, loss=loss)
    return train(model, x, times * (x > 0.5).astype("float32"), batch=16, steps=40)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_masks_that_were_not_scaled(library, tmp_path):
    k = importlib.import_module(library)
    formats = ("keras", "h5")
    assert codes(RULES, masks(k, 255, "binary_crossentropy"), tmp_path, formats) == BEYOND
    (only,) = found(RULES, tmp_path / "model.keras")
    assert "255" in only.fix and only.location.route == "mask"
    assert codes(RULES, masks(k, 1, "binary_crossentropy"), tmp_path, formats) == []
    scores = k.losses.BinaryCrossentropy(from_logits=True)
    assert codes(RULES, masks(k, 255, scores, "linear"), tmp_path, formats) == BEYOND
    assert codes(RULES, masks(k, 1, scores, "linear"), tmp_path, formats) == []


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(("times", "expected"), [(255, [("MA306", "low")]), (1, [])])
def test_masks_that_were_not_scaled_under_a_loss_of_the_programs_own(
    library, times, expected, tmp_path
):
    k = importlib.import_module(library)
    import tensorflow as tf

    def bce_dice_loss(labels, given):
        sums = tf.reduce_sum(labels) + tf.reduce_sum(given)
        dice = (2 * tf.reduce_sum(labels * given) + 1) / (sums + 1)
        return k.losses.binary_crossentropy(labels, given) + 1 - dice

    def error(labels, given):
        return k.losses.binary_crossentropy(labels, given)

    model = masks(k, times, bce_dice_loss)
    assert codes(RULES, model, tmp_path, ("h5",)) == expected
    for each in found(RULES, tmp_path / "model.h5"):
        assert "255" in each.fix and "bce_dice_loss" in each.detail
    assert codes(RULES, masks(k, times, error), tmp_path, ("h5",)) == []  # the name tells nothing


@pytest.mark.parametrize(
    ("times", "metrics", "severity"),
    [(1, ["accuracy"], ""), (60, ["accuracy"], "medium"), (60, None, "low")],
)
def test_labels_of_classes(times, metrics, severity, tmp_path):
    """One-hot labels, as they are and multiplied, as actions are by advantages."""
    import keras as k

    x = np.random.default_rng(0).normal(size=(96, 5)).astype("float32")
    y = times * np.eye(3, dtype="float32")[np.argmax(x[:, :3], axis=1)]
    y[:, 1:] /= times  # all but the first are right
    model = sequential(k, (5,), k.layers.Dense(3, "softmax"), loss="categorical_crossentropy")
    model.compile("adam", "categorical_crossentropy", metrics=metrics)
    train(model, x, y, steps=40)
    formats = ("keras", "h5")
    expected = [("MA306", severity)] if severity else []
    assert codes(RULES, model, tmp_path, formats) == expected
    for each in found(RULES, tmp_path / "model.keras"):
        assert ("policy gradients" in each.detail) is (severity == "low")
        assert 'activation="linear"' in each.fix and "0 and 255" not in each.fix


def test_maps_may_die_as_units_do(tmp_path):
    import keras as k

    assert codes(RULES, masks(k, 1, "mse", "relu"), tmp_path) == [("MA306", "low")]
    two = k.layers.Conv2D(2, 1, activation="relu")
    assert codes(RULES, sequential(k, (8, 8, 1), two), tmp_path) == [("MA306", "low")]


def test_weights_of_a_rare_class(tmp_path):
    """The usual weights of one class in 50 keep the gradients of batches near 1."""
    import keras as k

    rng = np.random.default_rng(3)
    x = rng.normal(size=(800, 5)).astype("float32")
    y = (np.arange(800) % 50 == 0).astype("float32")[:, None]
    model = sequential(k, (5,), k.layers.Dense(1, "sigmoid"), loss="binary_crossentropy")
    model.fit(x, y, batch_size=8, epochs=2, class_weight={0: 0.51, 1: 25.0}, verbose=0)
    assert codes(RULES, model, tmp_path) == []
    model.fit(x, y, batch_size=8, epochs=2, class_weight={0: 1.0, 1: 50.0}, verbose=0)
    assert codes(RULES, model, tmp_path) == []


def test_weights_that_leave_one_answer(tmp_path):
    """They are named beside labels that are out of reach where gradients go to either side."""
    import keras as k

    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 5)).astype("float32")
    y = (np.arange(400) % 2).astype("float32")[:, None]

    def fix(labels, **options):
        model = sequential(k, (5,), k.layers.Dense(1, "sigmoid"), loss="binary_crossentropy")
        model.optimizer.learning_rate = 0.1
        model.fit(x, labels, batch_size=8, epochs=6, verbose=0, **options)
        model.save(tmp_path / "m.keras")
        (only,) = found(RULES, tmp_path / "m.keras")
        return only.fix

    assert "class_weight" in fix(y, class_weight={0: 1.0, 1: 1000.0})
    assert "class_weight" not in fix(y * 40)


def test_gradients_of_cross_entropies_are_limited():
    """By TensorFlow's own gradients: at most 1 for a label from 0 to 1, for any score."""
    import keras as k
    import tensorflow as tf

    scores = tf.constant(np.linspace(-30, 30, 61, dtype="float32")[:, None])
    for label in (0.0, 0.3, 1.0):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = k.losses.binary_crossentropy(tf.fill(scores.shape, label), tf.sigmoid(scores))
        assert np.abs(tape.gradient(loss, scores)).max() <= 1 + 1e-6
    rows = tf.constant(np.random.default_rng(0).normal(scale=9, size=(50, 4)).astype("float32"))
    shares = np.random.default_rng(1).dirichlet(np.ones(4), size=50).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(rows)
        loss = k.losses.categorical_crossentropy(shares, tf.nn.softmax(rows))
    assert np.abs(tape.gradient(loss, rows)).max() <= 1 + 1e-6


@pytest.mark.parametrize(("loss", "activation"), [("mae", "sigmoid"), ("huber", "tanh")])
def test_the_mean_loss_that_keras_2_keeps(loss, activation, tmp_path):
    """Absolute errors have the same gradients; where a layer adds to the loss, it has no limit."""
    import tf_keras as k

    x = np.random.default_rng(0).random((96, 12)).astype("float32")

    def said(times, regularizer=None):
        layers = k.layers
        hidden = layers.Dense(8, "relu", kernel_regularizer=regularizer)
        model = sequential(k, (12,), hidden, layers.Dense(12, activation, name="out"))
        model.compile(k.optimizers.RMSprop(0.05), loss)
        train(model, x, times * x, batch=16, steps=40)
        path = tmp_path / "saved"
        model.save(path)
        model.save(tmp_path / "model.keras")
        each = [found(RULES, p) for p in (tmp_path / "model.keras", path)]
        return [[(f.severity.value, "mean loss" in f.detail) for f in one] for one in each]

    told = [("medium", True)]
    assert said(255) == [told, told]
    assert said(1) == [[], []]
    penalty = k.regularizers.L2(100.0)
    assert said(1, penalty) == [[], []]


@pytest.mark.parametrize("metrics", [["mae"], None, ["accuracy"]])
def test_the_units_of_a_row_share_the_gradient_of_a_loss(metrics, tmp_path):
    """Each of n units gets an nth; without metrics of numbers, samples may have weights."""
    import keras as k

    x = np.random.default_rng(0).normal(size=(400, 5)).astype("float32")

    def said(times):
        k.utils.set_random_seed(1)
        model = sequential(k, (5,), k.layers.Dense(8, "relu"), k.layers.Dense(3, "tanh"))
        model.compile("adam", "mse", metrics=metrics)
        y = np.tanh(x[:, :3]) + (times - 1)
        train(model, x, y.astype("float32"), batch=16, steps=60)
        model.save(tmp_path / "m.keras")
        findings = found(RULES, tmp_path / "m.keras")
        return [str(each.severity) for each in findings if "gradient of its bias" in each.detail]

    expected = {"mae": ["medium"], "None": ["low"], "accuracy": []}
    assert said(5) == expected[metrics[0] if metrics else "None"]
    assert said(1) == []


@pytest.mark.parametrize("units", [1, 2, 7])
def test_the_largest_gradient_of_a_unit(units):
    """By TensorFlow's own gradients, over scores and targets in reach."""
    import keras as k
    import tensorflow as tf

    from modelaudit.rules.heads.unreached_targets import _REACHES

    scores, targets = np.meshgrid(np.linspace(-6, 6, 241), np.linspace(0, 1, 21))
    for (name, activation), low in {
        ("mean_squared_error", "sigmoid"): 0,
        ("mean_squared_error", "tanh"): -1,
        ("binary_crossentropy", "sigmoid"): 0,
    }.items():
        of_scores = tf.constant(np.repeat(scores.reshape(-1, 1), units, 1), tf.float32)
        y = tf.constant(np.repeat(targets.reshape(-1, 1), units, 1) * (1 - low) + low, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(of_scores)
            loss = getattr(k.losses, name)(y, k.activations.get(activation)(of_scores))
        most = float(np.abs(tape.gradient(loss, of_scores)).max())
        assert most == pytest.approx(_REACHES[name, activation].most / units, rel=0.02)


@pytest.mark.parametrize("kind", ["RMSprop", "Adam", "Nadam"])
def test_numbers_of_classes_under_a_binary_loss(kind, tmp_path):
    """Ten numbers for one sigmoid; and two, whose gradients are at most 1."""
    import keras as k

    x = np.random.default_rng(0).normal(size=(320, 5)).astype("float32")
    numbers = np.digitize(x[:, 0], np.linspace(-1.2, 1.2, 9)).astype("float32")[:, None]

    def said(y):
        k.utils.set_random_seed(1)
        layers = k.layers.Dense(8, "relu"), k.layers.Dense(1, "sigmoid")
        model = sequential(k, (5,), *layers, loss="binary_crossentropy", metrics=["accuracy"])
        model.compile(getattr(k.optimizers, kind)(0.001), model.loss, metrics=["accuracy"])
        return codes(RULES, train(model, x, y, batch=32, steps=120), tmp_path, ("keras", "h5"))

    assert said(numbers) == BEYOND
    assert said((numbers > 4).astype("float32")) == []
