"""Decisions at the edges of `modelaudit.thresholds.augmentation`, and on directional filters."""

from __future__ import annotations

import math

import pytest

from modelaudit.audit_types.kernels import KernelSymmetry
from modelaudit.audit_types.sensitivity import SensitivityPoint
from modelaudit.measures.kernels.directions import kernel_directions
from modelaudit.probe.study.sensitivity import noticeable
from tests.thresholds.edges import Edges, check

EDGES = Edges()
at = EDGES.at


@at("augmentation.NOTICEABLE", {0.0495: False, 0.05: True})
def changed_enough_to_look_closer(variation):
    return noticeable(SensitivityPoint(strength=1, n=100, variation=variation))


def leading(excess: float, slices: int) -> str | None:
    """The leading part of 3 x 3 filters with so much more energy in bars than random ones."""
    energies = {"A1": 0.25, "A2": 0.0, "B1": 0.125 + excess, "B2": 0.125, "E": 0.5 - excess}
    half = energies["A1"] + energies["B1"] + energies["E"] / 2
    shape = (3, 3, 1, slices)
    shown = KernelSymmetry("c", "conv", shape, slices, even={"H": half}, energies=energies)
    found = kernel_directions(shown)
    return None if found is None else found.leading


@at("weights.DIRECTION_EXCESS", {0.099: "", 0.101: "bars"})
def a_direction_leads(excess):
    return leading(excess, 10_000)


@at("weights.DIRECTION_Z", {3.95: "", 4.05: "bars"})
def a_direction_of_few_filters_leads(z):
    deviation = math.sqrt(0.125 * 0.875 / (4 * 30 + 1))  # of Beta(15, 105)
    return leading(z * deviation, 30)


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
