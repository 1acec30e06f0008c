"""Metrics that are a function in a wrapper, in whole models; both Keras are the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read_artifact
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits
from tests.runtimes.checks.cases.compile import compiled, named, training
from tests.runtimes.checks.making import new, old
from tests.runtimes.checks.quotes import says

pytestmark = pytest.mark.slow
TARGETS = {"tf-keras==2.21.0": old, "tf==2.21.0": new}


def own(given: Any, found: Any) -> Any:
    return given - found


def _saved(keras: Any, path: Path, function: Any, *, wrapped: bool, apart: bool) -> Path:
    metric = keras.metrics.MeanMetricWrapper(function, name="measured") if wrapped else function
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mean_squared_error", **{f"{'weighted_' * apart}metrics": [metric]})
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)  # Keras 2 wraps it here
    model.save(path)
    return path


def _refused(keras: Any, path: Path) -> str:
    try:
        keras.models.load_model(path)
    except Exception as error:  # any error is what a user sees
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("writer", [old, new])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("wrapped", "apart"), [(True, False), (False, False), (True, True)])
def test_a_function_in_a_metric_is_looked_up(
    tmp_path: Path, writer: Any, suffix: str, known: bool, wrapped: bool, apart: bool
) -> None:
    keras = writer()
    function = keras.losses.mean_absolute_error if known else own
    path = _saved(keras, tmp_path / f"m{suffix}", function, wrapped=wrapped, apart=apart)
    found = predict(read_artifact(path, Limits()), TARGETS)
    for target, reader in TARGETS.items():
        if writer is new and reader is old:
            continue  # another cause stops it before
        real = _refused(reader(), path)
        told = [each for each in found if each.runtime == target and "compile" in each.call]
        assert bool(told) is bool(real), real
        assert all(says(each.because[0].error, real) for each in told), real


LOSS = {"class_name": "MeanSquaredError", "config": {"reduction": "sum", "name": "m"}}
BARE = {"class_name": "MeanSquaredError", "config": {"name": "m"}}
NO_METRIC = {"class_name": "Huber", "config": {"name": "m"}}


def _around(function: Any) -> dict[str, Any]:
    return {"class_name": "MeanMetricWrapper", "config": {"name": "m", "fn": function}}


@pytest.mark.parametrize("word", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize(
    "said",
    [
        [[_around(LOSS)]],
        [[_around(BARE)]],
        [[_around(NO_METRIC)]],
        [[_around({**NO_METRIC, "module": "keras.losses", "registered_name": None})]],
        "accuracy",
        "mse",
        "odd",
        ["mse"],
        BARE,
        {},
        [],
    ],
)
def test_objects_in_a_metric_and_metrics_without_a_list(
    tmp_path: Path, said: Any, word: str
) -> None:
    named_so = named(**{"metrics": None, "weighted_metrics": None, word: said})
    path = training(compiled(loss="mean_squared_error"), named_so)(tmp_path)
    found = predict(read_artifact(path, Limits()), TARGETS)
    for target, reader in TARGETS.items():
        real = _refused(reader(), path)
        told = [each for each in found if each.runtime == target and "compile" in each.call]
        assert bool(told) is bool(real), real
        assert all(says(each.because[0].error, real) for each in told), real


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("kind", ["huber", "object"])
def test_losses_of_keras_2_as_metrics(tmp_path: Path, kind: str, suffix: str) -> None:
    """A function that is no metric there, and a class that has the name of a metric."""
    keras = old()
    loss = keras.losses.huber if kind == "huber" else keras.losses.MeanSquaredError()
    path = _saved(keras, tmp_path / f"m{suffix}", loss, wrapped=False, apart=False)
    real = _refused(keras, path)
    found = predict(read_artifact(path, Limits()), TARGETS)
    told = [x for x in found if x.runtime == "tf-keras==2.21.0" and "compile" in x.call]
    assert bool(told) is bool(real) is (suffix == ".h5")
    assert all(says(each.because[0].error, real) for each in told), real
