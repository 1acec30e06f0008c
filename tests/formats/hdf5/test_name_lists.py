"""The lists of layers and weights in an HDF5 file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from modelaudit.formats.reader import read
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
