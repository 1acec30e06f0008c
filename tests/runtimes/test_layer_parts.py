"""Parts of layers that are looked up by their module: a layer as an activation."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.checks.config import check_model
from modelaudit.runtimes.model import CheckContext, LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits

TARGETS = ("tf==2.21.0", "tf-keras==2.21.0")


def saved(path: Path, module: str) -> Path:
    """A Keras 2.15 HDF5 model with a LeakyReLU layer of `module` as an activation; "" is none."""
    import tf_keras

    kl = tf_keras.layers
    layers = [kl.Input((4,)), kl.Dense(3, activation=kl.LeakyReLU(0.1)), kl.Dense(2)]
    tf_keras.Sequential(layers).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        activation = config["config"]["layers"][1]["config"]["activation"]
        activation["module"] = module
        if not module:  # as before Keras 2.13
            del activation["module"], activation["registered_name"]
        text = json.dumps(config).replace('"tf_keras.initializers"', '"keras.initializers"')
        file.attrs["model_config"] = text.replace('"module": "tf_keras', '"module": "keras')
        if module.startswith("tf_keras"):
            file.attrs["model_config"] = text
        file.attrs["keras_version"] = "2.15.0"
    return path


def loads(keras: object, path: Path) -> bool:
    try:
        keras.models.load_model(path, compile=False)
    except (TypeError, ValueError, ImportError):
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("module", ["keras.layers", "lab.layers", ""])
def test_a_layer_as_an_activation_loads_as_predicted(tmp_path: Path, module: str) -> None:
    import keras
    import tf_keras

    path = saved(tmp_path / "m.h5", module)
    predicted = {each.runtime: each.predicted for each in predict(read(path, Limits()), TARGETS)}
    for runtime, each in zip(TARGETS, (keras, tf_keras), strict=True):
        expected = LoadOutcome.LOADS if loads(each, path) else LoadOutcome.FAILS
        assert predicted[runtime] is expected, runtime


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LSTM", "Bidirectional", "Conv1D", "GlorotUniform"])
def test_the_error_of_an_unknown_argument_is_that_of_keras(tmp_path: Path, name: str) -> None:
    import keras

    plain = name in ("Conv1D", "GlorotUniform")
    layer = keras.layers.Conv1D(2, 1) if plain else keras.layers.LSTM(2)
    layer = keras.layers.Bidirectional(layer) if name == "Bidirectional" else layer
    keras.Sequential([keras.Input((4, 3)), layer]).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    text = members["config.json"].decode()
    first = '"filters"' if name == "Conv1D" else '"seed"'
    text = text.replace(first, f'"time_major": false, {first}') if plain else text
    text = text.replace('"units"', '"time_major": false, "units"')
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for each, data in (members | {"config.json": text.encode()}).items():
            archive.writestr(each, data)
    (found,) = predict(read(tmp_path / "m.keras", Limits()), TARGETS[:1])
    with pytest.raises((TypeError, ValueError)) as raised:
        keras.models.load_model(tmp_path / "m.keras")
    kind, _, said = found.because[0].error.partition(": ")
    assert kind == raised.type.__name__
    assert said in str(raised.value) or name == "Bidirectional"


@pytest.mark.parametrize("part", ["models", "engine"])
def test_layers_inside_a_class_that_is_not_found_are_compared_too(part: str) -> None:
    """After the module of Keras 2.12 to 2.15 is mended, the layers are what fails."""
    lstm = {"name": "lstm", "units": 2, "time_major": False}
    layers = [{"class_name": "LSTM", "module": "keras.layers", "config": lstm}]
    node = {"class_name": "Functional", "module": f"keras.src.{part}.functional"}
    node["config"] = {"name": "m", "layers": layers}
    context = CheckContext(find_profile(TARGETS[0]), LoadRequest(LoadCall.LOAD_MODEL))
    *before, last = check_model(node, context, archive=True)
    assert (len(before), last.code) == (part == "engine", "unknown-argument")


@pytest.mark.slow
def test_an_argument_of_an_initializer_is_refused_in_the_words_of_its_constructor(
    tmp_path: Path,
) -> None:
    """TensorFlow 1.13 to 2.0 saved `dtype` with it; of layers, Keras words the error itself."""
    import keras

    path = tmp_path / "m.h5"
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)]).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        given = config["config"]["layers"][1]["config"]["kernel_initializer"]["config"]
        given["dtype"] = "float32"
        file.attrs["model_config"] = json.dumps(config)
    (found,) = predict(read(path, Limits()), ("tf==2.21.0",))
    error = found.because[0].error.removeprefix("TypeError: ")
    with pytest.raises(TypeError) as raised:
        keras.models.load_model(path, compile=False)
    assert "GlorotUniform" in error
    assert error in str(raised.value)
