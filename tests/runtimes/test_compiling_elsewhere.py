"""Advice that names tf-keras, where its defaults do not load the file; tf-keras is the oracle."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits, Settings

pytestmark = pytest.mark.slow


def overlap(given: object, found: object) -> object:
    return given


@pytest.mark.parametrize("own", [True, False])
def test_tf_keras_is_advised_with_what_it_needs(tmp_path: Path, own: bool) -> None:
    import tf_keras

    path = tmp_path / "m.h5"
    layers = tf_keras.layers
    model = tf_keras.Sequential([tf_keras.Input((4, 4, 2)), layers.Conv2DTranspose(2, 3)])
    model.compile("sgd", "mean_squared_error", [overlap if own else "mean_absolute_error"])
    model.fit(np.ones((2, 4, 4, 2)), np.ones((2, 6, 6, 2)), verbose=0)
    model.save(path)  # with groups, which Keras 3 does not take
    if own:
        with pytest.raises(ValueError, match="Unknown metric function"):
            tf_keras.models.load_model(path)
    else:
        tf_keras.models.load_model(path)
    tf_keras.models.load_model(path, compile=False)
    facts = static_facts(path, Settings(targets=("tf-keras==2.21.0", "tf==2.21.0")))
    (found,) = run_rule(rule("MA220"), facts).findings
    assert "Conv2DTranspose" in found.detail
    assert ("compile=False is needed as well: the metric overlap" in found.fix) is own


@pytest.mark.parametrize(
    ("names", "versions"),
    [
        (("dense", "dense_2"), "2.12 or 2.13"),
        (("dense", "dense_1"), "2.14"),
        (("dense",), "2.12 to 2.14"),
    ],
)
def test_the_versions_are_those_that_write_the_layout(
    tmp_path: Path, names: tuple[str, ...], versions: str
) -> None:
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        for name in names:
            group = file.create_group(f"_layer_checkpoint_dependencies\\{name}/vars")
            group["0"], group["1"] = np.ones((3, 3), "f"), np.zeros(3, "f")
    (found,) = run_rule(rule("MA220"), static_facts(path, Settings())).findings
    assert f"as Keras {versions} names them on Windows" in found.detail
    assert f"TensorFlow {versions}," in found.fix


@pytest.mark.parametrize("legacy", [True, False])
def test_only_keras_2_12_to_2_14_build_older_optimizers_of_archives(
    tmp_path: Path, legacy: bool
) -> None:
    """TensorFlow 2.14.1 raises `'SGD' object has no attribute 'build'`, as measured there."""
    import tf_keras

    path = tmp_path / "m.keras"
    optimizers = tf_keras.optimizers.legacy if legacy else tf_keras.optimizers
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    model.compile(optimizers.SGD(0.1), "mse")
    model.save(path)
    tf_keras.models.load_model(path)
    told = {}
    for runtime in ("tf==2.12", "tf==2.13", "tf==2.14", "tf==2.15", "tf-keras==2.21", "tf==2.21"):
        request = LoadRequest(LoadCall.LOAD_MODEL, compile=True)
        (found,) = predict_calls(read(path, Limits()), [(find_profile(runtime), request)])
        told[runtime] = "legacy-optimizer" in {each.code for each in found.because}
    fails = ("tf==2.12", "tf==2.13", "tf==2.14", "tf==2.21")
    assert [runtime for runtime, there in told.items() if there] == [*fails] * legacy
