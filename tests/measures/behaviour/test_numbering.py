"""Another order of the classes: found if there is one, and not where labels show none."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from modelaudit.measures.behaviour.accuracy import class_likelihoods
from modelaudit.measures.behaviour.numbering import (
    ENTROPY_SHARES,
    PATTERNS,
    Numbering,
    _no_better,
    other_numbering,
)
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


@pytest.mark.parametrize("renumbered", [True, False])
def test_classes_that_are_alike_do_not_hide_the_order(renumbered):
    """The likeliest order meets few labels, since it suits unsure predictions."""
    shown = 0
    for seed in (16, 85, 92, 171, 232):
        rng = np.random.default_rng(seed)
        true = rng.integers(0, 7, 64)
        alike = 1.6 * np.eye(7) + 1.6 * rng.random((7, 7))
        powers = np.exp(1.5 * rng.normal(size=(64, 7)) + alike[true])
        values = powers / powers.sum(axis=1, keepdims=True)
        labels = rng.permutation(7)[true] if renumbered else true
        found = other_numbering({"e": values}, "softmax", labels)
        shown += found is not None and found.log_odds > NUMBERING_ODDS.value
    assert shown == (5 if renumbered else 0)


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


@pytest.mark.parametrize("seed", range(8))
def test_the_odds_are_those_of_the_best_of_all_orders(seed):
    """Against all 120 orders of five classes, by the definition."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 5
    order = rng.permutation(5)
    scores = rng.normal(size=(60, 5)) + 2 * np.eye(5)[order[labels]]
    tables = [class_likelihoods(scores, "logits", share) for share in ENTROPY_SHARES]

    def likelihood(order):
        return max(table[np.arange(60), np.array(order)[labels]].sum() for table in tables)

    def odds(order):
        moved = sum(i != k for i, k in enumerate(order))
        return likelihood(order) - math.log(15 * math.factorial(5) / math.factorial(5 - moved))

    best = max(permutations(range(5)), key=odds)
    found = other_numbering({"e": scores}, "logits", labels)
    if found is not None and not found.pattern:
        assert tuple(found.order) == best
        assert found.log_odds == pytest.approx(odds(best) - likelihood(range(5)))


def test_a_network_that_knows_nothing_is_not_said_to_be_numbered_otherwise():
    rng = np.random.default_rng(0)
    for _ in range(100):
        scores = 3 * rng.normal(size=(64, 10))  # confident
        found = other_numbering({"e": scores}, "logits", rng.integers(0, 10, 64))
        assert found is None or found.log_odds < NUMBERING_ODDS.value


def test_probabilities_tell_more_than_the_likeliest_class():
    """A weak network, right for about half of its inputs, and 64 labels in another order."""
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        true = np.arange(64) % 10
        scores = rng.normal(size=(64, 10)) + 1.5 * np.eye(10)[true]
        order = rng.permutation(10)
        told = other_numbering({"e": scores}, "logits", order[true])
        found += told is not None and told.log_odds > NUMBERING_ODDS.value
        sound = other_numbering({"e": scores}, "logits", true)
        assert sound is None or sound.log_odds < 0
    assert found >= 18


def test_two_classes_of_a_weak_network_can_be_exchanged():
    """Right for 6 of 10 images: too few answers change to be no chance, but the scores all do."""
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        true, order = np.arange(64) % 4, np.array([0, 3, 2, 1])
        scores = 2 * (rng.normal(size=(64, 4)) + np.eye(4)[true])
        told = other_numbering({"e": scores}, "logits", order[true])
        shown = told is not None and told.log_odds > NUMBERING_ODDS.value
        found += shown and told.order.tolist() == order.tolist()
        sound = other_numbering({"e": scores}, "logits", true)
        assert sound is None or sound.log_odds < NUMBERING_ODDS.value
    assert found >= 14


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


@pytest.mark.parametrize("exchanged", [False, True])
def test_another_form_that_is_better_alone_shows_no_order(exchanged):
    """Two classes are confused with each other in the right form; or really exchanged."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(8), 8)
    order = np.array([1, 0, *range(2, 8)])
    said = np.where(np.arange(64) % 8 < 5, order[labels], labels)  # 5 of 8, of these two classes
    said = order[labels] if exchanged else np.where(labels < 2, said, labels)
    outputs = {"e": np.eye(8)[rng.integers(0, 8, 64)], "V": np.eye(8)[said]}
    found = Numbering("V", 1.0, 20.0, 2, order)
    assert _no_better(found, outputs, "softmax", labels) is not exchanged
