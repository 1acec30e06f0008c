"""Sigmoids for numbers: what is advised where metrics tell that no classes are meant."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Json
from modelaudit.measures.summary import ConstantLayer, Measurements
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.heads.regressions import of_numbers
from modelaudit.rules.model import Facts
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train


def wrapped(name: str) -> Json:
    config = {"name": name, "fn": name}
    return {"class_name": "MeanMetricWrapper", "config": config}


@pytest.mark.parametrize(
    ("metrics", "numbers"),
    [
        (["mae"], True),
        ([[wrapped("mean_absolute_error")]], True),
        ([{"class_name": "RootMeanSquaredError", "config": {"name": "r"}}, "r2_score"], True),
        ({"out": ["mse"]}, True),
        (["mae", "accuracy"], False),
        ([wrapped("binary_accuracy")], False),
        ([{"class_name": "AUC", "config": {}}], False),
        ([], False),
        (None, False),
    ],
)
def test_metrics_of_numbers(metrics: Json, numbers: bool) -> None:
    assert of_numbers({"loss": "mse", "metrics": metrics}) is numbers


@pytest.mark.parametrize("metrics", [["mae"], ["accuracy"]])
def test_what_is_advised_first(metrics: list[Json]) -> None:
    facts = example_head("sigmoid", "mse", 1)()
    training = {"loss": "mse", "metrics": metrics}
    artifact = replace(facts.artifact, training=training)
    (finding,) = run_rule(rule("MA306"), Facts(artifact)).findings
    numbers = metrics == ["mae"]
    assert 'activation="linear"' in finding.fix
    assert 'loss="mean_squared_error"' in finding.fix
    assert ('activation="sigmoid"' in finding.fix) is not numbers
    assert ("binary_crossentropy" in finding.fix) is not numbers


def test_saturated_units_are_no_relus() -> None:
    for kind, words in (("saturated", "kernel_initializer"), ("dead", "leaky_relu")):
        found = ConstantLayer("dense", kind, False, ("dense",))
        facts = examples.measured(Measurements(constant=(found,)))()
        (finding,) = run_rule(rule("MA437"), facts).findings
        assert (words in finding.fix, "relu" in finding.fix) == (True, kind == "dead")


@pytest.mark.slow
@pytest.mark.parametrize(("lowest", "severity"), [(10.0, "medium"), (0.0, "low")])
def test_numbers_that_a_sigmoid_cannot_give(tmp_path, lowest, severity):
    import keras

    draw = np.random.default_rng(1)
    x = draw.random((64, 5)).astype("float32")
    y = lowest * 6 + x.mean(1, keepdims=True)
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    train(model, x, y, steps=60)
    model.save(tmp_path / "m.keras")
    (finding,) = run_rule(rule("MA306"), static_facts(tmp_path / "m.keras", Settings())).findings
    assert str(finding.severity) == severity
    assert 'activation="linear"' in finding.fix
