"""Cases of the causes in `modelaudit/runtimes/predict.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, K3, Case, Way
from tests.runtimes.checks.cases.shared import archive, dense, h5, in_keras2, in_keras3, into
from tests.runtimes.checks.making import old


def renamed(suffix: str, load: Way) -> Way:
    return lambda path: load(path.rename(path.with_suffix(suffix)))


def bracketed(folder: Path) -> Path:
    model = dense(old())
    path = folder / "epoch[3]"
    model.save_weights(path)
    return path


def without_brackets(path: Path) -> Any:
    for each in list(path.parent.iterdir()):
        if each.name.startswith(path.name):
            each.rename(path.with_name(each.name.replace("[", "").replace("]", "")))
    model = dense(old())
    model.load_weights(path.with_name("epoch3"))
    return model


def suffix(path: str, build: Callable[[Path], Path]) -> Callable[[Path], Path]:
    return lambda folder: (made := build(folder)).rename(made.with_name(path))


CASES = (
    Case(
        "hdf5-named-keras",
        K3,
        suffix("n.keras", h5(dense, keras2=False)),
        {"Rename it to .h5": renamed(".h5", in_keras3)},
    ),
    Case(
        "other-suffix",
        K3,
        suffix("n.model", h5(dense, keras2=False)),
        {"Rename it to .h5": renamed(".h5", in_keras3)},
        note="HDF5",
    ),
    Case(
        "other-suffix",
        K3,
        suffix("n.zip", archive(dense, keras2=False)),
        {"Rename it to .keras": renamed(".keras", in_keras3)},
    ),
    Case(
        "other-suffix",
        K2,
        suffix("n.zip", archive(dense)),
        {"Rename it to .keras": renamed(".keras", in_keras2)},
    ),
    Case(
        "name-is-a-pattern",
        K2,
        bracketed,
        {"without [ and ]": without_brackets},
        LoadCall.LOAD_WEIGHTS,
        into(old),
    ),
)
