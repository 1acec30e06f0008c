"""Layers and models in the config of a class of the program's own: Keras is the oracle."""

from __future__ import annotations

import json
import zipfile
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


def pair(keras: Any) -> Any:
    class Pair(keras.Model):  # type: ignore[misc]
        def __init__(self, parts: Any, **others: Any) -> None:
            super().__init__(**others)
            self.first, self.second = parts

        def call(self, x: Any) -> Any:
            return self.second(self.first(x))

        def get_config(self) -> dict[str, Any]:
            write = keras.saving.serialize_keras_object
            return {"parts": [write(self.first), write(self.second)]}

        @classmethod
        def from_config(cls, config: Any) -> Any:
            return cls([keras.layers.deserialize(each) for each in config["parts"]])

    return Pair


def saved(keras: Any, folder: Path, suffix: str) -> tuple[Path, Any]:
    def part(units: int, size: int) -> Any:
        start = keras.Input((size,))
        return keras.Model(start, keras.layers.Dense(units)(start))

    model = pair(keras)([part(4, 3), part(2, 4)])
    model(np.ones((1, 3), "float32"))
    path = folder / f"m{suffix}"
    model.save(path)
    return path, model


def with_argument(path: Path) -> Path:
    """An argument of a Dense inside that no Keras knows, as a newer one may write."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    inner = config["config"]["parts"][1]["config"]["layers"][1]
    inner["config"]["unheard_of"] = None
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def said(path: Path) -> str:
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(("Pair",)))
    (found,) = fitting_predictions(read(path, Limits()), [(profile, request)])
    return str(found.predicted.value)


def happens(keras: Any, path: Path, model: Any) -> str:
    try:
        loaded = keras.models.load_model(path, custom_objects={"Pair": pair(keras)}, compile=False)
    except (TypeError, ValueError):
        return "fails"
    data = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
    same = np.allclose(np.asarray(loaded(data)), np.asarray(model(data)), atol=1e-6)
    return "loads" if same else "differs"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_models_given_to_a_subclass_come_with_their_weights(tmp_path: Path, suffix: str) -> None:
    keras = pytest.importorskip("keras")
    path, model = saved(keras, tmp_path, suffix)
    assert said(path) == happens(keras, path, model) == "loads"


def test_arguments_of_layers_inside_are_checked(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    path, model = saved(keras, tmp_path, ".keras")
    with_argument(path)
    assert said(path) == happens(keras, path, model) == "fails"


def test_parts_that_only_a_call_builds_get_no_weights_from_hdf5(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")

    class Halves(keras.Model):  # type: ignore[misc]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            dense = keras.layers.Dense
            self.first = keras.Sequential([dense(4), dense(3)])
            self.second = keras.Sequential([dense(4), dense(2)])

        def call(self, x: Any) -> Any:
            return self.second(self.first(x))

        def get_config(self) -> dict[str, Any]:
            return {}

    model = Halves()
    model(np.ones((1, 3), "float32"))
    model.save(tmp_path / "m.h5")
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(("Halves",)))
    (found,) = fitting_predictions(read(tmp_path / "m.h5", Limits()), [(profile, request)])
    with pytest.raises(ValueError, match="expected 0 layers"):
        keras.models.load_model(tmp_path / "m.h5", custom_objects={"Halves": Halves})
    assert found.predicted.value == "fails"
