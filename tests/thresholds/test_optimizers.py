"""Decisions on the optimizer's values at the edges of `modelaudit.thresholds.training`."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

from modelaudit.measures.slots_of_tf1 import steps_of_powers
from modelaudit.probe.study.feeding import _as_in_training
from modelaudit.probe.study.inputs import ProbeData
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.training.half_averages import half
from tests.thresholds.edges import Edges, check

EDGES = Edges()
at = EDGES.at


@at("training.SAME_STEPS", {0.0099: True, 0.0101: False})
def steps_of_both_betas(share):
    return steps_of_powers(0.9**100, 0.999 ** (100 * (1 - share))) is not None


@at("training.LARGE_COLUMN", {9.9: False, 10.0: False, 10.1: True})
def a_column_beside_a_large_one(size):
    rows = np.linspace(0, 1, 8, dtype=np.float32)[:, None].repeat(2, 1)
    with patch("modelaudit.probe.study.feeding.table_scales", return_value=np.array([200, size])):
        fed = _as_in_training(ProbeData(rows, value_range=(0.0, 1.0)), examples.model())
    return not np.array_equal(fed.x[:, 1], rows[:, 1])


@at("training.LOST_SQUARES", {0.495: "pass", 0.5: "pass", 0.505: "fail"})
def averages_in_float16(share):
    return run_rule(rule("MA442"), half(round(1000 * share))).outcome.value


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
