"""Cases of the causes in `modelaudit/runtimes/checks/stored/weights.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, K3, Case, Way
from tests.runtimes.checks.cases.shared import (
    archive,
    dense,
    functional,
    in_keras2,
    in_keras3,
    into,
)
from tests.runtimes.checks.making import Keras, new, old, stack, weights_of


def windows(keras2: bool, group: str = "layers") -> Callable[[Path], Path]:
    def joined(file: h5py.File) -> None:
        for name in list(file[group]):
            file.move(f"{group}/{name}/vars", f"{group}\\{name}/vars")
        del file[group]

    def make(folder: Path) -> Path:
        path = archive(dense, keras2=keras2)(folder)
        if group != "layers":
            weights_of(path, lambda file: file.move("layers", group))
        return weights_of(path, joined)

    return make


def plain_names(path: Path, load: Way) -> Any:
    def change(file: h5py.File) -> None:
        for name in [name for name in file if "\\" in name]:
            file.move(name, name.replace("\\", "/"))

    return load(weights_of(path, change))


def other_layout(folder: Path) -> Path:
    return weights_of(
        archive(dense)(folder), lambda file: file.move("layers", "_layer_checkpoint_dependencies")
    )


def old_gru(folder: Path) -> Path:
    """Weights of a GRU of Keras 2.2, which had reset_after=False."""
    k = old()
    model = stack(
        k, (5, 3), k.layers.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid")
    )
    path = folder / "m.h5"
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = b"2.2.4"
    return path


def gru(**options: Any) -> Callable[[Keras], Any]:
    return lambda k: stack(k, (5, 3), k.layers.GRU(4, **options))


def trained(k: Keras) -> Any:
    model = dense(k)
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4), "float32"), np.ones((4, 2), "float32"), verbose=0)
    return model


def trained_weights(folder: Path) -> Path:
    path = folder / "m.weights.h5"
    trained(new()).save_weights(path)
    return path


def in_half_precision(k: Keras) -> Any:
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = dense(k)
        model.compile("adam", "mse")
        return model
    finally:
        k.mixed_precision.set_global_policy("float32")


def scaled_weights(folder: Path) -> Path:
    path = folder / "m.weights.h5"
    model = in_half_precision(new())
    model.fit(np.ones((4, 4), "float32"), np.ones((4, 2), "float32"), verbose=0)
    model.save_weights(path)
    return path


CASES = (
    Case("weights-layout", K2, other_layout, {}),
    Case(
        "weights-layout",
        K2,
        archive(
            functional(lambda k, v: k.layers.MultiHeadAttention(2, 2)(v, v), (5, 4)),
            keras2=False,
        ),
        {K3: in_keras3},
        note="of Keras 3",
    ),
    Case(
        "windows-weight-names",
        K3,
        windows(False),
        {"rename the groups": lambda p: plain_names(p, in_keras3)},
    ),
    Case(
        "windows-weight-names",
        K2,
        windows(True),
        {"rename the groups": lambda p: plain_names(p, in_keras2)},
    ),
    Case(
        "windows-weight-names",
        K2,
        windows(True, "_layer_checkpoint_dependencies"),
        {},
        note="other layout",
    ),
    Case(
        "gru-reset-after",
        K3,
        old_gru,
        {
            "reset_after=False": into(
                new, gru(reset_after=False, recurrent_activation="hard_sigmoid")
            )
        },
        LoadCall.LOAD_WEIGHTS,
        into(new, gru()),
    ),
    Case(
        "gru-reset-after",
        K2,
        old_gru,
        {
            "reset_after=False": into(
                old, gru(reset_after=False, recurrent_activation="hard_sigmoid")
            )
        },
        LoadCall.LOAD_WEIGHTS,
        into(old, gru()),
    ),
    Case(
        "metrics-not-in-file",
        K2,
        trained_weights,
        {"before the model is trained": into(old)},
        LoadCall.LOAD_WEIGHTS,
        into(old, trained),
    ),
    Case(
        "scaled-optimizer",
        K2,
        scaled_weights,
        {"before the model is compiled": into(old)},
        LoadCall.LOAD_WEIGHTS,
        into(old, in_half_precision),
    ),
)
