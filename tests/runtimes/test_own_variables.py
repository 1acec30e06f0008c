"""Layers with a `tf.Variable` of their own, saved by tf-keras; Keras 3 is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import if_it_fits


def network(keras: Any, table: bool) -> Any:
    """A layer with a bias and, if asked, a table of indices into it."""
    tensorflow = pytest.importorskip("tensorflow")

    class Window(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.bias = self.add_weight(name="bias", shape=(3,), initializer="zeros")
            if table:
                self.index = tensorflow.Variable(np.eye(3, dtype="int64"), trainable=False)
            self.built = True

        def call(self, value: Any) -> Any:
            return value + self.bias

    start = keras.layers.Input((3,))
    return keras.Model(start, keras.layers.Dense(2)(Window()(start)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("table", [False, True])
def test_a_table_of_indices(tmp_path: Path, table: bool) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "w.weights.h5"
    network(older, table).save_weights(path)
    artifact = read(path, Limits())
    asked = [
        (as_installed(find_profile(target)), LoadRequest(LoadCall.LOAD_WEIGHTS))
        for target in ("tf==2.21.0", "tf-keras==2.21.0")
    ]
    here, there = map(if_it_fits, predict_calls(artifact, asked))
    assert there is LoadOutcome.LOADS
    network(older, table).load_weights(path)
    other = network(newer, table)
    if table:
        assert here is LoadOutcome.FAILS
        with pytest.raises(ValueError, match="could not be loaded"):
            other.load_weights(path)
    else:
        assert here is LoadOutcome.LOADS
        other.load_weights(path)


def token(keras: Any, way: str) -> Any:
    """A layer that puts a token first, which its constructor makes in one of several ways."""
    tensorflow = pytest.importorskip("tensorflow")

    class First(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            if way == "added":
                self.token = self.add_weight(name="token", shape=(1, 3), initializer="normal")
            elif way in ("named", "nameless", "quantizer"):
                self.make(None if way == "nameless" else "token")

        def make(self, name: str | None) -> None:
            self.token = tensorflow.Variable(tensorflow.random.normal((1, 3)), name=name)

        def build(self, shape: Any) -> None:
            if way in ("class_token", "built"):
                self.make("cls" if way == "class_token" else None)
            self.built = True

        def call(self, value: Any) -> Any:
            rows = tensorflow.shape(value)[0]
            held = tensorflow.zeros((1, 3)) if way == "constant" else self.token
            return tensorflow.concat(
                [tensorflow.repeat(held, rows, axis=0)[:, None, :], value], axis=1
            )

    start = keras.layers.Input((2, 3))
    layer = First(name=way if way in ("class_token", "quantizer") else "first")
    return keras.Model(start, keras.layers.Dense(2)(layer(start)))


def predicted(path: Path, target: str, call: LoadCall = LoadCall.LOAD_WEIGHTS) -> Any:
    asked = LoadRequest(call, frozenset(["First"]))
    return predict_calls(read(path, Limits()), [(as_installed(find_profile(target)), asked)])[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("way", "wanted", "loads"),
    [
        ("nameless", LoadOutcome.FAILS, False),
        ("named", LoadOutcome.UNKNOWN, False),
        ("added", LoadOutcome.UNKNOWN, True),
        ("built", LoadOutcome.UNKNOWN, False),
        ("class_token", LoadOutcome.UNKNOWN, False),
        ("quantizer", LoadOutcome.UNKNOWN, False),
    ],
)
def test_a_variable_that_the_constructor_makes(
    tmp_path: Path, way: str, wanted: LoadOutcome, loads: bool
) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "w.h5"
    token(older, way).save_weights(path)
    assert if_it_fits(predicted(path, "tf==2.21.0")) is wanted
    assert if_it_fits(predicted(path, "tf-keras==2.21.0")) is LoadOutcome.LOADS
    token(older, way).load_weights(path)
    other = token(newer, way)
    if loads:
        other.load_weights(path)
    else:
        with pytest.raises(ValueError, match="Layer count mismatch"):
            other.load_weights(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("way", "same"),
    [("nameless", False), ("constant", True), ("added", True), ("quantizer", False)],
)
def test_keras_3_does_not_save_it(tmp_path: Path, way: str, same: bool) -> None:
    """A step more than the sequence has, by a layer without weights."""
    keras, path = pytest.importorskip("keras"), tmp_path / "m.keras"
    model, value = token(keras, way), np.ones((1, 2, 3), "float32")
    model.save(path)
    found = predicted(path, "tf==2.21.0", LoadCall.LOAD_MODEL)
    assert if_it_fits(found) is (LoadOutcome.LOADS if way == "added" else LoadOutcome.UNKNOWN)
    cause = "code-not-given" if way == "added" else "variable-not-saved"
    assert [each.code for each in found.because] == [cause]
    kind = type(model.layers[1])
    again = keras.models.load_model(path, custom_objects={"First": kind})
    assert np.allclose(again(value), model(value)) is same


SCALED = """
import tensorflow as tf


class Scaled(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = tf.Variable(tf.ones((3,)), name="scale")

    def call(self, value):
        return value * self.scale


class Backed(keras.layers.Layer):
    def build(self, shape):
        self.scale = tf.keras.backend.variable(tf.ones((3,)), name="scale")

    def call(self, value):
        return value * self.scale


class Named(keras.layers.Layer):
    def __init__(self, name="by_hand"):
        super().__init__(name=name)

    def build(self, shape):
        self.scale = tf.Variable(tf.ones((3,)), name="{}_scale".format(self.name))
        self.shift = tf.Variable(tf.ones((3,)), name=f"{self.name}_shift")
        self.bend = tf.Variable(tf.ones((3,)), name=self.name + "_bend")

    def call(self, value):
        return (value * self.scale + self.shift) * self.bend


class Around(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Scaled()

    def call(self, value):
        return self.inner(value)


class Held(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(tf.ones((3,)), name="weight")


class Holds(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.held = Held()

    def call(self, value):
        return value * self.held.weight


class Shifted(keras.layers.Layer):
    def build(self, shape):
        self.shift = self.add_weight(name="shift", shape=(3,))

    def call(self, value):
        return value + self.shift
"""


def scaled(keras: Any, name: str) -> Any:
    keras.backend.clear_session()
    names: dict[str, Any] = {"keras": keras, "__name__": "models"}
    exec(compile(SCALED, "models.py", "exec"), names)
    start = keras.layers.Input((3,))
    return keras.Model(start, keras.layers.Dense(2)(names[name]()(start)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["Scaled", "Backed", "Shifted"])
def test_numbered_weights_by_the_code(tmp_path: Path, name: str) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path, code = tmp_path / "w.weights.h5", tmp_path / "models.py"
    code.write_text(
        SCALED.replace("import tensorflow as tf", "import keras\nimport tensorflow as tf")
    )

    scaled(older, name).save_weights(path)
    asked = [(as_installed(find_profile("tf==2.21.0")), LoadRequest(LoadCall.LOAD_WEIGHTS))]
    (found,) = predict_calls(read(path, Limits()), asked, read_source_code([str(code)]))
    if name == "Shifted":
        assert if_it_fits(found) is LoadOutcome.LOADS
        scaled(newer, name).load_weights(path)
    else:
        assert if_it_fits(found) is LoadOutcome.FAILS
        with pytest.raises(ValueError, match="could not be loaded"):
            scaled(newer, name).load_weights(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["Scaled", "Backed", "Named", "Around", "Holds", "Shifted"])
def test_hdf5_by_the_code(tmp_path: Path, name: str) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path, code = tmp_path / "w.h5", tmp_path / "models.py"
    code.write_text(SCALED.replace("import tensorflow", "import keras\nimport tensorflow"))
    scaled(older, name).save_weights(path)
    asked = [(as_installed(find_profile("tf==2.21.0")), LoadRequest(LoadCall.LOAD_WEIGHTS))]
    (found,) = predict_calls(read(path, Limits()), asked, read_source_code([str(code)]))
    if name == "Shifted":
        assert if_it_fits(found) is LoadOutcome.LOADS
        scaled(newer, name).load_weights(path)
    else:
        assert if_it_fits(found) is LoadOutcome.FAILS
        with pytest.raises(ValueError, match="mismatch"):
            scaled(newer, name).load_weights(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "loads"),
    [("Scaled", False), ("Around", False), ("Holds", True), ("Shifted", True)],
)
def test_keras_2_looks_for_what_keras_3_did_not_save(
    tmp_path: Path, name: str, loads: bool
) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path, code = tmp_path / "w.weights.h5", tmp_path / "models.py"
    code.write_text(SCALED.replace("import tensorflow", "import keras\nimport tensorflow"))
    scaled(newer, name).save_weights(path)
    asked = [
        (as_installed(find_profile(target)), LoadRequest(LoadCall.LOAD_WEIGHTS))
        for target in ("tf-keras==2.21.0", "tf==2.21.0")
    ]
    there, here = predict_calls(read(path, Limits()), asked, read_source_code([str(code)]))
    assert if_it_fits(here) is LoadOutcome.LOADS
    scaled(newer, name).load_weights(path)
    assert if_it_fits(there) is (LoadOutcome.LOADS if loads else LoadOutcome.FAILS)
    if loads:
        scaled(older, name).load_weights(path)
    else:
        assert [each.code for each in there.because] == ["variable-not-saved"]
        with pytest.raises(ValueError, match="expected 1 variables, but received 0 variables"):
            scaled(older, name).load_weights(path)
