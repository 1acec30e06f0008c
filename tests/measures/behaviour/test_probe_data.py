"""Summaries of inputs and labels against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.behaviour.accuracy import unpredicted
from modelaudit.measures.behaviour.probe_data import (
    input_columns,
    prior_distance,
    target_summary,
)


@pytest.mark.parametrize(
    ("y", "form", "width"),
    [
        (np.array([0, 1, 2, 10]), "classes", 1),
        (np.array([[0.0], [1.0]]), "classes", 1),
        (np.eye(4)[[0, 2, 3]], "one-hot", 4),
        (np.array([-1, 1, 1]), "signs", 1),
        (np.array([10.5, 60.0]), "numbers", 1),
        (np.array([-3, 2]), "numbers", 1),
        (np.array([[0, 1, 1], [1, 0, 0]]), "numbers", 3),
    ],
)
def test_form_of_labels(y, form, width):
    found = target_summary(y)
    assert (found.form, found.width) == (form, width)
    assert (found.minimum, found.maximum) == (y.min(), y.max())
    assert found.distinct == len(set(y.reshape(-1).tolist()))
    assert found.mean == pytest.approx(y.mean())
    assert found.std == pytest.approx(y.std())


def test_tenths_of_targets():
    found = target_summary(np.arange(101) / 2)
    assert (found.low, found.high) == (5.0, 45.0)


@pytest.mark.parametrize("y", [np.array(["a", "b"]), np.array([1.0, np.nan]), np.zeros((0, 1))])
def test_labels_that_are_no_numbers(y):
    assert target_summary(y) is None


def test_columns_of_a_table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 5)) * [1, 1, 1, 200, 1] + [0, 0, 0, 0, -700]
    x[:, 1] = 3
    y = rng.integers(0, 2, 64)
    x[:, 2] = 5 - 2 * y
    found = input_columns(x, y)
    assert (found.alike, found.columns, found.constant, found.telling) == (False, 5, 1, (2,))
    assert found.largest_spread == pytest.approx(x.std(axis=0).max())
    assert found.largest_mean == pytest.approx(np.abs(x.mean(axis=0)).max())
    assert input_columns(x, None).telling == ()
    assert input_columns(x, np.eye(2)[y]).telling == (2,)


def test_equal_inputs_of_any_rank():
    assert input_columns(np.zeros((5, 8, 8, 1)), None).alike
    assert not input_columns(np.arange(5.0)[:, None, None], None).alike
    assert not input_columns(np.zeros((1, 3)), None).alike


def test_distance_from_the_frequencies():
    y = np.array([0] * 75 + [1] * 25)
    constant = np.tile([0.75, 0.25], (100, 1))
    assert prior_distance(constant, "softmax", y) == pytest.approx(0)
    assert prior_distance(constant[:, ::-1], "softmax", y) == pytest.approx(0.5)
    assert prior_distance(np.full((100, 1), 0.25), "sigmoid", y) == pytest.approx(0)
    assert prior_distance(np.log(constant), "logits", y) == pytest.approx(0)
    assert prior_distance(constant, "softmax", y + 1) is None


def test_distance_from_the_mean():
    y = np.array([10.0, 30.0])
    assert prior_distance(np.full((2, 1), 20.0), "regression", y) == pytest.approx(0)
    assert prior_distance(np.full((2, 1), 35.0), "regression", y) == pytest.approx(1.5)
    assert prior_distance(np.full((2, 1), 20.0), "regression", np.array([20.0, 20.0])) is None


@pytest.mark.parametrize(
    ("answers", "labels", "missing"),
    [
        ([0, 1, 2] * 4, [0, 1, 2] * 4, ()),
        ([0, 1, 1] * 4, [0, 1, 2] * 4, (2,)),
        ([0] * 12, [0, 1, 2] * 4, (1, 2)),
        ([0] * 12, [0] * 10 + [1] * 2, ()),  # too few labels to tell
        ([0] * 12, [0, 9] * 6, ()),  # a class that the output does not have (MA609)
    ],
)
def test_classes_that_no_input_is_predicted_as(answers, labels, missing):
    assert unpredicted(np.eye(3)[answers], "softmax", np.array(labels)) == missing
    if set(labels) <= {0, 1, 2}:
        assert unpredicted(np.eye(3)[answers], "softmax", np.eye(3)[labels]) == missing
