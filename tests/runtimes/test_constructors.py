"""Classes of the program's own without keywords in their constructors: Keras is the oracle."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
DATA = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def classes(base: Any) -> dict[str, Any]:
    import keras

    class Bare(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.inner(x)

    class Open(Bare):
        def __init__(self, **kwargs: Any) -> None:
            base.__init__(self, **kwargs)
            self.inner = keras.layers.Dense(3)

    return {each.__name__: each for each in (Bare, Open)}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["Bare", "Open"])
@pytest.mark.parametrize("kind", ["layer", "model"])
def test_a_constructor_without_keywords_does_not_load(
    tmp_path: Path, kind: str, name: str, suffix: str
) -> None:
    keras = pytest.importorskip("keras")
    base = keras.layers.Layer if kind == "layer" else keras.Model
    given = classes(base)
    if kind == "layer":
        start = keras.Input((3,))
        model = keras.Model(start, given[name]()(start))
    else:
        model = given[name]()
        model(DATA)
    path = tmp_path / f"m{suffix}"
    model.save(path)
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(given))
    (found,) = fitting_predictions(read(path, Limits()), [(profile, request)])
    try:
        loaded = keras.models.load_model(path, custom_objects=given, compile=False)
        same = np.allclose(np.asarray(loaded(DATA)), np.asarray(model(DATA)), atol=1e-6)
        outcome = "loads" if same else "differs"
    except (TypeError, ValueError):
        outcome = "fails"
    assert found.predicted.value == outcome
    if name == "Bare":
        assert outcome == "fails"
        assert "constructor-without-keywords" in {each.code for each in found.because}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["Endpoint", "OpenEndpoint"])
def test_a_layer_that_adds_the_loss_of_labels_takes_a_name_only(
    tmp_path: Path, name: str, suffix: str
) -> None:
    """As guides write it; one that takes keywords is told by nothing, and is a condition."""
    keras = pytest.importorskip("keras")

    class Endpoint(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, name: str | None = None) -> None:
            super().__init__(name=name)

        def call(self, labels: Any, predictions: Any) -> Any:
            self.add_loss(keras.ops.mean(keras.ops.square(labels - predictions)))
            return predictions

    class OpenEndpoint(Endpoint):
        def __init__(self, **kwargs: Any) -> None:
            keras.layers.Layer.__init__(self, **kwargs)

    given = {"Endpoint": Endpoint, "OpenEndpoint": OpenEndpoint}
    start, labels = keras.Input((3,), name="x"), keras.Input((2,), name="labels")
    end = given[name](name="loss_of_labels")(labels, keras.layers.Dense(2)(start))
    model = keras.Model([start, labels], end)
    path = tmp_path / f"m{suffix}"
    model.save(path)
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(given))
    profile = as_installed(find_profile("tf==2.21.0"))
    (found,) = fitting_predictions(read(path, Limits()), [(profile, request)])
    assert found.predicted.value == "fails"
    (condition,) = found.conditions
    assert condition.code == "constructor-with-name-only"
    if name == "Endpoint":
        with pytest.raises(TypeError, match=condition.sign):
            keras.models.load_model(path, custom_objects=given, compile=False)
    else:  # the condition is met
        keras.models.load_model(path, custom_objects=given, compile=False)


def test_classes_that_the_loader_imports_are_those_of_the_program(tmp_path: Path) -> None:
    """Keras 3.8 imports the module that an archive states, and makes the class all the same."""
    keras = pytest.importorskip("keras")
    bare = classes(keras.layers.Layer)["Bare"]
    start = keras.Input((3,))
    path = tmp_path / "m.keras"
    keras.Model(start, bare()(start)).save(path)
    profile = find_profile("tf==2.18.1")
    requests = (
        LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(("Bare",))),
        LoadRequest(LoadCall.LOAD_MODEL, modules=frozenset((bare.__module__,))),
    )
    given, imported = fitting_predictions(
        read(path, Limits()), [(profile, each) for each in requests]
    )
    assert imported.predicted is given.predicted
    assert {each.code for each in imported.because} == {each.code for each in given.because}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("alike", [False, True])
def test_operations_without_names(tmp_path: Path, named: bool, alike: bool) -> None:
    keras = pytest.importorskip("keras")
    keras.backend.clear_session()
    start = keras.layers.Input((3,))
    value = keras.ops.concatenate([start, start], axis=-1)
    value = keras.layers.Concatenate(name=None if alike else "joined")([value, value])
    value = keras.ops.concatenate([value, value], axis=-1)
    path = tmp_path / "m.keras"
    keras.Model(start, keras.layers.Dense(1)(value)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    operations = [each for each in config["config"]["layers"] if ".ops." in each["module"]]
    assert len(operations) == 2
    for number, each in enumerate(operations):  # as Keras 3.8 saves it, and 3.15
        each["config"].pop("name", None)
        if named:
            each["config"]["name"] = f"operation_{number}"
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    asked = [(as_installed(find_profile("tf==2.21.0")), LoadRequest(LoadCall.LOAD_MODEL))]
    (found,) = fitting_predictions(read(path, Limits()), asked)
    keras.backend.clear_session()
    if alike and not named:
        assert [each.code for each in found.because] == ["operation-named-as-layer"]
        with pytest.raises(ValueError, match='name "concatenate_1" is used 2 times'):
            keras.models.load_model(path)
    else:
        assert found.predicted is LoadOutcome.LOADS
        keras.models.load_model(path)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("part", ["cell", "activation"])
def test_a_bidirectional_layer_reads_copies(tmp_path: Path, suffix: str, part: str) -> None:
    keras = pytest.importorskip("keras")

    def squashed(value: Any) -> Any:
        return keras.ops.tanh(value)

    class Cell(keras.layers.Layer):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = self.state_size = units

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.units))

        def call(self, value: Any, states: Any) -> Any:
            found = keras.ops.matmul(value, self.kernel) + states[0]
            return found, [found]

    own = {"Cell": Cell, "squashed": squashed}
    path = tmp_path / f"m.{suffix}"
    with keras.saving.custom_object_scope(own):
        inner = keras.layers.RNN(Cell(2))
        if part == "activation":
            inner = keras.layers.GRU(2, activation=squashed)
        model = keras.Sequential([keras.Input((4, 3)), keras.layers.Bidirectional(inner)])
        model.save(path)
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(own))
    profile = as_installed(find_profile("tf==2.21.0"))
    (found,) = fitting_predictions(read(path, Limits()), [(profile, request)])
    fails = suffix == "h5"
    assert [each.code for each in found.because] == ["copied-without-custom-objects"] * fails
    if fails:
        with pytest.raises(TypeError, match="Could not locate"):
            keras.models.load_model(path, custom_objects=own)
        with keras.saving.custom_object_scope(own):
            keras.models.load_model(path)
    else:
        keras.models.load_model(path, custom_objects=own)
