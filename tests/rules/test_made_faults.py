"""Mistakes that whole facts show, each with a sound twin."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import ConstantLayer, KernelInitialization
from modelaudit.facts import Kernel
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.architecture.cancelled_biases import cancelled_biases
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace
from tests.rules.test_made_designs import HEAD, dense, found, layer, names

COUNT = examples.tensor("optimizer/vars/0", (), replace(examples.ORDINARY, maximum=30.0))
COUNT = replace(COUNT, role="optimizer")
BINARY = {"loss": "binary_crossentropy"}


def kernel(route, state, initializer="GlorotUniform"):
    tests = {"fits": state == "fresh", "bias_initial": state == "fresh"}
    return KernelInitialization(
        route, f"{route}/kernel", initializer, state, weights=500, tests=tests
    )


def judged(code, facts, *kernels):
    facts = replace(facts, measurements=Measurements(initialization=kernels))
    return [(str(x.severity), x.detail, x.fix) for x in run_rule(rule(code), facts).findings]


@pytest.mark.parametrize("steps", [True, False])
@pytest.mark.parametrize("units, loss", [(1, "mse"), (1, "categorical_crossentropy"), (3, "mse")])
def test_steps_without_a_gradient_are_no_missing_training(steps, units, loss):
    last = "softmax" if loss == "mse" else "linear"
    facts = examples.chain(
        replace(dense(name="hidden"), variables={"kernel": "hidden/kernel"}),
        dense(units, last, name="head"),
        training={"loss": loss},
    )
    head = replace(facts.artifact.architecture.layers[-1], output_shape=(None, units))
    layers = (facts.artifact.architecture.layers[0], head)
    architecture = replace(facts.artifact.architecture, layers=layers)
    stored = (*facts.artifact.tensors, COUNT) if steps else facts.artifact.tensors
    artifact = replace(facts.artifact, architecture=architecture, tensors=stored)
    facts = replace(facts, artifact=artifact)
    ((severity, detail, _),) = judged("MA404", facts, kernel("hidden", "fresh"))
    explained = steps and units == 1
    assert severity == ("low" if explained else "high")
    assert ("30 training steps had no effect" in detail) is explained


def test_slots_of_a_network_as_drawn_are_no_training_before():
    slots = replace(examples.tensor("optimizer/m"), role="optimizer")
    frozen = [replace(each, trainable=False) for each in (dense(name="hidden"), HEAD)]
    facts = examples.chain(*frozen, training={"loss": "mse"})
    artifact = replace(facts.artifact, tensors=(*facts.artifact.tensors, slots))
    for state, severity in (("fresh", "low"), ("trained", "info")):
        seen = judged("MA321", replace(facts, artifact=artifact), kernel("hidden", state))
        ((said, detail, _),) = seen
        assert said == severity
        assert ("The optimizer trained some before" in detail) is (state == "trained")
        assert ("they still have their initial values, MA404 says" in detail) is (state == "fresh")


@pytest.mark.parametrize("state", ["fresh", "trained"])
@pytest.mark.parametrize("steps", [False, True])
def test_a_network_that_is_frozen_as_a_whole(state, steps):
    """As it was drawn, or with trained weights for a part of another network.

    One rule is the leading one: MA404, which also names weights that were not loaded, or MA321 if
    training was tried.
    """
    frozen = [replace(each, trainable=False) for each in (dense(name="hidden"), HEAD)]
    training = {"loss": "mse", "optimizer": {"class_name": "Adam", "config": {}}}
    facts = examples.chain(*frozen, training=training)
    if steps:
        hidden, head = facts.artifact.architecture.layers
        layers = (replace(hidden, variables={"kernel": "hidden/kernel"}), head)
        architecture = replace(facts.artifact.architecture, layers=layers)
        stored = (*facts.artifact.tensors, COUNT)
        facts = replace(
            facts, artifact=replace(facts.artifact, architecture=architecture, tensors=stored)
        )
    ((said, _, fix),) = judged("MA321", facts, kernel("hidden", state))
    assert "model.trainable = True" in fix
    never = judged("MA404", facts, kernel("hidden", state))
    if state == "trained":
        assert (said, never) == ("medium" if steps else "low", [])
    else:
        ((also, _, advice),) = never
        assert (said, also) == (("high", "low") if steps else ("low", "high"))
        assert ("MA321" if steps else "model.trainable = True") in advice
    open_twin = examples.chain(dense(name="hidden"), HEAD, training={"loss": "mse"})
    assert judged("MA321", open_twin, kernel("hidden", state)) == []


@pytest.mark.parametrize("initializer", ["Zeros", "GlorotUniform"])
def test_kernels_that_start_at_one_value_get_a_random_initializer(initializer):
    facts = examples.chain(dense(name="hidden"), HEAD)
    zeros = replace(examples.ORDINARY, minimum=0.0, maximum=0.0, mean=0.0, std=0.0)
    said = {"class_name": initializer, "config": {}}
    each = Kernel(
        *("hidden", "hidden/kernel", "dense", "io", 0, (4, 8)), "hidden/bias", initializer=said
    )
    stored = (examples.tensor("hidden/kernel", (4, 8), zeros),)
    facts = replace(facts, artifact=replace(facts.artifact, kernels=(each,), tensors=stored))
    constant = (ConstantLayer("hidden", "dead", False, (HEAD.route,)),)
    measured = Measurements(constant=constant)
    (seen,) = run_rule(rule("MA437"), replace(facts, measurements=measured)).findings
    assert ("random kernel_initializer" in seen.fix) is (initializer == "Zeros")
    assert ("leaky_relu" in seen.fix) is (initializer != "Zeros")


def test_each_constant_layer_gets_the_advice_that_suits_it():
    """That another layer starts at one value is no reason why this one died."""
    zeros = replace(examples.ORDINARY, minimum=0.0, maximum=0.0, mean=0.0, std=0.0)
    facts = examples.chain(dense(name="blur"), dense(name="hidden"), HEAD)
    kernels, stored = [], []
    for name, initializer, stats in (
        ("blur", "Zeros", zeros),
        ("hidden", "GlorotUniform", examples.ORDINARY),
    ):
        said = {"class_name": initializer, "config": {}}
        at = (name, f"{name}/kernel", "dense", "io", 0, (4, 8))
        kernels.append(Kernel(*at, f"{name}/bias", initializer=said))
        stored.append(examples.tensor(f"{name}/kernel", (4, 8), stats))
    artifact = replace(facts.artifact, kernels=tuple(kernels), tensors=tuple(stored))
    dead = tuple(ConstantLayer(x, "dead", False, (HEAD.route,)) for x in ("blur", "hidden"))
    facts = replace(facts, artifact=artifact, measurements=Measurements(constant=dead))
    fixes = {x.location.route: x.fix for x in run_rule(rule("MA437"), facts).findings}
    assert "random kernel_initializer, such as the default, in `blur`," in fixes["blur"]
    assert "leaky_relu" in fixes["hidden"] and "kernel_initializer" not in fixes["hidden"]


def test_sigmoids_in_a_row_that_are_all_outputs():
    chain = examples.chain(*(dense(8, "sigmoid", name=f"s{n}") for n in range(6)))
    architecture = chain.artifact.architecture
    routes = tuple(each.route for each in architecture.layers)
    architecture = replace(architecture, outputs=routes)
    facts = replace(chain, artifact=replace(chain.artifact, architecture=architecture))
    result = run_rule(rule("MA315"), facts)
    assert [each.fix for each in result.findings] == [rule("MA315").fix], result


def test_the_output_keeps_the_sigmoid_of_its_loss():
    def stack(depth, loss, last="sigmoid"):
        hidden = [dense(8, "sigmoid", name=f"s{n}") for n in range(depth)]
        return found("MA315", *hidden, dense(1, last, name="head"), training={"loss": loss})

    for loss in ("binary_crossentropy", "mse"):
        assert names(stack(9, loss), 'activation="relu"', "s8") == "medium"
    assert stack(4, "binary_crossentropy") == []
    assert len(stack(4, "mse")) == 1  # whose gradient passes the slope of the output


def test_biases_that_the_softmax_of_attention_cancels():
    shape = (None, 12, 8)
    given = layer("InputLayer", name="given", shape=shape)
    parts = [replace(dense(8, "linear", name=x), inbound=(("given",),)) for x in "qkv"]
    dot = replace(layer("Dot", name="dot", axes=2), inbound=(("q", "k"),))
    scale = replace(layer("Rescaling", name="scale", scale=0.3), inbound=(("dot",),))
    shares = replace(layer("Softmax", name="shares"), inbound=(("scale",),))
    mixed = replace(layer("Dot", name="mixed", axes=1), inbound=(("shares", "v"),))
    last = replace(dense(3, "softmax", name="last"), inbound=(("mixed",),))
    model = examples.model(given, *parts, dot, scale, shares, mixed, last)
    graph = layer_graph(model.architecture)
    cancelled = cancelled_biases(graph, graph.consumers())
    assert cancelled & {"q", "k", "v", "last"} == {"q", "k"}


@pytest.mark.parametrize("name, rank", [("Conv1D", 1), ("Conv2D", 2), ("Conv3D", 3)])
def test_batch_normalization_over_another_axis_than_the_channels(name, rank):
    shape = (None, *[20] * rank, 8)

    def seen(axis, data_format="channels_last"):
        conv = layer(name, shape=shape, filters=8, kernel_size=3, data_format=data_format)
        norm = layer("BatchNormalization", shape=shape, axis=axis)
        return found("MA322", conv, norm, HEAD)

    for axis in range(1, rank + 1):
        assert names(seen(axis), "axis=-1") == "low"
        assert seen(axis - rank - 2) == seen(axis)
        assert seen(axis, "channels_first") == []
    assert seen(-1) == seen(rank + 1) == seen([rank + 1]) == []
    for last in (-1, rank + 1, [rank + 1]):
        assert names(seen(last, "channels_first"), "axis=1") == "low"
    assert found("MA322", dense(), layer("BatchNormalization", shape=(None, 8, 8), axis=1)) == []
    assert seen(rank + 3) == seen(-rank - 3) == []  # which no layer has


def test_batch_normalization_of_maps_with_more_than_three_axes():
    shape = (None, 2, 2, 2, 2, 8)
    for axis in (1, 4, -2):
        conv = layer("Conv3D", shape=shape, filters=8, kernel_size=3, data_format="channels_last")
        norm = layer("BatchNormalization", shape=shape, axis=axis)
        result = run_rule(rule("MA322"), examples.chain(conv, norm, HEAD))
        ((severity, detail),) = [(str(x.severity), x.detail) for x in result.findings]
        assert severity == "low" and f"it scales dimension {axis % 6}" in detail


@pytest.mark.parametrize(
    "sizes, expected",
    [((1, 12, 24, 24), 1), ((12, 3, 24, 24), 1), ((12, 24, 24, 1), 0), ((4, 16, 24, 16), 0)],
)
def test_channels_before_the_slices_of_a_volume(sizes, expected):
    given = layer("InputLayer", shape=(None, *sizes))
    volume = found("MA311", given, layer("Conv3D", kernel_size=3, data_format="channels_last"))
    assert [severity for severity, _ in volume] == ["medium"] * expected


def test_slices_of_a_cube_of_features_may_be_no_channels():
    given = layer("InputLayer", shape=(None, 3, 64, 64, 64))
    volume = found("MA311", given, layer("Conv3D", kernel_size=3, data_format="channels_last"))
    assert [severity for severity, _ in volume] == ["low"]


@pytest.mark.parametrize(
    "own, last, expected", [({}, "th", 0), ({}, "tf", 1), ({"dim_ordering": "tf"}, "tf", 1)]
)
def test_a_layer_without_an_order_keeps_that_of_the_maps(own, last, expected):
    """Keras 1 wrote it of convolutions, but not of upsampling."""
    layers = [
        layer("InputLayer", shape=(None, 3, 64, 64)),
        layer("Conv2D", kernel_size=[3, 3], dim_ordering="th", name="first"),
        layer("UpSampling2D", size=[2, 2], name="up", **own),
        layer("Conv2D", kernel_size=[3, 3], dim_ordering=last, name="last"),
    ]
    assert len(found("MA311", *layers)) == expected


def test_layers_behind_numbers_and_maps():
    def behind(*more, loss="mse", last="linear"):
        return found("MA308", dense(1, last, name="head"), *more, training={"loss": loss})

    norm = layer("BatchNormalization")
    assert names(behind(norm), "before `head`", "scale the targets") == "low"
    assert behind(norm, layer("Activation", activation="sigmoid"), loss=BINARY["loss"]) == []
    pixels = layer("Conv2D", filters=5, kernel_size=1, activation="softmax", name="map")
    largest, mean = (layer(f"Global{x}Pooling2D") for x in ("Max", "Average"))
    assert names(found("MA308", pixels, largest), "Pool the scores") == "low"
    assert found("MA308", pixels, mean) == []
