"""Another order of the classes: found if there is one, and not where labels show none."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from modelaudit.measures.behaviour.numbering import PATTERNS, other_numbering
from modelaudit.thresholds.answers import NUMBERING_ODDS, PER_CLASS

TEN = np.arange(10)


def answers(labels, accuracy, rng, classes=10):
    """Classes that a model predicts which is right about this share of its inputs."""
    wrong = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < accuracy, labels, wrong)


def numbering(labels, predicted, classes=10, **others):
    outputs = {"e": np.eye(classes)[predicted]}
    outputs |= {name: np.eye(classes)[each] for name, each in others.items()}
    return other_numbering(outputs, "softmax", labels)


@pytest.mark.parametrize("accuracy", [0.45, 0.6, 0.95])
@pytest.mark.parametrize("seed", range(5))
def test_an_arbitrary_order_is_found_whatever_the_accuracy(accuracy, seed):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 10, 128)
    order = rng.permutation(10)
    found = numbering(np.argsort(order)[true], answers(true, accuracy, rng))
    assert found.log_odds > NUMBERING_ODDS.value
    assert found.accuracy == pytest.approx(accuracy, abs=0.15)


def test_sound_models_of_any_accuracy_are_not_said_to_be_numbered_otherwise():
    rng = np.random.default_rng(0)
    alarms = 0
    for accuracy in np.linspace(0.2, 0.95, 200):
        labels = rng.integers(0, 10, int(rng.choice([64, 128, 256])))
        found = numbering(labels, answers(labels, accuracy, rng))
        alarms += found is not None and found.log_odds > NUMBERING_ODDS.value
    assert alarms == 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_common_order_is_recognised_from_few_labels(pattern):
    rng = np.random.default_rng(3)
    words = sorted(range(12), key=str)
    true = {
        "up": lambda y: (y + 1) % 12,
        "down": lambda y: (y - 1) % 12,
        "reversed": lambda y: 11 - y,
        "alphabetical": lambda y: np.array([words.index(each) for each in y]),
        "numeric": lambda y: np.array([words[each] for each in y]),
    }[pattern]
    labels = np.repeat(np.arange(12), 4)
    found = numbering(labels, answers(true(labels), 0.6, rng, 12), 12)
    assert found.log_odds > NUMBERING_ODDS.value
    assert found.pattern == pattern


def test_the_likelihood_is_that_of_the_best_of_all_orders():
    """Against all 120 orders of five classes, by the definition."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        labels, predicted = rng.integers(0, 5, 60), rng.integers(0, 5, 60)
        n = len(labels)

        def likelihood(order, labels=labels, predicted=predicted, n=n):
            right = int((np.array(order)[labels] == predicted).sum())
            share = (right + 0.5) / (n + 1)
            return right * math.log(share) + (n - right) * math.log((1 - share) / 4)

        def penalised(order, likelihood=likelihood):
            moved = sum(i != k for i, k in enumerate(order))
            return likelihood(order) - math.log(math.factorial(5) / math.factorial(5 - moved))

        base = likelihood(range(5))
        best = max(penalised(order) for order in permutations(range(5)) if order != (0, 1, 2, 3, 4))
        found = numbering(labels, predicted, 5)
        if found is not None and not found.pattern:
            assert found.log_odds <= best - base + 1e-9
        assert best - base <= (found.log_odds if found else 0.0) + 2.0


def test_two_classes_can_be_swapped():
    labels = np.tile([0, 1], 20)
    found = other_numbering({"e": 1.0 - labels[:, None] * 0.9}, "sigmoid", labels)
    assert found.log_odds > NUMBERING_ODDS.value
    assert found.accuracy == 1.0


def test_the_order_is_searched_in_every_form_of_the_inputs():
    rng = np.random.default_rng(1)
    true = rng.integers(0, 10, 128)
    labels = (true - 1) % 10
    found = numbering(labels, answers(true, 0.15, rng), H=answers(true, 0.7, rng))
    assert (found.variant, found.pattern) == ("H", "up")
    # In the right order, the other form alone explains the labels.
    found = numbering(true, answers(true, 0.15, rng), H=answers(true, 0.7, rng))
    assert found is None or found.log_odds < 0


def test_a_form_that_is_recognised_as_well_is_not_part_of_the_order():
    rng = np.random.default_rng(1)
    for _ in range(20):
        true = rng.integers(0, 10, 64)
        found = numbering((true - 1) % 10, answers(true, 0.6, rng), H=answers(true, 0.62, rng))
        assert found.variant == "e"


def test_classes_that_are_confused_in_a_few_inputs_are_not_in_another_order():
    labels = np.repeat(np.arange(10), 6)
    predicted = np.where(np.arange(60) % 6 < 5, labels, (labels + 2) % 10)
    predicted[labels == 3] = [5, 5, 5, 5, 3, 3]
    predicted[labels == 5] = [3, 3, 3, 3, 5, 5]
    assert numbering(labels, predicted) is None
    labels, predicted = np.tile(labels, 8), np.tile(predicted, 8)  # that many are no chance
    assert numbering(labels, predicted).moved == 2


def test_few_inputs_of_each_class_fit_any_predictions():
    labels = np.repeat(np.arange(6), PER_CLASS.value - 1)
    assert numbering(labels, (labels + 1) % 6, 6) is None
    regression = {"e": np.ones((40, 1))}
    assert other_numbering(regression, "regression", np.zeros(40)) is None


@pytest.mark.parametrize("kind", ["sigmoid", "softmax", "logits"])
def test_more_outputs_than_classes(kind: str) -> None:
    """An autoencoder with class numbers as labels: 400 outputs, 10 classes."""
    outputs = np.random.default_rng(3).random((200, 400))
    assert other_numbering({"e": outputs}, kind, np.arange(200) % 10) is None
