"""Decisions on the optimizer's values at the edges of `modelaudit.thresholds`."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

from modelaudit.facts import Kernel, TensorStats
from modelaudit.measures.slots_of_tf1 import steps_of_powers
from modelaudit.measures.summary import Measurements
from modelaudit.probe.study.feeding import _as_in_training
from modelaudit.probe.study.inputs import ProbeData
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.training.half_averages import half
from modelaudit.rules.training.settings import compiled_example
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, severities

EDGES = Edges()
at = EDGES.at


@at("training.SAME_STEPS", {0.0099: True, 0.0101: False})
def steps_of_both_betas(share):
    return steps_of_powers(0.9**100, 0.999 ** (100 * (1 - share))) is not None


@at("optimizers.VANISHED_RATE", {0.99e-12: True, 1e-12: False, 1.01e-12: False})
def vanished(value):
    """Whether a rate is told to be what a schedule has left."""
    given = compiled_example(
        optimizer_config={"class_name": "Adam", "config": {"learning_rate": value}}
    )
    seen = run_rule(rule("MA319"), given()).findings
    return any("schedule that multiplies" in each.detail for each in seen)


@at("training.LARGE_COLUMN", {9.9: False, 10.0: False, 10.1: True})
def a_column_beside_a_large_one(size):
    rows = np.linspace(0, 1, 8, dtype=np.float32)[:, None].repeat(2, 1)
    with patch("modelaudit.probe.study.feeding.table_scales", return_value=np.array([200, size])):
        fed = _as_in_training(ProbeData(rows, value_range=(0.0, 1.0)), examples.model())
    return not np.array_equal(fed.x[:, 1], rows[:, 1])


@at("training.LOST_SQUARES", {0.495: "pass", 0.5: "pass", 0.505: "fail"})
def averages_in_float16(share):
    return run_rule(rule("MA442"), half(round(1000 * share))).outcome.value


@at("optimizers.HALF_EPSILON", {4.95e-5: "fail", 5e-5: "pass", 5.05e-5: "pass"})
def epsilon_beside_averages_in_float16(epsilon):
    return run_rule(rule("MA442"), half(900, epsilon=epsilon)).outcome.value


def flat(value, spread=0.0):
    return TensorStats(value - spread, value + spread, value, spread, 0, 0)


def last_layer(optimizer, *, bias, squares, gradient=None, weights=1.0, activation="linear"):
    """One unit of 4 inputs of size 1 after 500 steps, each of 0.01: averages are those of the bias.

    Averages that began at 0 are what equal gradients leave after so many steps.
    """
    config = {"units": 1, "activation": activation}
    names = {"kernel": "head/kernel", "bias": "head/bias"}
    artifact = examples.model(examples.layer("head", "Dense", names, config))
    kept = 0.9 if optimizer == "RMSprop" else 0.999
    slots, beta = [], 1 - 0.9**500
    for shape in ((4, 1), (1,)):
        if gradient is not None:
            slots.append((shape, gradient * beta))
        slots.append((shape, squares * (1 - kept**500)))
    stored = [("optimizer/iterations", (), 500.0)]
    stored += [(f"optimizer/vars/{2 + i}", *slot) for i, slot in enumerate(slots)]
    state = [
        replace(examples.tensor(name, shape, flat(value)), role="optimizer")
        for name, shape, value in stored
    ]
    tensors = [
        examples.tensor("head/kernel", (4, 1), flat(0.0, weights)),
        examples.tensor("head/bias", (1,), flat(bias)),
        *state,
    ]
    loss = "binary_crossentropy" if activation == "sigmoid" else "mse"
    settings = {"class_name": optimizer, "config": {"learning_rate": 0.01}}
    training = {"optimizer": settings, "loss": loss, "metrics": ["accuracy"]}
    return Facts(replace(artifact, tensors=tuple(tensors), training=training))


def growing(times, steps=500, last=2.0):
    """Two layers whose kernels had these average gradients in the last steps, of squares of 1."""
    layers, tensors, kernels = [], [], []
    slots = [("optimizer/iterations", (), float(steps))]
    for name, shape, size in (("a", (9, 16), times), ("b", (16, 2), last)):
        names = {role: f"{name}/{role}" for role in ("kernel", "bias")}
        layers.append(examples.layer(name, "Dense", names, {"units": shape[1]}))
        kernels.append(Kernel(name, names["kernel"], "dense", "io", 0, shape, names["bias"]))
        tensors += [
            examples.tensor(names["kernel"], shape, flat(0.0, 0.3)),
            examples.tensor(names["bias"], shape[1:], flat(0.1)),
        ]
        for each in (shape, shape[1:]):
            for value in (size * (1 - 0.9**steps), 1 - 0.999**steps):
                slots.append((f"optimizer/vars/{1 + len(slots)}", each, value))
    tensors += [replace(examples.tensor(x, y, flat(z)), role="optimizer") for x, y, z in slots]
    settings = {"class_name": "Adam", "config": {"learning_rate": 0.001}}
    artifact = examples.model(*layers, tensors=tuple(tensors))
    training = {"optimizer": settings, "loss": "mse"}
    return severities("MA435", Facts(replace(artifact, kernels=tuple(kernels), training=training)))


@at("optimizers.GROWING", {1.79: [], 1.801: ["low"], 1.82: ["low"]})
def gradients_of_the_last_steps_beside_all(times):
    assert growing(2.0, last=times) == growing(times)
    return growing(times)


@at("optimizers.GROWING_STEPS", {49: [], 50: ["low"], 51: ["low"]})
def steps_of_growing_gradients(steps):
    return growing(2.0, steps)


@at("optimizers.BEYOND_LABELS", {1.98: [], 2.01: ["medium"], 2.02: ["medium"]})
def gradients_of_labels_beyond(times):
    """Where all steps moved the bias one way; otherwise, classes may have weights."""
    given = {"squares": times**2, "activation": "sigmoid"}
    assert severities("MA306", last_layer("RMSprop", bias=2.0, **given)) == []
    return severities("MA306", last_layer("RMSprop", bias=5.0, **given))


@at("optimizers.FAST_DECAY", {0.099: [], 0.1: ["low"], 0.101: ["low"]})
def decay_of_a_step(decay):
    """As an argument of the optimizers of Keras 2, and as a schedule."""
    schedule = {"initial_learning_rate": 0.01, "decay_steps": 10, "decay_rate": 10 * decay}
    schedules = {"class_name": "InverseTimeDecay", "config": schedule}
    settings = ({"lr": 0.01, "decay": decay}, {"learning_rate": schedules})
    saved = [{"class_name": "SGD", "config": each} for each in settings]
    said = [severities("MA319", compiled_example(optimizer_config=each)()) for each in saved]
    assert said[0] == said[1]
    return said[0]


def limited(size, sums, kind="Dense", activation="tanh"):
    """A layer whose inputs had this size in training, with weights for sums of this one."""
    layer = examples.layer("a", kind, {"kernel": "a/kernel"}, {"activation": activation})
    made = examples.tensor("a/kernel", (9, 16))
    assert made.stats is not None
    kernel = replace(made, stats=replace(made.stats, mean=0.0, std=sums / size))
    artifact = examples.model(layer, tensors=(kernel,))
    return severities("MA440", Facts(artifact, measurements=Measurements(input_scales={"a": size})))


@at("optimizers.LIMITED_SCALE", {19.9: [], 20.0: ["low"], 20.1: ["low"]})
def size_of_inputs_of_a_layer_with_a_limit(size):
    assert limited(size, 7.0, activation="relu") == []
    return limited(size, 7.0)


@at("optimizers.LIMITED_SUMS", {4.95: [], 5.001: ["low"], 5.05: ["low"]})
def sums_of_a_layer_with_a_limit(sums):
    assert limited(50.0, sums, "LSTM") == limited(50.0, sums, activation="sigmoid")
    return limited(50.0, sums)


@at("optimizers.WAY_MADE", {0.495: [], 0.5: ["low"], 0.505: ["low"]})
def way_of_a_bias_that_still_moves(share):
    moving = last_layer("Adam", bias=5 * share, squares=4.0, gradient=1.5)
    settled = last_layer("Adam", bias=5 * share, squares=4.0, gradient=0.2)
    assert severities("MA432", settled) == []
    return severities("MA432", moving)


@at("optimizers.STILL_PUSHED", {0.495: [], 0.501: ["low"], 0.505: ["low"]})
def last_gradients_beside_all(share):
    return severities("MA432", last_layer("Adam", bias=3.0, squares=4.0, gradient=2 * share))


@at("optimizers.OUTPUT_SHORT", {0.495: ["low"], 0.501: [], 0.505: []})
def outputs_beside_the_error(share):
    """An error of 200, and four weights of one size with inputs of size 1."""
    error, gradient = 200.0, 400.0
    given = {"bias": 0.0, "squares": gradient**2, "weights": share * error / 4}
    told = severities("MA432", last_layer("RMSprop", **given))
    assert severities("MA432", last_layer("Adam", gradient=gradient, **given)) == told
    assert severities("MA432", last_layer("Adam", gradient=20.0, **given)) == []
    return told


def descent(rate, name="SimpleRNN", **options):
    """Gradient descent with a momentum of 0.9, whose steps add up to `rate`."""
    settings = {
        "class_name": "SGD",
        "config": {"learning_rate": rate / 10, "momentum": 0.9} | options,
    }
    artifact = examples.model(examples.layer("one", name, {}, {"units": 2}))
    return severities("MA319", Facts(replace(artifact, training={"optimizer": settings})))


@at("optimizers.RECURRENT_RATE", {1.485: [], 1.5001: ["low"], 1.515: ["low"]})
def rate_with_momentum(rate):
    assert descent(rate, "Dense") == descent(rate, clipnorm=1.0) == descent(rate / 2) == []
    return descent(rate, "LSTM")


@at("optimizers.UNNORMED_RATE", {0.99: [], 1.0: ["low"], 1.01: ["low"]})
def rate_with_momentum_without_a_normalization(rate):
    """Of two layers, as of SGD(0.1, momentum=0.9)."""
    settings = {"class_name": "SGD", "config": {"learning_rate": rate / 10, "momentum": 0.9}}

    def said(*names):
        layers = (examples.layer(f"l{n}", name, {}, {"units": 2}) for n, name in enumerate(names))
        kernels = tuple(
            Kernel(*("a", f"{n}/kernel", "dense", "io", 0, (4, 8)))
            for n, name in enumerate(names)
            if name == "Dense"
        )
        artifact = replace(examples.model(*layers), training={"optimizer": settings})
        return severities("MA319", Facts(replace(artifact, kernels=kernels)))

    assert said("Dense") == said("Dense", "BatchNormalization", "Dense") == []
    return said("Dense", "Dense")


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
