"""Decisions of measures, rules and runs at the edges of `modelaudit.thresholds.answers`."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.audit_types.behaviour import Collapse, InformationGain
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.measures.behaviour.collapse import (
    InputDiversity,
    bias_effect,
    collapse,
    share_at_bound,
)
from modelaudit.measures.behaviour.information_gain import tied_forms
from modelaudit.measures.behaviour.numbering import other_numbering
from modelaudit.measures.behaviour.orientation import information
from modelaudit.measures.behaviour.outputs import output_kind
from modelaudit.measures.behaviour.paired import as_good
from modelaudit.measures.value_transforms import (
    domain_transforms,
    standardised_each,
    transform_to,
    value_range,
)
from modelaudit.probe.study import sample_budget
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.output_tasks import KnownKind, task_of
from modelaudit.rules import examples
from modelaudit.rules.examples_behaviour import HEALTHY, with_behaviour
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, outcome

EDGES = Edges()
at = EDGES.at


# Orientations.


@at("answers.TIED_Z", {1.96: ("V",), 2.04: ()})
def says_as_much(z):
    """Two forms whose information differs by this much, in standard errors of the bootstrap."""
    drawn = NormalDist()
    steps = [drawn.inv_cdf((i + 0.5) / 4000) for i in range(4000)]
    spread = np.array(steps) / np.std(steps)
    forms = {"e": np.zeros(4000), "H": spread + z, "V": np.zeros(4000)}
    return tied_forms(forms, "H")


def mirrored(n=128, classes=10, **changes):
    """Images that are recognised only when they are mirrored."""
    seen = Collapse(False, 0.1, classes, 1, 0.5, 0.3)
    gain = InformationGain(np.log2(classes) - 0.1, 20.0)
    turned = replace(HEALTHY, collapse=seen, gains={"H": gain}, **changes)
    facts = with_behaviour(turned)
    inputs = ProbeInputs("user", n, (n, 16, 16, 1), (0.0, 1.0))
    return replace(facts, behaviour=replace(facts.behaviour, inputs=inputs))


@at("answers.MIN_INPUTS", {31: "not-applicable", 32: "fail"})
def images_for_an_orientation(n):
    return outcome("MA603", mirrored(n))


@at("answers.MIN_CLASSES", {2: "not-applicable", 3: "fail"})
def classes_for_an_orientation(classes):
    return outcome("MA603", mirrored(classes=classes))


@at("answers.SAME_SCORE", {0.0197: "pass", 0.0203: "fail"})
def labels_agree(gain):
    return outcome("MA603", mirrored(accuracy={"e": 0.5, "H": 0.5 + gain}))


@at("answers.MIN_INPUTS", {31: 31, 32: 32, 33: 32})
def inputs_kept_by_a_slow_model(n):
    x = np.zeros((n, 1), "float32")
    info = ProbeInputs("user", n, x.shape, (0.0, 1.0))
    fed = PreparedInputs((x,), None, None, info, ({},), (True,))
    runner = SimpleNamespace(put=lambda *_: None, predict=lambda *_: {}, drop=lambda *_: None)
    return sample_budget.within_time(runner, fed, 0.0).info.n


# Collapse.


@cache
def predictions(bits, classes=2):
    """Two softmax outputs that carry this much information, at most 1 bit."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        sides = np.repeat([1 + middle, 1 - middle], classes // 2) / classes
        pair = np.array([sides, sides[::-1]])
        low, high = (middle, high) if information(pair) < bits else (low, middle)
    return pair


def constant(values, kind="softmax"):
    return collapse(values, kind, InputDiversity(synthetic=True)).collapsed


def numbers(spread):
    """Outputs without classes whose spread is this share of their scale."""
    return 1 + spread * np.array([[1.0], [-1.0]])


@at("answers.MIN_BITS", {0.099: True, 0.101: False})
def collapsed_classes(bits):
    return constant(predictions(bits))


@at("answers.MIN_BITS", {0.099: False, 0.1: True})
def excused_by_synthetic_inputs(bits):
    return InputDiversity(synthetic_information=bits).excuses


@at("answers.MIN_BITS_SHARE", {0.0298: True, 0.0302: False})
def collapsed_classes_among_1024(share):
    return constant(predictions(10 * share, 1024))


@at("answers.MIN_SPREAD", {0.99e-4: True, 1.01e-4: False})
def collapsed_numbers(spread):
    return constant(numbers(spread), "regression")


@at("texts.TEXTS_ALIKE", {0.049: "fail", 0.051: "not-applicable"})
def all_texts_alike(texts):
    return built_in(Collapse(True, 0.01, 4, 1, 1.0, 0.1, texts=texts))


@at("answers.CONSTANT", {0.99e-6: "fail", 1.01e-6: "not-applicable"})
def constant_but_for_rounding(spread):
    return built_in(Collapse(True, None, None, None, None, spread))


@at("answers.STEADY", {0.99e-5: "fail", 1.01e-5: "not-applicable"})
def constant_on_larger_scales(larger):
    return built_in(Collapse(True, None, None, None, None, 5e-6, larger=larger))


@at("answers.CONSTANT", {0.99e-6: 0.5, 1.01e-6: 0.0})
def values_at_a_bound(apart):
    return share_at_bound(np.array([[1 - apart, 0.3], [1 + apart, 0.3]]))


@at("answers.SATURATED", {0.49: "fail", 0.5: "not-applicable"})
def constant_at_a_bound(share):
    return built_in(Collapse(True, None, None, None, None, 0.0, share))


def built_in(seen):
    """The outcome for an output that is the same for all built-in inputs."""
    facts = with_behaviour(replace(HEALTHY, kind="regression", collapse=seen))
    inputs = replace(facts.behaviour.inputs, kind="synthetic")
    return outcome("MA602", replace(facts, behaviour=replace(facts.behaviour, inputs=inputs)))


@at("answers.ONE_CLASS", {0.89: False, 0.9: True})
def excused_by_labels(share):
    return InputDiversity(largest_class=share).excuses


# The bias of the head, with pre-activations whose standard deviation is 1.


def biased(stored, centred, excess, kind="softmax"):
    units = np.array([[1.0], [-1.0]]) * np.ones(3)
    return bias_effect(stored, centred, kind, np.array([0.0, 0.0, excess]), units).responsible


def hard(*counts):
    """Sure answers: so many inputs of each of four classes."""
    return np.eye(4)[np.repeat(np.arange(len(counts)), counts)]


@at("answers.MIN_SPREAD", {0.99e-4: True, 1.01e-4: False})
def constant_before_centring(spread):
    return biased(numbers(spread), numbers(0.1), 9.0, "regression")


@at("answers.MIN_SPREAD", {0.99e-4: False, 1.01e-4: True})
def varied_after_centring(spread):
    return biased(numbers(1e-6), numbers(spread), 9.0, "regression")


@at("answers.MIN_BITS", {0.099: True, 0.101: False})
def collapsed_before_centring(bits):
    return biased(predictions(bits), predictions(0.9), 0.0)


@at("answers.BIAS_EXCESS", {2.0: False, 2.02: True})
def moderate_bias(excess):
    return biased(hard(8, 2), hard(4, 3, 3), excess)


@at("answers.TOP_SHARE", {0.5: False, 0.505: True})
def one_class_preferred(share):
    counts = round(200 * share), 200 - round(200 * share)
    return biased(hard(*counts), hard(50, 50, 50, 50), 3.0)


@at("answers.BIAS_GAIN", {0.298: False, 0.302: True})
def gain_of_a_collapsed_output(bits):
    return biased(predictions(0.0), predictions(bits), 0.0)


@at("answers.BIAS_GAIN", {0.298: False, 0.302: True})
def gain_with_a_moderate_bias(bits):
    stored = hard(9, 1)
    return biased(stored, predictions(information(stored) + bits, 4), 3.0)


@at("answers.LARGE_BIAS_EXCESS", {5.0: False, 5.05: True})
def large_bias(excess):
    return biased(predictions(0.0), predictions(0.1), excess)


@at("answers.LARGE_BIAS_GAIN", {0.0495: False, 0.0505: True})
def gain_with_a_large_bias(bits):
    return biased(predictions(0.0), predictions(bits), 6.0)


@at("answers.LARGE_BIAS_RATIO", {9.9: False, 10.1: True})
def ratio_with_a_large_bias(ratio):
    return biased(predictions(0.01), predictions(0.01 * ratio), 6.0)


# Channels.


@at("answers.DEAD", {0.99: "pass", 1.0: "fail"})
def dead_layer(share):
    return outcome("MA606", with_behaviour(dead_share=share))


@at("answers.DEAD", {0.99: "not-applicable", 1.0: "fail"})
def dead_layer_confirms_a_collapse(share):
    silent = replace(HEALTHY, collapse=Collapse(True, 0.0, 10, 3, 1.0, 1e-5))
    facts = with_behaviour(silent, dead_share=share)
    inputs = replace(facts.behaviour.inputs, kind="synthetic")
    return outcome("MA602", replace(facts, behaviour=replace(facts.behaviour, inputs=inputs)))


# Kinds of outputs, labels and value ranges.


@at("outputs.PROBABILITY_SUM", {0.99e-3: "softmax", 1.01e-3: "logits"})
def probabilities(distance):
    return output_kind(np.array([[0.5, 0.5 + distance], [0.1, 0.9]]))


@at("outputs.UNIT_NORM", {0.99e-3: "embedding", 1.01e-3: "logits"})
def embedding(distance):
    return output_kind(np.array([[-1 - distance, 0.0, 0.0], [0.0, -1.0, 0.0]]))


@at("outputs.EXCLUSIVE", {0.499: "classes", 0.501: "regression"})
def scores_against_each_other(share):
    """Two columns with a common part and an opposite one, which cancels in their sum."""
    sign = np.array([1.0, 1.0, -1.0, -1.0])
    common, apart = np.sqrt(share / 2) * np.array([1.0, -1.0, 1.0, -1.0]), np.sqrt(1 - share / 2)
    values = np.stack([common + apart * sign, common - apart * sign], axis=1)
    known = KnownKind("logits", guessed=True)
    return task_of(known, values, examples.model(), None, "head").name


@at("answers.PER_CLASS", {2: None, 3: 1.0})
def inputs_for_a_numbering(inputs):
    labels = np.repeat(np.arange(6), inputs)
    found = other_numbering({"e": np.eye(6)[5 - labels]}, "softmax", labels)
    return found and found.accuracy


@at("answers.EQUAL_P", {0.0493: (), 0.0507: ("V",)})
def equally_right(p):
    """A form that is worse than the best one with this p-value, of 10,000 changes of one size."""
    gained = 5000 + round(50 * NormalDist().inv_cdf(1 - p))
    scores = {"e": np.full(10000, -9.0), "H": np.zeros(10000)}
    scores["V"] = np.where(np.arange(10000) < gained, -0.5, 0.5)
    return as_good(scores, "H")


def ranges(low, high):
    return value_range(low, high)


@at("answers.CENTRED", {1.05: "-1-1", 1.06: "imagenet"})
def scaled_around_zero(high):
    return ranges(-1.0, high)


@at("answers.SAME_MEAN", {0.0199: True, 0.0201: False})
def standardised_one_by_one(mean):
    values = np.tile([-1.0, 1.0], (4, 8)) + mean
    return standardised_each(values)


@at("answers.NORMALISED", {8.0: "imagenet", 8.1: "caffe"})
def normalised(high):
    return ranges(-1.0, high)


@at("answers.USUAL", {0.0999: "*255", 0.1001: ""})
def stated_beyond_white(share):
    return transform_to("0-1", (0.0, 255 * (1 + share)), colours=False)


@at("answers.BYTES", {2.0: True, 2.02: False})
def small_values(largest):
    return "*255" in {each.name for each in domain_transforms(np.array([0.0, largest]), None)}


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
