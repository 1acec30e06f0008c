"""Subclasses whose `call` has no parameter `training`: what `fit` of each Keras does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

RULES = [rule("MA401")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def trained(keras: Any, told: bool) -> Any:
    class Normed(keras.Model):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.wide = keras.layers.Dense(8, use_bias=False)
            self.norm = keras.layers.BatchNormalization()
            self.answer = keras.layers.Dense(2)

        if told:

            def call(self, x: Any, training: Any = None) -> Any:
                return self.answer(self.norm(self.wide(x)))
        else:

            def call(self, x: Any) -> Any:
                return self.answer(self.norm(self.wide(x)))

    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32") + 3
    model = Normed()
    model.compile("adam", "mse")
    model.fit(x, x[:, :2], epochs=20, verbose=0)
    return model


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_statistics_that_fit_did_not_update(tmp_path: Path, library: str, told: bool) -> None:
    model = trained(pytest.importorskip(library), told)
    updated = bool(np.abs(np.asarray(model.norm.moving_mean)).max() > 0)
    assert updated is (told or library == "tf_keras")
    model.save_weights(tmp_path / "m.weights.h5")
    model.save(tmp_path / "m.keras")
    for name in ("m.weights.h5", "m.keras"):
        findings = found(RULES, tmp_path / name)
        assert [each.severity.value for each in findings] == ["low"] * (not updated), name
        assert all("Add `training=None`" in each.fix for each in findings)


def test_an_export_of_such_a_model(tmp_path: Path) -> None:
    model = trained(pytest.importorskip("keras"), told=False)
    model.export(tmp_path / "m", verbose=False)
    (finding,) = found(RULES, tmp_path / "m")
    assert "only if `call` has a parameter `training`" in finding.fix
