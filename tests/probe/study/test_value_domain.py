"""Built-in inputs stay inside the domain of logarithms and roots; other NaN stay visible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.runner import Runner
from modelaudit.probe.study.value_domain import NOTE, within_domain


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
