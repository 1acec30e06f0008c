"""Advice that is followed word by word, on files of several causes; Keras is the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow


def _old(config: dict[str, object]) -> dict[str, object]:
    """The config of a Sequential model as Keras 2.2.4 wrote it: no input layer, no modules."""
    first, *layers = config["config"]["layers"]  # type: ignore[index,call-overload]
    layers[0]["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]
    plain = [{key: each[key] for key in ("class_name", "config")} for each in layers]
    return {"class_name": "Sequential", "config": plain}


def advice(path: Path) -> str:
    (found,) = run_rule(rule("MA220"), static_facts(path, Settings())).findings
    return found.fix


@pytest.mark.parametrize("kind", ["LSTM", "Dense"])
def test_tf_keras_is_not_said_to_save_what_keras_3_loads(tmp_path: Path, kind: str) -> None:
    import keras
    import tf_keras

    model = tf_keras.Sequential([tf_keras.Input((5, 3)), getattr(tf_keras.layers, kind)(2)])
    path = tmp_path / "m.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(_old(config)).encode()
        file.attrs["keras_version"] = b"2.2.2"
    fix = advice(path)
    assert "tf-keras" in fix and "save it again" not in fix
    again = tf_keras.models.load_model(path)  # the advice
    again.save(tmp_path / "again.keras")
    with pytest.raises((TypeError, ValueError)):  # why no more is advised
        keras.models.load_model(tmp_path / "again.keras")


def test_weights_beside_a_config_are_loaded_by_two_calls(tmp_path: Path) -> None:
    import tf_keras

    model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2)])
    (tmp_path / "model.json").write_text(json.dumps(_old(json.loads(model.to_json()))))
    model.save_weights(tmp_path / "model.h5")
    fix = advice(tmp_path / "model.h5")
    assert "model_from_json is predicted to read `model.json`" in fix
    again = tf_keras.models.model_from_json((tmp_path / "model.json").read_text())
    again.load_weights(tmp_path / "model.h5")
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
