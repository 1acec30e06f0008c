"""Decisions on how far training went at the edges of `modelaudit.thresholds.training`."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Kernel, TensorStats
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, severities

EDGES = Edges()
at = EDGES.at


def barely(optimizer, bias, **tests):
    """A model of two layers of 10 x 10 weights that spread by 0.5, after 80 steps."""
    drawn = TensorStats(-1.0, 1.0, 0.0, 0.5, 0, 0)
    moved = TensorStats(-bias, bias, 0.0, bias / 2, 0, 0)
    count = TensorStats(80.0, 80.0, 80.0, 0.0, 0, 0)
    layers, tensors, kernels = [], [], []
    for name in ("hidden", "head"):
        layers.append(examples.layer(name))
        tensors += [
            examples.tensor(f"{name}/kernel", (10, 10), drawn),
            examples.tensor(f"{name}/bias", (10,), moved),
        ]
        tested = {"ks_p": 0.5, "level": 0.001, "outside": 0.0, **tests}
        state = KernelInitialization(
            *(name, f"{name}/kernel", "GlorotUniform", "trained"), weights=100, tests=tested
        )
        kernels.append(state)
    steps = replace(examples.tensor("optimizer/vars/0", (), count), role="optimizer")
    facts = examples.chain(*layers, training={"loss": "mse", "optimizer_config": optimizer})
    artifact = replace(facts.artifact, tensors=(*tensors, steps))
    return Facts(artifact, measurements=Measurements(initialization=tuple(kernels)))


def beside(times, outside):
    """Gradient descent that moved a first kernel so many times as far as its bias."""
    facts = barely({"class_name": "SGD", "config": {"learning_rate": 0.01}}, 0.0)
    share = outside / 100
    moved = 2 * share / times
    bias = replace(facts.artifact.by_name["hidden/bias"], stats=None)
    bias = replace(bias, stats=TensorStats(-moved, moved, 0.0, moved, 0, 0))
    layers = tuple(
        replace(layer, config={"units": 10, "activation": "relu"})
        for layer in facts.artifact.architecture.layers
    )
    architecture = replace(facts.artifact.architecture, layers=layers)
    tensors = [bias if t.name == bias.name else t for t in facts.artifact.tensors]
    kernels = tuple(
        replace(each, tests=each.tests | {"outside": share, "bound": 1.0})
        for each in facts.measurements.initialization
    )
    artifact = replace(facts.artifact, tensors=tuple(tensors), architecture=architecture)
    return severities("MA440", Facts(artifact, measurements=Measurements(initialization=kernels)))


@at("training.MOVED_BESIDE", {9.9: [], 10.0: ["low"], 10.1: ["low"]})
def movement_beside_that_of_the_bias(times):
    return beside(times * (1 + 1e-9), 20)


@at("training.MOVED_OUTSIDE", {9.9: [], 10.0: ["low"], 10.1: ["low"]})
def weights_outside_of_the_draw(weights):
    return beside(50, weights * (1 + 1e-9))


def alone(times, count, first=200):
    """Steps that moved the last bias of layers 0.24 of the spread, and the others so much less."""
    facts = barely({"class_name": "SGD", "config": {"learning_rate": 0.01}}, 0.0)
    drawn = TensorStats(-1.0, 1.0, 0.0, 0.5, 0, 0)
    layers, tensors, kernels, tested = [], [], [], []
    for number in range(count):
        name, ends = f"layer_{number}", {0: 0.12 / first, count - 1: 0.12}
        bias = ends.get(number, 0.12 / times)
        moved = TensorStats(-bias, bias, 0.0, bias / 2, 0, 0)
        layers.append(examples.layer(name))
        tensors += [
            examples.tensor(f"{name}/kernel", (10, 10), drawn),
            examples.tensor(f"{name}/bias", (10,), moved),
        ]
        kernels.append(Kernel(name, f"{name}/kernel", "dense", "io", 0, (10, 10), f"{name}/bias"))
        tested.append(replace(facts.measurements.initialization[0], route=name))
    made = examples.chain(*layers, training=facts.artifact.training)
    artifact = replace(
        made.artifact,
        tensors=(*tensors, facts.artifact.tensors[-1]),
        kernels=tuple(kernels),
    )
    measured = Measurements(initialization=tuple(tested))
    return severities("MA432", Facts(artifact, measurements=measured))


@at("design.LAST_ALONE", {2.97: [], 3.0: ["low"], 3.03: ["low"]})
def last_bias_beside_the_others(times):
    return alone(times * (1 + 1e-9), 4)


@at("design.FIRST_STILL", {49.5: [], 50.0: ["low"], 50.5: ["low"]})
def last_bias_beside_the_first(times):
    return alone(5.0, 4, times * (1 + 1e-9))


@at("design.LAYERS_BEFORE", {3: [], 4: ["low"], 5: ["low"]})
def layers_up_to_the_last(count):
    return alone(5.0, count)


def few(moved=0.02, reach=0.3):
    """Two layers of four weights under a cross-entropy, after 160 steps."""
    spread = 1 / math.sqrt(3)
    optimizer = {"class_name": "SGD", "config": {"learning_rate": reach * spread / 160}}
    facts = barely(optimizer, moved * spread)
    count = TensorStats(160.0, 160.0, 160.0, 0.0, 0, 0)
    tested = tuple(
        replace(each, weights=4, tests={**each.tests, "bound": 1.0})
        for each in facts.measurements.initialization
    )
    training = {"loss": "categorical_crossentropy", "optimizer_config": optimizer}
    config = {"units": 2, "activation": "softmax"}
    layers = [
        replace(x, config=config, variables={y: f"{x.route}/{y}" for y in ("kernel", "bias")})
        for x in facts.artifact.architecture.layers
    ]
    architecture = replace(facts.artifact.architecture, layers=tuple(layers))
    tensors = (*facts.artifact.tensors[:-1], replace(facts.artifact.tensors[-1], stats=count))
    artifact = replace(
        facts.artifact, tensors=tensors, training=training, architecture=architecture
    )
    return severities("MA432", Facts(artifact, measurements=Measurements(initialization=tested)))


@at("small_layers.FEW_MOVED", {0.0495: ["low"], 0.05: [], 0.0505: []})
def biases_of_few_weights(share):
    return few(moved=share * (1 + 1e-9))


@at("small_layers.LIMITED_REACH", {0.594: ["low"], 0.6: [], 0.606: []})
def reach_of_all_steps(share):
    return few(reach=share * (1 + 1e-9))


def small_stack(width=0.1, outside=0.0, count=3):
    """Kernels of this share of the usual spread, of which the last bias alone moved."""
    facts = barely({"class_name": "SGD", "config": {"learning_rate": 0.01}}, 0.0)
    spread = width * math.sqrt(2 / 20)
    drawn = TensorStats(-2 * spread, 2 * spread, 0.0, spread, 0, 0)
    layers, tensors, kernels, tested = [], [], [], []
    for number in range(count):
        name, last = f"layer_{number}", number == count - 1
        bias = spread * (5.0 if last else 0.01)
        moved = TensorStats(-bias, bias, 0.0, bias / 2, 0, 0)
        layers.append(examples.layer(name))
        tensors += [
            examples.tensor(f"{name}/kernel", (10, 10), drawn),
            examples.tensor(f"{name}/bias", (10,), moved),
        ]
        kernels.append(Kernel(name, f"{name}/kernel", "dense", "io", 0, (10, 10), f"{name}/bias"))
        each = facts.measurements.initialization[0]
        test = {**each.tests, "outside": outside}
        tested.append(replace(each, route=name, tensor=f"{name}/kernel", tests=test))
    made = examples.chain(*layers, training=facts.artifact.training)
    steps = replace(facts.artifact.tensors[-1], stats=TensorStats(900.0, 900.0, 900.0, 0.0, 0, 0))
    artifact = replace(made.artifact, tensors=(*tensors, steps), kernels=tuple(kernels))
    return severities(
        "MA432", Facts(artifact, measurements=Measurements(initialization=tuple(tested)))
    )


@at("small_layers.SMALL_DRAW", {0.2475: ["low"], 0.25: [], 0.2525: []})
def kernels_beside_usual_ones(width):
    return small_stack(width=width * (1 + 1e-9))


@at("small_layers.SMALL_OUTSIDE", {0.099: ["low"], 0.1: ["low"], 0.101: []})
def weights_beyond_a_small_draw(share):
    return small_stack(outside=share)


@at("small_layers.SMALL_STACK", {2: [], 3: ["low"], 4: ["low"]})
def small_layers_in_a_row(count):
    return small_stack(count=count)


def slightly(share, steps, **tests):
    """The same with biases of this share of the spread, after this many steps of SGD."""
    facts = barely({"class_name": "SGD", "config": {"learning_rate": 0.01}}, 0.5 * share, **tests)
    *weights, count = facts.artifact.tensors
    count = replace(count, stats=TensorStats(steps, steps, steps, 0.0, 0, 0))
    kernels = tuple(
        Kernel(name, f"{name}/kernel", "dense", "io", 0, (10, 10), f"{name}/bias")
        for name in ("hidden", "head")
    )
    layers = [
        replace(layer, variables={role: f"{layer.route}/{role}" for role in ("kernel", "bias")})
        for layer in facts.artifact.architecture.layers
    ]
    architecture = replace(facts.artifact.architecture, layers=tuple(layers))
    artifact = replace(facts.artifact, tensors=(*weights, count), kernels=kernels)
    return severities(
        "MA432", replace(facts, artifact=replace(artifact, architecture=architecture))
    )


@at("training.SHORT_REACH", {0.149: ["low"], 0.15: [], 0.151: []})
def share_of_the_spread(share):
    return slightly(share, 80.0)


@at("training.MANY_STEPS", {499.0: ["low"], 500.0: [], 501.0: []})
def steps_that_move_little(steps):
    return slightly(0.1, steps)


@at("small_layers.WIDE_DRAW", {1.98: ["low"], 2.0: ["low"], 2.02: []})
def widths_of_kernels_after_many_steps(times):
    """Of 10 x 10 weights that spread by 0.5, Glorot's initializer would give this part."""
    assert slightly(0.04, 499.0) == ["low"]
    sides = (4 * times**2 - 1e-9, 4 * times**2)
    with patch("modelaudit.rules.initial_weights.sized_kernels.fans", return_value=sides):
        assert slightly(0.06, 600.0) == []
        return slightly(0.04, 600.0)


@at("training.STILL_MOVING", {0.899: [], 0.9: ["low"], 0.901: ["low"]})
def distance_of_the_last_bias(share):
    """After 500 steps of Adam, each of 0.001 at most."""
    facts = adam(("head", 0.1, 0.1))
    names = {"kernel": "head/kernel", "bias": "bias"}
    head = examples.layer("head", "Dense", names, {"units": 1})
    artifact = replace(facts.artifact, architecture=examples.model(head).architecture)
    stats = TensorStats(*[500 * 0.001 * share] * 3, 0.0, 0, 0)
    tensors = (*artifact.tensors, examples.tensor("bias", (1,), stats))
    training = {**(artifact.training or {}), "loss": "mse"}
    artifact = replace(artifact, tensors=tensors, training=training)
    return severities("MA432", replace(facts, artifact=artifact))


@at("training.HARDLY_MOVED", {0.0199: ["low"], 0.02: [], 0.0201: []})
def share_of_biases(share):
    sgd = {"class_name": "SGD", "config": {"learning_rate": 0.01}}
    return severities("MA430", barely(sgd, 0.5 * share))


@at("training.HARDLY_MOVED", {0.0199: ["low"], 0.02: ["low"], 0.0201: []})
def weights_outside(share):
    sgd = {"class_name": "SGD", "config": {"learning_rate": 0.01}}
    return severities("MA430", barely(sgd, 0.001, outside=share))


@at("training.SHORT_REACH", {0.149: ["low"], 0.15: [], 0.151: []})
def reach_of_adam(share):
    adam = {"class_name": "Adam", "config": {"learning_rate": 0.5 * share / 80}}
    return severities("MA432", barely(adam, 0.001))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)


@pytest.mark.parametrize(("outside", "told"), [(0.0283, ["low"]), (0.0295, [])])
def test_small_steps_bring_weights_out_of_the_range_of_a_draw(outside, told):
    """A uniform draw of which each weight moves up or down by a tenth of the spread."""
    rng = np.random.default_rng(4)
    values = rng.uniform(-1, 1, 10**6)
    after = values + rng.choice([-0.1, 0.1], values.size) * values.std()
    assert (abs(after) > 1).mean() == pytest.approx(0.1 / math.sqrt(12), rel=0.02)
    assert slightly(0.1, 80.0, outside=outside) == told
