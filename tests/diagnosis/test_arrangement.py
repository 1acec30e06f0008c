"""What the odds name, what they only let suspect, and what they add to what the steps found."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import BetterInputs, InformationGain
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis import procedure
from modelaudit.diagnosis.advice import ADVICE
from modelaudit.diagnosis.arrangement import DiagnosisStep, arranged, decided, judged, present
from modelaudit.diagnosis.beliefs import Beliefs
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.features import BEHIND, NAMED
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown
from modelaudit.diagnosis.odds_text import DESCRIPTIONS
from modelaudit.diagnosis.procedure import PROCEDURE
from modelaudit.odds.posterior import Posterior, Shift
from modelaudit.odds.table import shipped_table
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour, diagnosed, facts, form, labelled, output

FOUND = CauseFound((Evidence("It is so."),))
OUT = CauseExcluded("a control")


def believed(sound: float, **causes: float) -> Beliefs:
    """Beliefs with these probabilities; each has one statistic that speaks for it."""
    table = replace(shipped_table(), of_sound=(), of_causes=())
    shifts = {name: (Shift("score", 0.1, 9.0, 5), Shift("margin", 1.0, 0.5, 5)) for name in causes}
    return Beliefs(Posterior(sound, causes, {}, shifts), table)


def results(known: Beliefs, *answers, seen=None):
    """The causes found, in the order of the steps, and those suspected."""
    case = Case(facts(seen), ())
    steps = [(DiagnosisStep(name, lambda _: OUT, *more), answer) for name, answer, *more in answers]
    found = arranged(case, judged(case, steps, known), present(case, steps, known))
    suspected = [each.cause for each in found.open if each.suspected]
    return [name for name, _ in found.found], suspected, found


def test_an_error_in_a_step_is_open_and_ends_nothing():
    case = Case(facts(None), ())
    steps = [
        DiagnosisStep("input-domain", lambda _: 1 / 0),
        DiagnosisStep("head-bias", lambda _: OUT),
    ]
    (_, broken), (_, other) = decided(case, steps)
    assert isinstance(broken, CauseUnknown)
    assert "ZeroDivisionError" in broken.needs
    assert other is OUT


def test_what_a_step_found_is_suspected_where_a_sound_model_is_likelier():
    found, suspected, _ = results(
        believed(0.6, values=0.3), ("input-domain", FOUND), ("learned-invariance", FOUND)
    )
    assert (found, suspected) == (["learned-invariance"], ["input-domain"])
    found, suspected, _ = results(believed(0.3, values=0.6), ("input-domain", FOUND))
    assert (found, suspected) == (["input-domain"], [])


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("second", ["input-domain", "labels-renumbered"])
def test_differences_that_were_found_together_are_named_together(second, together):
    """Labels need both, but the odds know too few such cases to name two causes."""
    other = replace(FOUND, together=together)
    steps = ("orientation-mismatch", FOUND), (second, other)
    found, suspected, _ = results(believed(0.1, orientation=0.85, values=0.04), *steps)
    assert found == ["orientation-mismatch", *([second] if together else [])]
    assert suspected == ([] if together else [second])
    shown = [name for name, _ in steps if together or name == second]
    expected = shown if second == "labels-renumbered" else []  # which no sound model has
    assert results(believed(0.9, orientation=0.05), *steps)[0] == expected


@pytest.mark.parametrize(
    ("score", "p", "restored"), [(0.7, 1e-6, True), (0.7, 0.5, False), (0.3, 1e-6, False)]
)
def test_a_form_that_restores_the_answers_needs_no_cause_that_no_step_found(score, p, restored):
    """One in which labels are met less badly, but not for the most part, explains nothing."""
    better = BetterInputs("/255", "accuracy", 0.2, score, p, 30, 64)
    seen = labelled(behaviour(output(accuracy={"e": 0.2, "/255": score}, better=better)))
    known = believed(0.1, dead=0.8, values=0.1)
    found, _, _ = results(known, ("dead-units", OUT), ("input-domain", FOUND), seen=seen)
    assert found == (["input-domain"] if restored else ["dead-units"])


@pytest.mark.parametrize(("score", "found"), [(-6.9, "not-understood"), (0.8, "input-domain")])
def test_a_form_that_stays_worse_than_the_mean_of_the_targets_is_no_cause(score, found):
    """As with a redrawn head: values of another size are as wrong, by less."""
    better = BetterInputs("/255", "R2", -15.8, score, 1e-6, 30, 64)
    numbers = {"accuracy": {}, "fit": {"e": -15.8, "/255": score}, "better": better}
    steps = dict(decided(Case(facts(labelled(behaviour(output(**numbers)))), ()), PROCEDURE))
    names = [step.cause for step, answer in steps.items() if isinstance(answer, CauseFound)]
    assert names[0] == found


@pytest.mark.parametrize(
    ("cause", "p", "names"),
    [
        ("one-class", 1e-6, ["input-domain"]),
        ("one-class", 0.5, ["collapse-open"]),
        ("misplaced", 1e-6, ["input-domain", "collapse-open"]),
    ],
)
def test_a_form_that_restores_the_answers_explains_poor_ones(cause, p, names):
    """Poor answers speak alone for training on one class, but not for weights out of place."""
    better = BetterInputs("/255", "accuracy", 0.2, 0.7, p, 30, 64)
    seen = labelled(behaviour(output(accuracy={"e": 0.2, "/255": 0.7}, better=better)))
    collapse = ("collapse-open", FOUND, frozenset({"input-domain"}))
    known = believed(0.1, **{cause: 0.6, "values": 0.2})
    assert results(known, ("input-domain", FOUND), collapse, seen=seen)[0] == names


@pytest.mark.parametrize("name", ["not-understood", "labels-renumbered"])
def test_labels_that_are_met_by_chance_or_in_another_order_are_no_sound_model(name):
    found, suspected, _ = results(believed(0.8, mislabelled=0.1), (name, FOUND))
    assert (found, suspected) == ([name], [])
    found, suspected, _ = results(believed(0.1, values=0.8), ("input-domain", FOUND), (name, FOUND))
    assert (found, suspected) == (["input-domain"], [name])


def test_what_has_no_odds_is_proven_and_stays():
    found, _, _ = results(believed(0.99, values=0.01), ("nonfinite-output", FOUND))
    assert found == ["nonfinite-output"]
    without = Beliefs(None, shipped_table(), "none")
    assert results(without, ("input-domain", FOUND))[0] == ["input-domain"]


def test_the_most_probable_cause_is_named_though_no_step_found_it():
    found, suspected, all_ = results(
        believed(0.1, head=0.8, values=0.1), ("head-bias", OUT), ("input-domain", FOUND)
    )
    assert (found, suspected) == (["head-bias"], ["input-domain"])
    ((_, told),) = all_.found
    assert told.evidence[0].text.startswith("No single check confirms it, but together: a score")
    assert len(told.against) == 1


@pytest.mark.parametrize("cause", ["orientation", "values"])
def test_another_form_is_named_only_with_the_form(cause):
    known = believed(0.1, **{cause: 0.9})
    step = (NAMED[cause], OUT)
    assert results(known, step, seen=behaviour(output(gains={})))[0] == []
    best = {"orientation": "V", "values": "/255"}[cause]
    seen = labelled(behaviour(output(accuracy={"e": 0.2, "H": 0.5, "V": 0.8, "/255": 0.7})))
    found, _, all_ = results(known, step, seen=seen)
    assert found == [NAMED[cause]]
    assert all_.found[0][1].transform == best
    told = behaviour(output(gains=form("H", 0.2) | form("r90", 0.9)))
    if cause == "orientation":
        assert results(known, step, seen=told)[2].found[0][1].transform == "r90"


def test_a_form_that_is_no_better_than_the_inputs_as_given_is_not_named():
    step = (NAMED["orientation"], OUT)
    worse = labelled(behaviour(output(accuracy={"e": 0.8, "H": 0.5, "V": 0.8})))
    assert results(believed(0.1, orientation=0.9), step, seen=worse)[0] == []
    # Larger values alone make predictions confident: they count at equal confidence.
    gains = {
        "*255": InformationGain(2.0, 9.0, 0.0, 0.0),
        "/255": InformationGain(0.5, 5.0, 0.4, 5.0),
    }
    seen = behaviour(output(gains=gains))
    found = results(believed(0.1, values=0.9), (NAMED["values"], OUT), seen=seen)[2].found
    assert found[0][1].transform == "/255"


def test_two_probable_causes_are_both_named_though_one_could_explain_the_other():
    both = Beliefs(
        Posterior(0.1, {"head": 0.1, "values": 0.1}, {("head", "values"): 0.7}, {}),
        shipped_table(),
    )
    domain = ("input-domain", FOUND, frozenset({"head-bias"}))
    found, _, _ = results(both, ("head-bias", FOUND), domain)
    assert found == ["head-bias", "input-domain"]
    one = believed(0.1, head=0.8)
    found, _, all_ = results(one, ("head-bias", FOUND), domain)
    assert found == ["head-bias"]
    assert [each.cause for each in all_.consequences] == ["input-domain"]


def test_every_cause_of_the_population_has_a_name_that_stands_for_it():
    assert set(NAMED) == {cause.name for cause in shipped_table().causes}
    assert all(name in BEHIND[cause] and cause in ADVICE for name, cause in NAMED.items())


def test_the_answer_says_what_is_suspected_and_what_would_decide(monkeypatch):
    known = believed(0.7, orientation=0.3)
    monkeypatch.setattr(procedure, "beliefs", lambda case, steps: known)
    seen = labelled(behaviour(output(accuracy={"e": 0.6, "H": 0.9})))
    found = diagnosed(seen)
    assert found.causes[0].cause in DESCRIPTIONS
    assert "This is not certain" in found.answer
    assert "70% for no fault" in found.answer
    assert "more images with labels)." in found.answer
