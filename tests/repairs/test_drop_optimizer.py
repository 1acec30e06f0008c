"""What inference does not need is left out on request, and the model stays equal."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.repair import RepairStatus
from modelaudit.repairs.repair import repair_model
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow
TARGET = "tf==2.21"


def own_loss(y, p):
    return (y - p) ** 2


@pytest.fixture(scope="module")
def trained(keras, tmp_path_factory):
    """A model with a loss of its author's own and the state of its optimizer, as .h5 and .keras."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(), own_loss)
    x = np.ones((8, 3), "f4")
    model.train_on_batch(x, np.ones((8, 1), "f4"))
    folder = tmp_path_factory.mktemp("trained")
    for suffix in (".keras", ".h5"):  # h5py's writer removes the optimizer from the compile config
        model.save(folder / f"m{suffix}")
    return folder, x, model.predict(x, verbose=0)


def names_in(path):
    """Names of all groups, datasets and attributes, and the texts of the config."""
    said = []
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            said.append(archive.read("config.json").decode())
            data = BytesIO(archive.read("model.weights.h5"))
    else:
        data = path
    with h5py.File(data) as file:
        file.visit(said.append)
        said += [f"{name} {value}" for name, value in file.attrs.items()]
    return " ".join(said)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_training_leaves_no_trace(keras, trained, tmp_path, suffix):
    folder, x, expected = trained
    out = tmp_path / f"new{suffix}"
    assert "own_loss" in names_in(folder / f"m{suffix}")
    found = repair_model(
        *(folder / f"m{suffix}", TARGET, out, Settings(), None), drop_optimizer=True
    )
    assert (found.status, found.reason) == (RepairStatus.REPAIRED, "")
    assert any("left out the training settings" in change.what for change in found.changes)
    rest = names_in(out)
    assert "own_loss" not in rest
    assert "adam" not in rest.lower()
    assert json.dumps("compile_config") + ": {" not in rest
    restored = keras.models.load_model(out)  # without custom_objects
    assert not restored.compiled
    np.testing.assert_array_equal(restored.predict(x, verbose=0), expected)


def test_without_the_request_they_are_left_out_only_where_they_keep_it_from_loading(
    trained, tmp_path
):
    folder, *_ = trained
    found = repair_model(folder / "m.keras", TARGET, tmp_path / "new.keras", Settings(), None)
    assert any("which the target cannot read" in change.what for change in found.changes)
