"""Beliefs are odds of the population, and nothing else."""

from __future__ import annotations

import ast

import pytest

from modelaudit.audit_types.behaviour import BetterInputs
from modelaudit.audit_types.diagnosis import (
    CauseProbability,
    DiagnosisOdds,
    Evidence,
    Undecidable,
)
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.arrangement import arranged, decided
from modelaudit.diagnosis.beliefs import BEHIND, TITLES, beliefs, chosen
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.features import (
    BUILT_IN,
    FEATURES,
    FOLLOWS,
    OF_OUTPUTS,
    STEP,
    features,
    said,
)
from modelaudit.diagnosis.model import CauseFound, StepResults
from modelaudit.diagnosis.odds_text import DESCRIPTIONS, how_often, odds_items, percent, sample_size
from modelaudit.diagnosis.procedure import PROCEDURE
from modelaudit.facts import Kernel
from modelaudit.odds.posterior import SOUND, Posterior, calibrated, posterior
from modelaudit.odds.table import Knot, shipped_table
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    LOW,
    behaviour,
    diagnosed,
    facts,
    form,
    initial,
    labelled,
    measurements,
    norm,
    output,
    renumbered,
    silent,
)
from tests.sources import SOURCES, within

NOTHING = StepResults((), (), (), ())


def test_no_belief_is_set_by_hand():
    """No step gives a cause a number; `belief` is passed on, never written as one."""
    for module, source in SOURCES.items():
        if not within(module, ("modelaudit.diagnosis",)):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", "")
                given = [*node.args] if name in {"CauseFound", "Cause"} else []
                given += [each.value for each in node.keywords if each.arg == "belief"]
                assert not [x for x in given if isinstance(x, ast.Constant)], (module, node.lineno)


def test_every_statistic_of_the_table_is_measured_and_has_words():
    known = {bins.feature for cause in shipped_table().causes for bins in cause.bins}
    twins = {name + BUILT_IN for name in OF_OUTPUTS}
    assert {name for name in known if not name.startswith(STEP)} == set(FEATURES) | twins
    assert {name.removeprefix(STEP) for name in known - set(FEATURES) - twins} <= set(TITLES)
    assert all(said(name, 1.0) for name in known)


def test_every_cause_of_a_step_has_odds_or_none_on_purpose():
    proven = {"constant-by-construction", "nondeterministic", "nonfinite-output"}
    assert {step.cause for step in PROCEDURE} - set(BEHIND) == proven | {"labels-outside-output"}
    behind = {name for names in BEHIND.values() for name in names}
    assert behind == {SOUND, *(cause.name for cause in shipped_table().causes)}


def test_how_steps_ended_is_a_statistic():
    found = CauseFound((Evidence("It is so."),))
    open_ = (Undecidable(cause="labels-renumbered", what="it", needs="labels", suspected=True),)
    steps = StepResults((("input-domain", found), ("head-bias", found)), (), (), open_)
    ended = {k: v for k, v in features(Case(facts(), ()), steps).items() if k.startswith(STEP)}
    words = {name: said(name, value) for name, value in ended.items()}
    assert "first" in words["step:values"]
    assert "after another" in words["step:head"]
    assert "suspected" in words["step:numbering"]
    assert set(words) == {"step:values", "step:head", "step:numbering"}


def test_features_are_the_measured_numbers():
    seen = labelled(behaviour(output(accuracy={"e": 0.3, "H": 0.8}, chance_p=1e-4)))
    known = features(Case(facts(seen), ()), NOTHING)
    assert known["turn_score"] == pytest.approx(0.5)
    assert known["turn_p"] == pytest.approx(9)
    assert known["score"] == pytest.approx((0.3 - 0.1) / 0.9)
    assert known["right"] == pytest.approx(4)
    assert known["values_p"] == 0
    unlabelled = features(Case(facts(), ()), NOTHING)
    assert not {"turn_p", "turn_score", "score", "right", "numbering"} & set(unlabelled)
    fresh = measurements(initial("conv", "fresh"), initial("head"))
    assert features(Case(facts(measured=fresh), ()), NOTHING)["fresh"] == 0.5


@pytest.mark.parametrize(("reached", "counts"), [(-6.9, False), (0.8, True)])
def test_a_form_that_labels_prefer_counts_only_if_it_beats_a_constant_answer(reached, counts):
    better = BetterInputs("/255", "R2", -15.8, reached, 1e-6, 30, 64)
    shown = output(accuracy={}, fit={"e": -15.8, "/255": reached}, better=better)
    known = features(Case(facts(labelled(behaviour(shown))), ()), NOTHING)
    assert (known["values_p"] > 5) == counts
    assert known["values_best"] == max(reached, -1.0)


def test_several_wrong_predictions_for_images_of_one_kind_are_no_gain():
    """Images of one class get one prediction; in another orientation they get several."""
    kind = {"collapse": LOW, "orientation": {"e": 0.1}, "gains": form("H", 0.9, 12.0)}
    known = features(Case(facts(behaviour(output(**kind))), ()), NOTHING)
    assert known["turn_bits"] == 0
    varied = behaviour(output(gains=form("H", 0.9, 12.0)))
    assert features(Case(facts(varied), ()), NOTHING)["turn_bits"] == 12


def test_statistics_of_outputs_on_built_in_inputs_stand_apart():
    own = features(Case(facts(), ()), NOTHING)
    made = behaviour()
    made = replace(made, inputs=replace(made.inputs, kind="synthetic"))
    other = features(Case(facts(made), ()), NOTHING)
    assert own["informed"] == other["informed" + BUILT_IN]
    assert "informed" not in other
    assert said("informed" + BUILT_IN, 0.5).startswith("on built-in or few inputs, predictions")


def test_beliefs_are_the_probabilities_of_the_table():
    seen = labelled(behaviour(output(accuracy={"e": 0.1, "H": 0.1}, numbering=renumbered(0.98))))
    given = Case(facts(seen), ())
    steps = arranged(given, decided(given, PROCEDURE))
    found = posterior(features(given, steps), shipped_table())
    diagnosis = diagnosed(seen)
    first = diagnosis.causes[0]
    assert first.cause == "labels-renumbered"
    made = shipped_table()
    belief, ends = calibrated(found.any_of({"numbering"}), made.of_causes)
    assert first.belief == pytest.approx(belief, abs=1e-3)
    assert first.interval == pytest.approx(ends, abs=1e-3)
    assert first.interval[0] <= first.belief <= first.interval[1]
    sound = calibrated(found.sound, made.of_sound)[0]
    assert diagnosis.odds.fault == pytest.approx(max(1 - sound, belief), abs=2e-3)
    assert first.belief <= diagnosis.odds.fault
    probable = {row.cause: row for row in diagnosis.odds.causes}
    assert probable["numbering"].shifts[0].factor > 1
    assert probable["numbering"].networks


@pytest.mark.parametrize(("cause", "named"), [(0.55, True), (0.35, False)])
def test_a_cause_is_named_if_it_is_more_probable_than_a_sound_model_before_the_curves(cause, named):
    """Each probability has a curve of its own, on which a smaller one can become the larger."""
    table = replace(
        shipped_table(),
        of_sound=(Knot(0.0, 0.0, (0.0, 0.1), 9, 9), Knot(1.0, 0.5 + cause, (0.0, 1.0), 9, 9)),
        of_causes=(Knot(0.0, 0.5, (0.0, 1.0), 9, 9), Knot(1.0, 0.6, (0.5, 1.0), 9, 9)),
    )
    found = Posterior(0.9 - cause, {"head": cause}, {}, {})
    assert bool(chosen(found, {"step:head": FOLLOWS}, table)) is named


def test_of_a_sound_model_the_belief_is_that_nothing_is_wrong():
    first = diagnosed(labelled(behaviour(output(accuracy={"e": 0.95, "H": 0.94})))).causes[0]
    assert first.cause in DESCRIPTIONS
    assert first.belief is not None
    assert first.belief > 0.5


def test_the_interval_is_said_to_be_of_all_causes_with_such_odds():
    ends = (0.963, 1.0)
    assert how_often("head-bias", ends) == (
        "in tests, causes with such odds were present in 96% to 100% of the cases"
    )
    assert (
        how_often("healthy", ends)
        == "in tests, models with such odds had no fault in 96% to 100% of the cases"
    )


def test_inputs_that_the_population_lacks_have_no_odds():
    tokens = replace(
        facts(), artifact=examples.model(), behaviour=replace(behaviour(silent()), inputs=words())
    )
    found = beliefs(Case(tokens, ()), NOTHING)
    assert found.found is None
    assert found.of("collapse-open") is None
    assert "volume" in sample_size(found.section())


def words():
    """Volumes, of which the population has none."""
    return replace(behaviour().inputs, shape=(128, 16, 16, 16, 1))


def test_odds_in_words():
    odds = diagnosed(labelled(behaviour(output(accuracy={"e": 0.3, "H": 0.9})))).odds
    heads = [head for head, _ in odds_items(odds, 3)]
    assert heads == [f"{row.title}: {percent(row.probability)}" for row in odds.causes[:3]]
    assert "times" in " ".join(text for _, text in odds_items(odds, 9))
    assert f"{odds.networks} networks" in sample_size(odds)
    assert [percent(p) for p in (0.999, 0.5, 0.001)] == ["more than 99%", "50%", "less than 1%"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("turn_p", 3.6, "labels prefer another orientation, p = 0.0003"),
        ("right", 0.4, "labels are met better than by a constant, p = 0.4"),
        ("turn_p", 0.0, "labels do not clearly prefer another orientation, p = 1"),
        ("numbering", 0.0, "no other order of the classes makes the labels likelier"),
        ("numbering", 205.0, "another order of the classes makes the labels more than a million"),
        ("numbering", 4.0, "another order of the classes makes the labels 55 times as likely"),
        ("steps", 4.3, "19,953 training steps counted by the optimizer"),
        ("spread", -3.2, "an output that varies by 0.00063 of its scale"),
        (
            "head_excess",
            2.1e12,
            "a bias of the last layer that stands out by more than 1,000 standard deviations",
        ),
        ("head_excess", 0.04, "a bias of the last layer that does not stand out"),
        ("score", -1.0, "a score of -1.00 or less on your labels"),
        ("score", -0.21, "a score of -0.21 on your labels"),
        (
            "head_excess",
            18.44,
            "a bias of the last layer that stands out by 18.4 standard deviations",
        ),
    ],
)
def test_numbers_are_written_for_readers(name, value, words):
    assert said(name, value).startswith(words)


def test_statistics_that_training_may_have_used_are_no_evidence_of_a_loss():
    """Weights alone do not tell; a graph that `fit` trained, or another trained layer, does."""
    kernels = [initial(name) for name in "abcdefghi"]
    alone = facts(measured=measurements(*kernels, batchnorm=[norm(lost=True)] * 2))
    conv = Kernel("conv", "conv/kernel", "conv", "hwio", 2, (3, 3, 1, 4))
    silent_file = replace(
        alone.artifact, training=None, graphs=(), architecture=None, kernels=(conv,)
    )
    alone = replace(alone, artifact=silent_file, behaviour=None)
    found = diagnose(alone, run_rules(CATALOGUE, alone))
    assert found.odds.causes  # there are odds, which other statistics decide
    assert "bn-statistics-lost" not in {each.cause for each in found.causes}
    assert "norms_lost" not in features(Case(alone, ()), NOTHING)
    assert "training may have used" in " ".join(each.needs for each in found.undecidable)
    others = [norm(lost=True), replace(norm(), route="other")]
    known = replace(alone, measurements=measurements(*kernels, batchnorm=others))
    shown = diagnose(known, run_rules(CATALOGUE, known))
    assert shown.causes[0].cause == "bn-statistics-lost"
    assert features(Case(known, ()), NOTHING)["norms_lost"] == 0.5


@pytest.mark.parametrize(("fresh", "second"), [("dense", False), ("conv", True)])
def test_a_last_layer_at_initial_values_has_no_order_of_the_classes(fresh, second):
    """It makes one up: some order always fits labels better than the one as given."""
    kernels = [initial(name, "fresh" if name == fresh else "trained") for name in ("conv", "dense")]
    seen = labelled(behaviour(output(accuracy={"e": 0.1, "H": 0.12}, numbering=renumbered(0.7))))
    found = diagnosed(seen, measurements(*kernels))
    named = {each.cause for each in found.causes}
    likely = {row.cause for row in found.odds.causes if row.probability > 0.5}
    assert "partial-restore" in named
    assert ("labels-renumbered" in named) == second
    assert ("numbering" in likely) == second


def test_without_a_probable_fault_nothing_is_said_to_be_told_with_it():
    sound = CauseProbability("sound", "No fault", 0.995)
    fault = CauseProbability("head", "A dominant bias of the last layer", 0.02)
    (alone,) = odds_items(DiagnosisOdds(causes=(sound,)), 3)
    assert alone == ("No fault: more than 99%", "Each of the faults alone has less than 1%.")
    assert "is told with that fault" in odds_items(DiagnosisOdds(causes=(sound, fault)), 3)[0][1]
