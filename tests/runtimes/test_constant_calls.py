"""Calls whose tensors Keras 2 does not save, in SavedModels: tf-keras is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def einsum(tf: Any, x: Any) -> Any:
    return tf.einsum("ij,ij->i", x, x)


def subtracted(tf: Any, x: Any) -> Any:
    return tf.subtract(1.0, x)


@pytest.mark.parametrize("compute", [einsum, subtracted])
def test_a_call_without_its_tensors_fails(
    tmp_path: Path, compute: Callable[[Any, Any], Any]
) -> None:
    tf, keras = pytest.importorskip("tensorflow"), pytest.importorskip("tf_keras")
    start = keras.Input((3,))
    model = keras.Model(start, compute(tf, keras.layers.Dense(3)(start)))
    model.save(tmp_path / "m")
    profile = as_installed(find_profile("tf-keras==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_MODEL)
    (found,) = predict_calls(read(tmp_path / "m", Limits()), [(profile, request)])
    try:
        keras.models.load_model(tmp_path / "m", compile=False)
        outcome = "loads"
    except ValueError:
        outcome = "fails"
    assert found.predicted.value == outcome == ("fails" if compute is einsum else "loads")
