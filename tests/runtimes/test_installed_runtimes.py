"""Predictions for the installed runtimes, Keras 3 and tf-keras, compared with loading."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


def plain(layers):
    return [layers.Dense(3, activation="relu"), layers.Dropout(0.5), layers.Dense(2)], (4,)


def convolutions(layers):
    return [layers.SeparableConv1D(3, 2), layers.BatchNormalization(), layers.Flatten()], (6, 2)


def depthwise(layers):
    return [layers.DepthwiseConv2D(2), layers.GlobalAveragePooling2D()], (4, 4, 2)


def recurrent(layers):
    return [layers.LSTM(3, return_sequences=True), layers.GRU(2)], (4, 2)


def wrapped(layers):
    return [layers.Bidirectional(layers.LSTM(2, return_sequences=True)), layers.Flatten()], (4, 2)


def normalized(layers):
    return [layers.LayerNormalization(), layers.UnitNormalization()], (4,)


def prepared(layers):
    return [layers.Rescaling(0.5), layers.Resizing(3, 3), layers.Flatten()], (4, 4, 1)


def activated(layers):
    return [layers.Dense(2, activation="hard_sigmoid"), layers.LeakyReLU()], (3,)


BUILDERS = (plain, convolutions, depthwise, recurrent, wrapped, normalized, prepared, activated)


@pytest.fixture(scope="module")
def runtimes():
    """The Keras of each target runtime."""
    keras = pytest.importorskip("keras")
    import tf_keras

    tensorflow = metadata.version("tensorflow")
    return {
        f"tf=={tensorflow}+keras=={keras.__version__}": keras,
        f"tf-keras=={tf_keras.__version__}": tf_keras,
    }


@pytest.fixture(scope="module")
def saved(runtimes, tmp_path_factory):
    """(description, file) of every model, saved by each Keras in both formats."""
    folder = tmp_path_factory.mktemp("installed")
    files = []
    for writer, keras in enumerate(runtimes.values()):
        for build in BUILDERS:
            layers, shape = build(keras.layers)
            value = keras.layers.Input(shape)
            output = value
            for layer in layers:
                output = layer(output)
            model = keras.Model(value, output)
            for suffix in (".h5", ".keras"):
                path = folder / f"{writer}_{build.__name__}{suffix}"
                model.save(path)
                files.append(path)
    return files


def outcome(keras, path: Path) -> bool:
    try:
        keras.models.load_model(path, compile=False)
    except Exception:
        return False
    return True


def test_loading_is_predicted(runtimes, saved):
    wrong = []
    for path in saved:
        artifact = read(path, Limits())
        for name, keras in runtimes.items():
            (answer,) = predict_calls(
                artifact, [(find_profile(name), LoadRequest(LoadCall.LOAD_MODEL))]
            )
            loads = outcome(keras, path)
            # Differing outputs are not checked here: such a model loads.
            if loads != (answer.predicted in (LoadOutcome.LOADS, LoadOutcome.DIFFERS)):
                wrong.append((path.name, name, answer.predicted.value, loads))
    assert not wrong
