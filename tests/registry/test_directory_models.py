"""Which directories are models themselves."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from modelaudit.registry.discover import discover


@pytest.mark.parametrize(
    ("config", "metadata", "models"),
    [
        (b'{"lookback": 24, "lat": 1.5}', False, ["m.weights.h5", "model.weights.h5"]),
        (b'{"class_name": "Sequential", "config": {}}', False, ["app"]),
        (b"{}", True, ["app"]),
    ],
)
def test_an_application_with_a_config_of_its_own_is_no_unpacked_archive(
    tmp_path, config, metadata, models
):
    app = tmp_path / "app"
    app.mkdir()
    (app / "config.json").write_bytes(config)
    for name in ("model.weights.h5", "m.weights.h5"):
        with h5py.File(app / name, "w") as file:
            file["layers/dense/vars/0"] = np.ones((2, 2), "float32")
    if metadata:
        (app / "metadata.json").write_text("{}")
    assert {*models} <= {each.path.name for each in discover(app).candidates}
