"""Layers in dictionaries, in HDF5 of tf-keras: predictions compared with what Keras 3 does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import if_it_fits

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
    assert if_it_fits(here) is EXPECTED[form]
    assert if_it_fits(there) is LoadOutcome.LOADS
    for library, found in ((newer, here), (older, there)):

        def load(library: Any = library) -> Any:
            made = network(library, form)
            made.load_weights(path)
            return made

        assert outcome(load, answer) is if_it_fits(found)


@pytest.mark.parametrize("form", HELD)
def test_a_whole_model(tmp_path: Path, form: str) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "m.h5"
    older.backend.clear_session()
    saved = around_a_layer(older, form)
    saved.save(path)
    answer = np.asarray(saved(DATA))
    here, there = predicted(path, LoadCall.LOAD_MODEL)
    assert if_it_fits(here) is EXPECTED[form]
    assert if_it_fits(there) is LoadOutcome.LOADS
    for library, found in ((newer, here), (older, there)):
        own = {"Block": classes(library, form)[0]}
        assert outcome(
            lambda own=own, library=library: library.models.load_model(
                path, custom_objects=own, compile=False
            ),
            answer,
        ) is if_it_fits(found)


def test_a_functional_model_inside_sorts_its_layers_in_another_way(tmp_path: Path) -> None:
    older = pytest.importorskip("tf_keras")
    older.backend.clear_session()
    start = older.Input((4,))
    last, first = older.layers.Dense(3), older.layers.Dense(4)
    inner = older.Model(start, last(first(start)))
    outer = older.Sequential([older.Input((4,)), inner])
    outer.save_weights(tmp_path / "w.h5")
    here, _ = predicted(tmp_path / "w.h5", LoadCall.LOAD_WEIGHTS)
    assert if_it_fits(here) is LoadOutcome.LOADS


IN_TURN = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.down, self.up = [], []
        {body}

    def call(self, x):
        for layer in [*self.down, *self.up]:
            x = layer(x)
        return x
"""
IN_A_LOOP = """for width in (4, 3):
            self.down.append(keras.layers.Dense(4))
            self.up.append(keras.layers.Dense({width}))"""
ONE_AFTER_THE_OTHER = """for width in (4, 3):
            self.down.append(keras.layers.Dense(4))
        for width in (4, 3):
            self.up.append(keras.layers.Dense(width))"""
BY_WIDTH = """for width in (5, 4):
            self.down.append(keras.layers.Dense(width, name=f"dense_{width}"))"""


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (IN_A_LOOP.format(width=5), LoadOutcome.FAILS),
        (IN_A_LOOP.format(width=4), LoadOutcome.DIFFERS),
        (ONE_AFTER_THE_OTHER, LoadOutcome.LOADS),
        (BY_WIDTH, LoadOutcome.LOADS),
    ],
    ids=["of several shapes", "of one shape", "one after the other", "named by width"],
)
def test_lists_that_a_loop_fills_in_turn(
    tmp_path: Path, body: str, expected: LoadOutcome, given: bool
) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    program, path = tmp_path / "program.py", tmp_path / "w.h5"
    program.write_text(f"import keras\n{IN_TURN.format(body=body)}")

    def made(library: Any) -> Any:
        names: dict[str, Any] = {"keras": library, "__name__": "program"}
        exec(IN_TURN.format(body=body), names)
        model = names["Net"]()
        model(DATA)
        return model

    older.backend.clear_session()
    saved = made(older)
    saved.save_weights(path)
    code = read_source_code([str(program)]) if given else None
    profile = as_installed(find_profile("tf==2.21.0"))
    asked = [(profile, LoadRequest(LoadCall.LOAD_WEIGHTS))]
    (found,) = predict_calls(read(path, Limits()), asked, code)
    assert if_it_fits(found) is expected

    def load() -> Any:
        model = made(newer)
        model.load_weights(path)
        return model

    assert outcome(load, np.asarray(saved(DATA))) is expected
