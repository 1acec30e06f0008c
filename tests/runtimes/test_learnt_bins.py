"""A single weight named as the bins that a Discretization learns; Keras is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = pytest.mark.slow


def pooled(k: Any) -> Any:
    class Pool(k.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.summary = self.add_weight(name="summary", shape=(3,), initializer="ones")

        def call(self, x: Any) -> Any:
            return x * self.summary

    start = k.Input((3,))
    return k.Model(start, k.layers.Dense(2, name="last")(Pool(name="pool")(start)))


def test_a_layer_of_ones_own_with_a_summary_loads(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    pooled(pytest.importorskip("tf_keras")).save_weights(path)
    pooled(pytest.importorskip("keras")).load_weights(path)
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_WEIGHTS)
    (found,) = fitting_predictions(read(path, Limits()), [(profile, request)])
    assert found.predicted.value == "loads"
