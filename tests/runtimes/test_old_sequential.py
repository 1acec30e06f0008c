"""`Sequential` models as Keras wrote them before 2.4: Keras 3 does with them what is predicted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.reader import read
from modelaudit.runtimes import predict
from modelaudit.settings import Limits

if TYPE_CHECKING:
    import tf_keras

pytestmark = pytest.mark.slow

TARGETS = ("tf==2.21.0", "tf-keras==2.21.0")
SHAPES = {"dense": (8,), "conv": (8, 8, 1), "lstm": (5, 3)}


def built(name: str) -> tf_keras.Model:
    import tf_keras

    kl = tf_keras.layers
    first = {"dense": [kl.Dense(4)], "conv": [kl.Conv2D(4, 3), kl.Flatten()], "lstm": [kl.LSTM(4)]}
    return tf_keras.Sequential([kl.Input(SHAPES[name]), *first[name], kl.Dense(2)])


def plain(value: Json) -> Json:
    """A config without the keys that Keras 2.3 did not write."""
    if isinstance(value, dict):
        newer = ("module", "registered_name", "build_config", "time_major")
        return {key: plain(item) for key, item in value.items() if key not in newer}
    return [plain(item) for item in value] if isinstance(value, list) else value


def saved(name: str, path: Path, form: str) -> Path:
    built(name).save(path)
    with h5py.File(path, "r+") as file:
        layers = plain(json.loads(file.attrs["model_config"]))["config"]["layers"]
        if form != "with InputLayer":
            layers = layers[1:]
            layers[0]["config"]["batch_input_shape"] = [None, *SHAPES[name]]
        config: Json = {"name": "s", "layers": layers, "build_input_shape": [None, *SHAPES[name]]}
        config = layers if form == "list" else config
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        file.attrs["keras_version"] = "2.2.2" if form == "list" else "2.3.1"
    return path


def works(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether Keras 3 loads the model and computes outputs."""
    import keras

    try:
        model = keras.models.load_model(path, compile=False)
        return bool(model.predict(np.zeros((2, *shape), "float32"), verbose=0).shape == (2, 2))
    except (TypeError, ValueError):
        return False


@pytest.mark.parametrize("form", ["list", "without InputLayer", "with InputLayer"])
@pytest.mark.parametrize("name", [*SHAPES])
def test_keras_3_loads_what_is_predicted(tmp_path: Path, name: str, form: str) -> None:
    path = saved(name, tmp_path / "m.h5", form)
    found = {each.runtime: each.predicted for each in predict(read(path, Limits()), TARGETS)}
    assert (found["tf==2.21.0"] is not LoadOutcome.FAILS) is works(path, SHAPES[name])
    assert found["tf-keras==2.21.0"] is LoadOutcome.LOADS


def test_the_kinds_that_keras_3_rejects(tmp_path: Path) -> None:
    """Otherwise the test above could agree on nothing."""
    forms = ("list", "without InputLayer", "with InputLayer")
    paths = [saved("dense", tmp_path / f"{i}.h5", form) for i, form in enumerate(forms)]
    assert [works(path, SHAPES["dense"]) for path in paths] == [False, False, True]
