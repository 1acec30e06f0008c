"""Decisions at the edges of `modelaudit.thresholds.training`."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.diagnosis.steps.training import still_trained
from modelaudit.facts import Kernel, TensorStats
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.kernels.constant_layers import _kind
from modelaudit.measures.kernels.dead_units import dead_units
from modelaudit.measures.kernels.one_vector import _of_one_step
from modelaudit.measures.kernels.values import KernelValues
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments, optimizer_state
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.behaviour.probe_labels import InputColumns, _columns
from modelaudit.rules.catalogue import rule
from modelaudit.rules.initial_weights.sized_kernels import example_kernel
from modelaudit.rules.model import Facts
from modelaudit.rules.training.alike_inputs import _inputs
from modelaudit.rules.training.extent import _example as of_inputs
from modelaudit.rules.training.silent_units import silent_units
from modelaudit.rules.training.steps import adam
from modelaudit.rules.training.trainability import _units
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour, diagnosed, silent
from tests.made.emptied_kernels import emptied
from tests.measures.artifacts import tensor as made_tensor
from tests.thresholds.edges import Edges, check, outcome, severities

EDGES = Edges()
at = EDGES.at
ALIVE = ("last", 0.5, 0.25)


@at("training.SATURATION", {8.93e-8: "saturated", 8.95e-8: None, 9e-8: None})
def distance_of_a_sigmoid_from_1(left):
    least = math.log(1 / left - 1)
    return _kind("sigmoid", np.array([least]), np.array([least + 5]))


@at("training.BEYOND_TARGETS", {9.9: ["low"], 10.01: ["medium"], 10.1: ["medium"]})
def gradients_beyond_targets_in_reach(times, optimizer="Adam", loss="mse", metrics=None):
    """A sigmoid of one unit under a squared error; the largest gradient in reach is 8 / 27."""
    # After 500 steps, an average of equal squares that began at 0 has reached this share of them.
    reached = 1 - 0.999**500
    facts = adam(("head", 0.1, 0.1), ("bias", 0.1, (times * 8 / 27) ** 2 * reached))
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    head = examples.layer("head", "Dense", names, {"units": 1, "activation": "sigmoid"})
    artifact = replace(facts.artifact, architecture=examples.model(head).architecture)
    training = {
        "optimizer": {"class_name": optimizer, "config": {}},
        "loss": loss,
        "metrics": metrics,
    }
    return severities("MA306", Facts(replace(artifact, training=training)))


@at("training.BEYOND_NUMBERS", {1.48: ["low"], 1.51: ["medium"], 1.52: ["medium"]})
def gradients_beyond_numbers_in_reach(times):
    assert gradients_beyond_targets_in_reach(times, metrics=["accuracy", "mae"]) == ["low"]
    return gradients_beyond_targets_in_reach(times, metrics=["mae", "root_mean_squared_error"])


def test_sums_of_gradients_prove_no_targets_beyond():
    assert gradients_beyond_targets_in_reach(20, "rmsprop") == ["medium"]
    summed = {"class_name": "MeanSquaredError", "config": {"reduction": "sum"}}
    assert gradients_beyond_targets_in_reach(20, "Adagrad") == ["low"]
    assert gradients_beyond_targets_in_reach(20, loss=summed) == ["low"]


@at("training.UNITS_ALIKE", {0.949: [], 0.95: ["medium"], 0.951: ["medium"]})
def similarity_of_units(cosine):
    return severities("MA323", _units(cosine))


@at("training.FEW_UNITS", {7: False, 8: True, 9: True})
def units_that_can_be_compared(count):
    units = np.ones((count, count)) + np.random.default_rng(0).normal(0, 0.01, (count, count))
    low, high = float(units.min()), float(units.max())
    values = KernelValues(units.reshape(1, -1), units.shape, (), units.size, False, low, high)
    return values.unit_similarity > 0.99


@at("training.FEW_STEPS", {9: "not-applicable", 10: "fail", 11: "fail"})
def steps_from_which_gradients_tell(count):
    return outcome("MA433", adam(("first", 0.0, 1.0), ALIVE, steps=count))


@at("training.ONE_PASS", {62: "fail", 63: "pass", 64: "pass"})
def steps(count):
    return outcome("MA432", adam(ALIVE, steps=count))


@at("training.LARGE_RATE", {0.0495: "pass", 0.05: "fail", 0.0505: "fail"})
def rate_of_adam(rate):
    return outcome("MA431", adam(("first", 0.5, 0.25), ALIVE, rate=rate, compiled=False))


@at("training.LARGE_DELTA_RATE", {9.9: "pass", 10.0: "pass", 10.1: "fail"})
def rate_of_adadelta(rate):
    facts = adam(ALIVE, rate=rate)
    config = {"class_name": "Adadelta", "config": {"learning_rate": rate}}
    artifact = replace(facts.artifact, training={"optimizer": config})
    return outcome("MA319", replace(facts, artifact=artifact))


@at("training.LARGE_SGD_RATE", {0.99: "pass", 1.0: "pass", 1.01: "fail"})
def rate_of_gradient_descent(rate):
    return outcome("MA431", adam(rate=rate, compiled=False))


@at("training.TIMES_THE_LIMIT", {9.9: ["low"], 10.0: ["medium"], 10.1: ["medium"]})
def times_the_rate_of_gradient_descent(times):
    return severities("MA431", adam(rate=times, compiled=False))


@at("training.STOPPED", {0.99e-6: "fail", 1e-6: "pass", 1.01e-6: "pass"})
def average_gradient(ratio):
    return outcome("MA433", adam(("first", ratio, 1.0), ALIVE))


@at("training.ONE_RATIO", {0.99e-4: ["high"], 1.01e-4: []})
def ratios_of_averages(difference):
    return severities("MA439", _inputs(0.2, 0.8 / (1 - difference)))


@at("training.ALIVE", {0.99e-3: "not-applicable", 1e-3: "not-applicable", 1.01e-3: "fail"})
def gradient_of_the_others(ratio):
    return outcome("MA433", adam(("first", 0.0, 1.0), ("last", ratio, 1.0)))


@at("training.ALIVE", {0.99e-3: "fail", 1e-3: "pass", 1.01e-3: "pass"})
def gradient_of_the_kernels_where_only_a_bias_learns(ratio):
    facts = adam(("head", ratio * 0.1, 0.01), ("bias", 0.5, 0.25))
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    head = examples.layer("head", "Dense", names, {"units": 1})
    artifact = replace(facts.artifact, architecture=examples.model(head).architecture)
    return outcome("MA433", replace(facts, artifact=artifact))


@at("training.ALIVE", {0.99e-3: False, 1e-3: False, 1.01e-3: True})
def gradient_until_the_end(ratio):
    moments = (WeightMoments("a", "kernel", (4, 2), ratio, 1.0),)
    return still_trained(OptimizerState("Adam", 100, moments=moments), "a")


@at("training.STOPPED_MOMENTUM", {0.99e-12: "fail", 1e-12: "pass", 1.01e-12: "pass"})
def momentum(least):
    return outcome("MA433", _with_momentum(adam(("a", least, 1.0), ("b", 1.0, 1.0))))


@at("training.BIASES_ALONE", {0.99e-9: "fail", 1e-9: "pass", 1.01e-9: "pass"})
def momentum_of_the_kernels_where_only_a_bias_learns(least):
    facts = _with_momentum(adam(("head", least, 1.0), ("bias", 1.0, 1.0)))
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    head = examples.layer("head", "Dense", names, {"units": 1})
    artifact = replace(facts.artifact, architecture=examples.model(head).architecture)
    return outcome("MA433", replace(facts, artifact=artifact))


@at("training.TELLING_SQUARE", {0.99e-10: "pass", 1e-10: "fail", 1.01e-10: "fail"})
def squares_of_a_bias_beside_those_of_its_kernel_that_are_0(square):
    facts = adam(("kernel", 0.0, 0.0), ("bias", 1e-6, square))
    names = {"kernel": "kernel/kernel", "bias": "bias/kernel"}
    architecture = examples.model(examples.layer("dense", variables=names)).architecture
    artifact = replace(facts.artifact, architecture=architecture)
    return outcome("MA439", replace(facts, artifact=artifact))


@at("training.BIASES_APART", {0.099: "fail", 0.1: "pass", 0.101: "pass"})
def gradients_of_all_but_the_last_bias(quotient):
    first = (("first", 0.01, 1.0), ("shift", 0.01, 1.0))  # whose units died
    facts = adam(*first, ("head", 0.5 * quotient, 1.0), ("bias", 0.5, 1.0))
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    dead = {"kernel": "first/kernel", "bias": "shift/kernel"}
    layers = (
        examples.layer("first", "Dense", dead, {"units": 2}),
        examples.layer("head", "Dense", names, {"units": 1}),
    )
    artifact = replace(facts.artifact, architecture=examples.model(*layers).architecture)
    return outcome("MA433", replace(facts, artifact=artifact))


def _with_momentum(facts):
    """The facts with the first average of each weight only, as SGD keeps it."""
    kept = [t for t in facts.artifact.tensors if t.role == "weight" or "vars/0" in t.name]
    slots = [t for t in facts.artifact.tensors if t.role == "optimizer" and t.shape]
    artifact = replace(facts.artifact, tensors=(*kept, *slots[::2]))
    state = optimizer_state(artifact)
    assert state is not None and [each.second for each in state.moments] == [None, None]
    return replace(facts, artifact=artifact)


@at("training.SLOW_FADING", {0.8899: [], 0.89: ["low"], 0.8901: ["low"]})
def average_that_fades_slowly(beta):
    facts = examples.chain(examples.layer("hidden", config={"activation": "relu"}))
    bias = WeightMoments("hidden", "bias", (10,), 0.1, faded=6)
    state = OptimizerState(settings={"beta_1": beta}, moments=(bias,))
    return [x.severity.value for x in silent_units(rule("MA433"), facts, state)]


@at("training.VANISHED", {0.99e-4: "fail", 1e-4: "pass", 1.01e-4: "pass"})
def gradient_of_the_first(ratio):
    # The mean of the squares is half of the largest in both layers.
    return outcome("MA434", adam(("first", 0.1, ratio**2), ("last", 0.1, 1.0)))


@at("training.SHRINKING", {0.99e-2: ["medium"], 1.005e-2: [], 1.01e-2: []})
def gradient_before_sigmoids(ratio):
    facts = adam(
        ("first", 0.1, ratio**2), *((f"row_{n}", 0.1, 1.0) for n in range(6)), ("last", 0.1, 1.0)
    )
    architecture = facts.artifact.architecture
    assert architecture is not None
    routes = [layer.route for layer in architecture.layers]
    layers = tuple(
        replace(
            layer, config={"units": 2, "activation": "sigmoid"}, inbound=((before,),) * bool(before)
        )
        for before, layer in zip(["", *routes], architecture.layers, strict=False)
    )
    artifact = replace(facts.artifact, architecture=replace(architecture, layers=layers))
    return severities("MA434", replace(facts, artifact=artifact))


def spread(times):
    """A kernel whose root mean square is `times` that of an initializer."""
    facts = example_kernel(1.0)
    size = times * math.sqrt(2 / 128)
    stats = TensorStats(-size, size, 0.0, size, 0, 0)
    kernel = replace(facts.artifact.tensors[0], stats=stats)
    return replace(facts.artifact, tensors=(kernel, *facts.artifact.tensors[1:]))


@at("training.EXPLODED", {990.0: "pass", 1001.0: "fail", 1010.0: "fail"})
def largest_kernel(times):
    return outcome("MA435", Facts(spread(times)))


@at("training.EXPLODED_MEDIAN", {99.0: "pass", 100.1: "fail", 101.0: "fail"})
def all_kernels(times):
    artifact = spread(times)
    return outcome("MA435", Facts(replace(artifact, kernels=artifact.kernels * 3)))


@at("training.SHRUNK", {0.0099: "fail", 0.01001: "pass", 0.0101: "pass"})
def largest_weight(times):
    return outcome("MA436", Facts(spread(times)))


def scores(kernel, bias, penalty=0.0):
    """Severities of MA436 on an output of probabilities: spread of its kernel and of its biases."""
    facts = example_kernel(1.0)
    size = kernel * math.sqrt(2 / 128)
    stats = TensorStats(-2 * size, 2 * size, 0.0, size, 0, 0)
    shown = TensorStats(-2 * bias, 2 * bias, 0.0, bias, 0, 0)
    names = {"kernel": "dense/kernel", "bias": "dense/bias"}
    config = {"units": 64, "activation": "softmax"}
    config |= {"kernel_regularizer": {"class_name": "L2", "config": {"l2": penalty}}}
    layer = examples.layer("dense", "Dense", names, config)
    made = examples.model(layer)
    tensors = tuple(
        replace(tensor, stats=each)
        for tensor, each in zip(facts.artifact.tensors, (stats, shown), strict=True)
    )
    artifact = replace(facts.artifact, architecture=made.architecture, tensors=tensors)
    return severities("MA436", Facts(artifact))


@at("small_layers.EMPTIED", {0.0198: ["medium"], 0.02002: [], 0.0202: []})
def kernel_with_a_penalty(share):
    return emptied(share)


@at("training.PRIOR_KERNEL", {0.099: ["low"], 0.1001: [], 0.101: []})
def kernel_of_an_output(share):
    return scores(share, 1.0)


@at("training.PENALIZED_KERNEL", {0.297: ["low"], 0.3003: [], 0.303: []})
def penalized_kernel(share):
    return scores(share, 1.0, penalty=0.5)


@at("training.PRIOR_BIAS", {0.99: ["low"], 1.001: [], 1.01: []})
def sums_beside_biases(share):
    return scores(0.05, 0.05 * math.sqrt(2 / 128) * 8 / share)


@at("training.ONE_GRADIENT", {0.0099: True, 0.01001: False, 0.0101: False})
def ratios_of_two_units(apart):
    return _of_one_step(np.array([1.0, math.sqrt(1 - apart)]), np.ones(2))


@at("training.INPUT_REACH", {9.9: {}, 10.01: {"hidden": 4}, 10.1: {"hidden": 4}})
def reach_of_dead_units(reach):
    """Units whose sums are above 0 from inputs of this size on, behind a kernel that exploded."""

    kernel, bias = np.full((2, 4), 500.0), np.full(4, -2 * 500.0 * reach)
    stats = TensorStats(500.0, 500.0, 500.0, 0.0, 0, 0, second=500.0)
    tensors = (
        replace(made_tensor("hidden/kernel", kernel), stats=stats),
        made_tensor("hidden/bias", bias),
    )
    names = {role: f"hidden/{role}" for role in ("kernel", "bias")}
    layer = examples.layer("hidden", "Dense", names, {"units": 4, "activation": "relu"})
    made = examples.chain(examples.layer("x", "InputLayer", {}), layer).artifact
    used = Kernel("hidden", "hidden/kernel", "dense", "io", 0, (2, 4), "hidden/bias")
    made = replace(made, tensors=tensors, kernels=(used,))
    found = dead_units(made, layer_graph(made.architecture), 1 << 20)
    return {route: each.dead for route, each in found.items()}


@at("training.SILENT_UNITS", {0.295: [], 0.3: ["low"], 0.305: ["low"]})
def units_without_gradient(share):
    """A ReLU layer of 1000 units after 500 steps of Adam."""
    names = {role: f"hidden/{role}" for role in ("kernel", "bias")}
    layers = (
        examples.layer("hidden", "Dense", names, {"activation": "relu"}),
        examples.layer("head", inbound=(("hidden",),)),
    )
    stats = TensorStats(0.0, 0.2, 0.1, 0.05, 0, 0)
    slots = [("iteration", (), TensorStats(500.0, 500.0, 500.0, 0.0, 0, 0))]
    for layer in ("hidden", "head"):
        for role, shape in (("kernel", (10, 1000)), ("bias", (1000,))):
            silent = round(1000 * share) if (layer, role) == ("hidden", "bias") else 0
            slots.append((f"{layer}_{role}_momentum", shape, stats))
            slots.append((f"{layer}_{role}_velocity", shape, replace(stats, zeros=silent)))
    saved = [
        replace(examples.tensor(f"optimizer_weights/adam/{name}", shape, each), role="optimizer")
        for name, shape, each in slots
    ]
    artifact = examples.model(*layers)
    artifact = replace(artifact, tensors=(*artifact.tensors, *saved))
    artifact = replace(artifact, training={"optimizer": {"class_name": "Adam"}})
    return severities("MA433", Facts(artifact, measurements=Measurements()))


def stacked(activation, spread, bias, apart=0.0, rate=0.0, code="MA437", others=0.1):
    """Severities of a rule on three layers of 64 inputs; the second has these weights and biases.

    Biases are up to `apart` below `bias`. With a `rate`, they were trained by Adam. The spread of
    `others` is that of the first and the last kernel.
    """
    layers, tensors, kernels = [], [], []
    stack = (("first", others, 0.0), ("hidden", spread, bias), ("head", others, 0.0))
    for name, std, low in stack:
        own = {role: f"{name}/{role}" for role in ("kernel", "bias")}
        config = {"activation": activation if name == "hidden" else "linear"}
        layers.append(examples.layer(name, "Dense", own, config))
        weights, biases = (
            TensorStats(-1, 1, 0, std, 0, 0),
            TensorStats(low - apart * (name == "hidden"), low, low, 0, 0, 0),
        )
        tensors.append(examples.tensor(own["kernel"], (64, 64), weights))
        tensors.append(examples.tensor(own["bias"], (64,), biases))
        kernels.append(Kernel(name, own["kernel"], "dense", "io", 0, (64, 64), own["bias"]))
    facts = examples.chain(*layers)
    artifact = replace(facts.artifact, tensors=tuple(tensors), kernels=tuple(kernels))
    if rate:
        made = adam(("hidden", 0.1, 0.1), rate=rate).artifact
        slots = (each for each in made.tensors if each.role == "optimizer")
        artifact = replace(artifact, tensors=(*tensors, *slots), training=made.training)
    return severities(code, Facts(artifact, measurements=Measurements()))


@at("training.FAR_BELOW", {19.9: [], 20.1: ["low"], 20.2: ["low"]})
def distance_of_biases(times):
    """A spread of 1 gives sums that spread by 8; these biases have moved apart."""
    return stacked("relu", 1.0, -8.0 * times, apart=80.0)


@at("training.BELOW_SUMS", {1.49: [], 1.5: ["medium"], 1.51: ["medium"]})
def biases_that_fell_together(times):
    return stacked("relu", 1.0, -8.0 * times)


@at("training.ALIKE", {0.0499: ["medium"], 0.0501: [], 0.0502: []})
def biases_that_moved_apart(share):
    return stacked("relu", 1.0, -16.0, apart=16.0 * share)


@at("training.OFF_SCALE", {34.7: [], 35.0: ["low"], 35.3: ["low"]})
def spread_of_sums(spread):
    return stacked("tanh", spread / 8, 0.0)


@at("training.OFF_SCALE_FAST", {9.9: [], 10.0: ["low"], 10.1: ["low"]})
def spread_of_sums_after_large_steps(spread):
    assert not stacked("tanh", spread / 8, 0.0, rate=0.001)
    return stacked("tanh", spread / 8, 0.0, rate=2.0)


@at("training.EXPLODED_FAST", {44.6: [], 45.0: ["medium"], 45.4: ["medium"]})
def median_of_kernels_after_large_steps(times):
    assert not stacked("relu", 0.1, 0.0, rate=0.001, code="MA435", others=times * 0.125)
    return stacked("relu", 0.1, 0.0, rate=2.0, code="MA435", others=times * 0.125)


@at("training.EXPLODED_BIAS", {99.0: [], 100.0: ["medium"], 101.0: ["medium"]})
def bias_after_large_steps(size):
    assert not stacked("relu", 0.1, size, rate=0.001, code="MA435")
    return stacked("relu", 0.1, size, rate=2.0, code="MA435")


def normalised(share, variance):
    """One step at a momentum of `share`: that much is left of the initial values."""
    names = {"moving_mean": "bn/mean", "moving_variance": "bn/variance"}
    layer = examples.layer("bn", "BatchNormalization", names, {"momentum": share})
    stats = replace(examples.ORDINARY, mean=variance)
    tensors = (
        *adam(steps=1).artifact.tensors,
        examples.tensor("bn/mean", (8,), stats),
        examples.tensor("bn/variance", (8,), stats),
    )
    artifact = examples.model(layer, tensors=tensors)
    norm = BatchNormState("bn", 8, False, False, 2.0)
    training = {"optimizer": {"class_name": "Adam"}}
    measured = Measurements(batchnorm=(norm,))
    return Facts(replace(artifact, training=training), measurements=measured)


@at("training.INITIAL_TRACE", {0.099: [], 0.1: ["info"], 0.101: ["info"]})
def trace_of_the_initial_values(share):
    return severities("MA438", normalised(share, 5.0))


@at("training.INITIAL_SHARE", {0.495: ["info"], 0.5: ["low"], 0.505: ["low"]})
def share_of_the_initial_values(share):
    return severities("MA438", normalised(share, 50.0))


@at("training.COVERED_VARIANCE", {0.0495: ["low"], 0.05: ["info"], 0.0505: ["info"]})
def part_of_a_variance_that_the_data_had(part):
    """A moving variance of s + (1 - s) v, of which v is this part."""
    share = 0.3
    stored = share / (1 - part * (1 - share))
    assert math.isclose(share + (1 - share) * part * stored, stored)
    return severities("MA438", normalised(share, stored))


@at("training.PRIOR", {0.099: "prior-only", 0.1: "prior-only", 0.101: "collapse-open"})
def distance_from_the_frequencies(distance):
    seen = silent(prior=distance, accuracy={"e": 0.1})
    return diagnosed(behaviour(seen)).causes[0].cause


@at("training.UNSCALED", {99.0: "pass", 100.0: "pass", 101.0: "fail"})
def size_of_a_column(size):
    return outcome("MA613", _columns(InputColumns(False, 4, 0, (), size, 0.0))())


@at("training.SCALED_AWAY", {0.99e-3: "fail", 1e-3: "pass", 1.01e-3: "pass"})
def inputs_in_training(size):
    return outcome("MA440", of_inputs(size))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
