"""Where two models part, and what the ranges of quantised layers leave, on made values."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.graphs import (
    LiteModel,
    LiteOperator,
    LiteSubgraph,
    LiteTensor,
    Quantization,
)
from modelaudit.probe.pair.model import ExportNumbers, PairCause, numbers_of
from modelaudit.probe.pair.tensors import InnerValues, calibration_causes, made_tensors, made_with
from modelaudit.structs import replace

RNG = np.random.default_rng(1)


def lite(dtype="int8", scale=0.1, zero=0):
    """X -> conv -> head; the activations are quantised."""
    quantised = Quantization((scale,), (zero,)) if dtype != "float32" else None
    tensors = tuple(
        LiteTensor(name, dtype, (1, 4), quantization=quantised) for name in ("x", "conv;b", "head")
    )
    operators = (
        LiteOperator("CONV_2D", inputs=(0,), outputs=(1,)),
        LiteOperator("FULLY_CONNECTED", inputs=(1,), outputs=(2,)),
    )
    return LiteModel(subgraphs=(LiteSubgraph("main", tensors, operators, (0,), (2,)),))


def seen(**changes):
    """Values in the middle of the range of `lite()`, whose ends are -12.8 and 12.7."""
    values = {str(i): RNG.uniform(-9, 9, (50, 4)) for i in range(3)}
    return values | {key.removeprefix("t"): each for key, each in changes.items()}


def causes(model=None, source=None, **changes):
    values = seen(**changes)
    inner = InnerValues(source or {}, values)
    found = calibration_causes(model or lite(), values, inner)
    return [(each.kind, each.detail) for each in found]


def test_values_inside_of_their_range_are_no_cause():
    assert causes() == []
    assert made_tensors(lite(), 50) == [1, 2]


def test_a_layer_that_saturates():
    assert causes(t1=np.clip(RNG.normal(0, 20, (50, 4)), -12.8, 12.7)) == [
        (PairCause.SATURATED, "conv")
    ]
    end = np.clip(RNG.normal(0, 20, (50, 4)), -12.8, 12.7)
    assert causes(source={"swish": end}, t1=end) == []  # the source ends there too
    assert causes(t0=np.full((50, 4), 12.7) * RNG.integers(0, 2, (50, 4))) == [
        (PairCause.SATURATED, "the input")
    ]


@pytest.mark.parametrize(
    ("scale", "zero", "low", "high"),
    [(6 / 255, -128, 0.0, 6.0), (2 / 255, 0, -1.0, 1.0), (1 / 255, -128, 0.0, 1.0)],
)
def test_ends_of_activations_are_no_saturation(scale, zero, low, high):
    values = np.clip(RNG.normal(0, 20, (50, 4)), low, high)
    model = lite(scale=scale, zero=zero)
    assert causes(model, t0=values, t1=values, t2=values) == []
    assert causes(lite(scale=1.5 * scale, zero=zero), t0=values, t2=values, t1=values * 1.5) == [
        (PairCause.SATURATED, "conv")
    ]


def test_values_in_few_steps():
    assert causes(t1=RNG.uniform(0, 0.4, (50, 4))) == [(PairCause.COARSE, "conv")]
    head = np.concatenate([RNG.uniform(0, 0.4, (50, 3)), np.full((50, 1), -12.0)], axis=1)
    assert causes(t2=head) == [(PairCause.HEAD, "head")]
    zeros = np.zeros((50, 4))  # as a state before the first step, of which nothing is lost
    assert causes(t1=zeros) == []
    assert causes(t1=zeros + 0.1) == [(PairCause.COARSE, "conv")]


def test_the_first_layer_at_which_they_part():
    a, b, c = (RNG.normal(size=(8, 3)) for _ in range(3))
    source = {"conv": a, "relu": b, "head": c}
    assert InnerValues(source, {"0": b, "1": c}).parting(0.1) == ("head", "")
    assert InnerValues(source, {"0": b + 0.01, "1": -c}).parting(0.1) == ("relu", "head")
    assert InnerValues(source, {"0": -b, "1": -c}).parting(0.1) == ("", "conv")


def test_the_error_of_one_tensor():
    a, b = (RNG.normal(size=(8, 3)) for _ in range(2))
    inner = InnerValues({"conv": a, "head": b}, {"0": a + 0.01, "1": -b, "2": a[:, :2]})
    assert inner.error("0") < 0.02 < inner.error("1")
    assert inner.error("2") == inner.error("9") == np.inf


def test_a_layer_may_be_merged_with_the_two_behind_it():
    conv, norm, relu, head = (RNG.normal(size=(8, 3)) for _ in range(4))
    inner = InnerValues({"conv": conv, "norm": norm, "relu": relu, "head": head}, {"0": relu})
    assert [inner.has_layer(each, 0.1) for each in (*inner.source, "other")] == [
        *(True, True, True, False, False)
    ]


def test_the_operator_that_takes_a_constant():
    model = lite()
    (graph,) = model.subgraphs
    held = LiteTensor("w", "float16", (4, 4), constant="w")
    real = LiteTensor("w/real", "float32", (4, 4))
    operators = (
        LiteOperator("DEQUANTIZE", inputs=(3,), outputs=(4,)),
        *graph.operators[:1],
        LiteOperator("FULLY_CONNECTED", inputs=(1, 4), outputs=(2,)),
    )
    changed = replace(graph, tensors=(*graph.tensors, held, real), operators=operators)
    assert made_with(replace(model, subgraphs=(changed,)), "w") == "2"
    assert made_with(model, "w") == ""


@pytest.mark.parametrize(
    ("dtype", "numbers"),
    [
        ("float32", ExportNumbers.FLOAT),
        ("int8", ExportNumbers.INTEGER),
        ("int16", ExportNumbers.INTEGER16),
    ],
)
def test_numbers_of_a_model(dtype, numbers):
    assert numbers_of(lite(dtype)) is numbers
    assert numbers.calibrated == (dtype != "float32")


def test_steps_of_0_say_nothing():
    assert causes(lite(scale=0.0), t1=np.full((50, 4), 12.7)) == []
