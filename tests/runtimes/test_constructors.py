"""Classes of the program's own without keywords in their constructors: Keras is the oracle."""

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
DATA = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def classes(base: Any) -> dict[str, Any]:
    import keras

    class Bare(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.inner(x)

    class Open(Bare):
        def __init__(self, **kwargs: Any) -> None:
            base.__init__(self, **kwargs)
            self.inner = keras.layers.Dense(3)

    return {each.__name__: each for each in (Bare, Open)}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["Bare", "Open"])
@pytest.mark.parametrize("kind", ["layer", "model"])
def test_a_constructor_without_keywords_does_not_load(
    tmp_path: Path, kind: str, name: str, suffix: str
) -> None:
    keras = pytest.importorskip("keras")
    base = keras.layers.Layer if kind == "layer" else keras.Model
    given = classes(base)
    if kind == "layer":
        start = keras.Input((3,))
        model = keras.Model(start, given[name]()(start))
    else:
        model = given[name]()
        model(DATA)
    path = tmp_path / f"m{suffix}"
    model.save(path)
    profile = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(given))
    (found,) = predict_calls(read(path, Limits()), [(profile, request)])
    try:
        loaded = keras.models.load_model(path, custom_objects=given, compile=False)
        same = np.allclose(np.asarray(loaded(DATA)), np.asarray(model(DATA)), atol=1e-6)
        outcome = "loads" if same else "differs"
    except (TypeError, ValueError):
        outcome = "fails"
    assert found.predicted.value == outcome
    if name == "Bare":
        assert outcome == "fails"
        assert "constructor-without-keywords" in {each.code for each in found.because}
