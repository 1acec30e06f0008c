"""Decisions of rules on stored values at the edges of `modelaudit.thresholds.weights`."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.facts import TensorStats
from modelaudit.graphs import LiteModel, LiteSubgraph, LiteTensor, Quantization
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.weights.huge_statistics import norm_of_variance
from modelaudit.structs import replace
from tests.rules.stored_tensors import scaled_column
from tests.thresholds.edges import Edges, check, outcome

EDGES = Edges()
at = EDGES.at


def stored_values(code, stats, shape=(64, 64)):
    """Severities of a rule's findings on one matrix with these statistics."""
    tensors = (examples.tensor("dense/kernel", shape, stats),)
    found = run_rule(rule(code), Facts(examples.model(tensors=tensors)))
    return [finding.severity.value for finding in found.findings]


def block(run, zeros, start):
    return TensorStats(-1.0, 1.0, 0.0, 0.5, zeros, 0, run, start)


@at("weights.MIN_VALUES", {63: [], 64: ["high"]})
def a_block_in_a_small_matrix(size):
    return stored_values("MA419", block(40, 40, 3), (1, size))


@at("weights.ZERO_BLOCK", {31: [], 32: ["high"]})
def a_short_block(run):
    return stored_values("MA419", block(run, run, 3))


@at("weights.OTHER_ZEROS", {0.0099: ["high"], 0.0101: []})
def zeros_outside_a_block(share):
    return stored_values("MA419", block(96, 96 + round(share * 10_000), 3), (1, 10_096))


@at("weights.ZERO_ROWS", {0.099: [], 0.1: ["medium"], 0.101: ["medium"]})
def rows_of_zeros(share):
    rows = round(share * 1000)
    return stored_values("MA419", block(8 * rows, 8 * rows, 80), (1000, 8))


def far(distance, n=4096):
    """Statistics of n - 1 values with deviation 1, and one at this distance from their mean."""
    mean = distance / n
    variance = ((n - 1) * (1 + mean**2) + (distance - mean) ** 2) / n
    return TensorStats(-3.0, distance, mean, variance**0.5, 0, 0)


@at("weights.OUTLIER", {99.9: [], 100.1: ["medium"]})
def a_value_outside(distance):
    return stored_values("MA420", far(distance))


@at("weights.WILD_OUTLIER", {999.0: ["medium"], 1001.0: ["high"]})
def a_value_far_outside(distance):
    return stored_values("MA420", far(distance))


@at("weights.LONE", {3.95: [], 4.0: ["medium"], 4.05: ["medium"]})
def a_value_alone(times):
    return stored_values("MA420", replace(far(200.0), second=200.0 / times))


@at("weights.LEAST_EPSILON", {0.99e-5: ["low"], 1e-5: ["high"], 1.01e-5: ["high"]})
def a_variance_below_zero(depth):
    states = (BatchNormState("bn", 8, False, False, -depth),)
    found = run_rule(rule("MA403"), examples.measured(Measurements(batchnorm=states))())
    return [finding.severity.value for finding in found.findings]


def statistics(size):
    found = run_rule(rule("MA441"), norm_of_variance(size * size)()).findings
    return [finding.severity.value for finding in found]


@at("weights.HUGE_STATISTICS", {0.99e8: [], 1.01e8: ["low"]})
def statistics_of_a_normalization(size):
    return statistics(size)


@at("weights.LARGEST_SQUARED", {1.79e19: ["low"], 1.81e19: ["medium"]})
def statistics_without_a_square(size):
    return statistics(size)


@at("weights.ROUND", {990.0: ["medium"], 1000.0: []})
def a_round_value_of_no_kernel(value):
    tensors = (examples.tensor("crf/transitions", (64, 64), far(value)),)
    found = run_rule(rule("MA420"), Facts(examples.model(tensors=tensors)))
    return [finding.severity.value for finding in found.findings]


@at("weights.BEYOND_USE", {9.9e29: [], 1e30: ["high"], 1.01e30: ["high"]})
def a_bias_without_use(value):
    return stored_values("MA420", TensorStats(0.0, value, value / 2, value / 2, 1, 0), (2,))


@at("weights.WIDEST_COLUMN", {0.99e4: [], 1e4: [], 1.01e4: ["high"]})
def the_variance_of_large_numbers(times):
    return [each.value for each in scaled_column(1e13, (times * 1e13) ** 2)]


@at("weights.QUANTIZED_RANGE", {1e9: "pass", 1.01e9: "fail"})
def scale_of_integers(scale):
    given = Quantization((scale,))
    tensor_ = LiteTensor("x", "int8", (1, 4), quantization=given)
    graph = LiteSubgraph("main", (tensor_,), (), (0,), (0,))
    model = replace(examples.model(), lite=LiteModel(subgraphs=(graph,)))
    return outcome("MA126", Facts(model))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
