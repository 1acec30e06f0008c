"""Layers that lose their axis in HDF5: Keras 3 itself says what their default axis takes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("rows", [4, 5])
def test_inputs_that_do_not_fit_along_the_axis_that_takes_its_place(
    tmp_path: Path, new: ModuleType, rows: int
) -> None:
    one, other = new.layers.Input((4, 3)), new.layers.Input((rows, 3))
    path = tmp_path / "m.h5"
    new.Model([one, other], new.layers.Concatenate(axis=1)([one, other])).save(path)
    profile = as_installed(find_profile("keras==3.6.0"))
    (found,) = predict_calls(read(path, Limits()), [(profile, LoadRequest(LoadCall.LOAD_MODEL))])
    if rows == 4:
        new.layers.Concatenate()([one, other])
        assert found.predicted is LoadOutcome.DIFFERS
        return
    with pytest.raises(ValueError, match="requires inputs with matching shapes") as error:
        new.layers.Concatenate()([one, other])
    assert found.predicted is LoadOutcome.FAILS
    assert found.because[0].error.removeprefix("ValueError: ") in str(error.value)


@pytest.mark.parametrize("steps", [1, None])
def test_a_size_and_any_size_along_the_axis_that_is_lost(
    tmp_path: Path, new: ModuleType, steps: int | None
) -> None:
    one, other = new.layers.Input((steps, 3)), new.layers.Input((None, 3))
    path = tmp_path / "m.h5"
    new.Model([one, other], new.layers.Concatenate(axis=1)([one, other])).save(path)
    profile = as_installed(find_profile("keras==3.6.0"))
    (found,) = predict_calls(read(path, Limits()), [(profile, LoadRequest(LoadCall.LOAD_MODEL))])
    joined = new.Model([one, other], new.layers.Concatenate()([one, other]))  # as it is loaded
    with pytest.raises(Exception, match=r"ConcatOp : Dimension \d in both shapes must be equal"):
        joined([np.ones((2, 1, 3), "float32"), np.ones((2, 5, 3), "float32")])
    assert found.predicted is (LoadOutcome.FAILS if steps else LoadOutcome.DIFFERS)
