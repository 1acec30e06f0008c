"""Which of several causes a loader meets first, compared with what Keras 3 says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.compatibility.refusals import causes
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings
from tests.runtimes.checks.making import new, old
from tests.runtimes.checks.quotes import says

pytestmark = pytest.mark.slow
TARGET = "tf==2.21.0"
WRONG = {"foo": 1}
CALL = "the first call of the model"

Layer = tuple[str, dict[str, Any]]
CONV: Layer = ("Conv1D", {"filters": 3, "kernel_size": 3})
DENSE: Layer = ("Dense", {"units": 36})
NOISE: Layer = ("GaussianNoise", {"stddev": 2.0})
WORDS: Layer = ("Embedding", {"input_dim": 9, "output_dim": 4})


def with_wrong(layer: Layer) -> Layer:
    return layer[0], {**layer[1], **WRONG}


def write(path: Path, *layers: Layer, shape: tuple[int, ...]) -> Path:
    """A Sequential model with its input shape in its first layer, as Keras 2.2.4 wrote it."""
    keras = old()
    made = [
        getattr(keras.layers, kind)(
            **{
                key: getattr(keras.layers, value[0])(**value[1]) if key == "layer" else value
                for key, value in config.items()
                if key not in WRONG
            },
            name=f"l{number}",
        )
        for number, (kind, config) in enumerate(layers)
    ]
    keras.Sequential([keras.Input(shape), *made]).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        given, first, *others = config["config"]["layers"]
        first["config"]["batch_input_shape"] = given["config"]["batch_input_shape"]
        config["config"]["layers"] = [first, *others]
        for layer, (_, own) in zip(config["config"]["layers"], layers, strict=True):
            layer.pop("module", None)
            layer["config"] |= {key: own[key] for key in WRONG if key in own}
            if "layer" in own:
                layer["config"]["layer"]["config"].pop("time_major", None)  # of later versions
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.2.4"
    return path


def refused(path: Path, shape: tuple[int, ...]) -> tuple[str, bool]:
    """The error of Keras 3 as `Type: text`, and whether load_model raised it."""
    try:
        model = new().models.load_model(path, compile=False)
    except Exception as error:
        return f"{type(error).__name__}: {error}", True
    with pytest.raises(Exception, match=r".") as raised:
        model(np.ones((2, *shape), "float32"))
    return f"{raised.type.__name__}: {raised.value}", False


LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "Conv1D": (CONV, (10, 4)),
    "Conv2D": (("Conv2D", {"filters": 2, "kernel_size": 3}), (9, 8, 3)),
    "SeparableConv2D": (("SeparableConv2D", {"filters": 2, "kernel_size": 3}), (9, 8, 3)),
    "DepthwiseConv2D": (("DepthwiseConv2D", {"kernel_size": 3}), (9, 8, 3)),
    "Conv2DTranspose": (("Conv2DTranspose", {"filters": 2, "kernel_size": 3}), (9, 8, 3)),
    "MaxPooling1D": (("MaxPooling1D", {"pool_size": 2}), (10, 4)),
    "AveragePooling2D": (("AveragePooling2D", {"pool_size": 2}), (9, 8, 3)),
    "GlobalAveragePooling1D": (("GlobalAveragePooling1D", {}), (10, 4)),
    "ZeroPadding2D": (("ZeroPadding2D", {"padding": 1}), (9, 8, 3)),
    "Cropping1D": (("Cropping1D", {"cropping": 1}), (10, 4)),
    "UpSampling2D": (("UpSampling2D", {"size": 2}), (9, 8, 3)),
    "LSTM": (("LSTM", {"units": 3}), (10, 4)),
    "GRU": (("GRU", {"units": 3}), (10, 4)),
    "Bidirectional": (("Bidirectional", {"layer": ("LSTM", {"units": 3})}), (10, 4)),
    "Bidirectional of images": (
        ("Bidirectional", {"layer": ("ConvLSTM1D", {"filters": 3, "kernel_size": 2})}),
        (10, 5, 4),
    ),
    "TimeDistributed": (("TimeDistributed", {"layer": DENSE}), (10, 4)),
    "TimeDistributed of images": (
        ("TimeDistributed", {"layer": ("Conv1D", {"filters": 3, "kernel_size": 2})}),
        (10, 5, 4),
    ),
    "Permute": (("Permute", {"dims": (2, 1)}), (10, 4)),
    "RepeatVector": (("RepeatVector", {"n": 3}), (5,)),
    "PReLU": (("PReLU", {}), (9, 4)),
    "Dense": (DENSE, (5,)),
    "BatchNormalization": (("BatchNormalization", {}), (5,)),
    "LayerNormalization": (("LayerNormalization", {}), (5,)),
    "Dropout": (("Dropout", {"rate": 0.5}), (5,)),
    "SpatialDropout1D": (("SpatialDropout1D", {"rate": 0.5}), (9, 5)),
    "Flatten": (("Flatten", {}), (9, 4)),
    "Reshape": (("Reshape", {"target_shape": (5, 1)}), (5,)),
    "Masking": (("Masking", {"mask_value": 0.0}), (9, 4)),
    "LeakyReLU": (("LeakyReLU", {}), (5,)),
    "Embedding": (WORDS, (5,)),
}


def check(path: Path, shape: tuple[int, ...]) -> None:
    facts = static_facts(path, Settings(targets=(TARGET,)))
    found = next(each for each in predict(facts.artifact, (TARGET,)) if each.call == "load_model")
    real, at_loading = refused(path, shape)
    first = causes(found)[0]
    assert first.error and says(first.error, real), (first, real[-400:])
    assert (first.later, first.loads) == (CALL * (not at_loading), not at_loading)
    (told,) = run_rule(rule("MA220"), facts).findings
    assert told.title == f"A target runtime cannot {'load' if at_loading else 'call'} the model"


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("more", [(), (("Dropout", {"rate": 0.1}),)])
def test_where_a_first_layer_with_the_shape_stops_it(
    tmp_path: Path, name: str, more: tuple[Layer, ...]
) -> None:
    layer, shape = LAYERS[name]
    check(write(tmp_path / "m.h5", layer, *more, shape=shape), shape)


@pytest.mark.parametrize("size", [4, 9])
def test_an_axis_by_its_number_is_another_one_there(tmp_path: Path, size: int) -> None:
    """Whether the weights still fit depends on sizes, so no error is quoted."""
    path = write(tmp_path / "m.h5", ("BatchNormalization", {"axis": 2}), shape=(size, 4))
    (found,) = (
        each
        for each in predict(static_facts(path, Settings()).artifact, (TARGET,))
        if each.call == "load_model"
    )
    first = causes(found)[0]
    assert (first.error, first.later, first.loads) == ("", CALL, False)
    _, at_loading = refused(path, (size, 4))
    assert at_loading is (size != 4)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((CONV, with_wrong(DENSE)), (20, 3)),
        ((with_wrong(CONV), DENSE), (20, 3)),
        ((with_wrong(CONV), with_wrong(DENSE)), (20, 3)),
        ((DENSE, with_wrong(DENSE), CONV), (20, 3)),
        ((DENSE, CONV, with_wrong(DENSE)), (20, 3)),
        ((DENSE, CONV, ("SpatialDropout1D", {"rate": 0.1})), (20, 3)),
        ((DENSE, ("SpatialDropout1D", {"rate": 0.1}), CONV), (20, 3)),
        ((DENSE, ("Flatten", {}), DENSE, with_wrong(DENSE)), (20, 3)),
        ((("Flatten", {}), ("Dropout", {"rate": 0.5}), DENSE), (20, 3)),
        ((DENSE, ("Reshape", {"target_shape": (6, 6)}), CONV), (20,)),
        ((DENSE, ("Reshape", {"target_shape": (6, 6)}), with_wrong(CONV)), (20,)),
        ((WORDS, ("LSTM", {"units": 3}), with_wrong(DENSE)), (20,)),
        ((DENSE, NOISE, CONV), (20, 3)),
        ((CONV, NOISE, DENSE), (20, 3)),
        ((DENSE, with_wrong(CONV), NOISE), (20, 3)),
        ((DENSE, NOISE, with_wrong(CONV)), (20, 3)),
        ((DENSE, ("TimeDistributed", {"layer": DENSE}), with_wrong(DENSE)), (20, 3)),
        ((DENSE, ("TimeDistributed", {"layer": NOISE}), with_wrong(DENSE)), (20, 3)),
        ((("TimeDistributed", {"layer": DENSE}), NOISE), (20, 3)),
        ((("TimeDistributed", {"layer": CONV}), NOISE), (9, 8, 3)),
        ((("TimeDistributed", {"layer": DENSE}), CONV, with_wrong(DENSE)), (20, 3)),
        ((("TimeDistributed", {"layer": DENSE}), with_wrong(DENSE), CONV), (20, 3)),
        ((with_wrong(DENSE), ("TimeDistributed", {"layer": NOISE})), (20, 3)),
        ((DENSE, ("Bidirectional", {"layer": ("LSTM", {"units": 3})}), NOISE), (20, 3)),
        ((("Bidirectional", {"layer": ("LSTM", {"units": 3})}), NOISE), (20, 3)),
        ((WORDS, ("Dropout", {"rate": 0.5}), ("GRU", {"units": 3})), (20,)),
    ],
)
def test_the_first_of_several_causes_is_told_first(
    tmp_path: Path, layers: tuple[Layer, ...], shape: tuple[int, ...]
) -> None:
    check(write(tmp_path / "m.h5", *layers, shape=shape), shape)


@pytest.mark.parametrize("conv", [False, True])
def test_a_number_of_a_call_comes_before_the_first_call(tmp_path: Path, conv: bool) -> None:
    """An inner Sequential by Keras 2 numbering: a Dense refuses only the inputs of a call."""
    keras = old()
    shape = (8, 3) if conv else (5,)
    layer = keras.layers.Conv1D(2, 3) if conv else keras.layers.Dense(4)
    inner = keras.Sequential([keras.Input(shape), layer], name="inner")
    start = keras.Input(shape)
    path = tmp_path / "m.h5"
    keras.Model(start, inner(start)).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        (sequential,) = [e for e in config["config"]["layers"] if e["class_name"] == "Sequential"]
        given, first = sequential["config"]["layers"]
        first["config"]["batch_input_shape"] = given["config"]["batch_input_shape"]
        sequential["config"]["layers"] = [first]
        config["config"]["output_layers"] = [["inner", 1, 0]]
        file.attrs["model_config"] = json.dumps(config).replace('"module": "keras.layers", ', "")
        file.attrs["keras_version"] = "2.2.4"
    facts = static_facts(path, Settings(targets=(TARGET,)))
    found = next(each for each in predict(facts.artifact, (TARGET,)) if each.call == "load_model")
    codes = [each.code for each in causes(found)]
    order = ["sequential-config", "node-number-of-output"]
    assert codes == (order if conv else order[::-1])
    real, at_loading = refused(path, shape)
    assert at_loading
    assert says(causes(found)[0].error, real)


@pytest.mark.parametrize("wrong", ["first", "last", "inside", ""])
def test_a_list_of_layers_stops_where_its_model_stands(tmp_path: Path, wrong: str) -> None:
    """A Sequential model of Keras 2.1, before or behind a layer that stops the loader, too."""
    keras = old()
    layers = keras.layers
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="inside")], name="inner")
    start = keras.Input((5,))
    end = layers.Dense(2, name="last")(inner(layers.Dense(5, name="first")(start)))
    path = tmp_path / "m.h5"
    keras.Model(start, end).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        (sequential,) = [e for e in config["config"]["layers"] if e["class_name"] == "Sequential"]
        given, first = sequential["config"]["layers"]
        first["config"]["batch_input_shape"] = given["config"]["batch_input_shape"]
        sequential["config"] = [first]
        for layer in (*config["config"]["layers"], first):
            if wrong and isinstance(layer["config"], dict) and layer["config"]["name"] == wrong:
                layer["config"] |= WRONG
        file.attrs["model_config"] = json.dumps(config).replace('"module": "keras.layers", ', "")
        file.attrs["keras_version"] = "2.1.6"
    facts = static_facts(path, Settings(targets=(TARGET,)))
    found = next(each for each in predict(facts.artifact, (TARGET,)) if each.call == "load_model")
    first_cause, *_ = causes(found)
    real, at_loading = refused(path, (5,))
    assert at_loading
    assert says(first_cause.error, real), (first_cause, real[-300:])
    expected = "unknown-argument" if wrong == "first" else "sequential-config"
    assert first_cause.code == expected
    assert "`inner`" in first_cause.text or wrong == "first"
