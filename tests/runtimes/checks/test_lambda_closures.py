"""Whether what is told of variables around a Lambda is what Keras does with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.checks import lambda_closures
from modelaudit.runtimes.checks.lambda_code import code_text
from modelaudit.runtimes.checks.saved_models.lambdas import saved_lambdas
from modelaudit.runtimes.model import CheckContext, LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.checks.cases.shared import in_keras2, in_keras3
from tests.runtimes.checks.making import new, old, stack

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LOW = np.array([1.0, 2.0, 3.0, 4.0], "float32")


def _alone(low: Any, high: Any) -> Callable[[Any], Any]:
    del high
    return lambda x: x - low


def _in_turn(low: Any, high: Any) -> Callable[[Any], Any]:
    return lambda x: (x - low) / high


def _difference(low: Any, high: Any) -> Callable[[Any], Any]:
    return lambda x: x / (high - low)


def _ratio(low: Any, high: Any) -> Callable[[Any], Any]:
    return lambda x: x + low / high


def _row(low: Any, high: Any) -> Callable[[Any], Any]:
    del high
    return lambda x: x - low[np.newaxis, :]


def _by_literals(low: Any, high: Any) -> Callable[[Any], Any]:
    rows = np.stack([low, high])
    return lambda x: x - rows[0, ...]


def _one_row(low: Any, high: Any) -> Callable[[Any], Any]:
    rows = np.stack([low, high])
    return lambda x: x - rows[0]


def _part(low: Any, high: Any) -> Callable[[Any], Any]:
    del high
    return lambda x: x[:, 1:] - low[1:]


def _of_inputs(low: Any, high: Any) -> Callable[[Any], Any]:
    del high
    return lambda x: x[:, 1:] - low[0]


def _numbers(low: Any, high: Any) -> Callable[[Any], Any]:
    first, last = float(low[0]), float(high[0])
    return lambda x: x / (last - first)


MAKERS = (
    *(_alone, _in_turn, _difference, _ratio, _numbers),
    *(_row, _by_literals, _one_row, _part, _of_inputs),
)


@pytest.mark.parametrize("keras3", [False, True])
@pytest.mark.parametrize("make", MAKERS)
def test_arrays_in_hdf5_are_told_as_they_compute(
    make: Callable[[Any, Any], Callable[[Any], Any]], keras3: bool, tmp_path: Path
) -> None:
    k = new() if keras3 else old()
    size = 3 if make in (_part, _of_inputs) else 4
    layer = k.layers.Lambda(make(LOW, LOW * 3), output_shape=(size,))
    model = stack(k, (4,), layer, k.layers.Dense(2))
    path = tmp_path / "m.h5"
    model.save(path)
    given = np.ones((1, 4), "float32")
    try:
        again = (in_keras3(path, safe_mode=False) if keras3 else in_keras2(path))(given)
        loads = bool(np.allclose(again, model(given)))
    except Exception:
        loads = False
    assert _told(path) is not loads


def _told(path: Path) -> bool:
    """Whether a reason is told."""
    with h5py.File(path) as file:
        config: Any = json.loads(file.attrs["model_config"])
    (function,) = (
        each["config"]["function"]
        for each in config["config"]["layers"]
        if each["class_name"] == "Lambda"
    )
    return bool([*lambda_closures.check(function, code_text(function) or "", "lambda")])


@pytest.mark.parametrize("make", [_alone, _difference, _row, _one_row])
def test_arrays_in_a_saved_model(
    make: Callable[[Any, Any], Callable[[Any], Any]], tmp_path: Path
) -> None:
    k = old()
    model = stack(k, (4,), k.layers.Lambda(make(LOW, LOW * 3)), k.layers.Dense(2))
    path = tmp_path / "saved"
    model.save(path, save_format="tf")
    given = np.ones((1, 4), "float32")
    try:
        loads = bool(np.allclose(in_keras2(path)(given), model(given)))
    except Exception:
        loads = False
    request = LoadRequest(LoadCall.LOAD_MODEL)
    context = CheckContext(as_installed(find_profile("tf-keras==2.21.0")), request)
    assert bool([*saved_lambdas(read(path, Limits()), context)]) is not loads
