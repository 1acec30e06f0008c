"""Layers inside others: cells of a recurrent layer, and layers for each step."""

from __future__ import annotations

import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace


def said(code, *layers):
    """Severity and fix of each finding on a chain of layers, inner ones behind their wrapper."""
    artifact = replace(examples.model(*layers), training={"loss": "mse"})
    return [(f.severity.value, f.fix) for f in run_rule(rule(code), Facts(artifact)).findings]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_cells_of_a_recurrent_layer(activation):
    cell = {"units": 8, "activation": activation}
    found = said(
        "MA315",
        examples.layer("rnn", "RNN", {}, {}),
        examples.layer("rnn/cells", "StackedRNNCells", {}, {}),
        examples.layer("rnn/cells/first", "LSTMCell", {}, {"units": 8, "activation": "tanh"}),
        examples.layer("rnn/cells/second", "GRUCell", {}, cell),
    )
    assert [severity for severity, _ in found] == ["low"] * (activation == "relu")
    assert all('keras.layers.GRUCell(8, activation="tanh"' in fix for _, fix in found)


def test_a_frozen_head_for_each_step():
    """The layer in a TimeDistributed belongs to the model around it."""
    given = examples.layer("hidden", config={"units": 8, "activation": "relu"})
    steps = examples.layer("head", "TimeDistributed", {}, {}, inbound=(("hidden",),))
    units = examples.layer(
        "head/units", config={"units": 3, "activation": "softmax"}, inbound=(("hidden",),)
    )
    found = said("MA321", given, replace(steps, trainable=False), units)
    assert [severity for severity, _ in found] == ["low"]
    assert said("MA321", given, steps, units) == []
