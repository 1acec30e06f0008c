"""Losses and metrics of SavedModels; tf-keras is the oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.formats.reader import read_artifact
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("loss", "metric", "compiles"),
    [("mse", "own", False), ("own", "mae", False), ("mse", "mae", True), ("mse", "AUC", True)],
)
def test_what_compiling_needs_is_predicted(
    tmp_path: Path, loss: str, metric: str, compiles: bool
) -> None:
    import tf_keras

    def own(y_true: object, y_pred: object) -> object:
        return tf_keras.losses.mean_squared_error(y_true, y_pred)

    model = tf_keras.Sequential([tf_keras.Input((2,)), tf_keras.layers.Dense(1)])
    model.compile("sgd", own if loss == "own" else loss, [own if metric == "own" else metric])
    model.fit([[1.0, 2.0]], [1.0], verbose=0)
    model.save(tmp_path / "saved", save_format="tf")
    tf_keras.models.load_model(tmp_path / "saved", compile=False)
    try:
        tf_keras.models.load_model(tmp_path / "saved")
        loaded = True
    except (ValueError, AttributeError):
        loaded = False
    assert loaded is compiles
    calls = {
        each.call: each
        for each in predict(read_artifact(tmp_path / "saved", Limits()), ["tf-keras==2.21"])
    }
    assert ("load_model,compile" not in calls) is compiles
    assert calls["load_model"].predicted == "loads"
