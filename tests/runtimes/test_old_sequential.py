"""`Sequential` models as Keras wrote them before 2.4: Keras 3 does with them what is predicted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Document, Format, Json, ObjectNode
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict, predict_calls
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
        return bool(model(np.zeros((2, *shape), "float32")).shape == (2, 2))
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


@pytest.mark.parametrize(("identifier", "fails"), [("layer", True), ("input_layer", False)])
def test_the_input_layer_of_an_inner_model_of_tensorflow_2_0(identifier: str, fails: bool) -> None:
    """Observed: saved by 1.15.5 and 2.0.4, loaded by 2.1.4, 2.2.3, 2.4.4, 2.6.5, 2.13.1; 2.1.4 and
    2.2.3 save it in another way."""
    written = {"metadata": '{"class_name": "InputLayer", "name": "x"}'}
    nodes = (
        ObjectNode(0, "user_object", {"layer-1": 1}, {"identifier": "_tf_keras_model"}),
        ObjectNode(1, "user_object", {"layer-0": 2}, {"identifier": "_tf_keras_sequential"}),
        ObjectNode(2, "user_object", {}, {"identifier": f"_tf_keras_{identifier}", **written}),
    )
    model = Artifact(
        Path("/model"),
        Format.SAVEDMODEL_TF2,
        object_graph=nodes,
        documents=(Document("saved_model.pb", "", {}),),
    )
    for version, newer in (("2.1.4", False), ("2.2.3", True), ("2.13.1", True)):
        request = LoadRequest(LoadCall.LOAD_MODEL)
        (found,) = predict_calls(model, [(find_profile(f"tf=={version}"), request)])
        codes = {reason.code for reason in found.because}
        assert ("input-layer-of-inner-model" in codes) is (fails and newer), version
