"""Arguments that a `get_config` leaves out; Keras is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

DATA = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
CODE = """
import keras


class Scaled(keras.layers.Layer):
    def __init__(self, units, gain=2.0, dropout=0.0, training=True, **kwargs):
        super().__init__(**kwargs)
        self.units, self.gain, self.dropout = units, gain, dropout

    def call(self, value):
        return value * self.gain

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def other():
    return Scaled(4, 3.0, name="of_another_model")


def network():
    start = keras.Input((4,))
    return keras.Model(start, keras.layers.Dense(2)(Scaled(%s)(start)))
"""
PASSED = {
    "4": LoadOutcome.LOADS,
    "4, 2.0": LoadOutcome.LOADS,
    "4, dropout=0.5": LoadOutcome.LOADS,
    "4, training=False": LoadOutcome.LOADS,
    "4, 3.0": LoadOutcome.UNKNOWN,
    "4, gain=start.shape[-1] - 1": LoadOutcome.UNKNOWN,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("passed", PASSED)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_outputs_differ_where_the_value_is_another(
    tmp_path: Path, passed: str, suffix: str
) -> None:
    keras = pytest.importorskip("keras")
    path, code = tmp_path / f"m{suffix}", tmp_path / "models.py"
    code.write_text(CODE % passed)
    names: dict[str, Any] = {"__name__": "models"}
    exec(compile(CODE % passed, "models.py", "exec"), names)
    model = names["network"]()
    model.save(path)
    loaded = keras.models.load_model(path, custom_objects={"Scaled": names["Scaled"]})
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(("Scaled",)))
    asked = [(as_installed(find_profile("tf==2.21.0")), request)]
    (found,) = predict_calls(read(path, Limits()), asked, read_source_code([str(code)]))
    assert found.predicted is PASSED[passed]
    same = np.allclose(np.asarray(loaded(DATA)), np.asarray(model(DATA)), atol=1e-6)
    assert same is (found.predicted is LoadOutcome.LOADS)
