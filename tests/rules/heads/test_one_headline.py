"""The gravest finding and its advice give the fix that suits, each beside a sound twin."""

from __future__ import annotations

import pytest

from modelaudit.diagnosis.procedure import diagnose
from modelaudit.facts import Kernel
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.heads.examples import example_head
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour
from tests.rules.test_made_designs import dense, layer

L2 = {"class_name": "L2", "config": {"l2": 5.0}}


def findings(code, facts):
    return run_rule(rule(code), facts).findings


@pytest.mark.parametrize("penalty", [L2, None])
@pytest.mark.parametrize("around", [True, False])
def test_a_penalty_that_leaves_one_answer(penalty, around):
    """Of a branch beside others, the output does not depend alone."""
    tiny = replace(examples.ORDINARY, minimum=-1e-7, maximum=1e-7, mean=0.0, std=1e-7)
    shrunk = examples.layer("shrunk", config={"units": 8, "kernel_regularizer": penalty})
    inbound = (("shrunk", "input"),) if around else (("shrunk",),)
    first = examples.layer("input", "InputLayer", {})
    shrunk = replace(shrunk, inbound=(("input",),))
    last = replace(layer("Add", name="last"), inbound=inbound)
    kernel = Kernel(*("shrunk", "shrunk/kernel", "dense", "io", 0, (8, 8)))
    made = examples.model(
        first, shrunk, last, tensors=(examples.tensor("shrunk/kernel", (8, 8), tiny),)
    )
    architecture = replace(made.architecture, outputs=("last",))
    artifact = replace(made, kernels=(kernel,), architecture=architecture)
    facts = replace(examples.healthy(), artifact=artifact)
    (seen,) = findings("MA436", facts)
    assert str(seen.severity) == ("high" if penalty and not around else "medium")
    assert ("regularization" in seen.fix) is bool(penalty)


@pytest.mark.parametrize("penalty", [L2, None])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("bias", [1e-7, 0.3])
def test_inputs_and_targets_of_another_scale_need_small_kernels(penalty, last, bias):
    """Pressures in pascal, lengths in metres; a head whose bias is not as small says one value."""
    small = replace(examples.ORDINARY, minimum=-1e-7, maximum=1e-7, mean=0.0, std=1e-7)
    layers, tensors, kernels = [examples.layer("input", "InputLayer", {})], [], []
    for name in ("first", "middle", "last"):
        tiny = name == ("last" if last else "first")
        own = {role: f"{name}/{role}" for role in ("kernel", "bias")}
        config = {"units": 8, "kernel_regularizer": penalty}
        layers.append(examples.layer(name, "Dense", own, config))
        tensors.append(examples.tensor(own["kernel"], (8, 8), small if tiny else examples.ORDINARY))
        biases = replace(examples.ORDINARY, minimum=-bias, maximum=bias)
        tensors.append(examples.tensor(own["bias"], (8,), biases))
        kernels.append(Kernel(name, own["kernel"], "dense", "io", 0, (8, 8), own["bias"]))
    facts = examples.chain(*layers)
    artifact = replace(facts.artifact, tensors=tuple(tensors), kernels=tuple(kernels))
    (seen,) = findings("MA436", replace(facts, artifact=artifact))
    scaled = not penalty and (not last or bias < 0.01)
    assert str(seen.severity) == ("high" if penalty else "low" if scaled else "medium")
    assert ("not scaled" in seen.detail) is scaled


@pytest.mark.parametrize(("words", "severity"), [(8, "medium"), (1, "high")])
def test_an_embedding_without_room_for_rare_words_still_answers(words, severity):
    """Unless it has no row for any word, but only for padding and unknown ones."""
    config = {"vocabulary": ["a"] * 10, "num_oov_indices": 1}
    before = layer("StringLookup", name="lookup", **config)
    facts = examples.chain(before, layer("Embedding", name="embedding", input_dim=words))
    (seen,) = findings("MA318", facts)
    assert str(seen.severity) == severity
    whole = examples.chain(before, layer("Embedding", name="embedding", input_dim=11))
    assert not findings("MA318", whole)


@pytest.mark.parametrize("apart", [True, False])
def test_advice_on_scores_agrees_with_its_code(apart):
    """The activation is named where it is a layer of its own; the loss keeps its scores."""
    loss = {
        "class_name": "SparseCategoricalCrossentropy",
        "config": {"from_logits": True},
    }
    behind = (("ReLU", {}),) if apart else ()
    facts = example_head("linear" if apart else "relu", loss, 4, *behind)()
    (seen,) = findings("MA306", facts)
    assert ("Remove the layer `behind_0`" in seen.fix) is apart
    assert ("Remove the activation of the last layer" in seen.fix) is not apart
    assert "SparseCategoricalCrossentropy(from_logits=True)" in seen.fix
    assert "softmax" not in seen.fix
    assert not findings("MA306", example_head("linear", loss, 4)())


@pytest.mark.parametrize("kind", ["Dense", "Conv2D"])
@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("penalty", [L2, None])
def test_what_tells_the_size_of_training_inputs(kind, inputs, penalty):
    """The gradient of a penalty, and other inputs beside a convolution, are none."""
    fed = [examples.layer(f"input_{n}", "InputLayer", {}) for n in range(inputs)]
    config = {"kernel_regularizer": penalty}
    first = replace(examples.layer("first", kind, config=config), inbound=(("input_0",),))
    artifact = examples.model(*fed, first)
    facts = replace(
        examples.healthy(),
        artifact=artifact,
        measurements=Measurements(input_scales={"first": 5000.0}),
    )
    told = penalty is None and (inputs == 1 or kind == "Dense")
    assert bool(findings("MA440", facts)) is told


@pytest.mark.parametrize("units", [1, 3])
def test_a_loss_without_gradient_is_the_first_cause(units):
    facts = example_head("linear", "categorical_crossentropy", units)()
    found = diagnose(facts, (run_rule(rule("MA306"), facts),))
    assert (found.causes[0].cause == "loss-without-gradient") is (units == 1)


def test_a_new_head_has_its_loss():
    facts = examples.chain(dense(1, "sigmoid", name="head"))
    labels = {"file": "names.json", "names": [*"abcd"]}
    facts = replace(facts, artifact=replace(facts.artifact, extra={"labels": labels}))
    (seen,) = findings("MA317", facts)
    assert 'loss="sparse_categorical_crossentropy"' in seen.fix


@pytest.mark.parametrize(("shape", "sides"), [((64, 8, 8, 3), True), ((64, 12), False)])
def test_the_question_suits_the_inputs(shape, sides):
    seen = behaviour()
    facts = replace(
        examples.healthy(),
        artifact=replace(examples.model(), architecture=None),
        behaviour=replace(seen, inputs=replace(seen.inputs, shape=shape)),
    )
    assert ("flipped" in diagnose(facts, ()).question) is sides
