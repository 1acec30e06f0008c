"""Trainings whose last labels were of one class, and their twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found, sequential

RULES = [rule("MA439")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
X = np.random.default_rng(0).normal(size=(640, 8)).astype("float32")
CLASSES = np.argmax(X[:, :3], axis=1)


def said(k, y, path, *, binary, steps=200, rate=0.003, activation="relu", alike=False):
    k.utils.set_random_seed(1)
    last = k.layers.Dense(1, "sigmoid") if binary else k.layers.Dense(3, "softmax")
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    hidden = k.layers.Dense(64 if alike else 32, activation)
    made = sequential(k, (8,), hidden, last, loss=loss, optimizer=k.optimizers.Adam(rate))
    train(made, X * (1e-3 if alike else 1) + alike, y[:, None] if binary else y, steps=steps)
    details = []
    for suffix in ("keras", "h5"):
        made.save(path / f"m.{suffix}")
        findings = [x for x in found(RULES, path / f"m.{suffix}") if "last labels" in x.title]
        assert all(str(each.severity) == "low" for each in findings)
        details.append([each.detail for each in findings])
    assert details[0] == details[1]
    return details[0]


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("binary", [True, False])
def test_labels_of_one_class(label, binary, tmp_path):
    import keras as k

    if binary and label == 2:
        return
    (only,) = said(k, np.full(640, label), tmp_path, binary=binary)
    assert f"led to the answer {label}," in only


def test_labels_of_one_class_that_few_steps_meet(tmp_path):
    import keras as k

    assert said(k, np.full(640, 1), tmp_path, binary=False, steps=80, rate=0.01)


@pytest.mark.parametrize("binary", [True, False])
def test_labels_that_differ(binary, tmp_path):
    import keras as k

    y = (CLASSES > 0).astype(int) if binary else CLASSES
    assert said(k, y, tmp_path, binary=binary) == []
    assert said(k, y, tmp_path, binary=binary, steps=80, rate=0.01) == []
    assert said(k, y, tmp_path, binary=binary, steps=900) == []  # learnt


@pytest.mark.parametrize("optimizer", ["Adam", "RMSprop"])
def test_classes_that_are_never_a_label(optimizer, tmp_path):
    """Rows of which a validation split took the last, by class, and the same rows shuffled."""
    import keras as k

    x, told = np.maximum(np.repeat(X, 2, axis=1) * np.tile([1, -1], 8), 0), []
    y = np.argmax(X[:, :6], axis=1)
    for kept in (y < 4, y >= 0):
        k.utils.set_random_seed(1)
        hidden, last = k.layers.Dense(32, "relu"), k.layers.Dense(6, "softmax")
        chosen = getattr(k.optimizers, optimizer)(0.003)
        loss = "sparse_categorical_crossentropy"
        made = sequential(k, (16,), hidden, last, loss=loss, optimizer=chosen)
        train(made, x[kept], y[kept], steps=400)
        made.save(tmp_path / "m.keras")
        findings = [x for x in found(RULES, tmp_path / "m.keras") if "never a label" in x.title]
        assert all(str(each.severity) == "low" for each in findings)
        told.append([each.detail for each in findings])
    assert "classes 4, 5 (of 0 to 5)" in told[0][0]
    assert told[1] == []


def test_a_class_whose_weights_were_raised_was_a_label_once(tmp_path):
    """Two classes that the last steps see none of: what was learnt of them is in the file."""
    import keras as k

    x = np.maximum(np.repeat(X, 2, axis=1) * np.tile([1, -1], 8), 0)
    y, told = np.argmax(X[:, :6], axis=1), []
    for learnt in (0, 400):
        k.utils.set_random_seed(1)
        hidden, last = k.layers.Dense(32, "relu"), k.layers.Dense(6, "softmax")
        loss = "sparse_categorical_crossentropy"
        made = sequential(k, (16,), hidden, last, loss=loss, optimizer=k.optimizers.Adam(0.003))
        train(made, x, y, steps=learnt)
        train(made, x[y < 4], y[y < 4], steps=1200)
        made.save(tmp_path / "m.keras")
        findings = [x for x in found(RULES, tmp_path / "m.keras") if "never a label" in x.title]
        told.append([each.detail for each in findings])
        limit = np.sqrt(6 / (32 + 6))
        assert [c for c in (4, 5) if made.layers[-1].kernel.numpy()[:, c].max() > limit] == [
            4,
            5,
        ] * bool(learnt)
    assert "classes 4, 5 (of 0 to 5)" in told[0][0]
    assert told[1] == []


@pytest.mark.parametrize("flat", [True, False])
def test_targets_that_are_compared_with_all_outputs(flat, tmp_path):
    """Of a training loop of the program, with targets (n,) or (n, 1) beside outputs (n, 1)."""
    import keras as k
    import tensorflow as tf

    k.utils.set_random_seed(1)
    y = (np.sin(2 * X[:, 0]) + X[:, 1] + X[:, 2] * X[:, 3] + 3).astype("float32")
    layers = k.layers.Dense(32, "relu"), k.layers.Dense(16, "relu"), k.layers.Dense(1)
    made = sequential(k, (8,), *layers, loss="mse", optimizer=k.optimizers.Adam(2e-3))
    made.optimizer.build(made.trainable_variables)
    order = np.random.default_rng(2)

    @tf.function
    def step(x, wanted):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(wanted - made(x)))
        weights = made.trainable_variables
        made.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    for _ in range(30):
        for rows in order.permutation(640).reshape(-1, 32):
            step(X[rows], y[rows] if flat else y[rows, None])
    made.save(tmp_path / "m.keras")
    findings = [x for x in found(RULES, tmp_path / "m.keras") if "had one error" in x.title]
    assert [str(each.severity) for each in findings] == ["low"] * flat


def test_what_no_sign_tells(tmp_path):
    """Few steps from the start."""
    import keras as k

    assert said(k, np.zeros(640, int), tmp_path, binary=True, steps=60) == []


def test_errors_that_cancel_in_the_averages(tmp_path):
    """Of labels of either class in random order, the last batches had some more of one."""
    import keras as k

    y = np.random.default_rng(0).integers(0, 2, 640)
    assert said(k, y, tmp_path, binary=True, alike=True) == []


WAVES = np.sin(np.arange(12) * (0.3 + 0.6 * (CLASSES[:, None] > 0)) + X[:, :1])[..., None]


def body(k, kind):
    """The layers before the last one, and what they get."""
    if kind == "tanh":
        return X, [k.layers.Dense(16, "tanh")]
    if kind == "normalized":
        return X, [k.layers.Dense(16, "relu"), k.layers.BatchNormalization(momentum=0.9)]
    return WAVES.astype("float32"), [getattr(k.layers, kind)(16)]


@pytest.mark.parametrize(
    ("kind", "optimizer", "units"),
    [
        ("tanh", "Adam", 1),
        ("tanh", "SGD", 3),
        ("normalized", "Nadam", 1),
        ("LSTM", "RMSprop", 1),
        ("GRU", "Adam", 3),
        ("GRU", "RMSprop", 3),
    ],
)
def test_labels_of_one_class_behind_values_of_either_sign(kind, optimizer, units, tmp_path):
    """By the score that leaves errors of such a size; of labels that differ, nothing is said."""
    import keras as k

    slots = {"SGD": {"learning_rate": 0.1, "momentum": 0.9}}.get(optimizer, {"learning_rate": 5e-3})
    told = []
    for labels in (np.zeros(640, int), CLASSES if units > 1 else (CLASSES > 0).astype(int)):
        k.utils.set_random_seed(2)
        x, before = body(k, kind)
        last = k.layers.Dense(units, "sigmoid" if units == 1 else "softmax")
        loss = "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"
        rule_of_steps = getattr(k.optimizers, optimizer)(**slots)
        made = sequential(k, x.shape[1:], *before, last, loss=loss, optimizer=rule_of_steps)
        train(made, x, labels[:, None] if units == 1 else labels, steps=240)
        made.save(tmp_path / "m.keras")
        findings = [x for x in found(RULES, tmp_path / "m.keras") if "last labels" in x.title]
        told.append([str(each.severity) for each in findings])
    # The averages of RMSprop have no sign.
    assert told == [[] if optimizer == "RMSprop" else ["low"], []]


@pytest.mark.parametrize("alike", [False, True])
def test_a_checkpoint_of_tensorflow_1_alone(alike, tmp_path):
    """Its averages belong to no layers: whether its labels or inputs differed is left open."""
    import tensorflow as tf

    v1 = tf.compat.v1
    x = np.tile(X[:1], (640, 1)) if alike else X
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        rows = v1.placeholder(tf.float32, (None, 8))
        hidden = tf.nn.relu(_dense(v1, rows, 8, 32, "hidden"))
        scores = _dense(v1, hidden, 32, 3, "scores")
        labels = v1.placeholder(tf.int64, (None,))
        loss = v1.losses.sparse_softmax_cross_entropy(labels, scores)
        step = v1.train.AdamOptimizer(0.003).minimize(loss)
        session.run(v1.global_variables_initializer())
        for _ in range(300):
            session.run(step, {rows: x, labels: np.zeros(640, int)})
        v1.train.Saver().save(session, str(tmp_path / "model.ckpt"), write_meta_graph=False)
    assert found(RULES, tmp_path / "model.ckpt.index") == []


def _dense(v1, values, rows, units, name):
    kernel = v1.get_variable(f"{name}/kernel", (rows, units))
    bias = v1.get_variable(f"{name}/bias", (units,), initializer=v1.zeros_initializer())
    return values @ kernel + bias
