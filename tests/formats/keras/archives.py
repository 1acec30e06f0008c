"""A .keras archive that tests change: its members, and the problems of what was read."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np

from modelaudit.settings import Limits

LIMITS = Limits()
KERNEL = np.arange(12, dtype=np.float32).reshape(4, 3)
CONFIG = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "sequential",
        "layers": [
            {
                "module": "keras.layers",
                "class_name": "InputLayer",
                "config": {"batch_shape": [None, 4], "name": "input_layer"},
            },
            {
                "module": "keras.layers",
                "class_name": "Dense",
                "config": {"name": "dense", "units": 3, "use_bias": True},
            },
        ],
    },
    "compile_config": {"loss": "mse"},
}


def weights(layer: str = "dense") -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group(f"layers/{layer}/vars")
        group.attrs["name"] = layer
        group["0"], group["1"] = KERNEL, np.zeros(3, np.float32)
    return buffer.getvalue()


def members() -> dict[str, bytes]:
    return {
        "metadata.json": json.dumps(
            {"keras_version": "3.4.1", "date_saved": "2024-07-01@00:00:00"}
        ).encode(),
        "config.json": json.dumps(CONFIG).encode(),
        "model.weights.h5": weights(),
    }


def write(path: Path, parts, method=zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in parts.items() if isinstance(parts, dict) else parts:
            archive.writestr(name, data)
    return path


def kinds(artifact) -> set[tuple[str, str]]:
    return {(problem.kind.value, problem.route) for problem in artifact.problems}
