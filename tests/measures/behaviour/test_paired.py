"""Paired comparisons, against enumeration and SciPy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from modelaudit.measures.behaviour.paired import (
    FLIPPED,
    adjusted_p,
    as_good,
    best_variant,
    binomial_tail,
    p_better,
    with_other_evidence,
)


def best(scores):
    return best_variant(scores, np.random.default_rng(0))


@pytest.mark.parametrize(("gained", "lost"), [(0, 3), (5, 1), (4, 4), (20, 4), (1, 0)])
def test_right_or_wrong_is_mcnemars_exact_test(gained, lost):
    given = np.array([0.0] * gained + [1.0] * lost + [1.0] * 7)
    other = np.array([1.0] * gained + [0.0] * lost + [1.0] * 7)
    expected = stats.binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue
    assert p_better(given, other) == pytest.approx(expected)


def test_the_tail_by_enumeration():
    for n in range(1, 9):
        sums = [sum(each) for each in product((0, 1), repeat=n)]
        for k in range(n + 1):
            assert binomial_tail(k, n) == pytest.approx(np.mean([s >= k for s in sums]))


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_compared_by_signed_ranks(seed):
    rng = np.random.default_rng(seed)
    given = np.round(rng.normal(0, 1, 80), 1)
    other = np.round(given + rng.normal(0.15, 1, 80), 1)
    expected = stats.wilcoxon(
        other, given, alternative="greater", correction=False, method="approx"
    ).pvalue
    assert p_better(given, other) == pytest.approx(expected, rel=1e-6)


def test_equal_scores_show_nothing():
    assert p_better(np.ones(9), np.ones(9)) == 1.0


def test_the_best_form_and_those_as_good():
    scores = {"e": np.zeros(64), "H": np.ones(64), "V": np.ones(64), "BGR": np.zeros(64)}
    scores["V"][0] = 0
    found = best(scores)
    assert found.name == "H"
    assert as_good(scores, "H") == ("V",)
    assert found.p == pytest.approx(1 / (FLIPPED + 1))  # the smallest that can be told
    assert best({"e": np.ones(8), "H": np.zeros(8)}) is None
    assert best({"e": np.ones(8)}) is None


def test_the_p_value_is_that_of_all_exchanges_of_signs():
    rng = np.random.default_rng(2)
    given, gains = np.zeros(10), rng.normal(0.3, 1, (2, 10))
    sizes = np.sqrt((gains**2).sum(axis=1, keepdims=True))
    shares = gains / sizes
    largest = [(shares * np.array(each)).sum(axis=1).max() for each in product((1, -1), repeat=10)]
    chosen = gains.sum(axis=1).argmax()
    expected = np.mean(np.array(largest) >= shares.sum(axis=1)[chosen] - 1e-9)
    found = best({"e": given, "H": gains[0], "V": gains[1]})
    assert found.p == pytest.approx(expected, abs=0.03)


def test_forms_that_are_equally_good_are_rarely_preferred():
    """A network that answers all forms equally well: about 1 in 100 draws."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(400):
        right = (rng.random((8, 128)) < 0.6).astype(float)
        scores = dict(zip(("e", *"abcdefg"), right, strict=True))
        found = best(scores)
        alarms += found is not None and found.p < 0.01
    assert alarms <= 10


@pytest.mark.parametrize(("p", "z"), [(0.2, 3.0), (0.03, 0.0), (0.9, -1.0), (1e-9, 8.0)])
def test_two_kinds_of_evidence_are_combined_as_by_fisher(p, z):
    expected = stats.combine_pvalues([p, stats.norm.sf(z)], method="fisher").pvalue
    assert with_other_evidence(p, z) == pytest.approx(expected, rel=1e-6)
    assert with_other_evidence(p, 60.0) < 1e-200


def test_the_number_of_forms_counts():
    rng = np.random.default_rng(0)
    scores = {"e": np.zeros(64), "H": rng.normal(0.35, 1, 64)}
    scores |= {f"other {i}": rng.normal(0, 1, 64) for i in range(60)}
    few = {name: scores[name] for name in ("e", "H", "other 0")}
    p, many = (adjusted_p(each, "H", np.random.default_rng(0)) for each in (few, scores))
    assert 5 * p < many
