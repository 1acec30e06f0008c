"""Layers in lists of lists: predictions compared with what the runtimes do.

The oracle is the installed Keras and tf-keras. That Keras 3.8 and 3.11 neither save nor read such
layers of a layer, and refuse those of a model, was measured there; here, older Keras is the
installed one without its loop over inner lists.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
NEW, BETWEEN, OLDER = "tf==2.21", "tf==2.20", "tf==2.18"
DATA = np.linspace(-1, 1, 15, dtype="float32").reshape(3, 5)
FORMS = {
    "lists": lambda row: [row[:2], row[2:]],
    "dictionary": lambda row: {"a": row[:2], "b": row[2:]},
    "one list": list,
}


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def flat(held: Any) -> list[Any]:
    rows = held.values() if hasattr(held, "values") else held
    return [each for row in rows for each in (row if isinstance(row, list | tuple) else [row])]


def model(keras: Any, form: str, trained: bool = False) -> Any:
    """A Functional model with a layer that holds four Dense layers."""

    class Block(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.parts = FORMS[form]([keras.layers.Dense(width) for width in (7, 6, 5, 4)])

        def build(self, shape: Any) -> None:
            for part, width in zip(flat(self.parts), (5, 7, 6, 5), strict=True):
                part.build((None, width))
            self.built = True

        def call(self, value: Any) -> Any:
            for part in flat(self.parts):
                value = part(value)
            return value

    keras.backend.clear_session()
    value = keras.Input((5,))
    made = keras.Model(value, keras.layers.Dense(2)(Block()(value)))
    if trained:
        made.compile("adam", "mse")
        made.fit(DATA, np.ones((3, 2)), verbose=0)
    return made


def network(keras: Any) -> Any:
    """A subclass of Model that holds them."""

    class Net(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.blocks = FORMS["lists"]([keras.layers.Dense(5) for _ in range(4)])

        def call(self, value: Any) -> Any:
            for part in flat(self.blocks):
                value = part(value)
            return value

    made = Net()
    made(DATA)
    return made


def predicted(path: Path, runtime: str, trained: bool = False) -> Prediction:
    request = LoadRequest(LoadCall.LOAD_WEIGHTS, trained=trained)
    (found,) = fitting_predictions(read(path, Limits()), [(find_profile(runtime), request)])
    return found


def outcome(saved: Any, other: Any, path: Path) -> str:
    try:
        other.load_weights(path)
    except ValueError as error:
        assert "received 0 variables" in str(error)
        return "fails"
    same = np.allclose(saved.predict(DATA), other.predict(DATA), atol=1e-5)
    return "loads" if same else "differs"


@pytest.fixture
def older(keras: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Saving and reading look into lists, and not into those in them."""
    library = keras.src.saving.saving_lib

    def without(function: Any, place: int) -> Any:
        def call(container: Any, *rest: Any, **named: Any) -> None:
            rows = container.values() if isinstance(container, dict) else container
            kept = [each for each in rows if not isinstance(each, list | dict | tuple)]
            function(kept, *rest, **named)

        return call

    for name in ("_save_container_state", "_load_container_state"):
        monkeypatch.setattr(library, name, without(getattr(library, name), 0))
    return monkeypatch


@pytest.mark.parametrize("form", FORMS)
def test_files_with_inner_lists(
    tmp_path: Path, keras: Any, request: pytest.FixtureRequest, form: str
) -> None:
    path = tmp_path / "m.weights.h5"
    saved = model(keras, form)
    saved.save_weights(path)
    assert outcome(saved, model(keras, form), path) == "loads"
    assert predicted(path, NEW).predicted.value == "loads"
    request.getfixturevalue("older")
    found = outcome(saved, model(keras, form), path)
    assert (found == "differs") is (form != "one list")
    for runtime in (BETWEEN, OLDER):
        assert predicted(path, runtime).predicted.value == found


def test_inner_lists_of_a_model(tmp_path: Path, keras: Any, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "m.weights.h5"
    saved = network(keras)
    saved.save_weights(path)
    assert outcome(saved, network(keras), path) == "loads"
    assert predicted(path, NEW).predicted.value == "loads"
    request.getfixturevalue("older")
    assert outcome(saved, network(keras), path) == "fails"
    for runtime in (BETWEEN, OLDER):
        assert predicted(path, runtime).because[0].code == "layers-in-inner-lists"


@pytest.mark.parametrize("form", FORMS)
def test_what_older_keras_lost(
    tmp_path: Path, keras: Any, older: pytest.MonkeyPatch, form: str
) -> None:
    path = tmp_path / "m.weights.h5"
    saved = model(keras, form, trained=True)
    saved.save_weights(path)
    older.undo()
    found = outcome(saved, model(keras, form), path)
    assert (found == "differs") is (form != "one list")
    for runtime in (NEW, BETWEEN, OLDER):
        assert predicted(path, runtime).predicted.value == found
