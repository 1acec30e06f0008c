"""Activations of recurrent layers in keras_metadata.pb, edited one by one in models of tf_keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelaudit.formats.reader import read
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
EDITS = (  # of each activation to one that some layers have, and to one that none has
    *(("activation", "relu"), ("activation", "sigmoid")),
    *(("recurrent_activation", "sigmoid"), ("recurrent_activation", "tanh")),
)
CLASSES = ("LSTM", "GRU", "SimpleRNN", "ConvLSTM2D")


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("tf_keras")


# The dense layer behind has an activation that the edit looks for.
MODELS: dict[str, Callable[[Any], list[Any]]] = {
    "two": lambda of: [
        of.LSTM(3, return_sequences=True, name="first"),
        of.SimpleRNN(3, activation="relu", name="second"),
        of.Dense(2, activation="elu"),
    ],
    "gru": lambda of: [of.GRU(3, activation="softsign"), of.Dense(2, activation="relu")],
    "gru of Keras 2.0": lambda of: [of.GRU(3, reset_after=False), of.Dense(2, activation="elu")],
    "simple": lambda of: [of.SimpleRNN(3, activation="elu"), of.Dense(2, activation="relu")],
    "both ways": lambda of: [of.Bidirectional(of.LSTM(3)), of.Dense(2, activation="relu")],
    "cell": lambda of: [of.RNN(of.LSTMCell(3)), of.Dense(2, activation="relu")],
    "dropout": lambda of: [of.LSTM(3, recurrent_dropout=0.2), of.Dense(2, activation="relu")],
    "unrolled": lambda of: [of.Masking(), of.LSTM(3, unroll=True), of.Dense(2, activation="relu")],
}


# The collector of garbage looks through all that TensorFlow holds here, and counts as reading.
LIMITS = Limits(work=1000.0)


def told(path: Path) -> set[str]:
    found = read(path, LIMITS).extra["config_differs"]
    return {str(each["tensor"]).rpartition("/")[2] for each in found}


def edited(path: Path, field: str, new: str) -> set[str]:
    """Set the field of all recurrent layers to `new`; returns the names of layers that change."""
    from tf_keras.protobuf import saved_metadata_pb2

    changed: set[str] = set()

    def edit(value: Any) -> None:
        if isinstance(value, dict):
            config = value.get("config")
            if value.get("class_name") in CLASSES and config.get(field, new) != new:
                config[field] = new
                changed.add(config["name"])
            for each in value.values():
                edit(each)
        elif isinstance(value, list):
            for each in value:
                edit(each)

    file = path / "keras_metadata.pb"
    message = saved_metadata_pb2.SavedMetadata.FromString(file.read_bytes())
    for node in message.nodes:
        metadata = json.loads(node.metadata)
        edit(metadata)
        node.metadata = json.dumps(metadata)
    file.write_bytes(message.SerializeToString())
    return changed


@pytest.mark.parametrize("name", MODELS)
def test_every_edit_is_told_and_nothing_else(keras, tmp_path: Path, name: str) -> None:
    model = keras.Sequential([keras.layers.Input((4, 2)), *MODELS[name](keras.layers)])
    model.save(tmp_path / "m", save_format="tf")
    metadata = tmp_path / "m" / "keras_metadata.pb"
    sound = metadata.read_bytes()
    assert told(tmp_path / "m") == set()
    for field, new in EDITS:
        changed = edited(tmp_path / "m", field, new)
        # A config of a wrapped layer names it twice, as itself and in the wrapper.
        wrapped = {layer for layer in changed if any(layer in o for o in changed - {layer})}
        assert told(tmp_path / "m") == changed - wrapped, (field, new)
        metadata.write_bytes(sound)
