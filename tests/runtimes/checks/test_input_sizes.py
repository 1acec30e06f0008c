"""Normalization layers that state no size of their input, against what `load_model` does.

`adapt` before the model is built leaves only open sizes in the config of the layer. Whether the
file loads depends on the shape that reaches the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.pipeline import static_facts
from modelaudit.runtimes.model import LoadCall
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings
from tests.runtimes.checks.cases.case import K2, K3
from tests.runtimes.checks.cases.shared import without_input
from tests.runtimes.checks.making import Config, changed, config_of, new, objects, of_class, old

pytestmark = pytest.mark.slow
ROWS = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
IMAGES = np.random.default_rng(1).normal(size=(8, 5, 5, 3)).astype("float32")


def adapted(data: np.ndarray = ROWS) -> Any:
    layer = old().layers.Normalization(name="norm")
    layer.adapt(data)
    return layer


def functional(*layers: Any, shape: tuple[int | None, ...] = (6,)) -> Any:
    given = value = old().Input(shape)
    for layer in layers:
        value = layer(value)
    return old().Model(given, value)


def with_two_inputs() -> Any:
    one, other = old().Input((6,)), old().Input((2,))
    joined = old().layers.Concatenate()([adapted()(one), other])
    return old().Model([one, other], old().layers.Dense(1)(joined))


def called(*layers: Any, data: np.ndarray = ROWS) -> Any:
    """A Sequential model that its first call builds."""
    model = old().Sequential(list(layers), name="inner")
    model(data[:2])
    return model


def inside_another() -> Any:
    return functional(old().Sequential([adapted(), old().layers.Dense(2)], name="inner"))


def behind_a_layer() -> Any:
    layers = [old().layers.Dense(6), adapted(), old().layers.Dense(1)]
    return old().Sequential([old().Input((3,)), *layers])


LOADED: dict[str, Callable[[], Any]] = {
    "Functional": lambda: functional(adapted(), old().layers.Dense(1)),
    "Sequential with an Input": lambda: old().Sequential([old().Input((6,)), adapted()]),
    "two inputs": with_two_inputs,
    "behind a layer": behind_a_layer,
    "images of any size": lambda: functional(adapted(IMAGES), shape=(None, None, 3)),
    "its own shape": lambda: old().Sequential([adapted_with_shape(), old().layers.Dense(1)]),
}
REFUSED: dict[str, Callable[[], Any]] = {
    "Sequential": lambda: called(adapted(), old().layers.Dense(1)),
    "images": lambda: called(adapted(IMAGES), data=IMAGES),
    "inside another": inside_another,
}


def adapted_with_shape() -> Any:
    layer = old().layers.Normalization(input_shape=(6,))
    layer.adapt(ROWS)
    return layer


def error(path: Path, keras: Any) -> str:
    """What `load_model` says; "" if it loads the file."""
    try:
        keras.models.load_model(path, compile=False)
    except ValueError as found:
        return str(found)
    return ""


def predicted(path: Path, target: str) -> dict[str, LoadOutcome]:
    """The causes that are predicted for `load_model`, each with its outcome."""
    artifact = static_facts(path, Settings(targets=(target,))).artifact
    (found,) = (each for each in predict(artifact, (target,)) if each.call == LoadCall.LOAD_MODEL)
    return {each.code: each.predicted for each in found.because}


def states_no_size(path: Path) -> bool:
    (layer,) = of_class(config_of(path), "Normalization")
    return set(layer["config"]["batch_input_shape"]) == {None}


@pytest.mark.parametrize("name", LOADED)
def test_a_layer_behind_another_one_has_the_size_of_that_ones_output(
    name: str, tmp_path: Path
) -> None:
    LOADED[name]().save(path := tmp_path / "m.h5")
    assert states_no_size(path) or name == "its own shape"
    for target, keras in ((K2, old()), (K3, new())):
        assert error(path, keras) == ""
        assert predicted(path, target) == {}


@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_that_is_the_first_has_no_size(name: str, tmp_path: Path) -> None:
    REFUSED[name]().save(path := tmp_path / "m.h5")
    assert states_no_size(path)
    for target, keras in ((K2, old()), (K3, new())):
        assert "values to be kept must have" in error(path, keras)
        assert predicted(path, target)["unknown-axis"] is LoadOutcome.FAILS


def test_a_first_layer_without_an_input_layer_is_built_with_what_it_states(tmp_path: Path) -> None:
    called(adapted(), old().layers.Dense(1)).save(path := tmp_path / "m.h5")
    changed(path, without_input)
    assert "values to be kept must have" in error(path, old())
    assert "unknown-axis" in predicted(path, K2)
    changed(path, with_the_size)
    assert error(path, old()) == ""
    assert predicted(path, K2) == {}


def with_the_size(config: Config) -> None:
    for each in objects(config):
        if "batch_input_shape" in each:
            each["batch_input_shape"] = [None, 6]


def test_a_layer_in_a_wrapper_gets_the_shape_of_one_step(tmp_path: Path) -> None:
    steps = old().layers.TimeDistributed(adapted())
    functional(steps, shape=(4, 6)).save(path := tmp_path / "m.h5")
    assert error(path, old()) == ""
    assert predicted(path, K2) == {}


def test_an_archive_is_read_as_hdf5_is(tmp_path: Path) -> None:
    for name, make in (("loads", LOADED["Functional"]), ("fails", REFUSED["Sequential"])):
        make().save(path := tmp_path / f"{name}.keras")
        assert bool(error(path, old())) is (name == "fails")
        assert ("unknown-axis" in predicted(path, K2)) is (name == "fails")
