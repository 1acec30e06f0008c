"""How well outputs meet labels, input by input, and whether better than a constant answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import hypergeom

from modelaudit.measures.behaviour.accuracy import chance_p, explained_variance, label_scores
from modelaudit.measures.behaviour.paired import p_better

RNG = np.random.default_rng(0)


def weak(n: int, share: float, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Class scores (n, classes) of which about `share` are highest for their label, and labels."""
    labels = np.arange(n) % classes
    scores = RNG.normal(size=(n, classes))
    scores[np.arange(n), labels] += np.where(RNG.random(n) < share, 4.0, 0.0)
    return softmax(scores, axis=1), labels


@pytest.mark.parametrize("kind", ["softmax", "logits"])
def test_a_weak_network_is_told_from_one_that_says_nothing(kind) -> None:
    outputs, labels = weak(64, 0.4)
    assert chance_p(outputs, kind, labels) < 0.01
    for none in (weak(64, 0.0)[0], np.tile(outputs[:1], (64, 1))):
        assert chance_p(none, kind, labels) > 0.01


def test_the_chance_of_labels_in_another_order_is_that_of_a_hypergeometric_draw() -> None:
    labels = np.array([0] * 8 + [1] * 12)
    answers = np.array([0] * 6 + [1] * 14)
    # All labels given, class 0 answered 6 times: of these, the number that are labelled 0
    right = 6 + 12
    drawn = hypergeom(20, 8, 6)
    expected = sum(drawn.pmf(k) for k in range(7) if k + (14 - (8 - k)) >= right)
    assert chance_p(np.eye(2)[answers], "softmax", labels) == pytest.approx(expected, abs=2e-3)


def test_several_sigmoids_are_compared_with_the_commonest_value_of_each() -> None:
    told = RNG.random((64, 5)) < 0.3
    noisy = np.where(RNG.random((64, 5)) < 0.1, ~told, told)
    assert chance_p(noisy.astype(float), "sigmoid", told.astype(int)) < 0.01
    assert chance_p(np.zeros((64, 5)), "sigmoid", told.astype(int)) == 1.0


def test_outputs_without_classes_have_no_chance() -> None:
    assert chance_p(RNG.normal(size=(8, 1)), "regression", RNG.normal(size=8)) is None


def test_confidence_alone_scores_no_better() -> None:
    outputs, labels = weak(64, 0.5)
    sharper = softmax(8 * np.log(outputs), axis=1)
    both = (label_scores(each, "softmax", labels) for each in (outputs, sharper))
    given, confident = both
    assert np.abs(given - confident).max() < 0.01


def test_scores_show_of_two_wrong_answers_which_is_closer() -> None:
    outputs, labels = weak(64, 0.0)
    nearer = softmax(np.log(outputs) + 0.8 * np.eye(10)[labels], axis=1)
    given, other = (label_scores(each, "softmax", labels) for each in (outputs, nearer))
    assert p_better(given, other) < 1e-6
    assert label_scores(outputs, "softmax", labels + 10).max() <= given.max()  # no such class


def test_scores_of_masks_and_labels_are_met_as_probabilities() -> None:
    """R2 of the probabilities that a sigmoid or a softmax makes of them; of others, as they are."""
    mask = RNG.integers(0, 2, (16, 4, 4, 1))
    scores = 6.0 * mask - 3 + RNG.normal(size=mask.shape)
    expected = 1 - ((expit(scores) - mask) ** 2).sum() / ((mask - mask.mean(axis=0)) ** 2).sum()
    assert explained_variance(scores, mask) == pytest.approx(expected)
    classes = RNG.integers(0, 3, (16, 4, 4))
    one_hot = np.eye(3)[classes]
    scores = 5.0 * one_hot + RNG.normal(size=one_hot.shape)
    left = ((softmax(scores, axis=-1) - one_hot) ** 2).sum()
    expected = 1 - left / ((one_hot - one_hot.mean(axis=0)) ** 2).sum()
    assert explained_variance(scores, classes) == pytest.approx(expected)
    # A regression trained on 0 and 1 strays a little beyond them.
    plain = mask + 0.1 * RNG.normal(size=mask.shape)
    expected = 1 - ((plain - mask) ** 2).sum() / ((mask - mask.mean(axis=0)) ** 2).sum()
    assert explained_variance(plain, mask) == pytest.approx(expected)
