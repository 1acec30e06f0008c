"""Lambda layers in SavedModels whose functions nobody defines again: tf-keras is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
CURRENT, FORMER = "tf-keras==2.21.0", "tf==2.9"
SHAPE = (4, 3)


def lost(x: Any) -> Any:
    return helper(x)  # type: ignore[name-defined]  # noqa: F821


class Doubling:
    def twice(self, x: Any) -> Any:
        return 2 * x


def function(**names: Any) -> Any:
    """One whose global names end with this process, and are of no module."""
    return type(lost)(lost.__code__, names, "lost")


def models(keras: Any) -> dict[str, Callable[[Any], Any]]:
    """Models around a layer, by how it is called."""
    layers = keras.layers

    def functional(layer: Any) -> Any:
        start = keras.Input(SHAPE)
        return keras.Model(start, layers.Dense(2)(layer(start)))

    def sequential(layer: Any) -> Any:
        return keras.Sequential([keras.Input(SHAPE), layer, layers.Dense(2)])

    class Own(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer

        def call(self, x: Any) -> Any:
            return self.layer(x)

    class Subclass(keras.Model):  # type: ignore[misc]
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer

        def call(self, x: Any) -> Any:
            return self.layer(x)

    return {
        "functional": functional,
        "sequential": sequential,
        "inside": lambda layer: functional(sequential(layer)),
        "wrapped": lambda layer: functional(layers.TimeDistributed(layer)),
        "own": lambda layer: functional(Own(layer)),
        "inside own": lambda layer: functional(Own(sequential(layer))),
        "subclass": Subclass,
    }


WAYS = ("functional", "sequential", "inside", "wrapped", "own", "inside own", "subclass")


def predicted(path: Path, runtime: str) -> Prediction:
    profile = as_installed(find_profile(runtime))
    (found,) = predict_calls(read(path, Limits()), [(profile, LoadRequest(LoadCall.LOAD_MODEL))])
    return found


def saved(old: ModuleType, path: Path, way: str, given: Any) -> Path:
    model = models(old)[way](old.layers.Lambda(given))
    model(np.ones((2, *SHAPE), "float32"))
    model.save(path, save_format="tf")
    return path


@pytest.mark.parametrize("way", WAYS)
def test_names_that_nobody_defines(old: ModuleType, tmp_path: Path, way: str) -> None:
    path = saved(old, tmp_path / "m", way, function(helper=abs))
    found = predicted(path, CURRENT)
    try:
        old.models.load_model(path)(np.ones((2, *SHAPE), "float32"))
    except NameError as error:
        assert "name 'helper' is not defined" in str(error)
        assert (found.predicted.value, found.because[0].code) == ("fails", "lambda-of-global")
    else:
        assert found.predicted.value == "loads"


@pytest.mark.parametrize("way", WAYS)
def test_bound_methods(old: ModuleType, tmp_path: Path, way: str) -> None:
    """Later versions revive the function; 2.9 was seen to end at an AttributeError, any way."""
    path = saved(old, tmp_path / "m", way, Doubling().twice)
    old.models.load_model(path)(np.ones((2, *SHAPE), "float32"))
    assert predicted(path, CURRENT).predicted.value == "loads"
    former = predicted(path, FORMER).because
    assert "lambda-of-unknown-function" in {each.code for each in former}


def test_functions_of_tensorflow(old: ModuleType, tensorflow: ModuleType, tmp_path: Path) -> None:
    """Their module is imported wherever the file is read."""
    start = old.Input(SHAPE)
    for form in ("m", "m.h5"):
        path = tmp_path / form
        old.Model(start, old.layers.Lambda(tensorflow.nn.relu)(start)).save(path)
        old.models.load_model(path)
        assert predicted(path, CURRENT).predicted.value == "loads"
