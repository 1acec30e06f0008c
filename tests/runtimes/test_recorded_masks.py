"""Checkpoints of Keras that counts masks among the operations, read by one that does not.

The oracle is the installed Keras. The model that is saved has the masks of older ones, written out.
"""

from __future__ import annotations

import zipfile
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
NEW = "tf==2.21"


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def pool(keras: Any, several: bool) -> Any:
    """A layer of the user's own with a part, for two tensors or for one."""

    class Pool(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.judge = keras.layers.Dense(1)

        def build(self, shape: Any) -> None:
            self.judge.build((*(shape[0] if several else shape)[:-1], 4))
            self.built = True

        def call(self, value: Any, mask: Any = None) -> Any:
            query, keys = value if several else (value, value)
            return keras.ops.sum(self.judge(query * keys) * keys, axis=1)

    return Pool()


def clicks(keras: Any, several: bool, written: bool, widths: tuple[int, int] = (8, 6)) -> Any:
    """Two embedded inputs that an own layer weighs; `written` passes their masks."""
    keras.backend.clear_session()
    one, many = keras.Input((1,), dtype="int32"), keras.Input((5,), dtype="int32")
    table = keras.layers.Embedding(12, 4, mask_zero=True)
    query, keys = table(one), table(many)
    masks = [keras.ops.not_equal(each, 0) for each in (one, many)]
    given = {"mask": masks if several else masks[1]} if written else {}
    value = pool(keras, several)([query, keys] if several else keys, **given)
    value = keras.layers.Concatenate()([keras.layers.Flatten()(query), value])
    for width in widths:
        value = keras.layers.Dense(width)(value)
    return keras.Model([one, many], value)


def restored(saved: Any, other: Any, path: Path) -> str:
    checkpoint = pytest.importorskip("tensorflow").train.Checkpoint
    written = checkpoint(saved).write(str(path))
    try:
        checkpoint(other).read(written).expect_partial()
    except ValueError as error:
        assert "incompatible tensor with shape" in str(error)
        return "fails"
    pairs = zip(saved.get_weights(), other.get_weights(), strict=True)
    return "loads" if all(np.allclose(one, two) for one, two in pairs) else "differs"


def predicted(path: Path, runtime: str, call: LoadCall = LoadCall.RESTORE) -> Prediction:
    (found,) = fitting_predictions(
        read(path, Limits()), [(find_profile(runtime), LoadRequest(call, trained=False))]
    )
    return found


@pytest.mark.parametrize("widths", [(8, 6), (8, 8)])
def test_masks_of_two_tensors(tmp_path: Path, keras: Any, widths: tuple[int, int]) -> None:
    path = tmp_path / "c"
    saved, other = (clicks(keras, True, written, widths) for written in (True, False))
    outcome = restored(saved, other, path)
    assert outcome != "loads"
    found = predicted(path, NEW)
    assert found.predicted.value == outcome
    assert found.because[0].code == "masks-counted"
    assert predicted(path, "tf==2.18").predicted.value == "loads"


def test_a_layer_that_is_called_with_one_tensor(tmp_path: Path, keras: Any) -> None:
    """Its mask is an operation in both."""
    path = tmp_path / "c"
    saved, other = (clicks(keras, False, written) for written in (True, False))
    assert restored(saved, other, path) == "loads"
    assert predicted(path, NEW).predicted.value == "loads"


@pytest.mark.parametrize("masked", [True, False])
def test_attention_behind_an_embedding(tmp_path: Path, keras: Any, masked: bool) -> None:
    """What stands between them, the file does not tell: a mask, or an operation of the program."""

    def model(written: bool) -> Any:
        keras.backend.clear_session()
        words = keras.Input((5,), dtype="int32")
        value = keras.layers.Embedding(12, 4, mask_zero=masked)(words)
        value = value if masked else value * 2.0
        mask = keras.ops.not_equal(words, 0)
        given = {"query_mask": mask} if written and masked else {}
        value = keras.layers.MultiHeadAttention(2, 2)(value, value, **given)
        value = keras.layers.Dense(3)(keras.layers.Flatten()(value))
        return keras.Model(words, keras.layers.Dense(2)(value))

    path = tmp_path / "c"
    outcome = restored(model(True), model(False), path)
    assert (outcome == "loads") is not masked
    assert predicted(path, NEW).predicted.value == "unknown"


def test_a_checkpoint_of_stacked_cells_alone_has_no_weights(tmp_path: Path, keras: Any) -> None:
    def model() -> Any:
        keras.backend.clear_session()
        value = keras.Input((6, 4))
        cells = [keras.layers.GRUCell(3), keras.layers.GRUCell(2)]
        return keras.Model(value, keras.layers.RNN(cells)(value))

    path = tmp_path / "c"
    assert restored(model(), model(), path) == "differs"
    assert predicted(path, NEW).because[0].code == "cells-left-out"


def test_layers_of_older_keras_by_the_name_of_their_module(tmp_path: Path, keras: Any) -> None:
    """Keras 3.4 to 3.9 have them once a program has used `tf.keras`, as measured there."""
    path = tmp_path / "m.keras"
    legacy = pytest.importorskip("keras.src.legacy.layers")
    value = keras.Input((3,))
    keras.Model(value, legacy.ThresholdedReLU(0.5)(value)).save(path)
    with zipfile.ZipFile(path) as archive:
        assert b"keras._legacy.layers" in archive.read("config.json")
    keras.saving.load_model(path)
    for runtime in (NEW, "tf==2.18"):
        found = predicted(path, runtime, LoadCall.LOAD_MODEL)
        assert "module-moved" not in {each.code for each in found.because}
    found = predicted(path, "tf-keras==2.21", LoadCall.LOAD_MODEL)
    assert "module-moved" in {each.code for each in found.because}
