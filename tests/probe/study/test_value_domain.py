"""Built-in inputs stay inside the domain of logarithms and roots; other NaN stay visible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.measures.behaviour.collapse import InputDiversity, collapse
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.activations import LayerActivations
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.inputs import UNKNOWN_INTEGERS
from modelaudit.probe.study.runner import MeasurementUnavailable, Runner
from modelaudit.probe.study.value_domain import (
    NOTE,
    on_larger_scales,
    unusual_inputs,
    unusual_texts,
    within_domain,
)
from modelaudit.rules import examples
from modelaudit.rules.behaviour.probes import steady
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples_behaviour import HEALTHY, with_behaviour
from modelaudit.structs import replace


class Applied:
    """A runner whose model is `function`."""

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self.function = function
        self.arrays: dict[str, list[np.ndarray]] = {}

    def put(self, name: str, arrays: list[np.ndarray]) -> None:
        self.arrays[name] = arrays

    def drop(self, name: str) -> None:
        del self.arrays[name]

    def predict(self, name: str, *, batch_size: int | None) -> dict[str, np.ndarray]:
        with np.errstate(all="ignore"):
            return {"y": self.function(self.arrays[name][0])}

    predict_once = Runner.predict_once


X = np.random.default_rng(0).uniform(-2, 2, (64, 5)).astype("float32")


def fed(kind: str = "synthetic", x: np.ndarray = X) -> PreparedInputs:
    info = ProbeInputs(kind, len(x), x.shape, (float(x.min()), float(x.max())), notes=("assumed",))
    return PreparedInputs((x,), None, None, info, ({},), (False,))


def refused(x: np.ndarray) -> np.ndarray:
    """A table of 5 rows, of which TensorFlow refuses others."""
    if x.max() > 4:
        raise MeasurementUnavailable("indices[0] = 9 is not in [0, 5)")
    return x.astype("float32")


@pytest.mark.parametrize(("function", "largest"), [(np.tanh, 100), (refused, 1)])
def test_integers_of_a_table_are_larger_unless_they_are_indices(function, largest) -> None:
    whole = np.random.default_rng(0).integers(0, 2, (256, 8))
    given = fed(x=whole)
    given = replace(given, counts=(True,), info=replace(given.info, notes=(UNKNOWN_INTEGERS,)))
    found = within_domain(Applied(function), given)
    assert (found.arrays[0].max(), found.info.value_range[1]) == (largest, largest)
    assert (UNKNOWN_INTEGERS in found.info.notes) is (largest == 1)
    assert within_domain(Applied(np.tanh), fed(x=whole)).arrays[0].max() == 1  # tokens


@pytest.mark.parametrize("function", [np.log1p, np.sqrt])
def test_values_are_positive_for_a_model_that_needs_them(function) -> None:
    runner = Applied(function)
    given = within_domain(runner, fed())
    np.testing.assert_array_equal(given.arrays[0], np.abs(X))
    assert given.info.notes == ("assumed", NOTE)
    assert given.info.value_range == (float(np.abs(X).min()), float(np.abs(X).max()))
    assert runner.arrays == {}


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (np.tanh, fed()),  # a sound model
        (lambda x: np.log(x - 5), fed()),  # NaN for all inputs
        (lambda x: np.sqrt(np.abs(x) - 1), fed()),  # NaN for small values of either sign
        (np.log1p, fed("user")),  # what a user feeds is what the model gets
    ],
)
def test_other_inputs_stay_as_they_are(function, inputs) -> None:
    assert within_domain(Applied(function), inputs) is inputs


def test_without_negative_values_nothing_is_run() -> None:
    inputs = fed(x=np.abs(X))
    assert within_domain(None, inputs) is inputs


W = np.random.default_rng(1).normal(size=(5, 1))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("kind", "function", "dead"),
    [
        # Two sigmoids whose biases leave nothing of a bounded input.
        ("sigmoid", lambda x: sigmoid(3 * sigmoid(4 * np.tanh(x @ W) - 12) - 8.1), True),
        ("regression", lambda x: 1000 + 1e-3 * np.tanh(x @ W), True),
        # Targets of small spread, probabilities of inputs that are meant to be large, many classes.
        ("regression", lambda x: 1000 + 1e-3 * x @ W, False),
        ("sigmoid", lambda x: sigmoid(1e-6 * x @ W - 1), False),
        (
            "softmax",
            lambda x: (1 + np.sign(x @ W) * np.resize([0.1, -0.1], 50_000)) / 50_000,
            False,
        ),
    ],
)
def test_a_dead_output_is_dead_for_larger_inputs(kind, function, dead) -> None:
    runner = Applied(function)
    given = {"y": function(X)}
    state = collapse(given["y"], kind, InputDiversity(synthetic=True))
    assert state.collapsed
    assert 1e-9 < state.spread < 0.2
    output = replace(HEALTHY, name="y", kind=kind, collapse=state)
    found = on_larger_scales(runner, fed(), given, output).collapse
    assert steady(found) is dead
    # Tokens have no scale, and what a user feeds is on the right one.
    for other in (fed(x=np.rint(X)), fed("user")):
        assert on_larger_scales(runner, other, given, output) is output


TEXTS = np.random.default_rng(3).integers(0, 50, (64, 200)).astype("float32")


def word(effect: float, keep: float = 0.9) -> Callable[[np.ndarray], np.ndarray]:
    """The next of 6 words by a state that forgets, and to which tokens add one by one."""
    rng = np.random.default_rng(4)
    table, head = rng.normal(size=(50, 4)), rng.normal(size=(4, 6))

    def answer(x: np.ndarray) -> np.ndarray:
        state = np.zeros((len(x), 4))
        for step in x.T.astype(int):
            state = keep * state + (1 - keep) * table[step]
        logits = effect * state @ head + [0, 3, 0, 0, 0, 0]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    return answer


def spam(x: np.ndarray) -> np.ndarray:
    """Spam are texts that are mostly of token 3."""
    return sigmoid(-6 + 12 * (x == 3).mean(axis=1, keepdims=True))


def average(x: np.ndarray) -> np.ndarray:
    """The class of a large mean token, which is the same for all random texts."""
    return sigmoid(x.mean(axis=1, keepdims=True) / 500 - 2)


@pytest.mark.parametrize(
    ("kind", "function", "dead"),
    [
        ("softmax", word(0.001), True),
        ("softmax", word(1.0), False),
        ("sigmoid", lambda x: np.full((len(x), 1), 0.3) + 1e-4 * average(x), True),
        ("sigmoid", average, False),
        ("sigmoid", spam, False),
    ],
)
def test_texts_are_answered_alike_only_if_those_of_one_token_are_too(kind, function, dead) -> None:
    runner = Applied(function)
    given = {"y": function(TEXTS)}
    state = collapse(given["y"], kind, InputDiversity(synthetic=True))
    output = replace(HEALTHY, name="y", kind=kind, collapse=state)
    inputs = replace(fed(x=TEXTS), vocabularies=(50,))
    found = on_larger_scales(runner, inputs, given, output)
    assert state.collapsed or not dead
    assert steady(found.collapse) is dead
    assert on_larger_scales(runner, fed(x=TEXTS), given, output) is output  # no known vocabulary
    facts = with_behaviour(found)
    facts = replace(facts, behaviour=replace(facts.behaviour, inputs=inputs.info))
    result = run_rule(rule("MA602"), facts)
    assert [each.severity.value for each in result.findings] == ["medium"] * dead
    assert all("short ones" in each.detail for each in result.findings)


def test_unusual_texts_are_of_one_token_or_short() -> None:
    same, behind, before = (
        texts for (texts,) in unusual_texts(replace(fed(x=TEXTS), vocabularies=(50,)))
    )
    assert (same == same[:, :1]).all()
    assert {*range(16)} <= {*same[:, 0]}
    for texts, padding in ((behind, behind[:, 16:]), (before, before[:, :-16])):
        assert texts.shape == (32, 200)
        assert texts.dtype == TEXTS.dtype
        assert not padding.any()
    assert behind[:, 0].any()
    assert before[:, -1].any()


DENSE = np.random.default_rng(2).uniform(0, 1, (64, 20)).astype("float32")


def rectified(bias: float) -> Callable[[np.ndarray], np.ndarray]:
    """A layer that is inactive for dense inputs that are not negative."""
    return lambda x: np.maximum(0, bias - x.sum(axis=1, keepdims=True))


class Layered(Applied):
    """The same for a model with one layer."""

    def activations(self, watches, name="x", variant=None):
        (y,) = self.predict(name, batch_size=None).values()
        return tuple({f"{r}:max": y.max(axis=0) for r in each.routes} for each in watches)


@pytest.mark.parametrize(("bias", "share"), [(3.0, 0.0), (-9.0, 1.0)])
def test_a_layer_is_dead_only_if_it_is_for_unusual_inputs_too(bias, share) -> None:
    layer = examples.layer("a", config={"activation": "relu"})
    runner = Layered(rectified(bias))
    runner.put("x", [DENSE])
    seen = Observation("here", "load_model", Status.LOADED)
    inner = LayerActivations(runner, examples.model(layer), seen, "x", len(DENSE))
    assert inner.dead_shares() == {"a": 1.0}
    assert inner.dead_shares(unusual_inputs(fed(x=DENSE))) == {"a": share}
    assert [*runner.arrays] == ["x"]
    # What a user feeds is what the model is for.
    assert inner.dead_shares(unusual_inputs(fed("user", DENSE))) == {"a": 1.0}


@pytest.mark.parametrize(("bias", "said"), [(3.0, "not-applicable"), (-30.0, "fail")])
def test_an_output_is_constant_only_if_it_is_for_unusual_inputs_too(bias, said) -> None:
    """A head behind a layer that is inactive for dense inputs."""
    runner = Applied(lambda x: 0.3 + rectified(bias)(x))
    given = {"y": runner.function(DENSE)}
    state = collapse(given["y"], "regression", InputDiversity(synthetic=True))
    output = replace(HEALTHY, name="y", kind="regression", collapse=state)
    found = on_larger_scales(runner, fed(x=DENSE), given, output)
    facts = with_behaviour(found)
    inputs = replace(facts.behaviour.inputs, kind="synthetic")
    facts = replace(facts, behaviour=replace(facts.behaviour, inputs=inputs))
    assert run_rule(rule("MA602"), facts).outcome == said
