"""Decisions at the edges of `modelaudit.thresholds.design`."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.architecture import ArchitectureProfile, WindowGrid
from modelaudit.audit_types.kernels import OneWay
from modelaudit.facts import Json, Kernel, Layer, TensorStats
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.heads.loss_scales import times_apart
from modelaudit.rules.model import Facts
from modelaudit.rules.training.silent_units import biases_alone
from modelaudit.rules.training.steps import adam
from modelaudit.rules.training.still_moving import _out_of_reach
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, outcome

EDGES = Edges()
at = EDGES.at


def followed_by(first: Layer, *others: Layer) -> Facts:
    layers = [first]
    for layer in others:
        layers.append(replace(layer, inbound=((layers[-1].route,),)))
    return Facts(examples.model(*layers))


def severities(code: str, facts: Facts) -> str:
    """The severity of the only finding, or `pass`."""
    result = run_rule(rule(code), facts)
    return result.findings[0].severity.value if result.findings else result.outcome.value


@at("design.ERASING", {0.89: "low", 0.9: "medium", 0.91: "medium"})
def dropped(rate):
    drop = examples.layer("drop", "Dropout", {}, {"rate": rate})
    return severities("MA310", examples.chain(dense("hidden"), drop, dense("head")))


@at("design.LARGE_DROPOUT", {0.695: "pass", 0.7: "low", 0.705: "low"})
def much_dropped(rate):
    return dropped(rate)


@at("design.ERASED_IN_ALL", {0.0099: "low", 0.0101: "pass", 0.0102: "pass"})
def dropped_in_all(share):
    rates = [{"rate": 1 - share ** (1 / 4)} for _ in "abcd"]
    layers = [examples.layer(f"drop_{n}", "Dropout", {}, rate) for n, rate in enumerate(rates)]
    return severities("MA310", examples.chain(dense("hidden"), *layers, dense("head")))


@at("design.ERASED_ROWS", {0.099: "pass", 0.1: "low", 0.101: "low"})
def dropped_rows(share):
    hidden = replace(dense("hidden"), output_shape=(None, 4))
    drop = examples.layer("drop", "Dropout", {}, {"rate": share**0.25 + 1e-12})
    given = examples.layer("x", "InputLayer", {})
    return severities("MA310", examples.chain(given, hidden, drop, dense("head")))


@at("design.SMALL_SIDE", {7: "pass", 8: "low", 9: "low"})
@at("design.IMAGE_SIDE", {15: "low", 16: "medium", 17: "medium"})
def image(side):
    given = replace(examples.layer("x", "InputLayer", {}), output_shape=(None, 3, side, side))
    return severities("MA311", followed_by(given, examples.layer("conv", "Conv2D")))


@at("design.IMAGE_ASPECT", {158 / 90: "fail", 160 / 90: "fail", 162 / 90: "pass"})
def wide_image(aspect):
    shape = (None, 3, round(90 * aspect), 90)
    given = replace(examples.layer("x", "InputLayer", {}), output_shape=shape)
    return outcome("MA311", followed_by(given, examples.layer("conv", "Conv2D")))


def dense(name: str, activation: str = "relu", **config: Json) -> Layer:
    return examples.layer(name, config={"units": 3, "activation": activation, **config})


@at("design.LOW_RATE", {0.99e-7: "low", 1e-7: "pass", 1.01e-7: "pass"})
@at("design.HIGH_RATE", {0.199: "pass", 0.2: "low", 0.201: "low"})
@at("design.LEARNING_RATE", {0.99: "low", 1.0: "medium", 1.01: "medium"})
def rate(value):
    optimizer = {"class_name": "Adam", "config": {"learning_rate": value}}
    training = {"loss": "mse", "optimizer_config": optimizer}
    return severities("MA319", examples.chain(dense("head"), training=training))


@at("design.LARGE_EPSILON", {9.9: "pass", 10.0: "medium", 10.1: "medium"})
def epsilon(value):
    optimizer = {"class_name": "Adam", "config": {"learning_rate": 0.001, "epsilon": value}}
    training = {"loss": "mse", "optimizer_config": optimizer}
    return severities("MA319", examples.chain(dense("head"), training=training))


@at("design.SHORT_MEMORY", {0.446: "low", 0.45: "pass", 0.454: "pass"})
def memory_of_statistics(momentum):
    norm = examples.layer("norm", "BatchNormalization", {}, {"momentum": momentum})
    return severities("MA322", examples.chain(dense("first"), norm, dense("head")))


@at("design.LONG_MEMORY", {0.9949: "pass", 0.995: "low", 0.9951: "low"})
def memory_of_steps(momentum):
    optimizer = {"class_name": "SGD", "config": {"learning_rate": 0.001, "momentum": momentum}}
    training = {"loss": "mse", "optimizer_config": optimizer}
    return severities("MA319", examples.chain(dense("head"), training=training))


@at("design.LARGE_DECAY", {9.9: "pass", 10.0: "low", 10.1: "low"})
def decay(value):
    optimizer = {"class_name": "AdamW", "config": {"learning_rate": 1e-4, "weight_decay": value}}
    training = {"loss": "mse", "optimizer_config": optimizer}
    return severities("MA319", examples.chain(dense("head"), training=training))


@at("design.DECAY_OF_A_STEP", {0.0099: "low", 0.01: "medium", 0.0101: "medium"})
def decay_of_a_step(share):
    optimizer = {
        "class_name": "AdamW",
        "config": {"learning_rate": share / 20, "weight_decay": 20.0},
    }
    training = {"loss": "mse", "optimizer_config": optimizer}
    return severities("MA319", examples.chain(dense("head"), training=training))


@at("design.CRUSHED", {99.0: "low", 100.0: "medium", 101.0: "medium"})
def epsilon_of_a_normalization(epsilon):
    norm = examples.layer("norm", "BatchNormalization", {}, {"epsilon": epsilon})
    return severities("MA322", examples.chain(dense("first"), norm, dense("head")))


@at("design.TINY_NORM", {0.0099: "medium", 0.01: "pass", 0.0101: "pass"})
def norm_of_a_constraint(most):
    limit = {"class_name": "MaxNorm", "config": {"max_value": most}}
    return severities(
        "MA322", examples.chain(dense("first", kernel_constraint=limit), dense("head"))
    )


@at("design.SMOOTHING", {0.495: "pass", 0.5: "medium", 0.505: "medium"})
def smoothing(value):
    config = {"label_smoothing": value}
    loss = {"class_name": "CategoricalCrossentropy", "config": config}
    return severities("MA319", examples.chain(dense("head"), training={"loss": loss}))


@at("design.LARGE_REGULARIZER", {0.198: "pass", 0.2: "low", 0.202: "low"})
@at("design.REGULARIZER", {0.99: "low", 1.0: "medium", 1.01: "medium"})
def regularizer(value):
    l2 = {"class_name": "L2", "config": {"l2": value}}
    return severities("MA322", examples.chain(dense("a", kernel_regularizer=l2), dense("head")))


@at("design.LARGE_REGULARIZER", {0.198: "pass", 0.2: "low", 0.202: "low"})
@at("design.REGULARIZER", {0.99: "low", 1.0: "medium", 1.01: "medium"})
def regularizer_of_one_size(value):
    """An L1 penalty draws a weight of a quarter to 0 as an L2 penalty of twice its factor does."""
    l1 = {"class_name": "L1", "config": {"l1": value / 2}}
    return severities("MA322", examples.chain(dense("a", kernel_regularizer=l1), dense("head")))


@at("design.SCALED_TWICE", {0.99e-4: "fail", 1e-4: "pass", 1.01e-4: "pass"})
def scaled(product):
    scales = [
        examples.layer(str(n), "Rescaling", {}, {"scale": s})
        for n, s in enumerate((1 / 255, product * 255))
    ]
    return outcome("MA322", examples.chain(*scales, dense("head")))


@at("design.OTHER_RANGE", {9.9: "pass", 10.0: "pass", 10.1: "fail"})
def range_of_a_change(most):
    scaling = examples.layer("scaling", "Rescaling", {}, {"scale": 1 / 255})
    change = examples.layer("change", "RandomBrightness", {}, {"value_range": [0, most]})
    return outcome("MA322", examples.chain(scaling, change, dense("head")))


@at("design.SIGMOIDS_IN_ROW", {4: "pass", 5: "fail", 6: "fail"})
def sigmoids(count):
    hidden = [dense(f"hidden_{n}", "sigmoid") for n in range(count)]
    return outcome("MA315", examples.chain(*hidden, dense("head", "linear")))


@at("design.SIGMOIDS", {5: "low", 6: "medium", 7: "medium"})
def steady_falls(count):
    """Gradients that each layer makes smaller, from 0.1 to a hundred-millionth of that."""
    sizes = [0.1 * 10 ** (-8 * n / (count - 1)) for n in reversed(range(count))]
    return severities("MA434", adam(*((f"{n}", size, size**2) for n, size in enumerate(sizes))))


@at("design.MANY_SIGMOIDS", {7: "low", 8: "medium", 9: "medium"})
def many_sigmoids(count):
    hidden = [dense(f"hidden_{n}", "sigmoid") for n in range(count)]
    return severities("MA315", examples.chain(*hidden, dense("head", "linear")))


@at("design.PLAIN_SIGMOIDS", {2: "pass", 3: "fail", 4: "fail"})
def sigmoids_and_plain_descent(count):
    hidden = [dense(f"hidden_{n}", "sigmoid") for n in range(count)]
    training = {"loss": "mse", "optimizer_config": {"class_name": "SGD", "config": {}}}
    return outcome("MA315", examples.chain(*hidden, dense("head", "linear"), training=training))


@at("design.SIGMOID_MAPS", {1: "pass", 2: "fail", 3: "fail"})
def sigmoid_maps(count):
    config = {"filters": 4, "kernel_size": [3, 3], "activation": "sigmoid"}
    maps = [examples.layer(f"map_{n}", "Conv2D", {}, config) for n in range(count)]
    return outcome("MA315", examples.chain(*maps, dense("head")))


@at("design.STARTING_SIZE", {0.99e-4: "fail", 1.01e-4: "pass", 1.02e-4: "pass"})
def size_at_start(value):
    layer = dense("head")
    # A linear layer of 4 inputs, whose weights have a standard deviation of half the size.
    kernel = Kernel("head", "head/kernel", "dense", "io", 0, (4, 8))
    initializer = {"class_name": "RandomNormal", "config": {"stddev": value * 2**0.5 / 2}}
    facts = followed_by(examples.layer("x", "InputLayer", {}), layer)
    kernels = (replace(kernel, initializer=initializer),)
    return outcome("MA328", replace(facts, artifact=replace(facts.artifact, kernels=kernels)))


def started(stddev, bias=0.0):
    """A ReLU layer of 4 inputs with weights of this spread, whose sums spread by twice as much."""
    said = {"class_name": "Constant", "config": {"value": bias}}
    facts = examples.chain(dense("hidden", bias_initializer=said), dense("head"))
    initializer = {"class_name": "RandomNormal", "config": {"stddev": stddev}}
    kernel = Kernel("hidden", "hidden/kernel", "dense", "io", 0, (4, 8), initializer=initializer)
    artifact = replace(facts.artifact, kernels=(kernel,))
    return severities("MA328", replace(facts, artifact=artifact))


@at("design.STARTING_BIAS", {5.9: "pass", 6.0: "low", 6.1: "low"})
def bias_at_start(times):
    return started(0.5, -times)


@at("design.STARTING_SUMS", {9.9: "pass", 10.0: "low", 10.1: "low"})
def sums_at_start(spread):
    return started(spread / 2)


@at("design.SCALED_BEFORE", {0.00398: "low", 0.004: "pass", 0.00402: "pass"})
def scaled_inputs(size):
    scale = examples.layer("scale", "Rescaling", {}, {"scale": 1 / 255})
    facts = examples.chain(examples.layer("x", "InputLayer", {}), scale, dense("first"))
    return severities(
        "MA440", replace(facts, measurements=Measurements(input_scales={"first": size}))
    )


@at("design.STARTING_GROWTH", {99.0: "pass", 100.0: "low", 101.0: "low"})
def growth_at_start(times):
    """Three linear layers of 4 inputs each, whose sums are twice the spread of their weights."""
    layers = [dense(f"hidden_{n}", "linear") for n in range(3)]
    spread = (times * (1 + 1e-9)) ** (1 / 3) / 2
    drawn = {"class_name": "RandomNormal", "config": {"stddev": spread}}
    kernels = tuple(
        Kernel(each.route, f"{each.route}/kernel", "dense", "io", 0, (4, 4), initializer=drawn)
        for each in layers
    )
    facts = examples.chain(examples.layer("x", "InputLayer", {}), *layers, dense("head"))
    return severities("MA328", replace(facts, artifact=replace(facts.artifact, kernels=kernels)))


def labelled(units, activation, training, biases, steps=500, **measured):
    """Facts on a head behind a ReLU, with these averages of the gradients of its biases."""
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    head = examples.layer("head", "Dense", names, {"units": units, "activation": activation})
    head = replace(head, output_shape=(None, units), inbound=(("hidden",),))
    facts = adam(("head", 0.1, 0.1), ("bias", 0.1, 0.1), steps=steps)
    row = (len(biases),)
    slots = [
        replace(t, shape=row) if t.name == "bias/kernel" else t for t in facts.artifact.tensors
    ]
    stats = TensorStats(min(biases), max(biases), sum(biases) / len(biases), 0.1, 0, 0)
    slots[-2] = replace(slots[-2], shape=row, stats=stats)
    slots[-1] = replace(slots[-1], shape=row)
    hidden = dense("hidden")
    architecture = examples.model(hidden, head).architecture
    said = {**(facts.artifact.training or {}), **training}
    artifact = replace(
        facts.artifact, tensors=tuple(slots), architecture=architecture, training=said
    )
    return Facts(artifact, measurements=Measurements(**measured))


@at("design.LABEL_SUM", {1.049: "pass", 1.05: "medium", 1.051: "medium"})
def labels_that_add_up(total):
    training = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    biases = (0.1, -0.1 + 1 - total - 1e-9)
    return severities("MA306", labelled(2, "softmax", training, biases))


def apart(gradient=0.4, usual=0.42, rate=0.001):
    facts = labelled(1, "sigmoid", {"loss": "binary_crossentropy"}, (gradient,))
    reached = 1 - 0.999**500
    slots = facts.artifact.tensors
    square = replace(slots[-1], stats=TensorStats(*[usual**2 * reached] * 3, 0, 0, 0))
    optimizer = {"class_name": "Adam", "config": {"learning_rate": rate}}
    training = {**(facts.artifact.training or {}), "optimizer": optimizer}
    artifact = replace(facts.artifact, tensors=(*slots[:-1], square), training=training)
    return severities("MA306", replace(facts, artifact=artifact))


@at("design.LABELS_APART", {0.249: "pass", 0.25: "low", 0.251: "low"})
def gradient_of_a_sigmoid(size):
    return apart(gradient=size + 1e-9, usual=size)


@at("design.LABELS_PULL", {0.796: "pass", 0.801: "low", 0.804: "low"})
def share_of_the_usual_gradient(share):
    return apart(usual=0.4 / share)


@at("design.LABELS_REACH", {0.099: "pass", 0.1: "low", 0.101: "low"})
def reach_of_all_steps(distance):
    return apart(rate=distance / 500)


@at("design.LOSSES_APART", {990: "pass", 1000: "low", 1010: "low"})
def gradients_beside_those_of_classes(times):
    return "pass" if times_apart(0.5 * times, 0.5) is None else "low"


@at("design.LOSS_PULL", {9.9: "pass", 10: "low", 10.1: "low"})
def gradients_beside_none(size):
    return "pass" if times_apart(size, 1e-3) is None else "low"


def of_one_class(rows=40, left=0.01, steps=500, sure=0.99):
    way = OneWay(rows, 1, 0, None, left, sure)
    facts = labelled(
        *(1, "sigmoid", {"loss": "binary_crossentropy"}, (left,), steps), one_way={"head": way}
    )
    return severities("MA439", facts)


@at("design.ONE_CLASS_ROWS", {15: "pass", 16: "low", 17: "low"})
def rows_of_one_sign(count):
    return of_one_class(rows=count)


@at("design.ONE_CLASS_STEPS", {99: "pass", 100: "low", 101: "low"})
def steps_of_one_sign(count):
    return of_one_class(left=0.03, steps=count)


@at("design.ONE_CLASS_LEFT", {0.0499: "low", 0.05: "pass", 0.0501: "pass"})
def error_of_one_sign(left):
    return of_one_class(left=left * (1 - 0.9**500))


@at("design.ONE_CLASS_SURE", {0.92: "pass", 0.93: "low", 0.94: "low"})
def answer_of_one_sign(sure):
    return of_one_class(sure=sure)


@at("design.MOMENTUM_APART", {0.99e-4: 1, 1e-4: 0, 1.01e-4: 0})
def momentum_of_all_but_the_last_bias(share):
    sizes = {"kernel": 0.2 * share, "bias": 0.5 * share}
    first = [WeightMoments("first", role, (4,), size) for role, size in sizes.items()]
    last = [WeightMoments("head", "kernel", (4, 2), 0.0), WeightMoments("head", "bias", (2,), 0.5)]
    state = OptimizerState(name="SGD", moments=(*first, *last))
    return len([*biases_alone(rule("MA433"), state)])


@at("design.ROUNDING_ALONE", {0.99e-5: 0, 1e-5 + 1e-12: 1, 1.01e-5: 1})
def gradients_of_a_bias_beside_those_of_its_kernel(share):
    first = [WeightMoments("first", role, (4,), 0.01, 1.0, 1.0) for role in ("kernel", "bias")]
    kernel = WeightMoments("head", "kernel", (4, 2), 0.01, 1.0, 1.0)
    bias = WeightMoments("head", "bias", (2,), 0.5 * share, share**2, share**2)
    state = OptimizerState(name="Adam", moments=(*first, kernel, bias))
    return len([*biases_alone(rule("MA433"), state)])


def of_adagrad(rate, kernels):
    facts = adam(*((f"layer_{i}", 0.1, 0.1) for i in range(kernels)), rate=rate)
    config = {"class_name": "Adagrad", "config": {"learning_rate": rate}}
    artifact = replace(facts.artifact, training={"optimizer": config})
    return severities("MA319", replace(facts, artifact=artifact))


@at("design.LARGE_SUM_RATE", {0.99: "pass", 1.0: "low", 1.01: "low"})
def rate_of_adagrad(rate):
    return of_adagrad(rate, 4)


@at("design.SUMMED_LAYERS", {3: "pass", 4: "low", 5: "low"})
def kernels_of_adagrad(count):
    return of_adagrad(1.0, count)


@at("design.OUT_OF_REACH", {0.495: 1, 0.5001: 0, 0.505: 0})
def reach_of_adagrad(share):
    steps, inputs, error = 100, 4, 7.0
    squares = steps * (2 * error) ** 2  # of gradients that are twice the error; inputs are 1 or -1
    shapes = {"kernel": (inputs, 1), "bias": (1,)}
    moments = [
        WeightMoments("head", role, shape, second=squares + 0.1, mean_second=squares + 0.1)
        for role, shape in shapes.items()
    ]
    one_way = sum(n**-0.5 for n in range(1, steps + 1)) * (inputs + 1)
    rate = share * error / one_way
    state = OptimizerState("Adagrad", steps=steps, rate=rate, moments=tuple(moments))
    facts = example_head("linear", "mean_squared_error", 1)()
    return len([*_out_of_reach(rule("MA432"), facts, state, frozenset())])


@at("design.UNREAD", {0.395: "pass", 0.4: "pass", 0.405: "fail"})
def unread(share):
    window = round(1000 * (1 - share))
    grid = WindowGrid("p", "MaxPooling1D", (1000,), (window,), (window,), (1,), "valid", (True,))
    profile = ArchitectureProfile(grids=(grid,))
    return outcome("MA304", examples.measured(Measurements(profile=profile))())


@at("design.SKIPPED", {1.975: "low", 2.0: "medium", 2.025: "medium"})
def skipped(windows):
    stride = round(40 * windows)
    grid = WindowGrid("c", "Conv1D", (1000,), (40,), (stride,), (1,), "same", (True,))
    profile = ArchitectureProfile(grids=(grid,))
    return severities("MA304", examples.measured(Measurements(profile=profile))())


@at("design.KEPT_WORDS", {99: "medium", 100: "low", 101: "low"})
def kept_words(room):
    facts = followed_by(examples.layer("words", "Embedding", {}, {"input_dim": room}))
    extra = {"vocabularies": [{"file": "vocab.txt", "indices": 145}]}
    return severities("MA318", replace(facts, artifact=replace(facts.artifact, extra=extra)))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
