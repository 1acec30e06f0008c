"""Labels of several classes under a softmax, which the gradients of its biases show."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found, sequential

RULES = [rule("MA306")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
X = np.random.default_rng(0).normal(size=(320, 6)).astype("float32")
LABELS = {
    "several": (X[:, :4] > 0).astype("float32"),
    "one": np.eye(4, dtype="float32")[np.argmax(X[:, :4], axis=1)],
    "shares": np.exp(X[:, :4]) / np.exp(X[:, :4]).sum(1, keepdims=True),
}


def model(k, loss, metrics=("accuracy",), optimizer="adam"):
    k.utils.set_random_seed(1)
    last = "linear" if not isinstance(loss, str) else "softmax"
    layers = k.layers.Dense(8, "relu"), k.layers.Dense(4, last, name="head")
    return sequential(k, (6,), *layers, loss=loss, optimizer=optimizer, metrics=[*metrics])


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("scores", [False, True])
def test_the_sum_of_the_labels(kind, scores, tmp_path):
    import keras as k

    loss = (
        k.losses.CategoricalCrossentropy(from_logits=True) if scores else "categorical_crossentropy"
    )
    made = train(model(k, loss), X, LABELS[kind], epochs=6)
    for suffix in ("keras", "h5"):
        made.save(tmp_path / f"m.{suffix}")
        findings = found(RULES, tmp_path / f"m.{suffix}")
        assert [str(each.severity) for each in findings] == ["medium"] * (kind == "several")
        for each in findings:
            mean = LABELS[kind].sum(1).mean()
            assert abs(each.evidence["measured"] - mean) < 0.4
            assert 'activation="sigmoid"' in each.fix and "binary_crossentropy" in each.fix


def test_weights_of_samples_and_smooth_labels(tmp_path):
    """They multiply what adds up to 0, or add up to 1 as well."""
    import keras as k

    for loss, weights in (
        ("categorical_crossentropy", np.linspace(0.1, 9, 320)),
        (k.losses.CategoricalCrossentropy(label_smoothing=0.2, name="c"), None),
    ):
        made = model(k, "categorical_crossentropy")
        made.compile("adam", loss, metrics=["accuracy"])
        made.fit(X, LABELS["one"], sample_weight=weights, epochs=6, verbose=0)
        made.save(tmp_path / "m.keras")
        assert found(RULES, tmp_path / "m.keras") == []


def test_actions_that_are_multiplied_by_their_returns(tmp_path):
    import keras as k

    made = train(model(k, "categorical_crossentropy", ()), X, 4 * LABELS["one"], epochs=6)
    made.save(tmp_path / "m.keras")
    (only,) = found(RULES, tmp_path / "m.keras")
    assert str(only.severity) == "low" and "policy gradients" in only.detail


def test_the_gradients_of_tensorflow():
    """Those of the scores add up to 1 less the sum of the labels."""
    tf = importlib.import_module("tensorflow")
    scores = tf.constant(X[:, :4])
    for labels in LABELS.values():
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = tf.nn.softmax_cross_entropy_with_logits(labels, scores)
        total = np.asarray(tape.gradient(loss, scores)).sum(1)
        np.testing.assert_allclose(total, 1 - labels.sum(1), atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "word"), [((-1, 1), "-1 and 1"), ((1, 2), "1 and 2"), ((0, 1), "")]
)
@pytest.mark.parametrize("scores", [False, True])
def test_labels_that_no_probability_comes_near(labels, word, scores, tmp_path):
    import keras as k

    y = np.where(X[:, :1] + X[:, 1:2] > 0, labels[1], labels[0]).astype("float32")
    loss = k.losses.BinaryCrossentropy(from_logits=True) if scores else "binary_crossentropy"
    k.utils.set_random_seed(1)
    last = k.layers.Dense(1, None if scores else "sigmoid", name="head")
    made = sequential(k, (6,), k.layers.Dense(64, "relu"), last, loss=loss)
    train(made, 3 * X, y, epochs=60)
    for suffix in ("keras", "h5"):
        made.save(tmp_path / f"m.{suffix}")
        findings = found(RULES, tmp_path / f"m.{suffix}")
        assert [str(each.severity) for each in findings] == ["low"] * bool(word)
        for each in findings:
            assert f"such as {word};" in each.detail
            answers = np.asarray(made(3 * X))
            answers = 1 / (1 + np.exp(-answers)) if scores else answers
            apart = float(np.mean(answers - y))
            assert abs(abs(apart) - each.evidence["measured"]) < 0.15


def test_answers_that_no_step_moved(tmp_path):
    """Of six rows as they were measured, and scores far below 0 from the start."""
    import keras as k

    rows = [
        [180, 70, 43],
        [190, 70, 46],
        [173, 67, 42],
        [170, 60, 40],
        [169, 80, 40],
        [156, 40, 36],
    ]
    y = np.array([1, 1, 1, 0, 0, 0], "float32")[:, None]
    made = sequential(k, (3,), k.layers.Dense(1, "sigmoid"), loss="binary_crossentropy")
    made.set_weights([np.full((3, 1), -1.0, "float32"), np.zeros(1, "float32")])
    train(made, np.array(rows, "float32"), y, epochs=100)
    made.save(tmp_path / "m.keras")
    (told,) = found(RULES, tmp_path / "m.keras")
    assert "still 0.5 below the labels on average" in told.detail
    assert told.detail.endswith(" Or every answer is 0, as of inputs that are not scaled.")
    assert "scale the inputs" in told.fix


def test_weights_of_a_rare_class_are_no_labels(tmp_path):
    import keras as k

    y = (np.arange(320) % 40 == 0).astype("float32")[:, None]
    k.utils.set_random_seed(1)
    layers = k.layers.Dense(16, "relu"), k.layers.Dense(1, "sigmoid")
    made = sequential(k, (6,), *layers, loss="binary_crossentropy")
    made.fit(X, y, batch_size=8, epochs=6, class_weight={0: 1.0, 1: 39.0}, verbose=0)
    made.save(tmp_path / "m.keras")
    assert found(RULES, tmp_path / "m.keras") == []


@pytest.mark.parametrize("kind", ["standardized", "of 0 and 1", "rare"])
def test_masks_that_no_probability_comes_near(kind, tmp_path):
    """A convolution of one position gives the score of each, as a dense layer does of an input."""
    import keras as k

    x = np.random.default_rng(2).normal(size=(64, 12, 12, 1)).astype("float32")
    masks = (x > (2.2 if kind == "rare" else 0.4)).astype("float32")
    y = (masks - masks.mean()) / masks.std() if kind == "standardized" else masks
    k.utils.set_random_seed(1)
    hidden = k.layers.Conv2D(16, 3, activation="relu", padding="same")
    last = k.layers.Conv2D(1, 1, activation="sigmoid")
    made = sequential(k, (12, 12, 1), hidden, last, loss="binary_crossentropy")
    train(made, x, y, epochs=60)
    for suffix in ("keras", "h5"):
        made.save(tmp_path / f"m.{suffix}")
        findings = found([*RULES, rule("MA439")], tmp_path / f"m.{suffix}")
        expected = [("MA306", "low")] * (kind == "standardized")
        assert [(each.code, str(each.severity)) for each in findings] == expected
