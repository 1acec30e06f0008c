"""The lists of layers and weights in an HDF5 file."""

from __future__ import annotations

import importlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Format
from modelaudit.formats.reader import read
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits


def test_a_layer_behind_a_link_is_not_missing(tmp_path: Path) -> None:
    """The link itself is reported; a layer without any group is."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["keras_version"] = "2.11.0"
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [b"linked", b"lost"]
        file["aside/kernel"] = np.ones((2, 2), "f4")
        top["linked"] = h5py.SoftLink("/aside")
    missing = [
        x for x in read(tmp_path / "m.h5", Limits()).problems if "is in the file's" in x.detail
    ]
    assert [each.route for each in missing] == ["lost"]


def numbered(path: Path, *, shapes: dict[str, tuple[int, ...]]) -> Path:
    """Weights as Keras 0.3 saved them."""
    with h5py.File(path, "w") as file:
        file.attrs["nb_layers"] = 11
        for name, shape in shapes.items():
            file[name] = np.ones(shape, "f4")
            file[name.rpartition("/")[0]].attrs["nb_params"] = 2
    return path


def test_layers_of_keras_0_are_numbered(tmp_path: Path) -> None:
    shapes = {"layer_10/param_1": (3,), "layer_10/param_0": (4, 3), "layer_2/param_0": (4, 4)}
    found = read(numbered(tmp_path / "w.h5", shapes=shapes), Limits())
    assert (found.format, found.problems) == (Format.WEIGHTS_H5_LEGACY, ())
    listed = found.extra["h5"]["groups"]
    assert list(listed.items()) == [
        ("layer_2", ["layer_2/param_0"]),
        ("layer_10", ["layer_10/param_0", "layer_10/param_1"]),
    ]
    other = numbered(tmp_path / "other.h5", shapes={})
    with h5py.File(other, "a") as file:
        del file.attrs["nb_layers"]
        file["layer_0/param_0"] = np.ones(3)
    assert read(other, Limits()).format is Format.HDF5_OTHER


def test_layers_of_one_number_have_one_order(tmp_path: Path) -> None:
    """Not that of a set, which differs from run to run."""
    routes = [f"layer_{'0' * digits}/param_0" for digits in range(1, 10)]
    made = numbered(tmp_path / "w.h5", shapes=dict.fromkeys(routes, (3,)))
    assert list(read(made, Limits()).extra["h5"]["groups"].values()) == [[x] for x in routes]


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_no_current_keras_loads_numbered_layers(tmp_path: Path, package: str) -> None:
    keras = importlib.import_module(package)
    shapes = {"layer_0/param_0": (4, 3), "layer_0/param_1": (3,)}
    path = numbered(tmp_path / "w.h5", shapes=shapes)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="Layer count mismatch"):
        model.load_weights(path)
    predicted = predict(read(path, Limits()), ["tf-keras==2.21.0", "tf==2.21"])
    assert {each.predicted for each in predicted} == {LoadOutcome.FAILS}
    assert {each.because[0].code for each in predicted} == {"keras-0-weights"}
