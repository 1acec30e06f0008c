"""What the last layer decides at the edges of `modelaudit.thresholds.last_layers`."""

from __future__ import annotations

import pytest

from modelaudit.facts import Kernel, TensorStats
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, severities
from tests.thresholds.test_design import of_one_class
from tests.thresholds.test_last_errors import of_errors
from tests.thresholds.test_training_extent import barely

EDGES = Edges()
at = EDGES.at


def flat(value, spread=0.0):
    return TensorStats(value - spread, value + spread, value, spread, 0, 0)


def classifier(scores, inputs=1.0, *, start=0.0, loss="sparse_categorical_crossentropy"):
    """RMSprop, or Adagrad with this start, on a ReLU of eight inputs and a softmax of four.

    Args:
        scores: how far four inputs of the last layer bring its scores apart, with weights of 1.
        inputs: size of those of the first layer.
        start: of Adagrad's sums.
        loss: of the last layer.
    """
    sizes = {"first": inputs, "head": scores / 4}
    shapes = {"first": (8, 4), "head": (4, 2)}
    layers, tensors = [], []
    slots = [replace(examples.tensor("optimizer/iterations", (), flat(500.0)), role="optimizer")]
    for name, shape in shapes.items():
        names = {role: f"{name}/{role}" for role in ("kernel", "bias")}
        last = "softmax" if name == "head" else "relu"
        config = {"units": shape[1], "activation": last}
        layers.append(examples.layer(name, "Dense", names, config))
        tensors += [
            examples.tensor(names["kernel"], shape, flat(0.0, 1.0)),
            examples.tensor(names["bias"], shape[1:], flat(0.1)),
        ]
        for each, square in ((shape, 0.01 * sizes[name] ** 2), (shape[1:], 0.01)):
            slot = examples.tensor(f"optimizer/vars/{1 + len(slots)}", each, flat(square + start))
            slots.append(replace(slot, role="optimizer"))
    layers[1] = replace(layers[1], inbound=(("first",),), output_shape=(None, 2))
    kind = {"class_name": "Adagrad" if start else "RMSprop", "config": {"learning_rate": 0.01}}
    artifact = replace(
        examples.model(*layers, tensors=(*tensors, *slots)),
        training={"optimizer": kind, "loss": loss},
    )
    return Facts(artifact, measurements=Measurements())


@at("last_layers.ONE_CLASS_SOON", {59: "pass", 60: "low", 61: "low"})
def few_steps_of_one_class(count):
    return of_one_class(steps=count)


@at("last_layers.ONE_CLASS_MET", {0.0199: "low", 0.02: "pass", 0.0201: "pass"})
def error_of_one_class_after_few_steps(left):
    return of_one_class(left=left * (1 - 0.9**80), steps=80)


@at("last_layers.SCORES_APART", {0.2475: ["low"], 0.2501: [], 0.2525: []})
def scores_that_inputs_bring_apart(scores):
    assert severities("MA439", classifier(scores, start=0.1)) == severities(
        "MA439", classifier(scores)
    )
    assert severities("MA439", classifier(scores, loss="mse")) == []
    return severities("MA439", classifier(scores))


@at("last_layers.INPUTS_TINY", {0.0099: ["medium"], 0.01001: [], 0.0101: []})
def inputs_of_such_a_network(size):
    assert severities("MA440", classifier(0.3, size)) == []
    told = severities("MA440", classifier(0.1, size))
    assert severities("MA439", classifier(0.1, size)) == ([] if told else ["low"])
    return told


@at("last_layers.SCORE_OF_SQUARES", {1.98: [], 2.0001: ["low"], 2.02: ["low"]})
def errors_by_scores(product):
    return severities("MA306", of_errors(score=product / 0.01, of_squares=True))


def descended(reach=0.5, moved=0.1, *, epsilon=None, loss="sparse_categorical_crossentropy"):
    """Two layers as drawn after 80 steps whose rates add up to `reach`."""
    kind, config = "SGD", {"learning_rate": reach / 80}
    if epsilon is not None:
        kind, config = "Adam", {"learning_rate": reach / 80 * epsilon, "epsilon": epsilon}
    optimizer = {"class_name": kind, "config": config}
    facts = barely(optimizer, 0.5 * moved)
    *weights, count = facts.artifact.tensors
    if epsilon is not None:
        shapes = [shape for _ in "12" for shape in ((10, 10), (10,)) for _ in "mv"]
        slots = [
            examples.tensor(f"optimizer/vars/{2 + i}", s, flat(0.01)) for i, s in enumerate(shapes)
        ]
        weights += [replace(slot, role="optimizer") for slot in slots]
    kernels = tuple(
        Kernel(name, f"{name}/kernel", "dense", "io", 0, (10, 10), f"{name}/bias")
        for name in ("hidden", "head")
    )
    config = {"units": 10, "activation": "softmax"}
    layers = tuple(
        replace(x, config=config, variables={y: f"{x.route}/{y}" for y in ("kernel", "bias")})
        for x in facts.artifact.architecture.layers
    )
    artifact = replace(
        facts.artifact,
        tensors=(*weights, count),
        kernels=kernels,
        architecture=replace(facts.artifact.architecture, layers=layers),
        training={"loss": loss, "optimizer_config": optimizer},
    )
    return replace(facts, artifact=artifact)


def slow(*args, **options):
    return severities("MA432", descended(*args, **options))


@at("last_layers.DESCENT_REACH", {0.99: ["low"], 1.0001: [], 1.01: []})
def reach_of_all_steps(reach):
    assert slow(reach, 0.2, loss="mse") == []
    return slow(reach, 0.2)


@at("last_layers.DESCENT_MOVED", {0.396: ["low"], 0.4001: [], 0.404: []})
def share_that_biases_moved(share):
    return slow(0.5, share)


def line(rate, steps=120, units=1, loss="mse", activation="linear", **settings):
    """A linear regression after steps of plain descent."""
    names = {role: f"dense/{role}" for role in ("kernel", "bias")}
    only = examples.layer("dense", "Dense", names, {"units": units, "activation": activation})
    only = replace(only, output_shape=(None, units))
    config = {"name": "SGD", "learning_rate": rate, "momentum": 0.0} | settings
    tensors = (
        examples.tensor("dense/kernel", (1, units), flat(1.5)),
        examples.tensor("dense/bias", (units,), flat(0.3)),
        replace(examples.tensor("optimizer/iterations", (), flat(float(steps))), role="optimizer"),
    )
    artifact = examples.model(only, tensors=tensors)
    training = {"loss": loss, "optimizer_config": {"class_name": "SGD", "config": config}}
    return Facts(replace(artifact, training=training), measurements=Measurements())


@at("last_layers.LINE_LEFT", {0.0495: [], 0.0499: [], 0.0501: ["low"], 0.0505: ["low"]})
def share_of_an_error_that_descent_leaves(left):
    rate = (1 - left ** (1 / 120)) / 2
    for other in (line(2 * rate), line(rate, loss="mae"), line(rate, activation="relu")):
        assert severities("MA432", other) == []
    assert severities("MA432", line(3 * rate, units=3)) == severities("MA432", line(rate))
    return severities("MA432", line(rate))


def stayed(steps=300, kernels=3, moved=0.2, loss="mse", **tests):
    """Steps of descent of a large reach, after which all kernels look as drawn."""
    facts = descended(300.0, moved, loss=loss)
    *weights, count = facts.artifact.tensors
    artifact = replace(facts.artifact, tensors=(*weights, replace(count, stats=flat(float(steps)))))
    one = facts.measurements.initialization[0]
    one = replace(one, tests=one.tests | {"fits": True} | tests)
    return severities(
        "MA432", Facts(artifact, measurements=Measurements(initialization=(one,) * kernels))
    )


@at("last_layers.DESCENT_STEPS", {199: [], 200: ["low"], 201: ["low"]})
def steps_that_left_kernels_as_drawn(steps):
    assert stayed(steps, fits=False) == stayed(steps, outside=0.001) == []
    assert stayed(steps, moved=0.41) == []
    return stayed(steps)


@at("last_layers.DESCENT_KERNELS", {2: [], 3: ["low"], 4: ["low"]})
def kernels_as_drawn(kernels):
    return stayed(kernels=kernels)


@at("last_layers.EPSILON_OVER", {9.9: [], 10.001: ["low"], 10.1: ["low"]})
def epsilon_by_the_roots_of_squares(times):
    return slow(0.5, 0.2, epsilon=0.1 * times)


def percentages(target):
    """RMSprop under a percentage error of one output, with the gradients of such a target."""
    facts = classifier(4.0, loss="mean_absolute_percentage_error")
    artifact = facts.artifact
    square = (100 / target) ** 2 * (1 - 0.9**500)
    last = artifact.tensors[-1]
    layers = [
        replace(each, config=each.config | {"activation": "linear"})
        for each in artifact.architecture.layers
    ]
    return replace(
        facts,
        artifact=replace(
            artifact,
            tensors=(*artifact.tensors[:-1], replace(last, stats=flat(square))),
            architecture=replace(artifact.architecture, layers=tuple(layers)),
        ),
    )


@at("last_layers.NEAR_ZERO", {0.99e-3: ["low"], 1.001e-3: [], 1.01e-3: []})
def targets_that_a_percentage_error_divides_by(target):
    return severities("MA306", percentages(target))


@at("training.UNSCALED", {99.0: [], 100.0: [], 101.0: ["low"]})
def steps_of_the_first_kernel(size):
    """Of eight units, by the momentum of gradient descent."""

    def told(last, units=8):
        names = {role: f"first/{role}" for role in ("kernel", "bias")}
        config = {"units": units, "activation": "tanh"}
        first = examples.layer("first", "Dense", names, config)
        head = replace(examples.dense("head"), inbound=(("first",),))
        tensors = [
            examples.tensor("first/kernel", (4, units), flat(0.0, 1.0)),
            examples.tensor("first/bias", (units,), flat(0.1)),
            *(
                replace(examples.tensor(name, shape, stats), role="optimizer")
                for name, shape, stats in (
                    ("optimizer/iterations", (), flat(500.0)),
                    ("optimizer/vars/2", (4, units), flat(0.0, last * 1e-3)),
                    ("optimizer/vars/3", (units,), flat(0.0, 1e-3)),
                )
            ),
        ]
        kind = {"class_name": "SGD", "config": {"learning_rate": 0.01, "momentum": 0.9}}
        artifact = replace(
            examples.model(first, head, tensors=tuple(tensors)), training={"optimizer": kind}
        )
        return severities("MA440", Facts(artifact, measurements=Measurements()))

    assert told(size, units=7) == []
    return told(size)


def code(held=0.0005, units=4):
    """Two layers of one input whose biases are held within a share of another's."""
    layers, tensors = [], []
    for name, bias in (("hidden", 0.1), ("mean", held), ("variance", -held)):
        names = {role: f"{name}/{role}" for role in ("kernel", "bias")}
        layer = examples.layer(name, "Dense", names, {"units": units})
        layers.append(replace(layer, inbound=() if name == "hidden" else (("hidden",),)))
        tensors += [
            examples.tensor(f"{name}/kernel", (6, units), flat(0.0, 0.3)),
            examples.tensor(f"{name}/bias", (units,), flat(bias)),
        ]
    kernels = tuple(
        Kernel(x.route, f"{x.route}/kernel", "dense", "io", 0, (6, units), f"{x.route}/bias")
        for x in layers
    )
    artifact = replace(examples.model(*layers, tensors=tuple(tensors)), kernels=kernels)
    return severities("MA436", Facts(artifact, measurements=Measurements()))


@at("last_layers.HELD_AT_ZERO", {0.0099: ["low"], 0.01001: [], 0.0101: []})
def biases_beside_another(share):
    assert code(0.0) == []
    return code(0.1 * share)


def outweighed(times):
    """The same layers before a decoder, whose gradients are `times` smaller."""
    layers, tensors = [], [examples.tensor("optimizer/iterations", (), flat(500.0))]
    calls = {"hidden": (), "mean": ("hidden",), "variance": ("hidden",), "decoder": ("code",)}
    place = 2
    for name, source in calls.items():
        names = {role: f"{name}/{role}" for role in ("kernel", "bias")}
        layer = examples.layer(name, "Dense", names, {"units": 4})
        if name == "decoder":
            layers.append(examples.layer("code", "Add", {}, inbound=(("mean", "variance"),)))
        layers.append(replace(layer, inbound=(source,) if source else ()))
        size = 1.0 if name == "decoder" else times
        for role, shape in (("kernel", (6, 4)), ("bias", (4,))):
            tensors.append(examples.tensor(f"{name}/{role}", shape, flat(0.1, 0.3)))
            for value in (0.0, size**2):
                tensors.append(examples.tensor(f"optimizer/vars/{place}", shape, flat(value)))
                place += 1
    tensors = [replace(x, role="optimizer") if "optimizer" in x.name else x for x in tensors]
    kernels = tuple(
        Kernel(x.route, f"{x.route}/kernel", "dense", "io", 0, (6, 4), f"{x.route}/bias")
        for x in layers
        if x.variables
    )
    kind = {"class_name": "Adam", "config": {"learning_rate": 0.001}}
    artifact = replace(
        examples.model(*layers, tensors=tuple(tensors)),
        kernels=kernels,
        training={"optimizer": kind},
    )
    return severities("MA436", Facts(artifact, measurements=Measurements()))


@at("last_layers.KL_OVER", {29.7: [], 30.001: ["low"], 30.3: ["low"]})
def gradients_of_a_code(times):
    return outweighed(times)


@at("last_layers.CODE_UNITS", {1: [], 2: ["low"], 3: ["low"]})
def units_of_a_code(units):
    return code(units=units)


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
