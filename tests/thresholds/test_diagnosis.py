"""Decisions of the diagnosis at the edges of the thresholds on answers and weights.

Outputs have 16 classes, so that they carry 4 bits at most.
"""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import BetterInputs, Collapse, Intervention
from modelaudit.diagnosis.case import answered_alike, better_by_labels, labels_contradict
from modelaudit.diagnosis.steps.collapse import dead_units, little_information
from modelaudit.diagnosis.steps.flip import by_construction
from modelaudit.diagnosis.steps.input import input_domain, orientation_mismatch
from modelaudit.diagnosis.steps.label import labels_renumbered, mostly_wrong
from modelaudit.diagnosis.steps.statistics import unconverged_statistics, unsettled_statistics
from modelaudit.diagnosis.steps.weight import partial_restore
from modelaudit.diagnosis.suspects import suspects
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    fit,
    form,
    initial,
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


@at("weights.SMALL", {499: 0.5, 500: 0.95})
def belief_in_a_fresh_layer(weights):
    kernels = measurements(initial("conv", "fresh", weights), initial("head"))
    return partial_restore(case(behaviour(), kernels)).belief


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


@at("answers.SCORE_GAIN", {0.0499: False, 0.0501: True})
def another_form_gains(gain):
    return prefers(score=0.3 + gain)


@at("answers.CERTAIN_P", {0.00099: 0.97, 0.00101: 0.85})
def belief_in_another_orientation(p):
    seen = output(better=BetterInputs("H", "accuracy", 0.3, 0.5, p, 7, 128))
    return orientation_mismatch(case(behaviour(seen))).belief


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


# Orientation and scale of the inputs.


@at("answers.MIN_CLASSES", {2: "unknown", 3: "found"})
def another_orientation(classes):
    bits = {2: 1.0, 3: 1.58}[classes]
    return answer(
        orientation_mismatch,
        behaviour(output(0.1, 0.9, classes, orientation={"e": 0.1, "H": bits})),
    )


@at("answers.MIN_CLASSES", {2: "unknown", 3: "excluded"})
def orientation_of_a_sound_output(classes):
    return answer(orientation_mismatch, behaviour(output(0.9, 0.5, classes)))


@at("answers.TOP_SHARE", {0.5: 1, 0.505: 2})
def evidence_of_a_wrong_orientation(share):
    seen = output(0.1, share, orientation={"e": 0.1, "H": 3.9})
    return len(orientation_mismatch(case(behaviour(seen))).evidence)


def scale(seen, *fits):
    """The scale that is found to be right; empty if there is none."""
    return getattr(input_domain(case(behaviour(seen, batchnorm=fits))), "transform", "")


def first(deviation, **domain):
    return fit(deviation, domain={"/255": 0.05} | domain)


def oriented(**gain):
    seen = behaviour(output(1.0, gains=form("H", **gain)))
    return found(orientation_mismatch, seen)


@at("answers.GAIN", {0.099: False, 0.1: True, 0.101: True})
def orientation_gains(bits):
    return oriented(bits=bits)


@at("answers.GAIN_Z", {3.95: False, 4.0: True, 4.05: True})
def orientation_gains_beyond_error(z):
    return oriented(z=z)


@at("answers.ALIKE_INFORMED", {0.495: False, 0.5: True, 0.505: True})
def orientation_of_images_that_get_one_prediction(share):
    seen = output(0.4, 0.9, gains=form("H", 4 * share - 0.4))
    return found(orientation_mismatch, behaviour(seen))


@at("answers.SURE_Z", {5.95: 0.85, 6.0: 0.97, 6.05: 0.97})
def belief_in_an_orientation_without_labels(z):
    seen = output(1.0, gains=form("H", z=z))
    return orientation_mismatch(case(behaviour(seen))).belief


@at("answers.GAIN", {0.099: "", 0.1: "1-x", 0.101: "1-x"})
def scale_gains(bits):
    return scale(output(1.0, gains=form("1-x", equal=(bits, 9.0))))


@at("answers.SCALE_Z", {4.95: "", 5.0: "1-x", 5.05: "1-x"})
def scale_gains_beyond_error(z):
    return scale(output(1.0, gains=form("1-x", equal=(1.0, z))))


@at("answers.MIN_CLASSES", {2: "", 3: "1-x"})
def classes_for_a_scale(classes):
    return scale(output(0.5, classes=classes, gains=form("1-x")))


@at("answers.GAIN_Z", {3.95: "", 4.0: "BGR", 4.05: "BGR"})
def channel_order_gains(z):
    return scale(output(1.0, gains=form("BGR", z=z, equal=(0.0, 0.0))))


@at("weights.ON_SCALE", {0.0995: "/255", 0.1: "/255", 0.101: ""})
def statistics_do_not_contradict(deviation):
    norm = fit(0.05, domain={"/255": deviation})
    return scale(output(1.0, gains=form("/255")), norm)


@at("weights.OFF_SCALE", {1.0: 0.85, 1.01: 0.97})
def belief_in_another_scale(deviation):
    seen = behaviour(output(1.0, gains=form("/255", z=5.5)), batchnorm=(first(deviation),))
    return input_domain(case(seen)).belief


@at("weights.MISFIT", {0.35: "", 0.353: "/255"})
def statistics_do_not_match(deviation):
    return scale(output(domain={"/255": 3.9}), first(deviation))


@at("weights.OFF_SCALE_ALONE", {3.0: "", 3.03: "/255"})
def statistics_alone(deviation):
    return scale(output(0.1, domain={"/255": 0.1}), first(deviation))


@at("weights.OFF_SCALE_ALONE", {3.0: "", 3.03: "/255"})
def statistics_without_classes(deviation):
    return scale(regression(), first(deviation))


@at("answers.LITTLE", {1.19 / 4: "/255", 1.2 / 4: ""})
def constant_on_every_scale(share):
    domain = {"/255": 0.1, "1-x": 4 * share}
    return scale(output(0.0, collapsed=True, domain=domain), first(0.5, **{"1-x": 9.0}))


@at("answers.LITTLE", {1.2 / 4: "", 1.21 / 4: "/255"})
def enough_on_the_right_scale(share):
    return scale(output(0.5, domain={"/255": 4 * share}, gains={}), first(0.5))


@at("answers.TIED", {0.0595: "/255", 0.06: "/255", 0.0605: ""})
def nothing_lost_on_the_right_scale(loss):
    return scale(output(2.06, domain={"/255": 2.06 - loss}), first(0.5))


@at("weights.ON_SCALE", {0.0995: 0.97, 0.1: 0.85})
def belief_in_a_scale_that_statistics_match(deviation):
    seen = output(0.5, gains=form("/255", z=5.5))
    norm = fit(0.9, mean_deviation=1.5, domain={"/255": deviation})
    return input_domain(case(behaviour(seen, batchnorm=(norm,)))).belief


def confident(margin=100.0, usual=9.0, bits=3.5, **changes):
    return output(margin=margin, domain_margin={"/255": usual}, domain={"/255": bits}, **changes)


@at("answers.MARGIN", {80.0: "", 80.8: "/255"})
def too_confident(margin):
    return scale(confident(margin))


@at("answers.MARGIN_TRAINED", {44.9: "/255", 45.0: ""})
def usual_confidence(margin):
    return scale(confident(usual=margin))


@at("answers.INFORMED", {0.75: "", 0.755: "/255"})
def informed_with_usual_confidence(share):
    return scale(confident(bits=4 * share))


@at("answers.SAME_SCORE", {0.0197: "/255", 0.0203: ""})
def as_right_with_usual_confidence(loss):
    return scale(confident(accuracy={"e": 0.9, "/255": 0.9 - loss}))


@at("answers.SAME_SCORE", {0.0197: "/255", 0.02: "/255", 0.0203: ""})
def as_wrong_with_usual_confidence(accuracy):
    return scale(confident(accuracy={"e": accuracy, "/255": 0.0}))


@at("answers.TIED", {0.0595: True, 0.0605: False})
def undecided_between_scales(loss):
    usual = {"/255": 9.0, "2x-1": 9.0}
    seen = output(margin=100.0, domain_margin=usual, domain={"/255": 3.5, "2x-1": 3.5 - loss})
    return "They carry as much" in input_domain(case(behaviour(seen))).evidence[0].text


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
