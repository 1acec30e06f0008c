"""Decisions on fill, weights of losses and first values at the edges of `small_layers`."""

from __future__ import annotations

import math
from unittest.mock import patch

import pytest

from modelaudit.audit_types.kernels import KernelInitialization, SidedColumns
from modelaudit.facts import Kernel, TensorStats
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, severities
from tests.thresholds.test_last_layers import classifier
from tests.thresholds.test_training_extent import barely

EDGES = Edges()
at = EDGES.at
SGD = {"class_name": "SGD", "config": {"learning_rate": 0.01}}


def text(times, reader, **config):
    """A reader of words of which index 0 got so many times the squared gradients of any other."""
    words = examples.layer("words", "Embedding", {}, {"input_dim": 100, "output_dim": 8})
    facts = examples.chain(words, examples.layer("reader", reader, {}, config))
    return severities(
        "MA324", replace(facts, measurements=Measurements(fill_rows={"words": times}))
    )


@at("small_layers.FILL_AHEAD", {9.9e3: [], 1e4: ["low"], 1.01e4: ["low"]})
def squares_of_fill(times):
    assert text(1e9, "Conv1D") == text(1e9, "Flatten") == []
    assert text(times, "Bidirectional") == text(times, "LSTM", return_sequences=False)
    return text(times, "GRU", return_sequences=False)


@at("small_layers.FILL_COUNTED", {495.0: [], 500.0: ["low"], 505.0: ["low"]})
def squares_of_fill_that_counts(times):
    assert text(times, "LSTM", return_sequences=False) == []
    assert text(times, "LSTM", return_sequences=True) == text(times, "GlobalAveragePooling1D")
    return text(times, "GlobalAveragePooling1D")


def weighed(weight, moved, squares=None):
    """Two outputs of one layer; the loss of the second weighs this, and its bias moved so far."""
    facts = barely(SGD, 0.1)
    first, second = (
        replace(x, config={"units": 10}, inbound=()) for x in facts.artifact.architecture.layers
    )
    layers = (replace(first, inbound=(("x",),)), replace(second, inbound=(("x",),)))
    given = examples.layer("x", "InputLayer", {})
    model = examples.model(given, *layers).architecture
    model = replace(model, outputs=("hidden", "head"))
    stats = TensorStats(-moved, moved, 0.0, moved / 2, 0, 0)
    tensors = [
        replace(each, stats=stats) if each.name == "head/bias" else each
        for each in facts.artifact.tensors
    ]
    kernels = tuple(
        Kernel(name, f"{name}/kernel", "dense", "io", 0, (10, 10), f"{name}/bias")
        for name in ("hidden", "head")
    )
    training = {**facts.artifact.training, "loss": "mse", "loss_weights": [1.0, weight]}
    artifact = replace(
        facts.artifact,
        tensors=tuple(tensors),
        architecture=model,
        kernels=kernels,
        training=training,
    )
    return severities("MA319", replace(facts, artifact=artifact))


@at("small_layers.WEIGHED_APART", {0.99e-3: ["low"], 1e-3: ["low"], 1.01e-3: []})
def weight_of_a_loss(weight):
    return weighed(weight, 1e-6)


@at("small_layers.LEFT_BEHIND", {0.0099: ["low"], 0.01: [], 0.0101: []})
def moves_of_its_layers(share):
    return weighed(1e-4, 0.1 * share * (1 + 1e-9))


def still(expected, outside=0.0, optimizer=SGD, **tests):
    """Two kernels of 100 weights, whose biases moved so far that so many would be outside."""
    bias = 0.5 * expected / 200 * 2 * math.sqrt(3)
    tests = {"law": "uniform", "bound": 1.0, **tests}
    facts = barely(optimizer, bias, outside=outside * expected / 200, **tests)
    kernels = tuple(
        Kernel(name, f"{name}/kernel", "dense", "io", 0, (10, 10), f"{name}/bias")
        for name in ("hidden", "head")
    )
    alike = TensorStats(-bias, bias, 0.0, bias, 0, 0)  # half of them up, half of them down
    tensors = [
        replace(each, stats=alike) if each.name.endswith("bias") else each
        for each in facts.artifact.tensors
    ]
    artifact = replace(facts.artifact, kernels=kernels, tensors=tuple(tensors))
    return severities("MA440", replace(facts, artifact=artifact))


@at("small_layers.STILL_EXPECTED", {29.7: [], 30.0: ["low"], 30.3: ["low"]})
def weights_that_would_be_outside(count):
    assert still(count, optimizer={"class_name": "Adam", "config": {}}) == []
    assert still(count, law="normal") == still(count, trainable=False) == still(count, ks_p=0) == []
    return still(count * (1 + 1e-9))


@at("small_layers.STILL_DRAWN", {0.0495: ["low"], 0.05: [], 0.0505: []})
def weights_outside(share):
    return still(50.0, share * (1 + 1e-9))


def compiled(loss="mse", **optimizer):
    facts = barely({"class_name": "SGD", "config": {"learning_rate": 0.01, **optimizer}}, 0.1)
    training = {**facts.artifact.training, "loss": loss}
    return severities("MA319", replace(facts, artifact=replace(facts.artifact, training=training)))


@at("small_layers.HUBER_DELTA", {0.99e-3: ["low"], 1e-3: ["low"], 1.01e-3: []})
def width_of_huber(delta):
    return compiled({"class_name": "Huber", "config": {"delta": delta}})


@at("small_layers.CLIPPED_REACH", {0.99e-3: ["medium"], 1e-3: [], 1.01e-3: []})
def reach_of_clipped_steps(reach):
    """In 80 steps of 0.01."""
    assert compiled(clipnorm=reach / 0.8, momentum=0.9) == []
    return compiled(clipnorm=reach / 0.8 * (1 + 1e-9))


@at("small_layers.BIAS_AT_LIMIT", {9.9: [], 10.0: ["low"], 10.1: ["low"]})
def first_bias_of_a_sigmoid(start):
    drawn = {"class_name": "GlorotUniform", "config": {}}
    kernel = Kernel("head", "head/kernel", "dense", "io", 0, (4, 1), initializer=drawn)

    def head(value, activation="sigmoid"):
        first = {"class_name": "Constant", "config": {"value": value}}
        config = {"units": 1, "activation": activation, "bias_initializer": first}
        facts = examples.chain(examples.layer("head", config=config), training={"loss": "mse"})
        artifact = replace(facts.artifact, kernels=(kernel,))
        return severities("MA328", replace(facts, artifact=artifact))

    assert head(-start) == head(start)
    assert head(start, "linear") == head(-4.6) == []
    return head(start)


@at("small_layers.BALANCED", {0.2475: True, 0.25: False, 0.2525: False})
def weights_of_classes_told(share):
    """The last bias of a sigmoid, whose gradients were up to 30 times as large as labels cause."""
    facts = adam(("head", 0.1, 0.1), ("bias", 0.1, 900.0), steps=100_000)
    own = {"optimizer/vars/3": 30 * share * (1 + 1e-9), "optimizer/vars/4": 900.0}
    tensors = tuple(
        replace(each, stats=TensorStats(own[each.name], own[each.name], own[each.name], 0.0, 0, 0))
        if each.name in own
        else each
        for each in facts.artifact.tensors
    )
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    head = examples.layer("head", "Dense", names, {"units": 1, "activation": "sigmoid"})
    architecture = examples.model(head).architecture
    artifact = replace(facts.artifact, architecture=architecture, tensors=tensors)
    training = {**(artifact.training or {}), "loss": "binary_crossentropy"}
    facts = replace(facts, artifact=replace(artifact, training=training))
    (only,) = run_rule(rule("MA306"), facts).findings
    return "class_weight" in only.fix


def sided(count, bias, *, other=0.9, inputs="relu", loss="binary_crossentropy"):
    """A sigmoid behind 100 values, of whose weights so many left draws from -1 to 1 upwards."""
    hidden = examples.layer("hidden", "Dense", {}, {"units": 100, "activation": inputs})
    names = {"kernel": "head/kernel", "bias": "head/bias"}
    head = examples.layer("head", "Dense", names, {"units": 1, "activation": "sigmoid"})
    moved = bias / math.sqrt(3)
    tensors = (
        examples.tensor("head/kernel", (100, 1), TensorStats(-other, 2.0, 0.2, 0.6, 0, 0)),
        examples.tensor("head/bias", (1,), TensorStats(moved, moved, moved, 0.0, 0, 0)),
    )
    tests = {"law": "uniform", "bound": 1.0, "outside": count / 100}
    state = KernelInitialization(
        *("head", "head/kernel", "GlorotUniform", "trained"), weights=100, tests=tests
    )
    facts = examples.chain(hidden, head, training={"loss": loss})
    artifact = replace(facts.artifact, tensors=tensors)
    measured = Measurements(initialization=(state,))
    return severities("MA439", Facts(artifact, measurements=measured))


@at("small_layers.SIDED_WEIGHTS", {2: [], 3: ["low"], 4: ["low"]})
def weights_to_one_side(count):
    assert sided(count, 2.0, other=1.1) == sided(count, -2.0) == []
    assert sided(count, 2.0, inputs="tanh") == sided(count, 2.0, loss="mse") == []
    return sided(count, 2.0)


@at("small_layers.SIDED_MANY", {9: [], 10: ["low"], 11: ["low"]})
def many_weights_to_one_side(count):
    return sided(count, 0.2)


@at("small_layers.SIDED_LITTLE", {0.099: [], 0.1: ["low"], 0.101: ["low"]})
def small_bias_to_that_side(moved):
    return sided(20, moved * (1 + 1e-9))


def columns(count, bias, *, against=0, last="softmax", loss="categorical_crossentropy"):
    """A softmax behind a ReLU, of one unit of which so many weights went up with its bias."""
    hidden = examples.layer("hidden", "Dense", {}, {"units": 100, "activation": "relu"})
    names = {"kernel": "head/kernel", "bias": "head/bias"}
    head = examples.layer("head", "Dense", names, {"units": 3, "activation": last})
    facts = examples.chain(hidden, head, training={"loss": loss})
    sides = SidedColumns(1, count, against, bias)
    return severities(
        "MA439", replace(facts, measurements=Measurements(sided_columns={"head": sides}))
    )


@at("small_layers.SIDED_MANY", {9: [], 10: ["low"], 11: ["low"]})
def weights_of_one_class(count):
    assert columns(count, 1.0, against=1) == columns(count, 1.0, last="sigmoid") == []
    assert columns(count, 1.0, loss="mse") == []
    return columns(count, 1.0)


@at("small_layers.SIDED_LITTLE", {0.099: [], 0.1: ["low"], 0.101: ["low"]})
def biases_of_one_class(moved):
    return columns(30, moved)


@at("small_layers.SCORES_SLOW", {0.99: ["low"], 1.0: [], 1.01: []})
def scores_of_inputs_of_nothing(scores):
    assert severities("MA440", classifier(0.2, 0.005)) == ["medium"]
    assert severities("MA440", classifier(scores, 0.005)) == []
    with patch("modelaudit.rules.heads.constant_scores.of_pictures", return_value=True):
        return severities("MA440", classifier(scores, 0.005))


@at("small_layers.SIDED_BIAS", {0.495: [], 0.5: ["low"], 0.505: ["low"]})
def bias_to_that_side(moved):
    return sided(9, moved * (1 + 1e-9))


def pictures(size, units):
    """Pictures of 12 x 12 pixels of this size before a layer of so many units."""
    shapes = ((None, 12, 12, 1), (None, 144), (None, 16), (None, units))
    names = (("x", "InputLayer"), ("flat", "Flatten"), ("hidden", "Dense"), ("head", "Dense"))
    layers = []
    for (name, kind), shape in zip(names, shapes, strict=True):
        weights = {"kernel": f"{name}/kernel"} if kind == "Dense" else {}
        layer = examples.layer(name, kind, weights, {"units": shape[-1]})
        inbound = ((layers[-1].name,),) if layers else ()
        layers.append(replace(layer, output_shape=shape, inbound=inbound))
    kernel = examples.tensor("hidden/kernel", (144, 16))
    model = examples.model(*layers, tensors=(kernel,))
    facts = Facts(model, measurements=Measurements(input_scales={"hidden": size}))
    return severities("MA440", facts)


def test_pictures_that_are_inputs_and_targets():
    """Divided by 255 twice: a classifier may learn the scale, as many outputs cannot."""
    assert pictures(0.002, 144) == ["low"]
    assert pictures(0.3, 144) == pictures(0.002, 10) == []


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decisions_at_the_edges(edge, number):
    check(edge, number)
