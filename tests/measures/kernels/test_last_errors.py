"""What averages of gradients say of the errors behind them, against the errors themselves."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.kernels.one_way_heads import _errors

RANDOM = np.random.default_rng(0)


def averages(x, errors):
    """The mean gradients of a bias and of a kernel."""
    return errors.mean(axis=0), x.T @ errors / len(x)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_error_and_score_of_labels_from_zero_to_one(scale):
    """Their product is below the largest s / (1 + exp(s)), whatever the weights are."""
    scores = np.linspace(0, 50, 500_001)
    most = float((scores / (1 + np.exp(scores))).max())
    assert most == pytest.approx(0.2785, abs=1e-4)
    for _ in range(200):
        x, labels = RANDOM.normal(size=(64, 8)), RANDOM.uniform(size=(64, 1))
        labels = labels.round() if RANDOM.uniform() < 0.5 else labels
        kernel, bias = RANDOM.normal(size=(8, 1)) * scale, RANDOM.normal(size=1)
        answers = 1 / (1 + np.exp(-(x @ kernel + bias)))
        found = _errors(*averages(x, answers - labels), kernel, bias)
        assert found.error * found.score <= most + 1e-9


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("strength", [2.0, 6.0])
def test_labels_of_one_class(units, strength):
    """The score at the mean input is the one that leaves errors of their size."""
    x = RANDOM.normal(size=(256, 8)) * 0.3 + 1
    kernel, bias = RANDOM.normal(size=(8, units)) * 0.1, np.zeros(units)
    bias[0] = strength
    scores = x @ kernel + bias
    if units == 1:
        errors = 1 / (1 + np.exp(-scores)) - 1
    else:
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        errors = shares / shares.sum(axis=1, keepdims=True) - [1, 0, 0]
    found = _errors(*averages(x, errors), kernel, bias)
    assert (found.only, found.raised) == (int(units == 1), 1)
    assert found.error == pytest.approx(abs(errors[:, 0]).mean())
    assert found.score <= -np.log(found.error)
    assert found.score == pytest.approx(np.log(1 / found.error - 1), rel=0.15)
    assert units == 1 or found.alike > 0.99
    assert x.min() <= found.low <= found.high <= x.max()


def test_labels_that_differ():
    """Errors of either sign cancel: the mean input leaves the range of the inputs."""
    x = np.concatenate([np.full((50, 4), 1.0), np.full((50, 4), -1.0)])
    labels = np.concatenate([np.ones((50, 1)), np.zeros((50, 1))])
    kernel, bias = np.full((4, 1), 0.5), np.array([0.1])
    errors = 1 / (1 + np.exp(-(x @ kernel + bias))) - labels
    found = _errors(*averages(x, errors), kernel, bias)
    assert max(abs(found.low), found.high) > 5
    assert found.score > 2 * -np.log(found.error)
