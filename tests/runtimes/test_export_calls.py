"""Exports of Keras 3 that refuse the inputs of their model: TensorFlow is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def predicted(path: Path, call: LoadCall) -> Prediction:
    profile = as_installed(find_profile("tf==2.21.0"))
    (found,) = predict_calls(read(path, Limits()), [(profile, LoadRequest(call))])
    return found


@pytest.mark.parametrize("listed", [True, False])
def test_a_list_of_one_input(tmp_path: Path, listed: bool) -> None:
    keras = pytest.importorskip("keras")
    start = keras.Input((3,))
    path = tmp_path / "m"
    model = keras.Model([start] if listed else start, keras.layers.Dense(2)(start))
    model.export(path, verbose=False)
    data = np.ones((2, 3), "float32")
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    found = predicted(path, LoadCall.TFSM_LAYER)
    if not listed:
        assert found.predicted.value == "loads"
        layer(data)
        return
    assert found.predicted.value == "fails"
    assert [each.code for each in found.conditions] == ["input-in-list"]
    with pytest.raises(TypeError, match="Can not cast"):
        layer(data)
    layer([data])
    assert predicted(path, LoadCall.SAVED_MODEL).predicted.value == "loads"


def looking_up(keras: Any, also: bool) -> Any:
    """A subclassed model that looks up rows; with `also`, it computes with the numbers, too."""

    class Looking(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rows = keras.layers.Embedding(5, 3)

        def call(self, x: Any) -> Any:
            found = self.rows(x[:, 0]) + self.rows(x[:, 1])
            return found * keras.ops.cast(x[:, :1], "float32") if also else found

    return Looking()


@pytest.mark.parametrize("also", [True, False])
def test_integers_of_a_subclassed_model(tmp_path: Path, also: bool) -> None:
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    model = looking_up(keras, also)
    data = np.array([[1, 2], [3, 4]], "int32")
    wanted = np.asarray(model(data))
    path = tmp_path / "m"
    model.export(path, verbose=False)
    found = predicted(path, LoadCall.SAVED_MODEL)
    assert found.predicted.value == ("loads" if also else "fails")  # nothing shows it if they count
    signature = tf.saved_model.load(path).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected to be a float tensor"):
        signature(**{name: tf.constant(data)})
    (result,) = signature(**{name: tf.constant(data, tf.float32)}).values()
    np.testing.assert_allclose(result, wanted, rtol=1e-5)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("given", "also"), [("float32", True), ("float32", False), ("int32", False)]
)
def test_integers_of_a_functional_model(
    tmp_path: Path, library: str, given: str, also: bool
) -> None:
    """An input without a type is one of floats, also where an Embedding takes it."""
    keras, tf = pytest.importorskip(library), pytest.importorskip("tensorflow")
    start = keras.Input((2,), dtype=given)
    found = keras.layers.Flatten()(keras.layers.Embedding(5, 3)(start))
    found = keras.layers.Concatenate()([found, start]) if also else found
    model, path = keras.Model(start, found), tmp_path / "m"
    if library == "keras":
        model.export(path, verbose=False)
    else:
        model.save(path, save_format="tf")
    data = np.array([[1, 2], [3, 4]], "int32")
    loads = also or given == "int32"
    assert predicted(path, LoadCall.SAVED_MODEL).predicted.value == ("loads" if loads else "fails")
    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    if given == "int32":
        signature(**{name: tf.constant(data)})
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected to be a float tensor"):
        signature(**{name: tf.constant(data)})
    (result,) = signature(**{name: tf.constant(data, tf.float32)}).values()
    np.testing.assert_allclose(result, np.asarray(model(data)), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("second", [True, False])
def test_inputs_of_another_precision(tmp_path: Path, dtype: str, second: bool) -> None:
    keras = pytest.importorskip("keras")
    first, start = keras.Input((3,)), keras.Input((3,), dtype=dtype)
    path = tmp_path / "m"
    total = keras.layers.Dense(2)(start)
    total = total + first[:, :2] if second else total
    model = keras.Model([first, start] if second else start, total)
    model.export(path, verbose=False)
    data = np.ones((2, 3), dtype)
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    given = [np.ones((2, 3), "float32"), data] if second else data
    found = predicted(path, LoadCall.TFSM_LAYER)
    if dtype in ("float32", "int32"):
        layer(given)
        assert found.predicted.value == "loads"
        return
    with pytest.raises(TypeError, match="Can not cast"):
        layer(given)
    assert (found.predicted.value, found.because[0].code) == ("fails", "precision-of-input")
    assert predicted(path, LoadCall.SAVED_MODEL).predicted.value == "loads"
