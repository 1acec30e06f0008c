"""Cases of the causes in `modelaudit/runtimes/checks/saved_keras.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import by_layer, by_signature, dense, in_keras2, tensorflow
from tests.runtimes.checks.making import new, old, stack


def savedmodel_of_keras2(folder: Path) -> Path:
    path = folder / "m"
    dense(old()).save(path, save_format="tf")
    return path


def export_of_keras3(folder: Path) -> Path:
    path = folder / "m"
    dense(new()).export(path, format="tf_saved_model", verbose=False)
    return path


def objects_without_metadata(folder: Path) -> Path:
    path = folder / "m"
    tensorflow().saved_model.save(dense(old()), str(path))
    return path


def metadata_of_another(folder: Path) -> Path:
    """A SavedModel with the metadata of another model."""
    path = folder / "m"
    dense(old()).save(path, save_format="tf")
    k = old()
    other = stack(k, (4,), *(k.layers.Dense(3) for _ in range(4)))
    other.save(folder / "other", save_format="tf")
    (folder / "other" / "keras_metadata.pb").replace(path / "keras_metadata.pb")
    return path


def metadata_damaged(folder: Path) -> Path:
    """A SavedModel whose metadata lost bytes in the middle, and got others."""
    path = savedmodel_of_keras2(folder)
    file = path / "keras_metadata.pb"
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] + b"\xff" * 40)
    return path


def config_without_layers(folder: Path) -> Path:
    """A model of layers with a `get_config` of its own, which returns what it was made with."""
    k = old()

    class Own(k.Model):  # type: ignore[misc]
        def __init__(self, units: int = 3) -> None:
            start = k.Input((4,))
            super().__init__(start, k.layers.Dense(units)(start), name="own")
            self.units = units

        def get_config(self) -> dict[str, Any]:
            return {"units": self.units, "name": self.name}

    path = folder / "m"
    Own().save(path, save_format="tf")
    return path


CASES = (
    Case(
        "savedmodel-in-keras-3",
        K3,
        savedmodel_of_keras2,
        {"TFSMLayer": by_layer, "tf.saved_model.load": by_signature, "tf-keras": in_keras2},
    ),
    Case(
        "no-keras-model",
        K2,
        export_of_keras3,
        {"tf.saved_model.load": by_signature},
        load=lambda p: in_keras2(p).predict(np.ones((1, 4))),
    ),
    Case(
        "network-without-layers", K2, config_without_layers, {"tf.saved_model.load": by_signature}
    ),
    Case("no-keras-metadata", K2, objects_without_metadata, {"tf.saved_model.load": by_signature}),
    Case(
        "metadata-of-another-save", K2, metadata_of_another, {"tf.saved_model.load": by_signature}
    ),
    Case("metadata-damaged", K2, metadata_damaged, {"tf.saved_model.load": by_signature}),
)
