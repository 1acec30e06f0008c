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
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
LIBRARIES = ("keras", "tf_keras")


def load(library: str, path: Path, compiled: bool, objects: dict[str, Any]) -> tuple[bool, bool]:
    """Whether it is predicted to load, and whether it does."""
    keras = pytest.importorskip(library)
    name = f"tf-keras=={metadata.version('tf_keras')}"
    if library == "keras":
        name = f"tf=={metadata.version('tensorflow')}+keras=={keras.__version__}"
    request = LoadRequest(LoadCall.LOAD_MODEL, frozenset(objects), compile=compiled)
    (found,) = predict_calls(read(path, Limits()), [(find_profile(name), request)])
    try:
        keras.models.load_model(path, compile=compiled, custom_objects=objects)
    except (ValueError, TypeError, AttributeError):
        return found.predicted is LoadOutcome.LOADS, False
    return found.predicted is LoadOutcome.LOADS, True


@pytest.mark.parametrize("suffix", [".h5", ".keras", ""])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_schedule_of_the_program_is_needed_to_compile(
    tmp_path: Path, library: str, own: bool, suffix: str
) -> None:
    if library == "keras" and not suffix:
        pytest.skip("Keras 3 writes no such SavedModel")
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


@pytest.mark.parametrize("suffix", [".keras", ""])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_function_that_prepares_texts_is_needed_to_load(
    tmp_path: Path, library: str, own: bool, suffix: str
) -> None:
    if library == "keras" and not suffix:
        pytest.skip("Keras 3 writes no such SavedModel")
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
@pytest.mark.parametrize("first", ["Normalization", "Dense", "Flatten"])
def test_the_first_layer_needs_the_size_of_its_input(
    tmp_path: Path, first: str, stated: bool, suffix: str
) -> None:
    """The size is taken out of the config, as Keras 2 leaves it out of an adapted layer's."""
    keras = pytest.importorskip("tf_keras")
    layers = {"Normalization": {}, "Dense": {"units": 2}, "Flatten": {}}
    layer = getattr(keras.layers, first)(**layers[first])
    if first == "Normalization":
        layer.adapt(np.random.default_rng(1).random((9, 3)).astype("float32"))
    shape = [keras.Input((3,))] if stated else []
    model = keras.Sequential([*shape, layer, *[keras.layers.Activation("tanh")]])
    model(np.ones((2, 3), "float32"))
    if not stated:
        model(np.ones((1, 3), "float32"))
    path = tmp_path / f"model{suffix}"
    model.save(path)
    open_size = first == "Normalization" and not stated
    assert load("tf_keras", path, False, {}) == (not open_size, not open_size)
