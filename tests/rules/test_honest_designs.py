"""Sound designs that look like mistakes, each with its faulty twin, which alone is medium."""

from __future__ import annotations

import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.rules.test_made_designs import HEAD, dense, found, layer

BINARY = {"loss": "binary_crossentropy"}
OWN = {"loss": {"class_name": "function", "config": "nt_xent", "module": "builtins"}}
SCORED = {"loss": {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}}
SCORES = dense(5, "linear", name="scores")
ONE = dense(1, "linear", name="score")
TANH = dense(1, "tanh", name="t")


def highest(*found_):
    """The severities of all findings, of which tests want the first that is medium or higher."""
    return {severity for severity, _ in found_} & {"medium", "high", "critical"}


def scaled(scale, offset):
    return layer("Rescaling", scale=scale, offset=offset)


def over(axis, name="CategoricalCrossentropy"):
    return {"loss": {"class_name": name, "config": {"axis": axis}}}


def at(made, *shape):
    return replace(made, output_shape=(None, *shape))


def normalized(axis):
    return layer("Softmax", axis=axis, shape=(None, 5, 8, 8), name="probabilities")


def by_name(name):
    return {"loss": {"class_name": "function", "config": name, "module": "builtins"}}


def filters(**more):
    return layer("Conv1D", kernel_size=[9], filters=8, name="bank", **more)


LIMITED = {"class_name": "Clip", "config": {"min_value": -1.0, "max_value": 0.0}}
NONE_LEFT = {"class_name": "MaxNorm", "config": {"max_value": 0.0, "axis": 0}}
NEVER_BELOW_0 = {"class_name": "NonNeg", "config": {}}
WINDOW = layer("Conv2D", kernel_size=[3, 3], name="conv")
SENSORS = layer("InputLayer", shape=(None, 1, 32, 32), name="input")
SERIES = layer("InputLayer", shape=(None, 64, 1), name="input")
RANK = dense(3, "linear", name="low", given=(None, 40))
TRAINED = {"loss": "mse"}

TWINS = {
    "the range of a tanh": (
        ("MA306", TANH, scaled(0.5, 0.5), BINARY),
        ("MA306", TANH, scaled(0.5, 0.0), BINARY),
    ),
    "a ReLU up to 1": (
        ("MA306", SCORES, layer("ReLU", max_value=1.0), BINARY),
        ("MA306", SCORES, layer("ReLU", max_value=6.0), BINARY),
    ),
    "a limit of scores that leaves room": (
        ("MA306", dense(5, "tanh"), scaled(10.0, 0.0), SCORED),
        ("MA306", dense(5, "tanh"), SCORED),
    ),
    "an ELU that is raised above 0": (
        ("MA306", dense(1, "elu"), scaled(1.0, 1.0), {"loss": "poisson"}),
        ("MA306", dense(1, "elu"), scaled(1.0, 0.5), {"loss": "poisson"}),
    ),
    "probabilities that are kept off 0 and 1": (
        ("MA308", dense(1, "sigmoid"), scaled(0.98, 0.01), BINARY),
        ("MA308", dense(1, "sigmoid"), scaled(1 / 255, 0.0), BINARY),
    ),
    "scores of the items of a list": (
        ("MA306", at(ONE, 10, 1), layer("Softmax", axis=1, shape=(None, 10, 1)), over(1)),
        ("MA306", at(ONE, 1), layer("Softmax", axis=1, shape=(None, 1)), over(1)),
    ),
    "channels first": (
        ("MA306", SCORES, normalized(1), over(1)),
        ("MA306", SCORES, normalized(2), over(1)),
    ),
    "the axis behind a layer of unknown shape": (
        ("MA306", SCORES, layer("Softmax", axis=1, name="p"), {}),
        ("MA306", SCORES, layer("Softmax", axis=0, name="p"), {}),
    ),
    "the direction of a signal": (
        ("MA306", at(ONE, 32, 1), over(-1, "CosineSimilarity")),
        ("MA306", at(ONE, 1), over(-1, "CosineSimilarity")),
    ),
    "a sum of parts that are never negative": (
        (
            *("MA306", dense(5, "linear", kernel_constraint=NEVER_BELOW_0, use_bias=False)),
            {"loss": "poisson"},
        ),
        ("MA306", dense(5, "linear", kernel_constraint=NEVER_BELOW_0), {"loss": "poisson"}),
    ),
    "a loss that may be the author's own": (
        ("MA306", SCORES, by_name("dice")),
        ("MA306", SCORES, {"loss": {"class_name": "Dice", "config": {}}}),
    ),
    "the same in an HDF5 file": (
        ("MA306", SCORES, {"loss": "dice", "optimizer_config": {}}),
        ("MA306", SCORES, {"loss": "dice"}),
    ),
    "dropout for a contrastive loss": (
        ("MA308", SCORES, layer("Dropout", rate=0.1), OWN),
        ("MA308", SCORES, layer("Dropout", rate=0.1), TRAINED),
    ),
    "codes that are normalised": (
        ("MA308", dense(5, "sigmoid"), layer("BatchNormalization"), OWN),
        ("MA308", dense(5, "sigmoid"), layer("BatchNormalization"), BINARY),
    ),
    "a low rank": (
        ("MA309", RANK, dense(30, "linear", name="out"), TRAINED),
        ("MA309", RANK, dense(1, "linear", name="out"), TRAINED),
    ),
    "a bank of linear filters": (
        ("MA309", SERIES, filters(use_bias=False), dense(2, "linear", name="o"), TRAINED),
        ("MA309", SERIES, filters(use_bias=True), dense(2, "linear", name="o"), TRAINED),
    ),
    "linear filters before numbers": (
        ("MA309", SERIES, filters(use_bias=False), dense(2, "linear", name="o"), TRAINED),
        ("MA309", SERIES, filters(use_bias=False), dense(2, "softmax", name="o"), TRAINED),
    ),
    "a masked input": (
        ("MA310", layer("InputLayer", name="i"), layer("Dropout", rate=0.92), HEAD, {}),
        ("MA310", dense(), layer("Dropout", rate=0.92), HEAD, {}),
    ),
    "a series as an image of one row": (
        ("MA311", SENSORS, layer("Conv2D", kernel_size=[1, 5], name="conv"), HEAD, {}),
        ("MA311", SENSORS, WINDOW, HEAD, {}),
    ),
    "a ReLU with a slope": (
        ("MA312", dense(1, "linear"), layer("ReLU", negative_slope=0.1), HEAD, {}),
        ("MA312", dense(1, "linear"), layer("ReLU", negative_slope=0.0), HEAD, {}),
    ),
    "a similarity that is to grow": (
        ("MA319", ONE, {**OWN, "loss_weights": [-1.0]}),
        ("MA319", ONE, {"loss": "mse", "loss_weights": [-1.0]}),
    ),
    "limits of the author's own": (
        ("MA322", dense(kernel_constraint=LIMITED), HEAD, {}),
        ("MA322", dense(kernel_constraint=NONE_LEFT), HEAD, {}),
    ),
    "results under a loss of another size": (
        ("MA322", layer("ActivityRegularization", l1=1.0, l2=0.0), HEAD, OWN),
        ("MA322", layer("ActivityRegularization", l1=1.0, l2=0.0), HEAD, TRAINED),
    ),
    "times that are scaled twice": (
        (
            "MA322",
            scaled(1e-3, 0.0),
            layer("Rescaling", scale=1e-5, shape=(None, 1), name="second"),
            HEAD,
            {},
        ),
        (
            *("MA322", scaled(1 / 255, 0.0)),
            *(layer("Rescaling", scale=1 / 255, shape=(None, 8, 8, 3), name="second"), HEAD, {}),
        ),
    ),
}


@pytest.mark.parametrize("pair", TWINS.values(), ids=TWINS)
def test_a_sound_model_is_not_called_what_its_faulty_twin_is(pair):
    sound, faulty = (highest(*found(*each[:-1], training=each[-1])) for each in pair)
    assert not sound
    assert faulty


def judged(code, *layers, **more):
    facts = examples.chain(*layers, training=TRAINED)
    artifact = replace(facts.artifact, **more)
    return [str(each.severity) for each in run_rule(rule(code), Facts(artifact)).findings]


def test_a_window_without_sizes_is_no_error():
    assert judged("MA311", SENSORS, layer("Conv2D", kernel_size=[], name="conv"), HEAD)


@pytest.mark.parametrize(("std", "severity"), [(0.6, ["low"]), (0.3, ["medium"])])
def test_a_penalty_that_the_weights_contradict(std, severity):
    made = dense(kernel_regularizer={"class_name": "L2", "config": {"l2": 1.0}})
    made = replace(made, variables={"kernel": "k"})
    kernel = examples.tensor("k", (6, 8), replace(examples.ORDINARY, std=std))
    assert judged("MA322", made, HEAD, tensors=(kernel,)) == severity


@pytest.mark.parametrize(
    ("units", "shape", "severity"), [(4, (None, 9, 4), ["low"])] + [(4, (None, 4), ["medium"])]
)
def test_the_blank_of_ctc_needs_no_name(units, shape, severity):
    head = dense(units, "softmax", shape=shape)
    labels = {"labels": {"file": "labels.txt", "names": [*"abc"]}}
    assert judged("MA317", head, extra=labels) == severity


@pytest.mark.parametrize(("first", "severity"), [("Label", "low"), ("lion", "medium")])
def test_a_heading_is_no_name(first, severity):
    labels = {"labels": {"file": "labels.txt", "names": [first, *"abc"]}}
    assert judged("MA317", dense(3, "softmax", shape=(None, 3)), extra=labels) == [severity]


@pytest.mark.parametrize(("names", "severity"), [("abcde", ["low"]), ("abcdef", ["medium"])])
def test_thresholds_between_grades(names, severity):
    labels = {"labels": {"file": "labels.txt", "names": [*names]}}
    assert judged("MA317", dense(4, "sigmoid", shape=(None, 4)), extra=labels) == severity


@pytest.mark.parametrize(("axis", "severity"), [(0, ["low"]), (-1, ["medium"]), (1, [])])
def test_a_bag_of_instances_may_be_a_batch(axis, severity):
    first = at(dense(name="hidden"), 12, 8)
    scores = at(layer("Softmax", axis=axis, name="weights"), 12, 1)
    both = layer("Multiply", name="both")
    made = examples.model(
        first,
        replace(scores, inbound=(("hidden",),)),
        replace(both, inbound=(("weights", "hidden"),)),
    )
    assert [
        str(each.severity) for each in run_rule(rule("MA314"), Facts(made)).findings
    ] == severity


@pytest.mark.parametrize(
    ("behind", "severity"), [("BatchNormalization", "low"), ("Dense", "medium")]
)
def test_what_a_batch_normalization_scales_need_not_be_adapted(behind, severity):
    scale = replace(layer("Normalization"), variables={"mean": "m", "variance": "v"})
    ones = replace(examples.ORDINARY, minimum=1.0, maximum=1.0)
    zeros = replace(examples.ORDINARY, minimum=0.0, maximum=0.0)
    tensors = (examples.tensor("m", (4,), zeros), examples.tensor("v", (4,), ones))
    given = layer("InputLayer", name="i")
    assert judged("MA313", given, scale, layer(behind), HEAD, tensors=tensors) == [severity]


@pytest.mark.parametrize(("steps", "severities"), [(50, []), (500, ["medium"])])
def test_a_schedule_that_ended_with_training_was_planned(steps, severities):
    decay = {"initial_learning_rate": 0.01, "decay_steps": 50}
    rate = {"class_name": "CosineDecay", "config": decay}
    optimizer = {"class_name": "Adam", "config": {"learning_rate": rate}}
    facts = adam(("head", 0.1, 0.1), steps=steps)
    facts = replace(
        facts, artifact=replace(facts.artifact, training={"optimizer_config": optimizer})
    )
    assert [str(each.severity) for each in run_rule(rule("MA319"), facts).findings] == severities
