"""Own layers in SavedModels that were saved without their call: tf-keras is the oracle."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = pytest.mark.slow
DATA = np.ones((2, 4), "float32")


def scaling(keras: Any) -> type:
    class Scaling(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, scale: float = 2.0, **words: Any) -> None:
            super().__init__(**words)
            self.scale = scale

        def call(self, x: Any) -> Any:
            return self.scale * x

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "scale": self.scale}

    return Scaling


def connected(keras: Any, layer: Any) -> Any:
    start = keras.Input((4,))
    return keras.Model(start, keras.layers.Dense(2)(layer(start)))


def anew(keras: Any, own: type, kept: bool) -> Any:
    """A model that is connected by its own call, which makes new layers, or has them."""

    class Anew(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.last = keras.layers.Dense(2)
            if kept:
                self.own = own(3.0)
            start = keras.Input((4,))
            super().__init__(inputs=start, outputs=self.call(start))

        def call(self, x: Any, training: bool = False) -> Any:
            return self.last(self.own(x) if kept else own(3.0)(x))

    return Anew()


@pytest.mark.parametrize("way", ["traced", "untraced", "inside", "kept", "anew", "built-in"])
@pytest.mark.parametrize("passed", [True, False])
def test_layers_without_their_call(old: ModuleType, tmp_path: Path, way: str, passed: bool) -> None:
    own = scaling(old)
    if way in ("kept", "anew"):
        model = anew(old, own, way == "kept")
    elif way == "inside":
        model = connected(old, connected(old, own()))
    else:
        model = connected(old, old.layers.ReLU() if way == "built-in" else own())
    wanted = np.asarray(model(DATA))
    untraced = way in ("untraced", "inside", "built-in")
    model.save(tmp_path / "m", save_format="tf", save_traces=not untraced)
    custom = {own.__name__: own} if passed else {}
    profile = as_installed(find_profile("tf-keras==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(custom))
    (found,) = fitting_predictions(read(tmp_path / "m", Limits()), [(profile, request)])
    try:
        again = old.models.load_model(tmp_path / "m", custom_objects=custom)
        np.testing.assert_allclose(again(DATA), wanted, rtol=1e-5)
    except ValueError as error:
        assert "Cannot call custom layer" in str(error)
        assert (found.predicted.value, found.because[0].code) == (
            *("fails", "layer-without-function"),
        )
    else:
        assert found.predicted.value == "loads", found.because
