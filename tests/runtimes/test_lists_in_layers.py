"""Checkpoints of Keras 3 with a layer of the program that holds all its layers in a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from tests.runtimes.fitting_code import if_it_fits
from tests.runtimes.restore_predictions import DATA, predicted

pytestmark = pytest.mark.filterwarnings("ignore")
CODE = """
from keras import layers
from tests.runtimes.fitting_code import if_it_fits


class Steps(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.steps = [layers.Dense(each, activation="relu") for each in units]

    def call(self, value):
        for step in self.steps:
            value = step(value)
        return value


class Step(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.step = layers.Dense(units[0])

    def call(self, value):
        return self.step(value)
"""


@pytest.mark.parametrize("kind", ["Steps", "Step"])
def test_the_code_tells_what_a_checkpoint_lacks(tmp_path: Path, kind: str) -> None:
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    code = tmp_path / "steps.py"
    code.write_text(CODE)
    space: dict[str, Any] = {}
    exec(compile(CODE, str(code), "exec"), space)

    def model() -> Any:
        keras.backend.clear_session()
        inner = [space[kind]([4, 4]), keras.layers.Dropout(0.1), keras.layers.Dense(2)]
        return keras.Sequential([keras.Input((4,)), *inner])

    saved, read_into = model(), model()
    tf.train.Checkpoint(saved).write(str(tmp_path / "ckpt"))
    tf.train.Checkpoint(read_into).read(str(tmp_path / "ckpt")).expect_partial()
    same = np.allclose(saved(DATA), read_into(DATA))
    assert same == (kind == "Step")
    found = predicted(tmp_path / "ckpt.index", code)
    assert if_it_fits(found) is (LoadOutcome.LOADS if same else LoadOutcome.DIFFERS)
    without = if_it_fits(predicted(tmp_path / "ckpt.index", None))
    assert without is (LoadOutcome.LOADS if same else LoadOutcome.UNKNOWN)
