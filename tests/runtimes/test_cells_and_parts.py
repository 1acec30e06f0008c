"""Checkpoints with cells that the program holds itself, and with the optimizer of a part.

The oracle is Keras, which restores each into the model of the same program.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
STEPS = np.linspace(-1, 1, 3 * 5 * 4, dtype="float32").reshape(3, 5, 4)


def predicted(
    path: Path, runtime: str, call: LoadCall = LoadCall.RESTORE, trained: bool | None = None
) -> Prediction:
    request = LoadRequest(call, trained=trained)
    (found,) = fitting_predictions(read(path, Limits()), [(find_profile(runtime), request)])
    return found


def restored(tf: ModuleType, build: Callable[[], object], path: Path) -> str:
    """Saves one model of a program, and restores it into another one of it."""
    saved, model = build(), build()
    wanted = np.asarray(saved(STEPS))
    tf.train.Checkpoint(saved).write(str(path))
    model(STEPS)
    tf.train.Checkpoint(model).read(str(path)).expect_partial()
    return "loads" if np.allclose(model(STEPS), wanted, atol=1e-5) else "differs"


def gated(keras: ModuleType, resets: bool, trained: bool) -> Callable[[], object]:
    """A layer of the program that builds a cell for itself, in a model that may be trained."""

    class Evolution(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, **others):
            super().__init__(**others)
            self.gates = keras.layers.GRUCell(3, reset_after=resets)

        def build(self, shape):
            self.gates.build(shape[:1] + shape[2:])
            super().build(shape)

        def call(self, value):
            return self.gates(value[:, 0], [value[:, 1, :3]])[0]

    def build() -> object:
        model = keras.Sequential([keras.layers.Input((5, 4)), Evolution(), keras.layers.Dense(2)])
        if trained:
            model.compile("adam", "mse")
            model.fit(STEPS, STEPS[:, 0, :2], verbose=0)
        return model

    return build


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("resets", [False, True])
def test_a_cell_of_a_layer_of_the_program_has_what_the_program_states(
    tmp_path: Path, old: ModuleType, tensorflow: ModuleType, resets: bool, trained: bool
) -> None:
    path = tmp_path / "c"
    assert restored(tensorflow, gated(old, resets, trained), path) == "loads"
    names = [name for name, _ in tensorflow.train.list_variables(str(path))]
    assert any("/gates/recurrent_kernel" in name for name in names)
    assert predicted(path, "tf-keras==2.21", trained=trained).predicted.value == "loads"


@pytest.mark.parametrize("rows", [1, 2])
def test_biases_say_whether_a_gru_has_its_default(
    tmp_path: Path, old: ModuleType, rows: int
) -> None:
    """Of TensorFlow 2.15, in 1.15: only with two rows of biases the default was in use."""
    model = old.Sequential([old.layers.Input((5, 4)), old.layers.GRU(3, reset_after=rows == 2)])
    path = tmp_path / "w.h5"
    model.save_weights(path)
    assert len(model.weights[2].shape) == rows
    told = {each.code for each in predicted(path, "tf==1.15", LoadCall.LOAD_WEIGHTS).because}
    assert ("gru-reset-after" in told) is (rows == 2)


@pytest.mark.parametrize("named", [False, True])
def test_stacked_cells_that_are_held_by_name_too(
    tmp_path: Path, new: ModuleType, tensorflow: ModuleType, named: bool
) -> None:
    class Series(new.Model):  # type: ignore[misc,name-defined]
        def __init__(self):
            super().__init__()
            cell = new.layers.GRUCell(4)
            if named:
                self.step = cell
            self.steps = new.layers.RNN(new.layers.StackedRNNCells([cell, cell]))
            self.last = new.layers.Dense(2)

        def call(self, value):
            return self.last(self.steps(value))

    path = tmp_path / "c"
    assert restored(tensorflow, Series, path) == ("loads" if named else "differs")
    found = predicted(path, "tf==2.21")
    assert found.predicted.value == ("unknown" if named else "differs")
    assert found.because[0].code == "cells-left-out"


def test_the_optimizer_of_a_model_inside(
    tmp_path: Path, old: ModuleType, tensorflow: ModuleType
) -> None:
    """A model that was trained and put into another one, which is not compiled."""

    def build(optimizer: object) -> object:
        inner = old.Sequential([old.layers.Input((4,)), old.layers.Dense(2)])
        inner.compile(optimizer, "mse")
        inner.fit(STEPS[0], STEPS[1, :, :2], verbose=0)
        return old.Sequential([inner, old.layers.Softmax()])

    path = tmp_path / "c"
    tensorflow.train.Checkpoint(build(old.optimizers.legacy.Adam())).write(str(path))
    with pytest.raises(ValueError, match=r"legacy .*Keras optimizer"):
        tensorflow.train.Checkpoint(build("adam")).read(str(path))
    found = predicted(path, "tf-keras==2.21", trained=False)
    assert found.predicted.value == "fails"
    assert found.conditions and "model inside" in found.conditions[0].unless


@pytest.mark.parametrize("imported", [False, True])
def test_a_lambda_finds_what_its_imported_module_defines(
    tmp_path: Path, old: ModuleType, monkeypatch: pytest.MonkeyPatch, imported: bool
) -> None:
    module = types.ModuleType("program_of_lambda")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("FACTOR = 3.0\nscaled = lambda x: x * FACTOR", module.__dict__)
    start = old.Input((3,))
    path = tmp_path / "m.h5"
    old.Model(start, old.layers.Lambda(module.scaled)(start)).save(path)
    if not imported:
        monkeypatch.delitem(sys.modules, module.__name__)
    try:
        old.models.load_model(path)
        outcome = "loads"
    except NameError:
        outcome = "fails"
    assert outcome == ("loads" if imported else "fails")
    known = frozenset([module.__name__]) if imported else frozenset()
    request = LoadRequest(LoadCall.LOAD_MODEL, imported=known)
    runtime = as_installed(find_profile("tf-keras==2.21"))
    (found,) = fitting_predictions(read(path, Limits()), [(runtime, request)])
    assert found.predicted.value == outcome
    if not imported:
        (condition,) = found.conditions
        assert condition.unless == "program_of_lambda, which defines FACTOR, is imported before"
        assert condition.sign == "FACTOR"
