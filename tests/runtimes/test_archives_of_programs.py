"""Archives of classes whose code is given: Keras is the oracle, it loads them a second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.runtimes.model import LoadCall, LoadRequest
from tests.runtimes.fitting_code import if_it_fits
from tests.runtimes.made_programs import (
    DATA,
    DIFFERS,
    FAILS,
    LOADS,
    TARGETS,
    classes,
    made,
    observed,
    predicted,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def as_keras_2_14(layer: Any, group: Any) -> None:
    """The weights of a model by its attributes, as Keras 2.14 writes those of a subclass.

    It does not look into lists of lists.
    """
    own = [*layer._trainable_weights, *layer._non_trainable_weights]
    for place, weight in enumerate(own):
        group[f"vars/{place}"] = np.asarray(weight)
    for name, value in sorted(vars(layer).items()):
        if hasattr(value, "_trainable_weights") and not name.startswith("_"):
            as_keras_2_14(value, group.create_group(name))


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("Called", LOADS),
        ("Prompted", DIFFERS),
        ("Numbered2", DIFFERS),
        ("Decoding1", FAILS),
        ("Weighing", FAILS),
        ("OfRows", DIFFERS),
    ],
)
def test_archives_of_keras_2_in_keras_3(tmp_path: Path, name: str, outcome: LoadOutcome) -> None:
    """As Keras 2.14 and 3.15 were seen to write and read them."""
    h5py, keras = pytest.importorskip("h5py"), pytest.importorskip("keras")
    saved, path = made(pytest.importorskip("tf_keras"), name, False), tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        as_keras_2_14(saved, file)
    request = LoadRequest(LoadCall.LOAD_WEIGHTS)
    assert if_it_fits(predicted(path, TARGETS["keras"], request)) is outcome
    fresh = made(keras, name, trained=False)
    assert observed(lambda other: other.load_weights(path), fresh, saved) is outcome


@pytest.mark.parametrize("generation", TARGETS)
@pytest.mark.parametrize("name", ["Layered", "Holder", "Modules"])
def test_archives(tmp_path: Path, generation: str, name: str) -> None:
    keras = pytest.importorskip(generation)
    model, path = made(keras, name, trained=False), tmp_path / "m.keras"
    model.save(path)
    own = {type(each).__name__: type(each) for each in (model, *model.layers)}
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(own))
    found = if_it_fits(predicted(path, TARGETS[generation], request))
    again = keras.models.load_model(path, custom_objects=own, compile=False)
    same = np.allclose(np.asarray(again(DATA)), np.asarray(model(DATA)), atol=1e-5)
    assert (found, same) == ((LOADS, True) if name == "Layered" else (DIFFERS, False))


@pytest.mark.parametrize("saver", TARGETS)
@pytest.mark.parametrize("name", ["SelfBuilt", "TrainsIfTold"])
def test_archives_of_models_that_keras_3_does_not_build(
    tmp_path: Path, saver: str, name: str
) -> None:
    """No layer has weights while the archive is read, so that none misses those of the file."""
    old, keras, path = (
        pytest.importorskip(saver),
        pytest.importorskip("keras"),
        tmp_path / "m.keras",
    )
    model = classes(old)[name]()
    answers = np.asarray(model(DATA, training=False))
    model.save(path)
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset((name,)))
    found = predicted(path, TARGETS["keras"], request)
    assert found.predicted is DIFFERS
    assert [each.code for each in found.because] == ["inner-layers-not-built"]
    own = {name: classes(keras)[name]}
    again = keras.models.load_model(path, custom_objects=own, compile=False)
    assert not np.allclose(np.asarray(again(DATA, training=False)), answers, atol=1e-4)
