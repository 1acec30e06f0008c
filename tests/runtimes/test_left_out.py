"""What a checkpoint of Keras 3 lacks: Keras is the oracle, it restores each into a second model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
_TOLD = ("by name", "partly")  # by the numbers in the names of layers
Make = Callable[[Any, Any], Callable[[Any], Any]]


def by_name(keras: Any, layer: Any) -> Callable[[Any], Any]:
    layer.first, layer.second = keras.layers.Dense(3), keras.layers.Dense(3)
    return lambda x: layer.second(layer.first(x))


def in_list(keras: Any, layer: Any) -> Callable[[Any], Any]:
    layer.parts = [keras.layers.Dense(3), keras.layers.Dense(3)]
    return lambda x: layer.parts[1](layer.parts[0](x))


def in_dict(keras: Any, layer: Any) -> Callable[[Any], Any]:
    layer.parts = {"one": keras.layers.Dense(3), "two": keras.layers.Dense(3)}
    return lambda x: layer.parts["two"](layer.parts["one"](x))


def partly(keras: Any, layer: Any) -> Callable[[Any], Any]:
    layer.first, layer.parts = keras.layers.Dense(3), [keras.layers.Dense(3)]
    return lambda x: layer.parts[0](layer.first(x))


def statistics(keras: Any, layer: Any) -> Callable[[Any], Any]:
    layer.first, layer.parts = keras.layers.Dense(3), [keras.layers.BatchNormalization()]
    return lambda x: layer.parts[0](layer.first(x))


def block(make: Make) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        class Block(keras.layers.Layer):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.compute = make(keras, self)

            def call(self, x: Any) -> Any:
                return self.compute(x)

        start = keras.Input((3,))
        value = Block()(start)
        return keras.Model(start, keras.layers.Dense(2)(value))

    return build


def cells(kinds: tuple[str, ...]) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        made = [getattr(keras.layers, kind)(3) for kind in kinds]
        start = keras.Input((5, 3))
        value = keras.layers.RNN(made if len(made) > 1 else made[0])(start)
        return keras.Model(start, keras.layers.Dense(2)(value))

    return build


MADE: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "by name": (block(by_name), (3,)),
    "list": (block(in_list), (3,)),
    "dict": (block(in_dict), (3,)),
    "partly": (block(partly), (3,)),
    "statistics": (block(statistics), (3,)),
    "one cell": (cells(("GRUCell",)), (5, 3)),
    "stacked cells": (cells(("GRUCell", "LSTMCell")), (5, 3)),
}


def model(name: str, trained: bool, seed: int) -> tuple[Any, Any]:
    import keras

    keras.backend.clear_session()
    build, shape = MADE[name]
    data = np.random.default_rng(seed).normal(size=(4, *shape)).astype("float32")
    made = build(keras)
    made(data)
    if trained:
        made.compile("adam", "mse")
        made.fit(data * 3 + seed, np.ones((4, 2)), verbose=0, epochs=2)
    return made, data


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("name", MADE)
def test_what_a_checkpoint_restores(tmp_path: Path, name: str, trained: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    saved, data = model(name, trained, 1)
    other, _ = model(name, trained, 2)
    written = tf.train.Checkpoint(saved).write(str(tmp_path / "c"))
    tf.train.Checkpoint(other).read(written).expect_partial()
    same = np.allclose(np.asarray(saved(data)), np.asarray(other(data)), atol=1e-6)
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.RESTORE, trained=trained)
    (found,) = fitting_predictions(read(Path(written), Limits()), [(profile, request)])
    undecided = not (trained or "cell" in name or name in _TOLD) or name == "statistics"
    allowed = {"loads" if same else "differs"} | ({"unknown"} if undecided else set())
    assert found.predicted.value in allowed
    assert same == (
        name in ("by name", "one cell")
        or (trained and name != "statistics")
        or (not trained and name == "statistics")  # both have those of a layer that saw nothing
    )


def test_weights_that_only_the_optimizer_lists_are_a_condition(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    saved, _ = model("list", True, 1)
    written = tf.train.Checkpoint(saved).write(str(tmp_path / "c"))
    profile = as_installed(find_profile("tf==2.21.0"))
    (found,) = fitting_predictions(
        read(Path(written), Limits()), [(profile, LoadRequest(LoadCall.RESTORE))]
    )
    assert found.predicted.value == "differs"
    (condition,) = found.conditions
    assert condition.code == "weights-of-optimizer-only"
    other, data = model("list", False, 2)  # the condition is not met
    tf.train.Checkpoint(other).read(written).expect_partial()
    assert not np.allclose(np.asarray(saved(data)), np.asarray(other(data)), atol=1e-6)


def test_layers_of_an_earlier_model_are_counted_too(tmp_path: Path) -> None:
    """In one row for all models of a process: a complete checkpoint of the second is complete."""
    tf = pytest.importorskip("tensorflow")
    import keras

    keras.backend.clear_session()

    def build() -> Any:
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(2)])

    _, second, third = build(), build(), build()
    written = tf.train.Checkpoint(second).write(str(tmp_path / "c"))
    tf.train.Checkpoint(third).read(written).expect_partial()
    data = np.ones((4, 3), "float32")
    assert np.allclose(second(data), third(data))
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.RESTORE, trained=False)
    (found,) = fitting_predictions(read(Path(written), Limits()), [(profile, request)])
    assert found.predicted.value == "loads"
