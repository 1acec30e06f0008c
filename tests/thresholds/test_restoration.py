"""Decisions at the edges of `modelaudit.thresholds.restoration`."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.repair import LabelledEffect
from modelaudit.facts import Architecture, Layer, TensorStats
from modelaudit.graphs import Quantization
from modelaudit.probe.protocol import Observation, Status
from modelaudit.probe.study.agreement import ReferenceRun, compare_with_reference
from modelaudit.probe.study.golden_replay import moved_by_rounding
from modelaudit.restore.compare import compare
from modelaudit.restore.exports import compare_export
from modelaudit.restore.golden_check import compare_output, rounding
from modelaudit.restore.layers import compare_layers
from modelaudit.restore.model import Weight
from modelaudit.structs import replace
from tests.measures import artifacts as made
from tests.probe.study.test_amplified_rounding import Held
from tests.restore.test_compare import weight
from tests.thresholds.edges import Edges, check

EDGES = Edges()
at = EDGES.at


def reproduced(difference, dtype, noise=0.0):
    """Whether an output that was recorded as 0 counts as the same."""
    now, then = np.array([difference]), np.array([0.0])
    return compare_output("y", now, then, rounding(["float32", dtype]), noise).reproduced


@at("restoration.ROUNDING", {2e-5: True, 2.02e-5: False})
def rounded_float32(difference):
    return reproduced(difference, "float32")


@at("restoration.ROUNDING_FLOAT16", {2e-3: True, 2.02e-3: False})
def rounded_float16(difference):
    return reproduced(difference, "float16")


@at("restoration.ROUNDING_BFLOAT16", {2e-2: True, 2.02e-2: False})
def rounded_bfloat16(difference):
    return reproduced(difference, "bfloat16")


@at("restoration.NOISE_FACTOR", {10.0: True, 10.1: False})
def as_different_as_repeated_runs(factor):
    return reproduced(0.5 * factor, "float32", 0.5)


@at("restoration.EXPORT_ROUNDING", {0.985e-5: 1, 1.015e-5: 0})
def export_of_a_kernel(difference):
    """Number of kernels found in an export whose largest weight, 1, differs by this."""
    values = np.ones((3, 3, 1, 2))
    changed = values.copy()
    changed[0, 0, 0, 0] += difference
    kernel = made.kernel("c", values.shape)
    sides = [made.artifact({kernel.tensor: each}, [kernel]) for each in (values, changed)]
    return compare_export(*sides).identical


@at("restoration.EXPORT_STEP", {0.0795: (1, 0), 0.0805: (0, 0)})
def step_of_an_export(half):
    """Kernels found, and kernels that differ, among values that span 2 and are half a step off."""
    values = np.linspace(-1.0, 1.0, 18).reshape(3, 3, 1, 2)
    kernel = made.kernel("c", values.shape)
    source, export = (
        made.artifact({kernel.tensor: each}, [kernel]) for each in (values, values + 1.98 * half)
    )
    export.tensors[0].source.quantization = Quantization((4 * half,))
    found = compare_export(source, export)
    return found.identical, len(found.differing)


def change(before, after):
    return str(compare([before], [after]).differing[0].change)


def first_runs(noise, difference):
    """Whether a model whose runs differ by `noise` is equal by first runs that differ."""
    ports = (Port("x", "float32", (None, 1)),)
    seen = Observation("here", "load_model", Status.LOADED, inputs=ports)
    first = ReferenceRun(seen, (np.zeros((1, 1)),), {"y": np.zeros(1)}, noise)
    there = SimpleNamespace(
        observation=seen,
        put=lambda arrays, drop=(): None,
        predict=lambda feeds, batch_size=32: {"y": np.full(1, difference)},
    )
    return compare_with_reference(there, made.artifact({}, []), first)


@at("restoration.MOST_NOISE", {1e-3: True, 1.01e-3: False})
def noise_of_rounding(noise):
    return first_runs(noise, difference=0.01).same


@at("restoration.SAME_FIRST_RUN", {1e-4: 1e-4, 1.01e-4: 0.0})
def stateful_first_run(difference):
    return first_runs(1.0, difference).tolerance


@at("restoration.LAST_PLACES", {7.99: True, 8.01: False})
def rounded_weights(units):
    """Whether the most that weights of 1 are changed by is so many units of float16."""
    held = Held(lambda weight, _: (weight - 1) * 2**10, np.ones((1 << 14, 1)), "float16")
    rows = np.zeros((1 << 14, 1))
    ranks = moved_by_rounding(held, [rows], {"y": rows}, 0.0)
    return float(ranks["y"][0]) > units


@at("restoration.GAIN_BY_CHANCE", {0.0099: True, 0.0101: False})
def gain(p_value):
    return LabelledEffect(64, 64, 30, 60, p_value).better


@at("restoration.FACTOR_ERROR", {0.99e-5: "scaled", 1.01e-5: "other-values"})
def scaled_values(error):
    """Twice the values, and this share of them at a right angle."""
    values, other = np.array([1.0, 0.5]), np.array([-0.5, 1.0])
    return change(weight("w", values), weight("w", 2 * (values + error * other)))


@at("restoration.FACTOR_ERROR", {0.99e-5: "scaled", 1.01e-5: "other-values"})
def scaled_statistics(error):
    before = Weight(("w",), (9,), "float32", "a", TensorStats(-1.0, 1.0, 0.0, 0.5, 0, 0))
    stats = TensorStats(-2.0, 2.0 + 2 * error, 0.0, 1.0, 0, 0)
    return change(before, replace(before, sha256="b", stats=stats))


@at("restoration.UNRELATED", {0.495: "re-initialised", 0.505: "other-values"})
def unrelated_values(correlation):
    values, other = np.array([1.0, -1, 1, -1]), np.array([1.0, 1, -1, -1])
    mixed = correlation * values + np.sqrt(1 - correlation**2) * other
    return change(weight("w", values), replace(weight("w", mixed), initial=lambda: True))


@at("restoration.SAME_SETTING", {0.99e-6: 0, 1.01e-6: 1})
def settings_that_differ(difference):
    layer = Layer("drop", "drop", "Dropout", config={"rate": 1 + difference})
    saved = Architecture("Functional", "m", "keras3", (layer,), ("drop",), ("drop",))
    details = {"drop": {"config": {"rate": 1.0}}}
    seen = Observation("here", "load_model", Status.LOADED)
    seen = replace(seen, layers={"drop": "Dropout"}, details=details)
    return len(compare_layers(saved, seen)[0])


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
