"""Statistics of a Normalization in a model inside: Keras itself is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

DATA = np.linspace(-4, 9, 24, dtype="float32").reshape(8, 3)


def whole(keras: Any, norm: Any) -> Any:
    return keras.Sequential([keras.Input((3,)), norm, keras.layers.Dense(2)])


def inside(keras: Any, norm: Any) -> Any:
    body = keras.Sequential([keras.Input((3,)), norm, keras.layers.Dense(4)], name="body")
    return keras.Sequential([keras.Input((3,)), body, keras.layers.Dense(2)])


@pytest.mark.parametrize("adapted", [True, False])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("made", [whole, inside])
@pytest.mark.parametrize("saved_by", ["keras", "tf_keras"])
def test_keras_3_computes_without_statistics_that_it_reads(
    tmp_path: Path, made: Callable[[Any, Any], Any], saved_by: str, suffix: str, adapted: bool
) -> None:
    import keras

    library = pytest.importorskip(saved_by)
    norm = library.layers.Normalization(axis=-1)
    if adapted:
        norm.adapt(DATA)
    model = made(library, norm)
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    facts = static_facts(path, Settings())
    (said,) = [
        each.predicted.value
        for each in facts.predictions
        if each.runtime.startswith("tf==") and each.call == "load_model"
    ]
    try:
        loaded = keras.models.load_model(path, compile=False)
    except (TypeError, ValueError):
        assert said == "fails"
        return
    same = np.allclose(np.asarray(loaded(DATA)), np.asarray(model(DATA)), atol=1e-5)
    assert said == ("loads" if same else "differs")
    assert same is not (made is inside and suffix == "h5" and adapted)
    told = [each.detail for each in run_rule(rule("MA221"), facts).findings]
    assert any("`body/normalization" in each for each in told) is not same


@pytest.mark.parametrize("shared", [True, False])
def test_statistics_of_a_layer_that_is_also_one_of_the_whole_model(
    tmp_path: Path, shared: bool
) -> None:
    import keras

    def built(library: Any, factor: float) -> Any:
        class Scaled(library.Model):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                norm = library.layers.Normalization(axis=-1)
                norm.adapt(DATA * factor)
                if shared:
                    self.norm = norm
                self.body = library.Sequential([norm, library.layers.Dense(2)])

            def call(self, x: Any) -> Any:
                return self.body(x)

        model = Scaled()
        model(DATA)
        return model

    path = tmp_path / "weights.h5"
    saved, loaded = built(pytest.importorskip("tf_keras"), 1.0), built(keras, 3.0)
    saved.save_weights(path)
    loaded.load_weights(path)
    same = np.allclose(np.asarray(loaded(DATA)), np.asarray(saved(DATA)), atol=1e-5)
    assert same is shared
    said = [
        each.predicted.value
        for each in static_facts(path, Settings()).predictions
        if each.runtime.startswith("tf==2.21") and each.call == "load_weights"
    ]
    assert said == ["loads" if same else "differs"]
