"""Own layers that hold others in lists of lists, which Keras 2 does not save; it is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
DATA = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", ["keras", "weights.h5"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_list_of_lists(tmp_path: Path, package: str, suffix: str, nested: bool) -> None:
    keras = pytest.importorskip(package)

    class Rows(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            row = [keras.layers.Dense(7), keras.layers.Dense(5)]
            self.rows = [row] if nested else row

        def call(self, value: Any) -> Any:
            for each in self.rows[0] if nested else self.rows:
                value = each(value)
            return value

    def made() -> Any:
        return keras.Sequential([keras.layers.Input((4,)), Rows(), keras.layers.Dense(2)])

    model, path = made(), tmp_path / f"m.{suffix}"
    model.compile("adam", "mse")
    model.fit(DATA, np.ones((3, 2), "float32"), verbose=0)
    whole = suffix == "keras"
    if whole:
        model.save(path)
        again = keras.models.load_model(path, custom_objects={"Rows": Rows}, compile=False)
    else:
        model.save_weights(path)
        again = made()
        again.load_weights(path)
    call = LoadCall.LOAD_MODEL if whole else LoadCall.LOAD_WEIGHTS
    target = "tf==2.21.0" if package == "keras" else "tf-keras==2.21.0"
    asked = LoadRequest(call, frozenset(["Rows"]))
    profile = as_installed(find_profile(target))
    found = fitting_predictions(read(path, Limits()), [(profile, asked)])[0]
    differs = nested and package == "tf_keras"  # Keras 3.15 saves them
    assert np.allclose(again(DATA), model(DATA), atol=1e-6) is not differs
    assert found.predicted is (LoadOutcome.DIFFERS if differs else LoadOutcome.LOADS)


def test_an_optimizer_of_the_program_may_keep_other_shapes(tmp_path: Path) -> None:
    keras, path = pytest.importorskip("keras"), tmp_path / "m.keras"

    class Squares(keras.optimizers.SGD):  # type: ignore[misc]
        """Keeps a square matrix for each kernel, as those do that rotate gradients."""

        def build(self, variables: Any) -> None:
            super().build(variables)
            for each in variables:
                self.add_variable((each.shape[0], each.shape[0]), name="squares")

    layers = [keras.layers.Input((4,)), keras.layers.Dense(6), keras.layers.Dense(4)]
    model = keras.Sequential(layers)
    model.compile(Squares(momentum=0.9), "mse")
    model.fit(DATA, np.ones((3, 4), "float32"), verbose=0)
    model.save(path)
    again = keras.models.load_model(path, custom_objects={"Squares": Squares})
    assert np.array_equal(again(DATA), model(DATA))
    asked = LoadRequest(LoadCall.LOAD_MODEL, frozenset(["Squares"]))
    profile = as_installed(find_profile("tf==2.21.0"))
    found = fitting_predictions(read(path, Limits()), [(profile, asked)])[0]
    assert found.predicted is LoadOutcome.LOADS
