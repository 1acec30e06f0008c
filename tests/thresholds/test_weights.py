"""Decisions of measures and rules at the edges of `modelaudit.thresholds.weights`."""

from __future__ import annotations

import math
from functools import cache
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest

from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization, KernelSymmetry
from modelaudit.diagnosis.suspects import suspects
from modelaudit.facts import Kernel, TensorStats
from modelaudit.measures.kernels import initialization
from modelaudit.measures.kernels.batchnorm import BatchNormTensors, inputs_off_scale
from modelaudit.measures.kernels.inference_norms import trained_at_inference
from modelaudit.measures.kernels.initialization import LayerContext
from modelaudit.measures.kernels.values import load_kernel
from modelaudit.measures.measure import measure
from modelaudit.measures.statistics import few_alone, kolmogorov_smirnov
from modelaudit.measures.summary import Measurements
from modelaudit.probe.study.study import _Study
from modelaudit.report.sections.weights import _unusual
from modelaudit.rules import examples
from modelaudit.rules.examples import measured
from modelaudit.rules.initial_weights.drawn_weights import few
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.rules.initial_weights.training_reach import (
    far_from_start,
    hardly_moved,
    trained_slightly,
)
from modelaudit.rules.initial_weights.training_traces import faded_moments, without_gradient
from modelaudit.rules.training.gradients import as_drawn
from modelaudit.rules.training.steps import adam
from modelaudit.rules.weights import half_statistics
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour, diagnosed, fit, initial, measurements
from tests.measures.artifacts import artifact, kernel, layer, tensor
from tests.rules.initial_kernels import drawn
from tests.thresholds.edges import Edges, case, check, outcome

EDGES = Edges()
at = EDGES.at

GLOROT = {"class_name": "GlorotUniform", "config": {"seed": None}}
STILL = LayerContext(bias_initial=True)


def state(values, companions=STILL, initializer=GLOROT):
    """What is decided about the only kernel of a model."""
    values = values.astype("float32")
    known = kernel("dense", values.shape, initializer=initializer)
    stored = load_kernel(known, tensor("dense/kernel", values))
    return initialization.kernel_initialization(known, stored, "float32", companions, 1).state


def uniform(rows, columns, shrunk=0.0):
    """Evenly distributed initial values in random order, a little closer to 0."""
    limit = (1 - shrunk) * np.sqrt(6 / (rows + columns))
    even = (np.arange(rows * columns) + 0.5) / (rows * columns)
    return limit * np.random.default_rng(3).permutation(2 * even - 1).reshape(rows, columns)


@cache
def shrunk_to(p):
    """How much to shrink 64 x 64 evenly distributed values for this p-value."""
    even = (np.arange(4096) + 0.5) / 4096
    low, high = 0.0, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        found = kolmogorov_smirnov(0.5 + (even - 0.5) * (1 - middle))[1]
        low, high = (middle, high) if found > p else (low, middle)
    return low


@at("weights.LEVEL", {0.00099: "trained", 0.00101: "fresh"})
def another_distribution(p):
    # Each of the two tests, of the distribution and of the range, has half the level.
    values, full = uniform(64, 64, shrunk_to(p / 2)), uniform(64, 64)
    for at_edge in (full.argmin(), full.argmax()):  # keep the range
        values.flat[at_edge] = full.flat[at_edge]
    return state(values)


@at("weights.LEVEL", {0.00099: "trained", 0.00101: "fresh"})
def a_smaller_range(p):
    """Evenly distributed values, with the range that n draws stay within with this probability."""
    n, low, high = 4096, 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        inside = n * middle ** (n - 1) - (n - 1) * middle**n
        low, high = (middle, high) if inside < p / 2 else (low, middle)
    return state(uniform(64, 64, 1 - low / (1 - 1 / n)))


@at("weights.MIN_WEIGHTS_WITH_BIAS", {63: "undecidable", 64: "fresh"})
def weights_with_a_bias(weights):
    return state(uniform(7, 9) if weights == 63 else uniform(8, 8))


@at("weights.FACTORS", {7: "low", 8: "medium"})
def columns_of_inputs(columns):
    """A mean of 0 in a layer that gets the inputs as they are, in weights alone."""
    zero, other = TensorStats(0.0, 0.0, 0.0, 0.0, 0, 0), TensorStats(0.5, 2.0, 1.0, 0.3, 0, 0)
    shape = (columns,)
    norm = BatchNormTensors(
        "bn", examples.tensor("mean", shape, zero), examples.tensor("variance", shape, other)
    )
    learnt = BatchNormState("bn", columns, False, False, 0.5)
    with (
        patch.object(half_statistics, "batchnorm_tensors", lambda _: [norm]),
        patch.object(half_statistics, "_at_inputs", lambda _: {"bn"}),
    ):
        (found,) = half_statistics.half_reset(examples.model(), [learnt])
    return found.severity.value


@at("weights.FEWEST_DRAWS", {15: "undecidable", 16: "fresh"})
def few_draws(weights):
    """Steps of a generator between the bounds; the spread of a few of them hardly matters."""
    shape = (weights, 1)
    limit = np.float32(np.sqrt(6 / (weights + 1)))
    steps = np.random.default_rng(3).permutation(weights) * (2**23 // weights) + 12345
    return state((steps / 2**23 * (2 * limit)).astype("float32").reshape(shape) - limit)


@at("weights.FEWEST_WITH_BIAS", {7: False, 8: True})
def few_weights_with_a_bias(weights):
    return few(drawn("x", weights, state="undecidable", law="uniform"))


@at("weights.MIN_WEIGHTS_ALONE", {999: "undecidable", 1000: "fresh"})
def weights_alone(weights):
    return state(uniform(27, 37) if weights == 999 else uniform(25, 40), LayerContext())


@at("weights.MAX_EXCESS", {1.25: "fresh", 1.26: "trained"})
def structure(excess):
    with patch.object(initialization, "spectrum_excess", lambda *_: excess):
        return state(uniform(64, 64))


@at("weights.ORTHOGONAL", {0.99e-4: "fresh", 1.01e-4: "trained"})
def orthogonal(error):
    made = {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}}
    drawn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    return state(drawn * np.sqrt(1 + error), initializer=made)


@at("weights.FLAT", {1.79: "fresh", 1.81: "undecidable"})
def largest_of_flat_weights(times):
    """Two weights of evenly spread ones, on a scale of no common initializer, are larger."""
    values = uniform(32, 32) / 100
    others = np.argsort(np.abs(values).ravel())[:-2]
    square = (values.ravel()[others] ** 2).sum()
    end = times * np.sqrt(square / 1024 / (1 - 2 * times**2 / 1024))
    values.flat[[values.argmin(), values.argmax()]] = -end, end
    return state(values, initializer=None)


@at("weights.FLAT_P", {0.049: "undecidable", 0.051: "fresh"})
def skew_of_flat_weights(p):
    even, low, high = (np.arange(4096) + 0.5) / 4096, 1.0, 1.5
    for _ in range(60):
        middle = (low + high) / 2
        found = kolmogorov_smirnov(even**middle)[1]
        low, high = (middle, high) if found > p else (low, middle)
    order = np.random.default_rng(3).permutation(4096)
    return state(0.001 * (2 * even**low - 1)[order].reshape(64, 64), initializer=None)


def beside(*others, weights, **tests):
    """How sure it is that a kernel without a bias, as drawn uniformly, was left out."""
    own = {"fits": True, "law": "uniform"} | tests
    made = [KernelInitialization("a", "a", "GlorotUniform", "trained", "", weights, own)]
    for number, share in enumerate(others):
        moved = {"fits": False, "outside": share, "bias_initial": False}
        made.append(KernelInitialization(f"b{number}", "b", "", "trained", "", 1000, moved))
    found = left_initial(examples.model(examples.layer()), made)
    return next((each.severity.value for each in found if each.kernel.route == "a"), None)


@at("weights.USUAL_DRIFT", {0.0099: "high", 0.0101: "low"})
def weights_where_no_other_kernel_tells(share):
    """As many weights as would just be enough for this share."""
    weights = round(-math.log(1e-4 / 5) / share)
    return beside(None, None, None, None, weights=weights, bias_initial=False)


@at("weights.UNMOVED", {0.99e-4: "high", 1.01e-4: "low"})
def probability_of_no_weight_beyond_the_bound(p):
    share = -math.log(p / 3) / 900 * 3
    return beside(share, share, weights=900)


@at("weights.HARDLY_MOVED", {0.99e-4: True, 1.01e-4: False})
def hardly(share):
    furthest = TensorStats(0.0, 0.5 * share, 0.0, 0.1, 0, 0)  # of a spread of 0.5
    tensors = (examples.tensor("dense/kernel"), examples.tensor("dense/bias", (2,), furthest))
    found = examples.model(examples.layer(), tensors=tensors)
    kernels = (initial("dense", bias_initial=False, fits=True),)
    table = replace(initial("table", bias_initial=None, fits=True), tensor="dense/bias")
    assert hardly_moved(found, (*kernels, table))[1] == hardly_moved(found, kernels)[1]
    return bool(hardly_moved(found, kernels)[1])


@at("weights.FAR", {5.99: False, 6.01: True})
def beyond_draws(value):
    ends = TensorStats(-0.1, value, 0.0, 0.1, 0, 0)
    tensors = (examples.tensor("dense/kernel"), examples.tensor("own/W_mu", (4, 2), ends))
    return bool(far_from_start(examples.model(examples.layer(), tensors=tensors), ()))


@at("weights.FADED", {0.99e-30: None, 1.01e-30: True})
def faded(second):
    found = adam(("dense", 0.0, 0.0), ("other", 0.0, second), ("last", 1.0, 1.0)).artifact
    moved = initial("other", state="trained", fits=False)
    return without_gradient(found, initial("dense"), faded_moments(found, (moved,)))


@at("weights.SLIGHT_REACH", {0.099: True, 0.101: False})
def slight_reach(share):
    steps = round(share * 0.5 / 2e-6)  # 2 * steps * rate, of a spread of 0.5
    found = adam(("dense", 0.1, 0.1), steps=steps, rate=1e-6).artifact
    return trained_slightly(found, initial("dense"))


@at("weights.SPREAD", {2.99: "low", 3.01: "high"})
def least_share_of_the_others(times):
    """As many times as large as the share that would just be enough in the kernel itself."""
    share = -math.log(1e-4 / 3) / 900 * times
    return beside(share, share, weights=900)


@at("weights.LIGHT", {0.33: "high", 0.34: None})
def kernels_as_drawn_beside_trained_biases(share):
    own = {"fits": True, "law": "uniform", "bias_initial": False}
    drawn = KernelInitialization("a", "a", "GlorotUniform", "trained", "", 1000, own)
    moved = KernelInitialization("b", "b", "", "trained", "", 1000, {"fits": False, "outside": 0.2})
    kernels = [drawn] * round(100 * share) + [moved] * 100
    found = left_initial(examples.model(examples.layer()), kernels)
    return found[0].severity.value if found else None


def chain(between):
    """A kernel and the batch normalization that follows it after so many layers."""
    names = ["conv", *(f"relu{i}" for i in range(between)), "bn"]
    classes = ["Conv2D", *["ReLU"] * between, "BatchNormalization"]
    roles = {"moving_mean": "bn/mean", "moving_variance": "bn/variance"}
    layers = [
        layer(name, kind, [before], variables=roles if name == "bn" else {})
        for name, kind, before in zip(names, classes, ["x", *names[:-1]], strict=True)
    ]
    values = uniform(9, 16).reshape(1, 1, 9, 16).astype("float32")
    tensors = {"conv/kernel": values, "bn/mean": np.zeros(16), "bn/variance": np.ones(16)}
    known = kernel("conv", values.shape, initializer=GLOROT)
    return artifact(tensors, [known], [layer("x", "InputLayer"), *layers])


@at("weights.BATCHNORM_STEPS", {4: "fresh", 5: "undecidable"})
def initial_batch_normalization(steps):
    return measure(chain(steps - 1)).initialization[0].state


@at("weights.BATCHNORM_STEPS", {4: ["fresh"], 5: []})
def first_misfit(steps):
    small = initial("conv", "undecidable", 144, fits=True)
    seen = case(behaviour(batchnorm=(fit(0.9),)), measurements(small))
    facts = replace(seen.facts, artifact=chain(steps - 1))
    return [each.state for each in replace(seen, facts=facts).kernels]


@at("weights.MISFIT_ALIKE", {0.7: True, 0.707: False})
def consistent_statistics(misfit):
    fed = SimpleNamespace(info=SimpleNamespace(largest_class=None))
    return _Study._diversity(
        SimpleNamespace(user=True, fed=fed), (fit(misfit),)
    ).batchnorm_consistent


@at("weights.MISFIT", {0.35: False, 0.353: True})
def shown_as_unusual(misfit):
    return _unusual(BatchNormState("norm", 4, False, False, 1.0), misfit)


@at("weights.OFF_SCALE", {1.0: False, 1.01: True})
def off_scale(deviation):
    return inputs_off_scale([fit(0.9, mean_deviation=deviation)], "H")


def symmetric(score, twin=0.1):
    known = KernelSymmetry(
        "conv", "conv", (3, 3, 1, 8), 8, score={"H": score}, twins={"H": {"score": twin}}
    )
    return Measurements(symmetry=(known,))


@at("weights.EXACT_SYMMETRY", {1 - 1.01e-6: "pass", 1 - 1e-6: "fail", 1 - 0.99e-6: "fail"})
def symmetric_filters(score):
    return outcome("MA501", measured(symmetric(score))())


@at("weights.EXACT_SYMMETRY", {1 - 1.01e-6: "pass", 1 - 1e-6: "fail", 1 - 0.99e-6: "fail"})
def mirrored_twins(score):
    return outcome("MA502", measured(symmetric(0.1, score))())


@at("weights.EXACT_SYMMETRY", {1 - 1.01e-6: "fail", 1 - 1e-6: "pass"})
def twins_of_symmetric_filters(score):
    return outcome("MA502", measured(symmetric(score, 1.0))())


@at("weights.SYMMETRIC", {0.989: False, 0.99: True})
def called_symmetric(score):
    seen = replace(measurements(), symmetry=symmetric(score).symmetry)
    filters = suspects(case(behaviour(), seen), diagnosed())[1]
    return "1 of 1 spatial kernels are mirror-symmetric" in filters.text


@at("weights.INFERENCE_BIAS", {0.246: False, 0.25: True, 0.254: True})
def biases_before_normalizations(times):
    tensors = tuple(
        examples.tensor(name, (4,), replace(examples.ORDINARY, mean=0.0, std=std))
        for name, std in (("bias", 0.5 * times), ("beta", 0.5))
    )
    kernel = Kernel("conv", "conv/kernel", "conv", "hwio", 2, (3, 3, 2, 4), "bias", beta="beta")
    artifact = replace(examples.model(tensors=tensors), architecture=None, kernels=(kernel,))
    return trained_at_inference(artifact)


@at("weights.AS_DRAWN", {5.95: True, 6.0: True, 6.05: False})
def spread_of_a_draw(errors):
    """Of 5,000 weights, the standard error of their standard deviation is 0.01 of it."""
    stats = replace(examples.ORDINARY, std=0.5 + errors * 0.00499999)
    return as_drawn(0.5, examples.tensor("w", (50, 100), stats))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)


@at("weights.STANDS_OUT", {5.9: False, 6.01: True, 6.1: True})
def a_weight_beside_the_spread_of_all(times):
    return few_alone(TensorStats(-times, times, 0.0, 1.0, 0, 0, second=times), 100)


@at("weights.FEW_VALUES", {10.9: True, 11.05: False, 11.1: False})
def values_that_make_the_spread(number):
    size = math.sqrt(11_000 / number)
    return few_alone(TensorStats(-size, size, 0.0, 1.0, 0, 0, second=size), 11_000)
