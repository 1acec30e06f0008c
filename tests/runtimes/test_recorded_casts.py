"""Checkpoints in half precision of Keras that counts casts, read by one that does not.

The oracle is the installed Keras. The model that is saved has the casts of older ones, written out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
DATA = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


def model(keras: Any, widths: tuple[int, ...], casts: tuple[int, ...], last: bool) -> Any:
    """Dense layers, with casts before some of them, and with `last` before an activation."""
    keras.backend.clear_session()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        value = start = keras.Input((3,))
        for number, width in enumerate(widths):
            if number in casts:
                value = keras.ops.cast(value, "float16")
            value = keras.layers.Dense(width, dtype="mixed_float16")(value)
        if last:
            value = keras.ops.cast(value, "float32") if casts else value
            value = keras.layers.Activation("tanh", dtype="float32")(value)
        made = keras.Model(start, value)
        made.compile("adam", "mse")
        made.fit(DATA, np.ones((4, widths[-1])), verbose=0)
        return made
    finally:
        keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize(
    ("widths", "casts", "last"),
    [
        ((4, 5, 2), (0,), False),
        ((4, 5, 2), (2,), False),
        ((3, 3, 3), (1,), False),
        ((4, 2), (9,), True),
        ((4, 5, 2), (), False),
    ],
)
def test_layers_behind_a_cast(
    tmp_path: Path, widths: tuple[int, ...], casts: tuple[int, ...], last: bool
) -> None:
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    saved = model(keras, widths, casts, last)
    written = tf.train.Checkpoint(saved).write(str(tmp_path / "c"))
    other = model(keras, widths, (), last)
    try:
        tf.train.Checkpoint(other).read(written).expect_partial()
        same = all(
            np.allclose(one, two)
            for one, two in zip(saved.get_weights(), other.get_weights(), strict=True)
        )
        outcome = "loads" if same else "differs"
    except ValueError as error:
        assert "incompatible tensor with shape" in str(error)
        outcome = "fails"
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.RESTORE, trained=True)
    (found,) = predict_calls(read(Path(written), Limits()), [(profile, request)])
    assert found.predicted.value == outcome
    assert outcome == "fails" or casts != (0,)
