"""Decisions on the orientation and the scale of the inputs at the edges of the thresholds.

Outputs have 16 classes, so that they carry 4 bits at most.
"""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.behaviour import InformationGain
from modelaudit.diagnosis.steps.input import input_domain, orientation_mismatch
from modelaudit.measures.column_forms import ColumnStatistics, column_forms, columns_apart
from tests.diagnosis.cases import (
    behaviour,
    fit,
    form,
    regression,
)
from tests.thresholds.edges import Edges, answer, case, check, found
from tests.thresholds.test_diagnosis import output

EDGES = Edges()
at = EDGES.at


STORED = ColumnStatistics("scale", np.array([80.0, 15.0, 5.0]), np.array([10.0, 6.0, 2.0]))
ROWS = STORED.mean + STORED.deviation * np.linspace(-1.5, 1.5, 64)[:, None]
ROWS = (ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0) * STORED.deviation + STORED.mean


def moved(scale=1.0, offset=0.0):
    """Rows whose first column has other numbers; its mean stays unless it is moved."""
    rows = ROWS.copy()
    rows[:, 0] = (rows[:, 0] - 80) * scale + 80 + offset
    return rows


@at("columns.COLUMN_APART", {2.99: 0, 3.01: 1})
def columns_far_from_training(deviations):
    return len(columns_apart(moved(offset=10 * deviations), STORED))


@at("columns.COLUMN_SPREAD", {2.99: 0, 3.01: 1})
def columns_spread_otherwise(times):
    return len(column_forms(moved(scale=times), STORED))


@at("columns.ONE_UNIT", {1.98: "column 0 / ", 2.02: "column 0 * "})
def one_factor(quotient):
    """The deviation is ten times as large, the mean ten times by this quotient."""
    rows = moved(scale=10, offset=80 * 10 / quotient - 80)
    return column_forms(rows, STORED)[0].name[:11]


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


def agreeing(name, z, bits=0.5, equal=(0.0, 0.0)):
    gain = InformationGain(0.0, 0.0, *equal, mirror_bits=bits, mirror_z=z)
    return behaviour(output(2.0, gains={name: gain}))


@at("answers.AGREE_Z", {2.95: False, 3.0: True})
def mirror_images_agree_in_another_orientation(z):
    return found(orientation_mismatch, agreeing("V", z))


@at("answers.AGREE_Z", {2.95: "", 3.0: "2x-1"})
def mirror_images_agree_on_another_scale(z):
    return getattr(input_domain(case(agreeing("2x-1", z))), "transform", "")


@at("answers.TIED_Z", {1.96: True, 2.04: False})
def information_does_not_fall(z):
    return found(orientation_mismatch, agreeing("V", 9.0, equal=(-0.1, -z)))


@at("answers.GAIN", {0.099: False, 0.1: True})
def mirror_images_agree_enough(bits):
    return found(orientation_mismatch, agreeing("V", 9.0, bits))


@at("answers.ALIKE_INFORMED", {0.495: False, 0.5: True, 0.505: True})
def orientation_of_images_that_get_one_prediction(share):
    seen = output(0.4, 0.9, gains=form("H", 4 * share - 0.4))
    return found(orientation_mismatch, behaviour(seen))


@at("answers.SURER_Z", {0.099: False, 0.1: True, 0.101: True})
def an_orientation_in_which_predictions_are_surer(z):
    """Images of one kind get surer predictions as given, images in a wrong form less sure ones."""
    seen = output(0.4, 0.9, gains={"H": InformationGain(0.6, 9.0, surer_z=z)})
    return found(orientation_mismatch, behaviour(seen))


@at("answers.ALIKE_EQUAL", {0.445: "", 0.45: "1-x", 0.455: "1-x"})
def values_of_images_that_get_one_prediction(share):
    return scale(output(0.4, 0.9, gains=form("1-x", equal=(4 * share, 9.0))))


@at("answers.ALIKE_AGREED", {0.345: "", 0.35: "1-x", 0.355: "1-x"})
def mirror_images_agree_for_other_values(share):
    gain = InformationGain(3.0, 9.0, 0.44 * 4, 9.0, mirror_bits=4 * share, mirror_z=9.0)
    return scale(output(0.4, 0.9, gains={"1-x": gain}))


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


@at("weights.OFF_SCALE", {1.0: 1, 1.01: 2})
def statistics_are_evidence_of_another_scale(deviation):
    seen = behaviour(output(1.0, gains=form("/255", z=5.5)), batchnorm=(first(deviation),))
    return len(input_domain(case(seen)).evidence)


@at("weights.MISFIT", {0.35: "", 0.353: "/255"})
def statistics_do_not_match(deviation):
    return scale(output(domain={"/255": 3.9}), first(deviation))


@at("weights.OFF_SCALE_ALONE", {3.0: "", 3.03: "/255"})
def statistics_alone(deviation):
    return scale(output(0.1, domain={"/255": 0.1}), first(deviation))


@at("weights.MISFIT", {0.35: "", 0.353: "/255"})
def statistics_without_classes(deviation):
    return scale(regression(), first(deviation))


@at("weights.CLOSER", {4.95: "", 5.05: "/255"})
def statistics_closer_on_another_scale(times):
    return scale(regression(), fit(0.08 * times, domain={"/255": 0.08}))


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


@at("weights.ON_SCALE", {0.0995: 2, 0.1: 1})
def evidence_of_a_scale_that_statistics_match(deviation):
    seen = output(0.5, gains=form("/255", z=5.5))
    norm = fit(0.9, mean_deviation=1.5, domain={"/255": deviation})
    return len(input_domain(case(behaviour(seen, batchnorm=(norm,)))).evidence)


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
