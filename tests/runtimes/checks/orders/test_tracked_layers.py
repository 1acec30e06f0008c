"""Layers that Keras 3 has in another order: what it does with weights of Keras 2 is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LOADS, FAILS, DIFFERS = LoadOutcome.LOADS, LoadOutcome.FAILS, LoadOutcome.DIFFERS
PROGRAM = Path(__file__).with_name("kept.txt")
TARGETS = ("tf==2.21.0", "tf-keras==2.21.0")
DATA = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4) ** 2


def made(keras: Any, name: str, seed: float) -> Any:
    """A model of a class, or around a layer of it, each weight of which has other values."""
    keras.backend.clear_session()
    names: dict[str, Any] = {"keras": keras, "__name__": "kept"}
    exec(compile(PROGRAM.read_text(encoding="utf-8"), str(PROGRAM), "exec"), names)
    model = names[name]()
    if not isinstance(model, keras.Model):
        start = keras.Input((4,))
        model = keras.Model(start, keras.layers.Dense(2, name="end")(model(start)))
    model(DATA)
    values = np.random.default_rng(3)
    for each in model.weights:
        each.assign(seed + values.uniform(0.1, 0.9, tuple(each.shape)))
    return model


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("ListFirst", FAILS),
        ("ListLast", LOADS),
        ("OfOneWidth", DIFFERS),
        ("LocalList", LOADS),
        ("Normed", FAILS),
        ("Once", LOADS),
        ("SetAgain", FAILS),
        ("Unnormed", LOADS),
        ("Inside", FAILS),
        ("Wrapped", FAILS),
    ],
)
def test_weights(tmp_path: Path, name: str, outcome: LoadOutcome) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "w.h5"
    saved = made(older, name, seed=0)
    saved.save_weights(path)
    code = read_source_code([str(PROGRAM)])
    request = LoadRequest(LoadCall.LOAD_WEIGHTS)
    asked = [(as_installed(find_profile(target)), request) for target in TARGETS]
    found = fitting_predictions(read(path, Limits()), asked, code)
    assert [each.predicted for each in found] == [outcome, LOADS]
    for keras, prediction in zip((newer, older), found, strict=True):
        model = made(keras, name, seed=1)
        try:
            model.load_weights(path)
        except ValueError:
            assert prediction.predicted is FAILS
            continue
        same = np.allclose(np.asarray(model(DATA)), np.asarray(saved(DATA)), atol=1e-5)
        assert prediction.predicted is (LOADS if same else DIFFERS)
