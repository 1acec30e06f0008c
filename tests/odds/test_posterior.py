"""The posterior against closed forms: Bayes' rule on small tables, and what always holds."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.odds.posterior import SOUND, calibrated, posterior, without
from modelaudit.odds.table import Bins, CauseOdds, Knot, OddsTable, PairOdds, shipped_table
from modelaudit.structs import replace
from modelaudit.thresholds.answers import SURE_FAULT

CAP = math.log(1000) + 0.01  # rounded to two decimals


def cause(name: str, prior: float, **llr: tuple[float, ...]) -> CauseOdds:
    bins = (Bins(f, tuple(range(1, len(x))), x, (7,) * len(x)) for f, x in llr.items())
    return CauseOdds(name, prior, tuple(bins), 10, 5)


def table(*causes: CauseOdds, pairs: tuple[PairOdds, ...] = ()) -> OddsTable:
    sound = 1 - sum(each.prior for each in (*causes, *pairs))
    return OddsTable("made", 10, 5, cause(SOUND, sound), causes, pairs, (), (), ("image",))


def test_bayes_rule_on_a_table_of_counts():
    """Of 100 models 80 are sound; 2 of them and 15 of the 20 others have a high value."""
    high, low = math.log((15 / 20) / (2 / 80)), math.log((5 / 20) / (78 / 80))
    made = table(cause("a", 0.2, x=(low, high)))
    assert posterior({"x": 1.5}, made).any_of({"a"}) == pytest.approx(15 / 17)
    assert posterior({"x": 0.5}, made).any_of({"a"}) == pytest.approx(5 / 83)
    assert posterior({}, made).any_of({"a"}) == pytest.approx(0.2)


def test_what_speaks_against_a_sound_model_speaks_for_every_cause():
    """Of 100 models 80 are sound; none of them, and half of the others, has such a value."""
    made = table(cause("a", 0.1), cause("b", 0.1, y=(0.0, math.log(3))))
    made = replace(made, sound=cause(SOUND, 0.8, x=(math.log(5), math.log(0.1))))
    found = posterior({"x": 1.5, "y": 1.5}, made)
    assert found.sound == pytest.approx(0.08 / (0.08 + 0.1 + 0.3))
    assert found.any_of({"b"}) == pytest.approx(0.3 / 0.48)
    assert [(s.feature, round(s.factor, 6)) for s in found.shifts["b"]] == [("x", 10.0), ("y", 3.0)]


def test_two_causes_with_independent_signs_against_enumeration():
    """All combinations of two causes are enumerated; both at once are rarer than by chance."""
    odds = {"a": 30.0, "b": 8.0}
    joint = {(): 0.7, ("a",): 0.15, ("b",): 0.1, ("a", "b"): 0.05}
    made = table(
        *(cause(n, joint[n,], **{n: (-1.0, math.log(o))}) for n, o in odds.items()),
        pairs=(PairOdds(("a", "b"), 0.05),),
    )
    weights = {
        names: prior * math.prod(odds[name] for name in names) for names, prior in joint.items()
    }
    found, total = posterior({"a": 2, "b": 2}, made), sum(weights.values())
    assert found.sound == pytest.approx(weights[()] / total)
    assert found.several == pytest.approx(weights["a", "b"] / total)
    assert found.any_of({"a"}) == pytest.approx((weights["a",] + weights["a", "b"]) / total)
    assert found.any_of({"a", "b"}) == pytest.approx(1 - weights[()] / total)


def test_shifts_are_factors_and_the_strongest_comes_first():
    made = table(cause("a", 0.1, x=(0.0, math.log(40)), y=(math.log(0.01), 0.0), z=(0.0, 1.0)))
    shifts = posterior({"x": 1, "y": 0, "z": 0}, made).shifts["a"]
    assert [(each.feature, round(each.factor, 2), each.n) for each in shifts] == [
        ("y", 0.01, 7),
        ("x", 40.0, 7),
    ]  # z says nothing at this value


values = st.dictionaries(
    st.sampled_from(sorted({b.feature for c in shipped_table().causes for b in c.bins})),
    st.floats(-50, 50),
)


@given(values)
def test_probabilities_sum_to_one(known):
    found = posterior(known, shipped_table())
    total = found.sound + sum(found.alone.values()) + found.several
    assert total == pytest.approx(1)
    assert all(0 <= p <= 1 for p in (found.sound, *found.alone.values(), *found.pairs.values()))
    assert found.any_of({SOUND, *found.alone}) == pytest.approx(1)


@given(values, st.data())
def test_more_of_what_speaks_for_a_cause_never_lowers_its_odds(known, data):
    made = shipped_table()
    chosen = data.draw(st.sampled_from(made.causes))
    bins = data.draw(st.sampled_from(chosen.bins))
    only = replace(made, pairs=(), sound=replace(made.sound, bins=()))
    low, high = sorted(data.draw(st.tuples(st.floats(-50, 50), st.floats(-50, 50))))

    def odds(value: float) -> float:
        """Of this cause alone against a sound model of which statistics say nothing."""
        found = posterior({**known, bins.feature: value}, only)
        return math.log(max(found.alone[chosen.name], 1e-300) / max(found.sound, 1e-300))

    rises = bins.llr[-1] >= bins.llr[0]
    assert (odds(high) - odds(low)) * (1 if rises else -1) >= -1e-6


def test_the_shipped_table_is_monotone_capped_and_adds_up():
    made = shipped_table()
    for each in (made.sound, *made.causes):
        assert each.cases
        for bins in each.bins:
            assert len(bins.llr) == len(bins.counts) == len(bins.edges) + 1
            assert list(bins.edges) == sorted({*bins.edges})
            steps = [b - a for a, b in itertools.pairwise(bins.llr)]
            assert all(x >= 0 for x in steps) or all(x <= 0 for x in steps)
            assert all(abs(x) <= CAP for x in bins.llr)
    priors = [made.sound.prior, *(e.prior for e in made.causes), *(e.prior for e in made.pairs)]
    assert math.isclose(sum(priors), 1)


@pytest.mark.parametrize("knots", [shipped_table().of_sound, shipped_table().of_causes])
def test_what_is_reported_is_monotone_and_inside_its_interval(knots):
    """At knots, between them, and beyond."""
    assert [each.stated for each in knots] == sorted({each.stated for each in knots})
    shown = [calibrated(k / 500, knots) for k in range(501)]
    assert all(ends is not None and ends[0] <= p <= ends[1] for p, ends in shown)
    assert [p for p, _ in shown] == sorted(p for p, _ in shown)
    assert 0 <= shown[0][0] < 0.02
    assert SURE_FAULT.value < shown[-1][0] <= 1  # or nothing could fail


def test_between_two_knots_a_belief_is_linear():
    knots = (Knot(0.2, 0.1, (0.0, 0.2), 9, 5), Knot(0.6, 0.5, (0.4, 0.8), 9, 5))
    assert calibrated(0.4, knots) == (pytest.approx(0.3), (pytest.approx(0.2), pytest.approx(0.5)))
    assert calibrated(0.9, knots) == (0.5, (0.4, 0.8))
    assert calibrated(0.4, ()) == (0.4, None)


def test_what_is_left_without_a_cause_keeps_its_proportions():
    """As if Bayes' rule had been told with a prior of nothing for that cause."""
    pair = PairOdds(("a", "b"), 0.05)
    made = table(cause("a", 0.2, x=(-0.5, 1.0)), cause("b", 0.1, x=(0.3, 0.7)), pairs=(pair,))
    found, left = posterior({"x": 1.5}, made), without(posterior({"x": 1.5}, made), {"b"})
    assert left.any_of({"b"}) == 0
    assert left.sound + left.any_of({"a"}) == pytest.approx(1)
    assert left.alone["a"] / left.sound == pytest.approx(found.alone["a"] / found.sound)
