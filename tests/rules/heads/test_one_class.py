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


def said(k, y, path, *, binary, steps=200, activation="relu", alike=False):
    k.utils.set_random_seed(1)
    last = k.layers.Dense(1, "sigmoid") if binary else k.layers.Dense(3, "softmax")
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    hidden = k.layers.Dense(64 if alike else 32, activation)
    made = sequential(k, (8,), hidden, last, loss=loss, optimizer=k.optimizers.Adam(0.003))
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


@pytest.mark.parametrize("binary", [True, False])
def test_labels_that_differ(binary, tmp_path):
    import keras as k

    y = (CLASSES > 0).astype(int) if binary else CLASSES
    assert said(k, y, tmp_path, binary=binary) == []
    assert said(k, y, tmp_path, binary=binary, steps=900) == []  # learnt


def test_what_no_sign_tells(tmp_path):
    """Few steps from the start, and values of either sign before the last layer."""
    import keras as k

    assert said(k, np.zeros(640, int), tmp_path, binary=True, steps=60) == []
    assert said(k, np.zeros(640, int), tmp_path, binary=True, activation="tanh") == []


def test_errors_that_cancel_in_the_averages(tmp_path):
    """Of labels of either class in random order, the last batches had some more of one."""
    import keras as k

    y = np.random.default_rng(0).integers(0, 2, 640)
    assert said(k, y, tmp_path, binary=True, alike=True) == []
