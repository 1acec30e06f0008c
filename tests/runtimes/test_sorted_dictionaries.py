"""Layers in dictionaries, in HDF5 of tf-keras: predictions compared with what Keras 3 does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = pytest.mark.filterwarnings("ignore")
DATA = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
# Widths of the layers by their keys, in the order in which a class puts them in.
HELD = {
    "in order": {"a": 4, "b": 3},
    "of one shape": {"z": 4, "b": 4},
    "of several shapes": {"up": 4, "down": 3},
    "a list": [4, 3],
}
EXPECTED = {
    "in order": LoadOutcome.LOADS,
    "of one shape": LoadOutcome.DIFFERS,
    "of several shapes": LoadOutcome.FAILS,
    "a list": LoadOutcome.LOADS,
}


def classes(keras: Any, form: str) -> tuple[Any, Any]:
    """A layer and a model that hold Dense layers."""

    def held() -> Any:
        widths = HELD[form]
        if isinstance(widths, list):
            return [keras.layers.Dense(width) for width in widths]
        return {key: keras.layers.Dense(width) for key, width in widths.items()}

    def computed(parts: Any, value: Any) -> Any:
        for part in parts.values() if hasattr(parts, "values") else parts:
            value = part(value)
        return value

    class Block(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, **keywords: Any) -> None:
            super().__init__(**keywords)
            self.parts = held()

        def call(self, value: Any) -> Any:
            return computed(self.parts, value)

    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = held()

        def call(self, value: Any) -> Any:
            return computed(self.parts, value)

    return Block, Net


def around_a_layer(keras: Any, form: str) -> Any:
    start = keras.Input((4,))
    return keras.Model(start, keras.layers.Dense(2)(classes(keras, form)[0]()(start)))


def subclass(keras: Any, form: str) -> Any:
    made = classes(keras, form)[1]()
    made(DATA)
    return made


def predicted(path: Path, call: LoadCall) -> list[Prediction]:
    asked = [
        (as_installed(find_profile(target)), LoadRequest(call, custom=frozenset(("Block",))))
        for target in ("tf==2.21.0", "tf-keras==2.21.0")
    ]
    return list(predict_calls(read(path, Limits()), asked))


def outcome(load: Callable[[], Any], answer: Any) -> LoadOutcome:
    try:
        model = load()
    except ValueError:
        return LoadOutcome.FAILS
    same = np.allclose(np.asarray(model(DATA)), answer, atol=1e-6)
    return LoadOutcome.LOADS if same else LoadOutcome.DIFFERS


@pytest.mark.parametrize("form", HELD)
@pytest.mark.parametrize("network", [around_a_layer, subclass])
def test_weights(tmp_path: Path, form: str, network: Callable[[Any, str], Any]) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "w.h5"
    older.backend.clear_session()
    saved = network(older, form)
    saved.save_weights(path)
    answer = np.asarray(saved(DATA))
    here, there = predicted(path, LoadCall.LOAD_WEIGHTS)
    assert here.predicted is EXPECTED[form]
    assert there.predicted is LoadOutcome.LOADS
    for library, found in ((newer, here), (older, there)):

        def load(library: Any = library) -> Any:
            made = network(library, form)
            made.load_weights(path)
            return made

        assert outcome(load, answer) is found.predicted


@pytest.mark.parametrize("form", HELD)
def test_a_whole_model(tmp_path: Path, form: str) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "m.h5"
    older.backend.clear_session()
    saved = around_a_layer(older, form)
    saved.save(path)
    answer = np.asarray(saved(DATA))
    here, there = predicted(path, LoadCall.LOAD_MODEL)
    assert here.predicted is EXPECTED[form]
    assert there.predicted is LoadOutcome.LOADS
    for library, found in ((newer, here), (older, there)):
        own = {"Block": classes(library, form)[0]}
        assert (
            outcome(
                lambda own=own, library=library: library.models.load_model(
                    path, custom_objects=own, compile=False
                ),
                answer,
            )
            is found.predicted
        )


def test_a_functional_model_inside_sorts_its_layers_in_another_way(tmp_path: Path) -> None:
    older = pytest.importorskip("tf_keras")
    older.backend.clear_session()
    start = older.Input((4,))
    last, first = older.layers.Dense(3), older.layers.Dense(4)
    inner = older.Model(start, last(first(start)))
    outer = older.Sequential([older.Input((4,)), inner])
    outer.save_weights(tmp_path / "w.h5")
    here, _ = predicted(tmp_path / "w.h5", LoadCall.LOAD_WEIGHTS)
    assert here.predicted is LoadOutcome.LOADS
