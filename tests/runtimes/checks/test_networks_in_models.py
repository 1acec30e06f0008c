"""Models of layers in others, whose own `get_config` leaves the layers out, in a SavedModel."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.checks.making import old

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("leaves_out", [True, False])
def test_a_network_in_a_model(tmp_path: Path, leaves_out: bool) -> None:
    """As the heads of TensorFlow's models are written."""
    k = old()

    class Head(k.Model):  # type: ignore[misc]
        def __init__(self, units: int = 3) -> None:
            start = k.Input((4,))
            super().__init__(start, k.layers.Dense(units)(start))
            self._given = {"units": units}

        def get_config(self) -> dict[str, object]:
            return dict(self._given) if leaves_out else super().get_config()

    start = k.Input((4,))
    k.Model(start, Head()(k.layers.Dense(4)(start))).save(tmp_path / "m", save_format="tf")
    profile = as_installed(find_profile("tf-keras==2.21"))
    asked = [(profile, LoadRequest(LoadCall.LOAD_MODEL))]
    (found,) = predict_calls(read(tmp_path / "m", Limits()), asked)
    assert ("network-without-layers" in {each.code for each in found.because}) is leaves_out
    if leaves_out:
        assert found.predicted.value == "fails"
        with pytest.raises(KeyError):
            k.models.load_model(tmp_path / "m")
    else:
        k.models.load_model(tmp_path / "m")
