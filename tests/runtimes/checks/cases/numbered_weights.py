"""Cases of the causes in `modelaudit/runtimes/checks/stored/numbered_weights.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import dense, into
from tests.runtimes.checks.making import new, old


def numbered(folder: Path) -> Path:
    path = folder / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["nb_layers"] = 2
        for number, shape in enumerate(((4, 3), (3, 2))):
            group = file.create_group(f"layer_{number}")
            group.attrs["nb_params"] = 2
            group["param_0"], group["param_1"] = np.ones(shape, "f"), np.ones(shape[1:], "f")
    return path


def set_weights(path: Path) -> Any:
    model = dense(new())
    with h5py.File(path) as file:
        for each, group in zip(model.layers, ("layer_0", "layer_1"), strict=True):
            each.set_weights([file[f"{group}/param_{n}"][()] for n in range(2)])
    return model


CASES = (
    Case(
        "keras-0-weights",
        K3,
        numbered,
        {"set_weights": set_weights},
        LoadCall.LOAD_WEIGHTS,
        into(new),
    ),
    Case(
        "keras-0-weights",
        K2,
        numbered,
        {"set_weights": set_weights},
        LoadCall.LOAD_WEIGHTS,
        into(old),
    ),
)
