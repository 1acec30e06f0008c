"""Which forms of the inputs are tried together, and which changes the best one needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.audit_types.behaviour import BetterInputs
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.diagnosis.case import better_by_labels
from modelaudit.measures.behaviour.accuracy import fit_scores
from modelaudit.measures.behaviour.paired import adjusted_p, best_variant, p_better
from modelaudit.measures.value_transforms import JOIN, domain_transforms
from modelaudit.probe.study.combinations import CombinationSearch, variant_name
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.labels import form_odds, score_variants
from modelaudit.probe.study.runner import InputVariant
from modelaudit.rules import examples
from modelaudit.structs import replace
from modelaudit.thresholds.answers import NUMBERING_ODDS
from tests.diagnosis.cases import output

RNG = np.random.default_rng(0)
IMAGES = RNG.random((64, 4, 4, 3)).astype("float32")
DOMAINS = domain_transforms(IMAGES, 3)
SCALES = [domain.name for domain in DOMAINS if domain.name != "BGR"]
SINGLE = ["e", "H", "V", "r180", "BGR", *SCALES]
ARTIFACT = replace(examples.model(), training=None)


def searched(y: np.ndarray, answer, artifact=ARTIFACT) -> dict[str, np.ndarray]:
    """The outputs of all forms that are tried; `answer` gives those of one form, by its name."""
    inputs = ProbeInputs("user", 64, IMAGES.shape, (0, 1))
    fed = PreparedInputs((IMAGES,), None, y, inputs, ({},), (True,))
    singles = {name: {"head": answer(name)} for name in SINGLE}
    moves = ("H", "V", "r180")

    def ask(variant: InputVariant) -> dict[str, np.ndarray]:
        return {"head": answer(variant_name(variant))}

    found = CombinationSearch(singles, moves, DOMAINS, fed, artifact, ask).run()
    assert len(found) <= 40
    return {name: each["head"] for name, each in {**singles, **found}.items()}


def classes(wrong: str, signal: float, seed: int):
    """Answers of a network whose inputs differ by `wrong`; each part costs most of the signal."""
    rng = np.random.default_rng(seed)
    labels = np.arange(64) % 10

    def answer(name: str) -> np.ndarray:
        parts, done = set(wrong.split(JOIN)), set(name.split(JOIN)) - {"e"}
        seen = signal / 4 ** len(parts ^ done)
        scores = rng.normal(size=(64, 10)) + seen * np.eye(10)[labels]
        powers = np.exp(scores)
        return powers / powers.sum(axis=1, keepdims=True)

    return labels, answer


@pytest.mark.parametrize(
    "wrong",
    ["V", "BGR", "2x-1", "V + BGR", "V + 2x-1", "2x-1 + BGR", "V + 2x-1 + BGR"],
)
def test_every_part_of_what_differs_is_named_and_nothing_else(wrong) -> None:
    for seed in range(2):
        y, answer = classes(wrong, 6.0, seed)
        found = score_variants(searched(y, answer), "softmax", y, {}).better
        assert found is not None
        assert (found.name, found.p < 0.01) == (wrong, True)


def preferred(found: BetterInputs | None) -> BetterInputs | None:
    """The form that labels prefer, by labels alone."""
    return better_by_labels(output(better=found, gains={}))


def test_one_answer_for_all_is_not_right_because_most_labels_have_that_class():
    """Nine of ten labels are of class 3, which saturated predictions name for every input."""
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(64) % 10 == 0, 1, 3)
    unsure = rng.dirichlet(np.ones(10), 64)
    one = np.full((64, 10), 1e-4)
    one[:, 3] = 1 - 9e-4
    found = score_variants({"e": unsure, "*255": one}, "softmax", labels, {}).better
    assert found is not None
    assert found.score - found.given > 0.5
    assert found.p < 0.01  # it does score better
    assert found.odds is not None and found.odds < 0  # but not better than a constant answer
    assert preferred(found) is None
    # Its honest twin recognises both classes.
    right = 0.9 * np.eye(10)[labels] + 0.01
    found = score_variants({"e": unsure, "*255": right}, "softmax", labels, {}).better
    assert preferred(found) is not None


def test_of_two_forms_that_are_equally_good_none_is_preferred():
    """The likelihoods of the labels differ by chance, so that odds are no test."""
    rng = np.random.default_rng(7)
    labels, alarms = np.arange(64) % 10, 0
    for _ in range(60):
        tried = {}
        for name in ("e", "H"):
            powers = np.exp(rng.normal(size=(64, 10)) + np.eye(10)[labels])
            tried[name] = powers / powers.sum(axis=1, keepdims=True)
        alarms += preferred(score_variants(tried, "softmax", labels, {}).better) is not None
    assert alarms <= 2


def test_targets_that_are_numbers_give_no_odds():
    y, answer = numbers({"V": 0.3})
    found = score_variants({name: answer(name) for name in ("e", "V")}, "regression", y, {}).better
    assert found is not None
    assert (found.name, found.odds) == ("V", None)
    assert preferred(found) is not None


def test_the_p_value_is_that_of_the_form_that_is_named():
    """Two changes score best by a little; the labels do not need the second."""
    y, answer = numbers({"BGR": 0.32, "V + 1-x": 0.3})
    given = searched(y, answer)
    found = score_variants(given, "regression", y, {}).better
    assert found is not None and found.name == "BGR"
    rows = {name: fit_scores(each, y) for name, each in given.items()}
    best = best_variant(rows, np.random.default_rng(0))
    assert best is not None and best.name == "V + 1-x"
    alone = {name: each for name, each in rows.items() if JOIN not in name}
    own = [adjusted_p(each, "BGR", np.random.default_rng(0)) for each in (rows, alone)]
    assert found.p == min(own)


def test_renumbered_labels_do_not_hide_two_other_differences() -> None:
    for seed in range(2):
        y, answer = classes("V + BGR", 6.0, seed)
        labels = np.random.default_rng(seed).permutation(10)[y]
        found = score_variants(searched(labels, answer), "softmax", labels, {})
        assert found.better is not None and found.numbering is not None
        assert found.better.name == "V + BGR"
        assert found.numbering.log_odds > 6.9


@pytest.mark.parametrize("needed", [True, False])
def test_another_order_is_told_for_the_form_that_is_named_in_it(needed) -> None:
    """A change that adds little to the right form is part of neither."""
    y = np.arange(64) % 6
    labels = np.random.default_rng(1).permutation(6)[y]
    noise = np.random.default_rng(2).normal(size=(64, 6))

    def seen(signal: float) -> np.ndarray:
        return noise + signal * np.eye(6)[y]

    given = {"e": seen(0.8), "V": seen(2.2), "1-x": seen(0.8)}
    given["V + 1-x"] = seen(6.0 if needed else 2.25)
    found = score_variants(given, "logits", labels, {})
    assert found.better is not None and found.numbering is not None
    assert found.better.name == found.numbering.variant == ("V + 1-x" if needed else "V")
    assert found.numbering.accuracy == found.better.score
    # In the right order nothing is renumbered, and the form is the same.
    sound = score_variants(given, "logits", y, {})
    assert sound.numbering is None or sound.numbering.log_odds < NUMBERING_ODDS.value
    assert sound.better is not None and sound.better.name == found.better.name


def test_nothing_is_combined_for_inputs_that_are_recognised_best_as_given() -> None:
    for signal in (2.0, 6.0):
        y, answer = classes("e", signal, 0)
        tried = searched(y, lambda name, answer=answer: answer("e" if name == "e" else "a + b"))
        assert set(tried) == set(SINGLE)


def numbers(errors: dict[str, float]):
    y = RNG.normal(size=(64, 1))
    return y, lambda name: y + errors.get(name, 3.0) * RNG.normal(size=(64, 1))


def test_numbers_are_searched_like_classes() -> None:
    y, answer = numbers({"V": 1.0, "BGR": 1.5, "V + BGR": 0.3})
    found = score_variants(searched(y, answer), "regression", y, {}).better
    assert found is not None
    assert found.name == "V + BGR"
    tried = searched(*numbers({"e": 0.2}))
    assert set(tried) == set(SINGLE)  # nothing is better than the inputs as given


def test_two_differences_of_which_neither_alone_helps() -> None:
    """Of a regression: every other form is as wrong as the inputs as given."""
    y, answer = numbers({"V + BGR": 0.3})
    found = score_variants(searched(y, answer), "regression", y, {}).better
    assert found is not None
    assert found.name == "V + BGR"


def test_of_forms_that_score_alike_the_simplest_is_named():
    """Upside down and inverted does the same as exchanging red and blue, for these numbers."""
    y, answer = numbers({"BGR": 0.31, "V + 1-x": 0.3})
    found = score_variants(searched(y, answer), "regression", y, {}).better
    assert found is not None
    assert found.name == "BGR"


@pytest.mark.parametrize("needed", [False, True])
def test_a_second_change_is_held_against_all_that_could_be_the_second(needed):
    """One of many that do nothing is lucky, or it is needed; red and blue are the only such one."""
    told = {"e": -90.0, "/255": -30.0, "BGR": -90.0, "V + /255": -26.5 + needed}
    told |= dict.fromkeys(("V", "H", "r90", "T"), -90.0)
    odds = form_odds(told)
    assert max(odds, key=lambda name: odds[name]) == ("V + /255" if needed else "/255")
    odds = form_odds(told | {"/255 + BGR": -27.0})
    assert max(odds, key=lambda name: odds[name]) == ("/255 + BGR" if not needed else "V + /255")


def test_odds_are_those_of_bayes_theorem():
    """100 to 1 against a first change, 10 to 1 against a further one, equal odds in each kind."""
    prior = {"e": 1.0, "V": 0.01 / 2, "H": 0.01 / 2, "BGR": 0.01, "V + BGR": 0.01 * 0.1 / 2}
    likelihood = {"e": 1e-40, "V": 3e-36, "H": 1e-41, "BGR": 2e-37, "V + BGR": 5e-33}
    odds = form_odds({name: math.log(each) for name, each in likelihood.items()})
    for name, found in odds.items():
        expected = prior[name] * likelihood[name] / likelihood["e"]
        assert found == pytest.approx(math.log(expected), abs=0.02)


def test_every_scale_is_tried_with_red_and_blue_exchanged() -> None:
    tried = searched(*numbers({"V": 1.0}))
    assert {f"{scale} + BGR" for scale in SCALES} <= set(tried)


@pytest.mark.parametrize("lucky", [0, 3])
def test_few_errors_near_zero_decide_no_more_than_others(lucky) -> None:
    y = RNG.normal(size=(64, 1))
    given, other = y + 0.8 * RNG.normal(size=(64, 1)), y + 0.8 * RNG.normal(size=(64, 1))
    other[:lucky] = y[:lucky] + 1e-9
    gain = fit_scores(other, y) - fit_scores(given, y)
    assert np.abs(gain).max() < 5
    assert p_better(fit_scores(given, y), fit_scores(other, y)) > 0.001


def test_a_form_that_makes_the_model_surer_than_training_does_gives_way():
    """Without normalization, 255 times larger values leave each answer as it is."""
    labels = np.arange(64) % 10
    sure = np.where(np.eye(10)[labels] > 0, 6.0, 0.0)
    tried = {"e": np.roll(sure, 1, 1), "V": sure, "V + *255": 255 * sure}
    tried["V"] = np.where(np.arange(64)[:, None] == 0, np.roll(sure, 1, 1), sure)  # one is wrong
    found = score_variants(tried, "logits", labels, {}).better
    assert found is not None and (found.name, found.also) == ("V", ())
    # A network that is as sure in every form is no reason against one of them.
    alone = {"e": tried["e"], "V + *255": 255 * sure}
    found = score_variants(alone, "logits", labels, {}).better
    assert found is not None and found.name == "V + *255"
