"""Decisions on a model and its export at the edges of `modelaudit.thresholds.restoration`."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.behaviour.output_forms import OutputForm
from modelaudit.measures.statistics import wilson
from modelaudit.probe.pair.model import ExportNumbers, PairVerdict
from modelaudit.probe.pair.source import by_weights
from modelaudit.probe.pair.tensors import InnerValues
from modelaudit.probe.pair.verdict import informs, judge, within_rounding
from modelaudit.probe.study.runner import InputVariant
from modelaudit.restore.model import WeightComparison
from modelaudit.structs import replace
from tests.probe.pair.test_tensors import causes, lite
from tests.probe.pair.test_verdict import differing, facts
from tests.thresholds.edges import Edges, check

EDGES = Edges()
at = EDGES.at
SAME, OTHER = True, False


def same(pair):
    return judge(pair, ())[0] in {PairVerdict.EQUAL, PairVerdict.QUANTISED}


@at("restoration.EXPORT_FLOAT", {0.99e-3: SAME, 1.01e-3: OTHER})
def float_weights(error):
    return same(facts(error, ExportNumbers.FLOAT))


@at("restoration.EXPORT_FLOAT", {0.99e-3: SAME, 1.01e-3: OTHER})
def other_weights_without_effect(error):
    return same(facts(error, weights=differing(0.5)))


@at("restoration.EXPORT_PAIRED", {0.495: False, 0.5: True})
def weights_that_leave_it_open_whether_an_export_differs(found):
    same = round(200 * found)
    weights = WeightComparison(200, same, missing=("kernel",) * (200 - same))
    return by_weights(weights, ExportNumbers.FLOAT).verdict is PairVerdict.UNKNOWN


@at("restoration.EXPORT_FLOAT16", {0.0199: SAME, 0.0201: OTHER})
def half_precision(error):
    return same(facts(error, ExportNumbers.FLOAT16))


@at("restoration.EXPORT_WEIGHTS", {0.199: SAME, 0.201: OTHER})
def weights_of_8_bits(error):
    return same(facts(error, ExportNumbers.WEIGHTS))


@at("restoration.EXPORT_WEIGHTS", {0.199: SAME, 0.201: OTHER})
def activations_of_16_bits(error):
    return same(facts(error, ExportNumbers.INTEGER16))


@at("restoration.EXPORT_INTEGER", {0.299: SAME, 0.301: OTHER})
def activations_of_8_bits(error):
    return same(facts(error, ExportNumbers.INTEGER))


@at("restoration.EXPORT_FLOAT", {0.99e-3: SAME, 1.01e-3: OTHER})
def an_output_without_spread(error, numbers=ExportNumbers.FLOAT):
    ones = np.ones((4, 2))
    return within_rounding(OutputForm("", ones, ones + 2 * error), numbers, None)


@at("restoration.EXPORT_FLOAT16", {0.0199: SAME, 0.0201: OTHER})
def a_quantised_output_without_spread(error):
    return an_output_without_spread(error, ExportNumbers.INTEGER)


@at("restoration.EXPORT_GAIN", {0.495: 1, 0.505: 0})
def gain_of_another_form(share):
    return len(judge(facts(1.0, best=share, variant=InputVariant("H")), ())[1])


@at("restoration.EXPORT_AGREEMENT", {0.845: OTHER, 0.855: SAME})
def upper_end_of_the_agreement(end):
    pair = facts(0.1)
    (output,) = pair.outputs
    low, _ = wilson(32, 40)
    return same(replace(pair, outputs=(replace(output, interval=(low, end)),)))


@at("restoration.EXPORT_KERNEL", {0.0199: SAME, 0.0201: OTHER})
def distance_of_a_kernel(distance):
    return same(facts(0.1, weights=differing(distance)))


@at("restoration.EXPORT_INNER", {0.0495: True, 0.0505: False})
def error_of_a_layer(error):
    values = np.array([[-1.0], [1.0]])
    return InnerValues({"conv": values}, {"1": values + error}).agrees("1")


@at("restoration.EXPORT_SATURATED", {0.01975: 0, 0.02025: 1})
def values_at_the_end(share):
    values = np.resize(np.linspace(-9, 9, 97), (1000, 4))
    values.reshape(-1)[: round(share * 4000)] = 12.7
    return len(causes(t1=values))


@at("restoration.EXPORT_LEVELS", {11.9: 1, 12.1: 0})
def steps_of_a_layer(steps):
    return len(causes(lite(scale=0.1), t1=np.linspace(0.0, 0.1 * steps, 200).reshape(50, 4)))


@at("restoration.EXPORT_INFORMED", {0.99e-4: False, 1.01e-4: True})
def spread_of_the_outputs(spread):
    return informs(np.array([[-spread], [spread]]))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
