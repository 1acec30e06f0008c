"""Several weights of a model itself in HDF5 of Keras 2: Keras 3 is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHAPES = (
    [(2,)],
    [(2,), (2,)],
    [(2,), (2, 3)],
    [(3,), (2, 3)],
    [(), ()],
    [(1,), ()],
    [(), (2,)],
    [(2,), ()],
    [(), (1,), (2,)],
)


def built(keras: Any, shapes: list[tuple[int, ...]], start: float) -> Any:
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for number, shape in enumerate(shapes):
                value = keras.initializers.Constant(start + number)
                weight = self.add_weight(name=f"w{number}", shape=shape, initializer=value)
                setattr(self, f"w{number}", weight)
            self.last = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.last(x)

    model = Own()
    model(np.ones((1, 2), "float32"))
    return model


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_weights_of_the_model_itself(
    tmp_path: Path, shapes: list[tuple[int, ...]], by_name: bool
) -> None:
    keras, old = pytest.importorskip("keras"), pytest.importorskip("tf_keras")
    path = tmp_path / "m.h5"
    saved, loaded = built(old, shapes, 1.0), built(keras, shapes, 5.0)
    saved.save_weights(path)
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_WEIGHTS, by_name=by_name)
    (found,) = fitting_predictions(read(path, Limits()), [(profile, request)])
    try:
        loaded.load_weights(path, by_name=by_name)
    except Exception as error:
        assert found.predicted.value == "fails"
        assert [each.code for each in found.because] == ["own-weights-compared"]
        quoted = found.because[0].error.partition(": ")[2]
        assert quoted in str(error)
        assert bool(quoted) is (type(error) is ValueError)
        return
    assert found.predicted.value == "loads"
