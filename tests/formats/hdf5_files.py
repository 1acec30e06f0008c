"""HDF5 files as Keras writes them, made with h5py only."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from modelaudit.settings import Limits

LIMITS = Limits()
CONFIG = {
    "class_name": "Sequential",
    "config": {
        "name": "sequential",
        "layers": [
            {
                "class_name": "Dense",
                "config": {"name": "dense", "units": 3, "batch_input_shape": [None, 4]},
            }
        ],
    },
}
KERNEL = np.arange(12, dtype=np.float32).reshape(4, 3)
TEXT_TYPES = {
    "vlen_utf8": h5py.string_dtype("utf-8"),
    "vlen_ascii": h5py.string_dtype("ascii"),
    "fixed": None,
}


def legacy(path: Path, *, base: str = "model_weights", text: str = "vlen_utf8", chunked=False):
    """A Keras 2 model (or with base "" its weights) with one Dense layer and a slot."""

    def attribute(thing, name, value):
        dtype = TEXT_TYPES[text]
        thing.attrs.create(name, np.bytes_(value.encode()) if dtype is None else value, dtype=dtype)

    with h5py.File(path, "w") as file:
        attribute(file, "keras_version", "2.4.0")
        attribute(file, "backend", "tensorflow")
        if base:
            attribute(file, "model_config", json.dumps(CONFIG))
            attribute(file, "training_config", json.dumps({"loss": "mse"}))
            file["optimizer_weights/Adam/m:0"] = KERNEL
        group = file.require_group(base) if base else file
        names = {"layer_names0": [b"dense"], "layer_names1": [b"drop"]}
        for name, value in (names if chunked else {"layer_names": [b"dense", b"drop"]}).items():
            group.attrs[name] = value
        dense = group.create_group("dense")
        dense.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        dense["dense/kernel:0"] = KERNEL
        dense["dense/bias:0"] = np.zeros(3, np.float32)
        group.create_group("drop").attrs["weight_names"] = []
    return path


def problem_words(artifact) -> dict[str, str]:
    return {p.route: p.evidence.get("hdf5", p.kind.value) for p in artifact.problems}
