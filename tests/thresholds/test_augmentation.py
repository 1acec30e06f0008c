"""Decisions at the edges of `modelaudit.thresholds.augmentation`, and on directional filters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.audit_types.kernels import KernelSymmetry
from modelaudit.audit_types.sensitivity import SensitivityCurve, SensitivityPoint
from modelaudit.diagnosis.augmentation import sensitive
from modelaudit.measures.augmentation.sensitivity import sure_decisions
from modelaudit.measures.kernels.directions import kernel_directions
from modelaudit.probe.study.sensitivity import noticeable
from tests.diagnosis.cases import behaviour, diagnosed
from tests.thresholds.edges import Edges, check

EDGES = Edges()
at = EDGES.at


@at("augmentation.NOTICEABLE", {0.0495: False, 0.05: True})
def changed_enough_to_look_closer(variation):
    return noticeable(SensitivityPoint(strength=1, n=100, variation=variation))


def curve(**changes) -> SensitivityCurve:
    """A curve of 100 inputs, by which half of the decisions that the model is sure of change."""
    told = {key: changes.pop(key) for key in ("confidence", "confusion") if key in changes}
    told = {"confidence": 1.0} | told
    base = {"strength": 1.0, "n": 100, "sure": 80, "sure_changed": 0.5}
    point = SensitivityPoint(**(base | changes))
    return SensitivityCurve(
        output="y", change="blur", unit="px", moderate=1.0, points=(point,), **told
    )


@at("augmentation.SURE", {0.89: 2, 0.9: 3})
def decisions_that_count_as_sure(probability):
    rows = [probability, 0.95, 0.99, 0.6]
    return int(sure_decisions(np.array([[p, 1 - p] for p in rows]), "softmax").sum())


@at("augmentation.MOVED", {0.0595: None, 0.06: True})
def decisions_changed_without_labels(share):
    return sensitive(curve(sure_changed=share))


@at("augmentation.MOVED", {0.0595: None, 0.0605: True})
def decisions_changed_of_a_less_sure_model(share):
    return sensitive(curve(sure_changed=share / 0.8, confidence=0.8))


@at("augmentation.CONFIDENT", {0.595: None, 0.6: True})
def confidence_of_a_model_without_labels(median):
    return sensitive(curve(sure_changed=0.5, confidence=median))


@at("augmentation.FEW_SURE", {23: None, 24: True})
def few_decisions_that_the_model_is_sure_of(count):
    return sensitive(curve(sure=count))


@at("augmentation.CONFUSED", {0.495: False, 0.5: True})
def changes_from_one_class_to_another(share):
    shown = behaviour(sensitivity=(curve(confusion=(6, 9, share)),))
    (need,) = diagnosed(shown).augmentation
    return "from class 6 to class 9" in need.text


@at("augmentation.LOST", {0.079: None, 0.08: True})
def labels_and_decisions_lost(lost):
    return sensitive(curve(lost=lost, p=1e-4))


@at("augmentation.LOST_ALONE", {0.139: None, 0.14: True})
def labels_lost_alone(lost):
    return sensitive(curve(lost=lost, p=1e-4, sure_changed=0.0))


@at("augmentation.LOST_P", {0.0099: True, 0.01: None})
def significance_of_a_loss(p):
    return sensitive(curve(lost=0.2, p=p))


@at("augmentation.ROBUST", {0.0395: False, 0.04: None})
def little_lost(lost):
    return sensitive(curve(lost=lost, p=1e-4))


@at("augmentation.VARIED", {0.199: None, 0.2: True})
def numbers_that_vary(variation):
    return sensitive(curve(sure=0, sure_changed=None, variation=variation))


def leading(excess: float, slices: int) -> str | None:
    """The leading part of 3 x 3 filters with so much more energy in bars than random ones."""
    energies = {"A1": 0.25, "A2": 0.0, "B1": 0.125 + excess, "B2": 0.125, "E": 0.5 - excess}
    half = energies["A1"] + energies["B1"] + energies["E"] / 2
    shape = (3, 3, 1, slices)
    shown = KernelSymmetry("c", "conv", shape, slices, even={"H": half}, energies=energies)
    found = kernel_directions(shown)
    return None if found is None else found.leading


@at("weights.DIRECTION_EXCESS", {0.0495: "", 0.0505: "bars"})
def a_direction_leads(excess):
    return leading(excess, 10_000)


@at("weights.DIRECTION_Z", {3.95: "", 4.05: "bars"})
def a_direction_of_few_filters_leads(z):
    deviation = math.sqrt(0.125 * 0.875 / (4 * 30 + 1))  # of Beta(15, 105)
    return leading(z * deviation, 30)


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
