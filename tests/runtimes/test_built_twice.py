"""Layers whose `build` leaves `self.built` alone, in archives: tf-keras is the oracle."""

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
LIST = """
        self.kernels = [
            self.add_weight(name=f"kernel{n}", shape=(4, 4), initializer="normal")
            for n in range(2)
        ]"""
# What each `build` does.
BUILDS = {
    "Listed": LIST,
    "Appended": """
        self.kernels = []
        for n in range(2):
            kernel = self.add_weight(name=f"kernel{n}", shape=(4, 4), initializer="normal")
            self.kernels.append(kernel)""",
    "Marked": LIST + "\n        self.built = True",
    "Passed": LIST + "\n        super().build(shape)",
    "Single": """
        self.kernel = self.add_weight(name="kernel", shape=(4, 4), initializer="normal")
        self.kernels = [self.kernel]""",
}
FAILS = ("Listed", "Appended")
CODE = "import tensorflow as tf\nimport tf_keras as keras\n" + "\n".join(
    f"""

class {name}(keras.layers.Layer):
    def build(self, shape):{body}

    def call(self, value):
        for kernel in self.kernels:
            value = tf.matmul(value, kernel)
        return value
"""
    for name, body in BUILDS.items()
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BUILDS)
def test_archives(tmp_path: Path, name: str) -> None:
    keras = pytest.importorskip("tf_keras")
    keras.backend.clear_session()
    path, code = tmp_path / "m.keras", tmp_path / "models.py"
    code.write_text(CODE)
    names: dict[str, Any] = {"__name__": "models"}
    exec(compile(CODE, "models.py", "exec"), names)
    start = keras.Input((4,))
    model = keras.Model(start, keras.layers.Dense(2)(names[name]()(start)))
    model.save(path)
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(BUILDS))
    asked = [(as_installed(find_profile("tf-keras==2.21.0")), request)]
    (found,) = predict_calls(read(path, Limits()), asked, read_source_code([str(code)]))
    own = {each: names[each] for each in BUILDS}
    if name in FAILS:
        assert found.predicted is LoadOutcome.FAILS
        with pytest.raises(ValueError, match="expected 4 variables, but received 2"):
            keras.models.load_model(path, custom_objects=own)
    else:
        assert found.predicted is LoadOutcome.LOADS
        loaded = keras.models.load_model(path, custom_objects=own)
        np.testing.assert_allclose(loaded(DATA), model(DATA), atol=1e-6)
