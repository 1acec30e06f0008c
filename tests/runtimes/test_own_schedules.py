"""Schedules, functions of texts, and sizes that a file does not state, compared with loading."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = pytest.mark.slow
# Each Keras with the formats that it writes; a SavedModel has no suffix.
SAVED = [
    *(("keras", suffix) for suffix in (".h5", ".keras")),
    *(("tf_keras", suffix) for suffix in (".h5", ".keras", "")),
]


def load(library: str, path: Path, compiled: bool, objects: dict[str, Any]) -> tuple[bool, bool]:
    """Whether it is predicted to load, and whether it does."""
    keras = pytest.importorskip(library)
    name = f"tf-keras=={metadata.version('tf_keras')}"
    if library == "keras":
        name = f"tf=={metadata.version('tensorflow')}+keras=={keras.__version__}"
    request = LoadRequest(LoadCall.LOAD_MODEL, frozenset(objects), compile=compiled)
    (found,) = fitting_predictions(read(path, Limits()), [(find_profile(name), request)])
    try:
        keras.models.load_model(path, compile=compiled, custom_objects=objects)
    except (ValueError, TypeError, AttributeError):
        return found.predicted is LoadOutcome.LOADS, False
    return found.predicted is LoadOutcome.LOADS, True


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(("library", "suffix"), SAVED)
def test_a_schedule_of_the_program_is_needed_to_compile(
    tmp_path: Path, library: str, own: bool, suffix: str
) -> None:
    keras = pytest.importorskip(library)
    schedules = keras.optimizers.schedules

    class Rising(schedules.LearningRateSchedule):
        def __init__(self, rate):
            super().__init__()
            self.rate = rate

        def __call__(self, step):
            return self.rate

        def get_config(self):
            return {"rate": self.rate}

    rate = Rising(0.1) if own else schedules.ExponentialDecay(0.1, 100, 0.9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    loss = keras.losses.MeanSquaredError()
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    path = tmp_path / f"model{suffix}"
    model.save(path)
    assert load(library, path, True, {}) == (not own, not own)
    assert load(library, path, True, {"Rising": Rising}) == (True, True)
    assert load(library, path, False, {}) == (True, True)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(("library", "suffix"), [each for each in SAVED if each[1] != ".h5"])
def test_a_function_that_prepares_texts_is_needed_to_load(
    tmp_path: Path, library: str, own: bool, suffix: str
) -> None:
    keras = pytest.importorskip(library)
    tensorflow = pytest.importorskip("tensorflow")

    def tidied(value):
        return tensorflow.strings.lower(value)

    layer = keras.layers.TextVectorization(
        standardize=tidied if own else "lower", vocabulary=["a", "b"], output_sequence_length=3
    )
    start = keras.Input((1,), dtype="string")
    value = keras.layers.Embedding(4, 2)(layer(start))
    path = tmp_path / f"model{suffix}"
    keras.Model(start, value).save(path)
    assert load(library, path, False, {}) == (not own, not own)
    assert load(library, path, False, {"tidied": tidied}) == (True, True)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("stated", [False, True])
@pytest.mark.parametrize("first", ["Normalization", "Dense", "Resizing"])
def test_an_adapted_layer_needs_the_size_of_its_input(
    tmp_path: Path, first: str, stated: bool, suffix: str
) -> None:
    """Keras 2 leaves it out if its first layer was adapted before the model was built."""
    keras = pytest.importorskip("tf_keras")
    data = np.random.default_rng(1).random((2, 3)).astype("float32")
    layer = keras.layers.Normalization()
    if first == "Dense":
        layer = keras.layers.Dense(2)
    elif first == "Resizing":  # the normalization has an input of known size, and comes second
        data = np.random.default_rng(1).random((2, 4, 4, 3)).astype("float32")
    if first != "Dense":
        layer.adapt(data)
    front = [keras.layers.Resizing(2, 2)] if first == "Resizing" else []
    shape = [keras.Input(data.shape[1:])] if stated or front else []
    model = keras.Sequential([*shape, *front, layer])
    model(data)
    path = tmp_path / f"model{suffix}"
    model.save(path)
    open_size = first == "Normalization" and not stated
    assert load("tf_keras", path, False, {}) == (not open_size, not open_size)


@pytest.mark.parametrize("name", ["Own", "OrthogonalRegularizer"])
@pytest.mark.parametrize("key", ["activity_regularizer", "kernel_regularizer"])
def test_a_saved_model_needs_the_regularizer_of_outputs(
    tmp_path: Path, name: str, key: str
) -> None:
    """A layer that its config does not create is made of its functions, but for this part."""
    keras = pytest.importorskip("tf_keras")

    def regularize(self, value):
        return keras.backend.sum(value * value)

    own = type(
        name,
        (keras.regularizers.Regularizer,),
        {"__call__": regularize, "get_config": lambda self: {"power": 2}},
    )
    start = keras.Input((3,))
    path = tmp_path / "model"
    keras.Model(start, keras.layers.Dense(2, **{key: own()})(start)).save(path)
    loads = key == "kernel_regularizer"
    assert load("tf_keras", path, False, {}) == (loads, loads)


@pytest.mark.parametrize("length", [None, 5])
@pytest.mark.parametrize("kind", ["TimeDistributed", "LSTM", "own"])
def test_an_export_computes_as_many_steps_as_the_sequence_has(
    tmp_path: Path, kind: str, length: int | None
) -> None:
    """Compared with the model; a layer of one's own takes a step of each row by its number."""
    keras = pytest.importorskip("keras")
    tensorflow = pytest.importorskip("tensorflow")

    class Last(keras.layers.Layer):
        def call(self, value):
            steps = tensorflow.transpose(value, [1, 0, 2])
            rows = tensorflow.range(tensorflow.shape(value)[0])
            return tensorflow.vectorized_map(lambda row: steps[-1, row], rows)

        def compute_output_shape(self, shape):
            return (shape[0], shape[2])

    layers = {
        "TimeDistributed": lambda: keras.layers.TimeDistributed(keras.layers.Dense(2)),
        "LSTM": lambda: keras.layers.LSTM(2, return_sequences=True),
        "own": Last,
    }
    start = keras.Input((length, 3))
    model = keras.Model(start, layers[kind]()(start))
    path = tmp_path / "model"
    model.export(path, verbose=False)
    data = np.random.default_rng(2).random((2, 5, 3)).astype("float32")
    exported = tensorflow.saved_model.load(path)
    found, expected = np.asarray(exported.serve(data)), np.asarray(model(data))
    same = found.shape == expected.shape and bool(np.allclose(found, expected, atol=1e-5))
    runtime = find_profile(f"tf=={metadata.version('tensorflow')}")
    request = LoadRequest(LoadCall.SAVED_MODEL)
    (predicted,) = fitting_predictions(read(path, Limits()), [(runtime, request)])
    assert same is (kind != "TimeDistributed" or length is not None)
    assert predicted.predicted is (LoadOutcome.LOADS if same else LoadOutcome.DIFFERS)
