"""What the user's labels say about the output, the loss and the inputs."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.measures.behaviour.probe_data import target_summary
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.behaviour import probe_labels
from modelaudit.rules.behaviour.probe_labels import InputColumns, _columns, _labelled
from modelaudit.rules.engine import run_rules
from modelaudit.structs import replace

KINDS = {"softmax": "softmax", "sigmoid": "sigmoid", "scores": "logits"}


def findings(facts):
    results = run_rules(probe_labels.RULES, facts)
    return [(f.code, f.severity.value) for result in results for f in result.findings]


def judged(y, units, last, loss, places=()):
    """Findings for labels `y` of a model with a Dense head, perhaps for each of some positions."""
    layer = examples.layer("head", config={"units": units, "activation": last})
    facts = _labelled("classes", 0, 1)
    seen = facts.behaviour
    output = replace(
        seen.outputs[0], kind=KINDS.get(last, "regression"), shape=(None, *places, units)
    )
    inputs = replace(seen.inputs, targets=target_summary(np.asarray(y)))
    artifact = replace(examples.model(layer), training={"loss": loss})
    seen = replace(seen, outputs=(output,), inputs=inputs)
    return findings(replace(facts, artifact=artifact, behaviour=seen))


SPARSE, ONE_HOT, BINARY = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)
DIGITS = np.arange(100) % 10


@pytest.mark.parametrize(
    ("y", "units", "last", "loss", "expected"),
    [
        (DIGITS, 10, "softmax", SPARSE, []),
        (DIGITS + 1, 10, "softmax", SPARSE, [("MA609", "high")]),
        (np.eye(12)[DIGITS], 10, "softmax", ONE_HOT, [("MA609", "high")]),
        (DIGITS, 3, "scores", SPARSE, [("MA609", "high")]),
        (DIGITS, 3, "scores", "pinball", [("MA609", "medium")]),  # quantiles of whole numbers
        (np.eye(10)[DIGITS], 10, "softmax", ONE_HOT, []),
        # The form of your labels says nothing about those of training.
        (np.eye(10)[DIGITS], 10, "softmax", SPARSE, []),
        (DIGITS, 10, "softmax", ONE_HOT, []),
        (DIGITS, 10, "softmax", "mse", []),
        (DIGITS, 400, "sigmoid", BINARY, []),  # an autoencoder
        (DIGITS * 1.5, 10, "linear", "mse", [("MA610", "medium")]),
        (DIGITS[:, None] * [1.5, 2.5], 2, "linear", "mse", []),
        (DIGITS, 1, "sigmoid", BINARY, [("MA609", "high")]),
        (DIGITS % 2, 1, "sigmoid", BINARY, []),
        (DIGITS % 2 * 2 - 1, 1, "sigmoid", BINARY, [("MA609", "high")]),
        (DIGITS % 2 * 2 - 1, 1, "tanh", "hinge", []),
        (DIGITS % 2 * 2 - 1, 1, "linear", "hinge", []),
        (10 + DIGITS * 5.5, 1, "sigmoid", "mse", [("MA609", "high")]),
        (10 + DIGITS * 5.5, 1, "linear", "mse", []),
        (10 + DIGITS * 5.5, 1, "relu", "mse", []),
        (DIGITS - 4.5, 1, "relu", "mse", [("MA609", "high")]),
        (np.append(DIGITS, -1.0), 1, "relu", "mse", [("MA609", "medium")]),
        (DIGITS / 9, 1, "sigmoid", "mse", []),
        (DIGITS / 9 * (1 + 1e-6), 1, "sigmoid", "mse", []),
        (DIGITS * 1.5, 10, "softmax", SPARSE, [("MA610", "medium")]),
        (1e5 + DIGITS * 7.5, 1, "linear", "mse", [("MA613", "low")]),
    ],
)
def test_labels_against_output_and_loss(y, units, last, loss, expected):
    assert judged(y, units, last, loss) == expected


@pytest.mark.parametrize(
    ("y", "last", "loss", "expected"),
    [
        (DIGITS % 2, "sigmoid", BINARY, [("MA610", "medium")]),  # one label for 12 answers
        (np.tile(DIGITS[:, None] % 2, 12), "sigmoid", BINARY, []),
        (np.tile(DIGITS[:, None] * 28.3, 12), "tanh", "mse", [("MA609", "high")]),
        (np.tile(DIGITS[:, None] / 9, 12), "tanh", "mse", []),
        (DIGITS % 2, "softmax", SPARSE, []),  # which raises an error
    ],
)
def test_labels_against_an_output_for_each_position(y, last, loss, expected):
    assert judged(y, 1, last, loss, places=(12,)) == expected


def test_numbers_out_of_reach_get_a_last_layer_for_numbers():
    layer = examples.layer("head", config={"units": 1, "activation": "sigmoid"})
    facts = _labelled("numbers", 10.5, 60.2)
    output = replace(facts.behaviour.outputs[0], kind="sigmoid", shape=(None, 1))
    seen = replace(facts.behaviour, outputs=(output,))
    facts = replace(facts, artifact=examples.model(layer), behaviour=seen)
    (found,) = run_rules([r for r in probe_labels.RULES if r.code == "MA609"], facts)[0].findings
    code = found.fix.partition("\n")[2]
    assert code == (
        'keras.layers.Dense(1, activation="linear", name="head")\n'
        'model.compile("adam", "mean_squared_error")'
    )


def test_data_that_show_nothing():
    assert findings(_columns(InputColumns(True, 4, 4))()) == [("MA611", "medium")]
    assert findings(_columns(InputColumns(False, 4, 1))()) == [("MA611", "low")]
    assert findings(_columns(InputColumns(False, 4, 0, (1,)))()) == [("MA612", "low")]
    facts = _labelled("classes", 3, 3)
    one = replace(facts.behaviour.inputs.targets, distinct=1)
    inputs = replace(facts.behaviour.inputs, targets=one)
    facts = replace(facts, behaviour=replace(facts.behaviour, inputs=inputs))
    assert findings(facts) == [("MA611", "low")]


@pytest.mark.parametrize(
    ("span", "first", "expected"),
    [
        ((0.0, 255.0), (), [("MA613", "low")]),
        ((0.0, 255.0), ("Flatten", "Dropout"), [("MA613", "low")]),
        ((0.0, 1.0), (), []),
        ((-124.0, 151.0), (), []),  # the mean was subtracted, as for VGG16
        ((0.0, 255.0), ("Rescaling",), []),
        ((0.0, 255.0), ("Normalization",), []),
        ((0.0, 255.0), ("Lambda",), []),  # may divide
        ((0.0, 255.0), ("TrueDivide",), []),
    ],
)
def test_pixels_that_nothing_scales(span, first, expected):
    facts = _columns(InputColumns(False))()
    layers = (
        examples.layer("in", "InputLayer", {}),
        *(examples.layer(name.lower(), name, {}) for name in first),
        examples.layer("conv", "Conv2D", {"kernel": "conv/kernel"}),
    )
    images = replace(facts.behaviour.inputs, shape=(100, 8, 8, 1), value_range=span)
    training = facts.artifact.training
    facts = replace(
        facts,
        artifact=replace(examples.model(*layers), training=training),
        behaviour=replace(facts.behaviour, inputs=images),
    )
    assert findings(facts) == expected


@pytest.mark.parametrize(("name", "expected"), [("tokens", []), ("features", [("MA613", "low")])])
def test_the_numbers_of_tokens_are_no_sizes(name, expected):
    facts = _columns(InputColumns(False, 4, largest_spread=60.0, largest_mean=110.0))()
    port = Port(name, "int32" if name == "tokens" else "float32", (None, 4))
    seen = Observation("here", "load_model", Status.LOADED, inputs=(port,))
    assert findings(replace(facts, observations=(seen,))) == expected
