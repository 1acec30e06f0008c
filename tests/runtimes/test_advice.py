"""Advice on files that a runtime rejects, followed here to check that it works."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.compatibility.refusals import told
from modelaudit.rules.model import Facts
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.checks.stored.weights import v3_layout
from modelaudit.runtimes.model import (
    FIRST_CALL,
    CheckContext,
    LoadCall,
    LoadRequest,
    Prediction,
    Reason,
)
from modelaudit.runtimes.predict import KERAS_3_IN_2, predict
from modelaudit.runtimes.saved_config import ADDED, UPGRADE, unknown_arguments
from modelaudit.settings import Settings
from tests.sharing import told_with_tensorflow

HAD_IT_ALWAYS = {("GroupNormalization", "groups"), ("MaxNumBoundingBoxes", "fill_value")}
SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


def fixes_for(path: Path, target: str) -> set[str]:
    artifact = static_facts(path, Settings()).artifact
    (found,) = predict(artifact, [target])
    assert found.predicted is LoadOutcome.FAILS
    return {reason.fix for reason in found.because if reason.predicted is LoadOutcome.FAILS}


@pytest.mark.parametrize("target", ["tf-keras==2.21.0", "tf==2.15.1", "tf==2.3.4"])
def test_no_advice_to_patch_a_keras_3_file_for_keras_2(target):
    assert fixes_for(SAMPLES / "digits_robust.keras", target) == {KERAS_3_IN_2}


def refused(key, value, saved_by="tf==2.21.0", target="tf==2.16.2", name="Dense"):
    context = CheckContext(
        find_profile(target), LoadRequest(LoadCall.LOAD_MODEL), find_profile(saved_by)
    )
    found = unknown_arguments(name, "layers", {key}, context, "dense", {key: value})
    return next(reason.fix for reason in found if reason.code == "unknown-argument")


def test_removing_an_argument_without_effect_is_advised():
    assert "delete quantization_config" in refused("quantization_config", None)


@pytest.mark.parametrize(
    ("key", "value"),
    [("quantization_config", {"class_name": "Int8"}), ("unheard_of", None), ("unheard_of", 3)],
)
def test_removing_an_argument_with_an_effect_is_not_advised(key, value):
    assert refused(key, value) == f"{UPGRADE[:1].upper()}{UPGRADE[1:]}."


def test_tf_keras_is_advised_for_a_keras_2_file():
    said = refused("groups", 2, "tf==2.15.1", "tf==2.21.0", "DepthwiseConv2D")
    assert said == "Load it with tf-keras, which is Keras 2."


def test_tf_keras_is_not_advised_where_it_has_no_such_argument_either():
    said = refused("odd", 2, "tf==2.15.1", "tf==2.21.0", "DepthwiseConv2D")
    assert "tf-keras" not in said


@pytest.mark.slow
@pytest.mark.parametrize("module", ["keras", "tf_keras"])
def test_the_defaults_are_those_of_keras_itself(module):
    keras = pytest.importorskip(module)
    classes = [
        member
        for home in (keras.layers, keras.initializers)
        for member in vars(home).values()
        if inspect.isclass(member)
    ]
    seen = set()
    for member in classes:
        for key, parameter in inspect.signature(member.__init__).parameters.items():
            given = parameter.default is not inspect.Parameter.empty
            if key in ADDED and given and (member.__name__, key) not in HAD_IT_ALWAYS:
                off = (None, False)
                same = parameter.default == ADDED[key]
                assert same or (parameter.default in off and ADDED[key] in off), (member, key)
                seen.add(key)
    assert len(seen) > len(ADDED) / 3


BOTH = """
import sys
import numpy as np
import keras
import tensorflow as tf
import tf_keras

def build(keras):
    image = keras.Input((8, 8, 3))
    hidden = keras.layers.SeparableConv2D(4, 3)(image)
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Reshape((36, 4))(hidden)
    hidden = keras.layers.GRU(5, return_sequences=True)(hidden)
    hidden = keras.layers.MultiHeadAttention(2, 3)(hidden, hidden)
    hidden = keras.layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(image, keras.layers.Dense(3)(hidden))

model, directory = build(keras), sys.argv[1]
x = np.random.default_rng(1).random((4, 8, 8, 3), "float32")
for number, weight in enumerate(model.weights):
    weight.assign(np.random.default_rng(number).random(weight.shape, "float32"))
expected = np.asarray(model(x))
"""
WAYS = """
import json, zipfile

rebuilt = build(tf_keras)
for old, new in zip(model.layers, rebuilt.layers):
    new.set_weights(old.get_weights())
copied = float(abs(np.asarray(rebuilt(x)) - expected).max())

model.export(directory, verbose=False)
loaded = tf.saved_model.load(directory)
exported = float(abs(loaded.serve(x).numpy() - expected).max())

model.save(directory + ".keras")
edited = directory + "-edited.keras"
with zipfile.ZipFile(directory + ".keras") as old, zipfile.ZipFile(edited, "w") as new:
    for name in old.namelist():
        data = old.read(name)
        new.writestr(name, data.replace(b"batch_shape", b"batch_input_shape"))
try:
    tf_keras.models.load_model(edited)
    loads = True
except Exception:
    loads = False
print(json.dumps({"copied": copied, "exported": exported, "edited loads": loads}))
"""


@pytest.mark.slow
def test_advice_for_loading_keras_3_files_in_keras_2(tmp_path):
    found = told_with_tensorflow("-c", BOTH + WAYS, tmp_path / "model")
    assert found["copied"] < 1e-4
    assert found["exported"] < 1e-4
    assert not found["edited loads"]


@pytest.mark.slow
def test_deleting_an_argument_at_its_default_makes_the_file_load(tmp_path):
    keras, tf_keras = pytest.importorskip("keras"), pytest.importorskip("tf_keras")
    path, x = tmp_path / "depthwise.h5", np.ones((1, 6, 6, 2))
    old = tf_keras.Sequential([tf_keras.Input((6, 6, 2)), tf_keras.layers.DepthwiseConv2D(3)])
    old.save(path)
    (fix,) = fixes_for(path, "tf==2.21.0")
    assert "delete groups from the saved config" in fix
    with h5py.File(path, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        for layer in model["config"]["layers"]:
            layer["config"].pop("groups", None)
        file.attrs["model_config"] = json.dumps(model)
    new = keras.models.load_model(path, compile=False)
    expected = np.asarray(old(x))
    np.testing.assert_allclose(np.asarray(new(x)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("group", "renamed"),
    [(r"layers\dense", True), (r"_layer_checkpoint_dependencies\dense", False)],
)
def test_renaming_is_no_advice_where_layers_are_counted_twice(group: str, renamed: bool) -> None:
    """Keras 2.12 and 2.13 also number the groups of layers otherwise."""
    names = (f"{group}/vars/0", f"{group}/vars/1")
    artifact = examples.model(tensors=tuple(map(examples.tensor, names)))
    context = CheckContext(find_profile("tf-keras==2.21.0"), LoadRequest(LoadCall.LOAD_MODEL))
    (reason,) = v3_layout(artifact, context)
    assert ("rename the groups" in reason.fix) is renamed


@pytest.mark.parametrize("listed", [True, False])
def test_keras_3_meets_the_list_of_a_sequential_model_before_its_layers(tmp_path, listed):
    """An unknown argument of a layer is met first only where the model's own config is a dict."""
    layer = {"class_name": "Dense", "config": {"name": "d", "units": 1, "odd": 1}}
    layer["config"]["batch_input_shape"] = [None, 2]
    config = [layer] if listed else {"name": "s", "layers": [layer]}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        file["model_weights/d/d/kernel:0"] = np.ones((2, 1))
        file["model_weights"].attrs["layer_names"] = [b"d"]
        file["model_weights/d"].attrs["weight_names"] = [b"d/kernel:0"]
    artifact = static_facts(tmp_path / "m.h5", Settings()).artifact
    (found,) = predict(artifact, ["tf==2.21.0"])
    first = "sequential-config" if listed else "unknown-argument"
    assert found.because[0].code == first


@pytest.mark.parametrize(
    ("layer", "error"), [("LSTM", "ValueError: Unrec"), ("Dense", "TypeError: Unrec")]
)
def test_recurrent_layers_of_old_files_pass_the_error_of_their_constructor(tmp_path, layer, error):
    """As `load_model` of Keras 3.15.1 raised them for LSTM(time_major=False) and Dense(odd=1)."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": "i", "batch_input_shape": [None, 3, 2]}},
        {"class_name": layer, "config": {"name": "d", "units": 1, "odd": False}},
    ]
    saved = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(saved)
        file.create_group("model_weights").attrs["layer_names"] = [b"d"]
    artifact = static_facts(tmp_path / "m.h5", Settings()).artifact
    (found,) = predict(artifact, ["tf==2.21.0"])
    assert found.because[0].error.startswith(error)


@pytest.mark.parametrize("name", ["CuDNNLSTM", "CuDNNGRU", "LocallyConnected1D"])
def test_layers_that_run_on_a_gpu_only_are_told_as_such(tmp_path, name):
    """tf-keras has all three; without a GPU it cannot call the first two."""
    layer = {"class_name": name, "config": {"name": "a", "units": 4, "filters": 4}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.4.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights").attrs["layer_names"] = [b"a"]
    told = " ".join(fixes_for(tmp_path / "m.h5", "tf==2.21.0"))
    assert "Use tf-keras" in told
    assert ("GPU" in told) is name.startswith("CuDNN")


@pytest.mark.parametrize(
    ("loads", "stopped"), [(True, "the first call of the model"), (False, "it")]
)
def test_a_later_cause_may_only_stop_the_first_call(loads, stopped):
    later = Reason("b", LoadOutcome.FAILS, "the code fails", later=FIRST_CALL * loads, loads=loads)
    first = Reason("a", LoadOutcome.FAILS, "it is refused")
    prediction = Prediction("tf==2.21.0", "load_model", LoadOutcome.FAILS, (first, later))
    said = told(Facts(examples.model()), prediction)
    assert f"If this is mended, another cause stops {stopped}: the code fails." in said
