"""Predictions for classes of the program whose code is given: both generations of Keras load them.

`habits.txt` has them as programs write them, with constructors, configs and builds that hold and
that do not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.pipeline import static_facts
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.checks.own_classes.outdated_code import OF_SHAPES, REMOVED
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits, Settings
from tests.runtimes.checks.own_classes.loads import HABITS, NEW, classes
from tests.sharing import made_once, told_with_tensorflow, with_tensorflow

pytestmark = pytest.mark.slow
PASSED = "load_model,custom_objects"
GENERATIONS = {"keras": "tf==2.21.0", "tf_keras": "tf-keras==2.21.0"}
PROGRAM = Path(__file__).with_name("loads.py")
TEXT = HABITS.read_text(encoding="utf-8")
NAMES = re.findall(r"(?m)^class (\w+)", TEXT)
MODELS = dict.fromkeys((*NAMES, *re.findall(r'(?m)^    "(\w+)": lambda', TEXT)))
# No model is made of these alone, or no generation saves one.
NOT_SAVED = ("Paired", "TakesTwo", "ScaleMixin", "SubBare", "Sizes")
CODE = read_source_code([str(HABITS)])
# Codes that only the code of a class tells, with a class for each.
TOLD = {
    "constructor-refuses-config": "Bare",
    "inner-layers-not-built": "ShapeNoBuild",
    "object-not-deserialized": "Holds",
    "value-of-json": "AddsTuple",
    "code-of-other-keras": "AsList",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(place: Path) -> None:
        for each in GENERATIONS:
            legacy = {"TF_USE_LEGACY_KERAS": "1"} if each == "tf_keras" else None
            with_tensorflow(PROGRAM, place, each, "save", env=legacy)

    return made_once(tmp_path_factory, "own_classes", make)


@pytest.fixture(scope="module")
def observed(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Generation -> model -> compile -> what came of it."""
    return {each: told_with_tensorflow(PROGRAM, folder, each, "load") for each in GENERATIONS}


def predicted(path: Path, *, code: bool = True) -> Iterator[tuple[str, bool, Prediction]]:
    """What is predicted of one file: the generation, compile, and the prediction."""
    asked = [(each, compiled) for each in GENERATIONS for compiled in (False, True)]
    calls = [
        (
            as_installed(find_profile(GENERATIONS[each])),
            LoadRequest(LoadCall.LOAD_MODEL, custom=CODE.passed | {*NAMES}, compile=compiled),
        )
        for each, compiled in asked
    ]
    given = CODE if code else None
    found = predict_calls(read(path, Limits()), calls, given)
    for (each, compiled), prediction in zip(asked, found, strict=True):
        yield each, compiled, prediction


@pytest.mark.parametrize("name", MODELS)
def test_what_is_predicted_is_what_keras_does(folder: Path, observed, name: str) -> None:
    files = [
        path
        for each in (name, f"{name}{NEW}")
        for suffix in (".keras", ".h5")
        for path in sorted(folder.glob(f"*/{each}{suffix}"))
    ]
    assert files or name in NOT_SAVED
    for path in files:
        model = str(path.relative_to(folder))
        for each, compiled, prediction in predicted(path):
            happened = observed[each][model][str(compiled)]
            assert (model, each, compiled, prediction.predicted.value) == (
                *(model, each, compiled),
                happened,
            ), prediction.because


@pytest.mark.parametrize(("code", "name"), TOLD.items())
def test_without_the_code_the_reason_is_not_known(folder: Path, code: str, name: str) -> None:
    def codes(given: bool) -> set[str]:
        files = folder.glob(f"*/{name}.*[s5]")
        found = [each for path in files for *_, each in predicted(path, code=given)]
        return {reason.code for each in found for reason in each.because}

    assert code in codes(True)
    assert code not in codes(False)


def test_what_keras_3_does_not_have() -> None:
    """The lists of methods and attributes, against the classes themselves."""
    keras, tf = pytest.importorskip("keras"), pytest.importorskip("tensorflow")
    tf_keras = pytest.importorskip("tf_keras")
    for each in REMOVED:
        assert hasattr(tf_keras.layers.Layer, each)
        with pytest.raises((AttributeError, NotImplementedError)):
            getattr(keras.layers.Layer(), each)(0.0)
    for each in OF_SHAPES:
        assert hasattr(tf.TensorShape, each)
        assert not hasattr(tuple, each)
        assert not hasattr(list, each)


def test_the_settings_name_the_code(folder: Path, tmp_path: Path) -> None:
    """Its classes count as passed, registered or not."""
    for name, outcome in (("Popped", "loads"), ("Bare", "fails")):
        model = tmp_path / f"{name}.keras"
        model.write_bytes((folder / "keras" / f"{name}.keras").read_bytes())
        settings = Settings(targets=("tf==2.21.0",), source_code=(str(HABITS),))
        (found,) = [
            each for each in static_facts(model, settings).predictions if each.call == PASSED
        ]
        assert found.predicted.value == outcome
        if outcome == "fails":
            assert "habits.txt:" in found.because[0].text


@pytest.mark.parametrize(
    ("name", "target", "owned"),
    [
        ("OwnFilter", "keras==3.2.1", False),
        ("OwnFilter", "keras==3.4.1", True),
        ("OwnKernel", "keras==3.2.1", True),
        ("OwnHeads", "keras==3.1.1", True),
    ],
)
def test_properties_that_versions_of_keras_3_have(
    folder: Path, name: str, target: str, owned: bool
) -> None:
    """By their sources: convolutions have `kernel` as a property from 3.3 on."""
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=CODE.passed | {*NAMES})
    files = sorted(folder.glob(f"tf_keras/{name}.*[s5]"))
    assert files
    for path in files:
        asked = [(find_profile(target), request)]
        (found,) = predict_calls(read(path, Limits()), asked, CODE)
        said = [each for each in found.because if "as a property" in each.text]
        assert bool(said) is owned, found.because


def test_keras_3_ignores_what_a_model_passes_on_beside_inputs_and_outputs(
    folder: Path, tmp_path: Path
) -> None:
    """Until TensorFlow 2.12, the config of such a subclass has the layers that it connects."""
    keras, h5py = pytest.importorskip("keras"), pytest.importorskip("h5py")
    path = tmp_path / "connected.h5"
    path.write_bytes((folder / "tf_keras" / "ConnectsWithWords.h5").read_bytes())
    dense = {"name": "dense", "trainable": True, "dtype": "float32", "units": 5}
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        (weights,) = [name for name in file["model_weights"] if name.startswith("dense")]
        config["config"] = {
            "name": "own",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"batch_input_shape": [None, 4], "dtype": "float32", "name": "x"},
                    "name": "x",
                    "inbound_nodes": [],
                },
                {
                    "class_name": "Dense",
                    "config": dense | {"name": weights},
                    "name": weights,
                    "inbound_nodes": [[["x", 0, 0, {}]]],
                },
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [[weights, 0, 0]],
        }
        file.attrs["model_config"] = json.dumps(config)
    own = classes(keras)["ConnectsWithWords"]
    made = keras.models.load_model(path, custom_objects={"ConnectsWithWords": own}, compile=False)
    with h5py.File(path) as file:
        inside = file["model_weights"][weights]
        kernel = next(x[()] for x in _datasets(inside) if "kernel" in x.name)
    np.testing.assert_array_equal(made.get_weights()[0], kernel)
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=CODE.passed | {*NAMES})
    asked = [(as_installed(find_profile("tf==2.21.0")), request)]
    (found,) = predict_calls(read(path, Limits()), asked, CODE)
    assert found.predicted.value == "loads", found.because


def _datasets(group: Any) -> Iterator[Any]:
    for each in group.values():
        if hasattr(each, "values"):
            yield from _datasets(each)
        else:
            yield each
