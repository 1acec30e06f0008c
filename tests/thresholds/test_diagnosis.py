"""Decisions of the diagnosis at the edges of the thresholds on answers and weights.

Outputs have 16 classes, so that they carry 4 bits at most.
"""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

from modelaudit.audit_types.behaviour import BetterInputs, Collapse, Intervention
from modelaudit.audit_types.diagnosis import (
    Cause,
    CauseProbability,
    Diagnosis,
    DiagnosisOdds,
    Evidence,
)
from modelaudit.diagnosis.case import answered_alike, better_by_labels, labels_contradict
from modelaudit.diagnosis.steps.collapse import dead_units, little_information
from modelaudit.diagnosis.steps.flip import by_construction
from modelaudit.diagnosis.steps.input import orientation_mismatch
from modelaudit.diagnosis.steps.label import labels_renumbered, mostly_wrong, recognises
from modelaudit.diagnosis.steps.statistics import unconverged_statistics, unsettled_statistics
from modelaudit.diagnosis.steps.weight import partial_restore
from modelaudit.diagnosis.suspects import suspects
from modelaudit.measures.behaviour.numbering import other_numbering
from modelaudit.probe.study.labels import form_odds
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    facts,
    fit,
    initial,
    judged,
    labelled,
    measurements,
    mirror,
    regression,
    renumbered,
)
from tests.diagnosis.cases import output as sound_output
from tests.thresholds.edges import Edges, answer, case, check, found

EDGES = Edges()
at = EDGES.at


def output(bits=3.9, share=0.1, classes=16, collapsed=False, **changes):
    seen = Collapse(collapsed, bits, classes, 1, share, 0.3)
    plain = {"collapse": seen, "orientation": {"e": bits}, "domain": {}}
    return sound_output(**(plain | changes))


# Images, their kind, and statistics that do not match them.


@at("answers.MIN_INPUTS", {31: False, 32: True})
def enough_images(n):
    return case(behaviour(n=n)).images


@at("answers.ONE_CLASS", {0.89: False, 0.9: True})
def one_class(share):
    return case(labelled(behaviour(), share)).one_class


@at("answers.TOP_SHARE", {0.5: False, 0.505: True})
def alike_by_share(share):
    return answered_alike(output(0.1, share))


@at("answers.LITTLE", {1.19 / 4: True, 1.2 / 4: False})
def alike_by_information(share):
    return answered_alike(output(4 * share, 0.9))


@at("weights.MISFIT", {0.35: False, 0.353: True})
def misfit(value):
    return case(behaviour(batchnorm=(fit(value),))).misfit is not None


@at("weights.MISFIT_ALIKE", {0.7: False, 0.707: True})
def misfit_of_images_of_a_kind(value):
    return case(behaviour(output(0.1, 0.9), batchnorm=(fit(value),))).misfit is not None


@at("weights.SOUND_FIT", {0.2: False, 0.202: True})
def little_information_despite_a_fit(value):
    return found(little_information, behaviour(output(0.1, 0.9), batchnorm=(fit(value),)))


@at("weights.SETTLING", {0.1: True, 0.101: False})
def unsettled(value):
    bad = fit(0.9, settled=0.3, settled_misfit=value)
    return found(unsettled_statistics, behaviour(batchnorm=(bad,)))


def recalibrated(before, after):
    tried = Intervention(before=before, after=after, output="digit")
    seen = behaviour(
        output(), batchnorm=(fit(0.9),), interventions={"recalibrate_batchnorm": tried}
    )
    return found(unconverged_statistics, seen)


@at("answers.UNINFORMED", {0.495: True, 0.5: False})
def unconverged_before(share):
    return recalibrated(4 * share, 3.9)


@at("answers.INFORMED", {0.75: False, 0.755: True})
def unconverged_after(share):
    return recalibrated(0.1, 4 * share)


@at("weights.SMALL", {499: True, 500: False})
def a_fresh_layer_is_called_small(weights):
    kernels = measurements(initial("conv", "fresh", weights), initial("head"))
    found = partial_restore(case(behaviour(), kernels))
    return any("by chance" in each.text for each in found.against)


# Outputs without information.


@at("answers.DEAD", {0.99: False, 1.0: True})
def dead_layer(share):
    return found(dead_units, behaviour(output(0.0, collapsed=True), dead={"relu": share}))


@at("answers.UNINFORMED", {0.495: True, 0.5: False})
def dead_layer_matters(share):
    return found(dead_units, behaviour(output(4 * share), dead={"relu": 1.0}))


def cleared(seen, after):
    tried = Intervention(before=0.0, after=after, layer="relu")
    changes = {"skipped": {"dead units": "no layers"}, "dead": {}}
    return found(
        dead_units, behaviour(seen, interventions={"clear_negative_bias": tried}, **changes)
    )


@at("answers.UNINFORMED", {0.5: False, 0.505: True})
def dead_by_clearing(share):
    return cleared(output(0.0, collapsed=True), 4 * share)


@at("answers.MIN_SPREAD", {1e-4: False, 1.01e-4: True})
def dead_by_clearing_without_classes(spread):
    return cleared(regression(collapse=Collapse(True, None, None, None, None, 0.0)), spread)


@at("answers.UNINFORMED", {0.495: True, 0.5: False})
def wrong_predictions(accuracy):
    return bool(mostly_wrong(output(accuracy={"e": accuracy})))


@at("answers.SATURATED", {0.5: "found", 0.505: "unknown"})
def exact_symmetry(saturated):
    return answer(
        by_construction, behaviour(output(transforms=(mirror(1e-9),), saturated=saturated))
    )


@at("answers.INFORMED", {0.745: "open", 0.75: "ruled out"})
def weights_in_place(share):
    seen = behaviour(output(4 * share, transforms=(mirror(0.02),)))
    return suspects(case(seen), diagnosed(seen))[2].state


# Labels.


def prefers(given=0.3, score=0.5, p=1e-9):
    better = BetterInputs("H", "accuracy", given, score, p, 7, 128)
    return better_by_labels(output(better=better)) is not None


@at("answers.BETTER_P", {0.0099: True, 0.0101: False})
def another_form_scores_better(p):
    return prefers(p=p)


@at("answers.OPEN_P", {0.199: "unknown", 0.201: "excluded"})
def seems_better(p):
    better = BetterInputs("V", "accuracy", 0.3, 0.5, p, 7, 64)
    return answer(orientation_mismatch, behaviour(output(better=better)))


@at("answers.SUSPECT_P", {0.099: 1, 0.101: 0})
def labels_speak_for_another_form(p, gain=0.08):
    better = BetterInputs("V", "accuracy", 0.5, 0.5 + gain, p, 7, 64)
    given = facts(behaviour(output(better=better, accuracy={"e": 0.5})))
    return len(judged("MA603", given).findings)


@at("answers.COSTLY", {0.099: 0, 0.101: 1})
def another_form_would_gain_much(gain):
    return labels_speak_for_another_form(0.19, gain)


@at("answers.FAULTY_ODDS", {4.59: False, 4.61: True})
def labels_make_another_form_likelier_than_not(gained):
    return form_odds({"e": -50.0, "V": -50.0 + gained})["V"] > 0


@at("answers.FURTHER_ODDS", {2.29: "V", 2.31: "V + BGR"})
def red_and_blue_beside_another_change(gained):
    """Mirroring is needed; red and blue are exchanged if that is clearly likelier."""
    odds = form_odds({"e": -50.0, "V": -20.0, "BGR": -50.0, "V + BGR": -20.0 + gained})
    return max(odds, key=lambda name: odds[name])


@at("answers.CHANCE_P", {0.0099: True, 0.0101: False})
def recognised_by_a_weak_network(p):
    return recognises(output(chance_p=p))


@at("answers.SCORE_GAIN", {0.0499: False, 0.0501: True})
def another_form_gains(gain):
    return prefers(score=0.3 + gain)


@at("answers.CERTAIN_P", {0.00099: True, 0.00101: False})
def an_arbitrary_order_is_better(p):
    """All labels are right if classes 0 and 1, and 2 and 3, are exchanged; the p-value is given."""
    labels = np.repeat(np.arange(4), 8)
    with mock.patch("modelaudit.measures.behaviour.numbering.p_better", return_value=p):
        shown = np.eye(4)[[1, 0, 3, 2]][labels]
        return other_numbering({"e": shown}, "softmax", labels) is not None


@at("answers.SURE_FAULT", {0.949: "medium", 0.951: "high"})
def severity_of_a_cause(fault):
    cause = Cause(cause="input-domain", evidence=(Evidence("It differs."),), next_steps=())
    odds = DiagnosisOdds(causes=(CauseProbability("sound", "No fault", 1 - fault),))
    rule = next(rule for rule in CATALOGUE if rule.code == "MA621")
    known = replace(facts(), diagnosis=Diagnosis(causes=(cause,), odds=odds))
    return run_rule(rule, known).findings[0].severity.value


def test_a_cause_that_is_not_likelier_than_not_is_not_sure():
    """However probable it is that there is a fault of some kind."""
    cause = Cause(
        cause="input-domain", evidence=(Evidence("It differs."),), next_steps=(), belief=0.4
    )
    odds = DiagnosisOdds(causes=(CauseProbability("sound", "No fault", 0.0),))
    rule = next(rule for rule in CATALOGUE if rule.code == "MA621")
    for belief, severity in ((0.4, "medium"), (0.6, "high")):
        known = Diagnosis(causes=(replace(cause, belief=belief),), odds=odds)
        (finding,) = run_rule(rule, replace(facts(), diagnosis=known)).findings
        assert finding.severity.value == severity


@at("answers.SAME_SCORE", {0.0197: True, 0.0203: False})
def contradicted(gain):
    return labels_contradict(output(accuracy={"e": 0.5, "H": 0.5 + gain}), "H")


@at("answers.NUMBERING_ODDS", {6.9: False, 6.92: True})
def numbering(odds):
    seen = output(accuracy={"e": 0.1}, numbering=renumbered(0.5, odds))
    return found(labels_renumbered, behaviour(seen))


@at("answers.SCORE_GAIN", {0.0499: False, 0.0501: True})
def numbering_gains(gain):
    seen = output(accuracy={"e": 0.3}, numbering=renumbered(0.3 + gain))
    return found(labels_renumbered, behaviour(seen))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
