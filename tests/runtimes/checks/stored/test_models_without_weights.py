"""Weights of models that have none, from Keras 3 to Keras 2, which looks for metrics as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.checks.making import new, old

pytestmark = pytest.mark.slow


def made(k: Any, *, trained: bool) -> Any:
    model = k.Sequential([k.Input((4,)), k.layers.ReLU()])
    model.compile("sgd", "mse")
    if trained:
        model.fit(np.ones((2, 4)), np.ones((2, 4)), verbose=0)
    return model


@pytest.mark.parametrize("trained", [True, False])
def test_a_model_without_weights(tmp_path: Path, trained: bool) -> None:
    path = tmp_path / "m.weights.h5"
    made(new(), trained=trained).save_weights(path)
    profile = as_installed(find_profile("tf-keras==2.21"))
    request = LoadRequest(LoadCall.LOAD_WEIGHTS, trained=trained)
    (found,) = predict_calls(read(path, Limits()), [(profile, request)])
    assert (found.predicted.value == "fails") is trained  # else what its code does decides
    model = made(old(), trained=trained)
    if trained:
        with pytest.raises(ValueError, match="'loss' expected 2 variables"):
            model.load_weights(path)
    else:
        model.load_weights(path)
