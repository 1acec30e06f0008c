"""Trainings in which nothing was learnt, whose cause stands in the file, each with a sound twin."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.diagnosis.procedure import diagnose
from modelaudit.facts import TensorStats
from modelaudit.measures.optimizer_state import WeightMoments, optimizer_state
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.training.alike_inputs import fed_alike, fed_zeros
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.diagnosis.cases import initial, measurements
from tests.rules.test_made_designs import HEAD, dense
from tests.rules.test_made_faults import judged, kernel

STEPS = replace(
    examples.tensor("optimizer/vars/0", (), TensorStats(240, 240, 240, 0, 0, 0)), role="optimizer"
)


@pytest.mark.parametrize("rate", [0.0, 1e-8, 1e-3])
def test_a_rate_without_effect_is_the_one_grave_finding(rate):
    facts = adam(("hidden", 0.1, 0.1), rate=rate)
    drawn = kernel("hidden", "fresh")
    settings, never = (judged(code, facts, drawn) for code in ("MA319", "MA404"))
    ((severity, detail, fix),) = never
    tiny = rate < 1e-4
    assert severity == ("low" if tiny else "high")
    assert ("since the learning rate is" in detail and "learning rate" in fix) is tiny
    assert [each for each, *_ in settings] == ["high"] * tiny
    facts = replace(facts, measurements=Measurements(initialization=(drawn,)))
    found = diagnose(facts, (run_rule(rule("MA404"), facts),))
    assert found.causes[0].cause == ("not-trained" if tiny else "never-loaded")


@pytest.mark.parametrize(
    ("last", "average", "severity"),
    [("relu", 0.1, "low"), ("relu", 0.0, "high"), ("linear", 0.1, "high")],
)
def test_steps_without_effect_behind_an_output_that_may_be_0_for_all_inputs(
    last, average, severity
):
    """Where the averages show that no gradient ever came, the model is as it was drawn."""
    facts = adam(("hidden", average, average), ("score", average, average))
    hidden, score = facts.artifact.architecture.layers
    layers = (hidden, replace(score, config={"units": 1, "activation": last}))
    architecture = replace(facts.artifact.architecture, layers=layers)
    facts = replace(facts, artifact=replace(facts.artifact, architecture=architecture))
    ((said, detail, fix),) = judged("MA404", facts, kernel("hidden", "fresh"))
    assert said == severity
    assert ("ReLU of `score`" in detail and "MA306" in fix) is (last == "relu")


@pytest.mark.parametrize(("start", "severity"), [(0.0, "low"), (0.001, "high")])
def test_a_schedule_that_starts_at_0(start, severity):
    facts = adam(("hidden", 0.1, 0.1))
    training = dict(facts.artifact.training)
    inner = {"initial_learning_rate": start, "decay_steps": 100, "decay_rate": 0.9}
    schedule = {"class_name": "ExponentialDecay", "config": inner}
    training["optimizer"] = {"class_name": "Adam", "config": {"learning_rate": schedule}}
    facts = replace(facts, artifact=replace(facts.artifact, training=training))
    ((said, detail, _),) = judged("MA404", facts, kernel("hidden", "fresh"))
    assert (said, "since the learning rate is 0" in detail) == (severity, severity == "low")


@pytest.mark.parametrize("steps", [True, False])
def test_steps_with_all_layers_frozen(steps):
    """An optimizer that counted steps has averages for whatever it trained."""
    frozen = [replace(each, trainable=False) for each in (dense(name="body"), HEAD)]
    layers = [replace(x, variables={"kernel": f"{x.name}/kernel"}) for x in frozen]
    training = {"loss": "mse", "optimizer": {"class_name": "Adam", "config": {}}}
    facts = examples.chain(*layers, training=training)
    stored = (*facts.artifact.tensors, *(STEPS,) * steps)
    facts = replace(facts, artifact=replace(facts.artifact, tensors=stored))
    kernels = (kernel("body", "trained"), kernel(HEAD.name, "fresh"))
    ((severity, detail, fix),) = judged("MA321", facts, *kernels)
    assert severity == "high" and "trainable = True" in fix
    assert ("240 training steps changed nothing" in detail) is steps
    assert [said for said, *_ in judged("MA405", facts, *kernels)] == ["info" if steps else "high"]


@pytest.mark.parametrize("body", [True, False])
def test_a_frozen_head_beside_layers_that_learnt(body):
    """Where the body learnt around the head, the model may answer right."""
    layers = (replace(dense(name="body"), trainable=body), replace(HEAD, trainable=False))
    facts = examples.chain(*layers, training={"loss": "mse"})
    kernels = (kernel("body", "trained"), kernel(HEAD.name, "fresh"))
    ((severity, detail, _),) = judged("MA321", facts, *kernels)
    assert severity == ("medium" if body else "high")
    assert ("was never learned" in detail) is not body


def moments(route, kernel, bias):
    """Averages of the squared gradients of a kernel and its bias; of gradients, their roots."""
    return tuple(
        WeightMoments(route, role, (4,), square**0.5, square, square)
        for role, square in (("kernel", kernel), ("bias", bias))
    )


@pytest.mark.parametrize(
    ("layers", "zeros"),
    [
        ([("a", 0.0, 0.1)], True),
        ([("a", 0.0, 0.0), ("b", 0.0, 0.1)], True),
        ([("a", 0.0, 0.1), ("b", 0.2, 0.1)], True),
        ([("a", 0.3, 0.1), ("b", 0.0, 0.1)], False),  # units that died in training
        ([("a", 0.0, 0.0), ("b", 0.3, 0.1)], False),  # a gradient that something stopped
    ],
)
def test_inputs_of_zeros_leave_every_kernel_without_gradient(layers, zeros):
    found = fed_alike([each for layer in layers for each in moments(*layer)])
    assert (found is not None and found.zeros) is zeros


@pytest.mark.parametrize("varied", [True, False])
def test_inputs_of_1_and_minus_1_are_not_all_the_same(varied):
    """One input is always 1, and the squares of the others are."""
    rng = np.random.default_rng(0)
    inputs = rng.choice([-1.0, 1.0], (400, 8)) if varied else np.ones((400, 8))
    inputs[:, 0] = 1
    of_bias = rng.normal(1.0, 0.5, (400, 1))
    pair = [
        WeightMoments(
            *("a", role, (each.shape[1],), np.abs(each.mean(0)).max()),
            *((each**2).mean(0).max(), (each**2).mean()),
            typical=float(np.sqrt(np.mean(each.mean(0) ** 2))),
        )
        for role, each in (("kernel", inputs * of_bias), ("bias", of_bias))
    ]
    assert (fed_alike(pair) is None) is varied


@pytest.mark.parametrize("kind", ["same", "signs", "faded", "zeros", "faded zeros"])
def test_averages_alone_show_inputs_that_were_the_same_lately(kind):
    """Of momentum; where one gradient is left, inputs of 1 and -1 have one size as well."""
    rng = np.random.default_rng(0)
    inputs = {"signs": rng.choice([-1.0, 1.0], 12), "zeros": np.zeros(12)}.get(
        kind.rpartition(" ")[2], np.full(12, 0.7)
    )
    of_bias = rng.normal(size=5) * (1e-30 if "faded" in kind else 1.0)
    pair = [
        WeightMoments(
            *("a", role, each.shape, float(np.abs(each).max())),
            typical=float(np.sqrt(np.mean(each**2))),
            mean_first=float(each.mean()),
        )
        for role, each in (("kernel", np.outer(inputs, of_bias)), ("bias", of_bias))
    ]
    found = fed_alike(pair)
    assert (found.value if found else None) == {
        "same": pytest.approx(0.7),
        "zeros": 0.0,
    }.get(kind)


def test_averages_alone_do_not_say_that_no_gradient_ever_came():
    """They have forgotten those of layers that learnt and died."""
    slots = [("a", 0.0), ("a", 0.0), ("b", 0.0), ("b", 0.3)]
    roles = ("kernel", "bias") * 2
    found = fed_alike(
        [
            WeightMoments(route, role, (12, 4) if role == "kernel" else (4,), first, typical=first)
            for (route, first), role in zip(slots, roles, strict=True)
        ]
    )
    assert (found.route, found.value, found.zeros) == ("b", 0.0, False)


def test_biases_below_zero_are_another_reason_for_zeros():
    """ReLUs that start far below 0 give 0 for every input."""
    found = [each for layer in (("a", 0.0, 0.0), ("b", 0.0, 0.1)) for each in moments(*layer)]
    assert fed_alike(found).zeros
    assert not fed_alike(found, {"a"}).zeros


@pytest.mark.parametrize("hidden", ["Dense", "LayerNormalization"])
def test_a_constant_before_a_layer_says_nothing_of_the_inputs(hidden):
    """What a normalization over one value gives is 0 for every input, without gradient."""
    facts = adam(("b", 0.0, 0.0), ("k", 0.0, 0.0), ("bias", 0.1, 0.2))
    first = examples.layer("first", hidden, {"beta": "b/kernel"}, {"axis": -1})
    names = {"kernel": "k/kernel", "bias": "bias/kernel"}
    layers = (replace(first, output_shape=(None, 4, 1)), examples.layer("head", "Dense", names))
    last = replace(layers[1], inbound=(("first",),))
    architecture = examples.model(layers[0], last).architecture
    facts = replace(facts, artifact=replace(facts.artifact, architecture=architecture))
    said = [str(each.severity) for each in run_rule(rule("MA439"), facts).findings]
    assert said == ([] if hidden == "LayerNormalization" else ["high"])


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("other", [(0.3, 0.2), None])
def test_one_of_two_inputs_that_was_always_the_same_is_no_fault(value, other, apart):
    """A sound model may have an input that the training left at 0; only all of them are grave."""
    seen = other or (0.1 * value, 0.2 * value**2)
    slots = (("ck", 0.1 * value, 0.2 * value**2), ("cb", 0.1, 0.2), ("xk", *seen), ("xb", 0.1, 0.2))
    names = [{"kernel": f"{x}k/kernel", "bias": f"{x}b/kernel"} for x in "cx"]
    inputs = [
        examples.layer(name, "InputLayer", {}) for name in (("c_in", "x_in") if apart else ("i",))
    ]
    layers = [
        examples.layer(route, variables=each, inbound=((source.route,),))
        for route, each, source in zip(("cond", "x"), names, (inputs[0], inputs[-1]), strict=True)
    ]
    facts = adam(*slots)
    architecture = examples.model(*inputs, *layers).architecture
    facts = replace(facts, artifact=replace(facts.artifact, architecture=architecture))
    (found,) = run_rule(rule("MA439"), facts).findings
    assert found.severity.value == ("low" if other else "high")
    assert ("all inputs were the same" in found.detail) is not bool(other)
    assert fed_zeros(facts.artifact) is (other is None and value == 0)


def test_slots_that_begin_with_their_kind_belong_to_the_whole_name():
    """As those of an optimizer that a program builds itself, outside of `fit`."""
    zero = TensorStats(0, 0, 0, 0, 8, 0)
    slots = [
        replace(
            examples.tensor(f"optimizer_weights/{kind}/{name}:0", (4, 2), stats), role="optimizer"
        )
        for kind in "mv"
        for name, stats in (("a/kernel", examples.ORDINARY), ("b/kernel", zero))
    ]
    made = examples.model(examples.layer("a"), examples.layer("b"))
    training = {"optimizer": {"class_name": "Adam", "config": {}}}
    state = optimizer_state(replace(made, tensors=(*made.tensors, *slots), training=training))
    told = {each.route: bool(each.second) for each in state.moments if each.role == "kernel"}
    assert told == {"a": True, "b": False}


@pytest.mark.parametrize("reached", [True, False])
def test_layers_without_gradient_are_no_partial_restore(reached):
    """Averages of 0 prove that training did not reach the layer; others prove nothing."""
    seen = adam(("a", 0.1, 0.1), ("b", *((0.1, 0.1) if reached else (0.0, 0.0))))
    measured = measurements(initial("a"), initial("b", "fresh"))
    facts = replace(seen, measurements=measured)
    found = diagnose(facts, (run_rule(rule("MA405"), facts),))
    causes = {each.cause for each in found.causes} | {each.cause for each in found.undecidable}
    assert ("partial-restore" in causes) is reached
    assert ("untrained-layers" in causes) is not reached
