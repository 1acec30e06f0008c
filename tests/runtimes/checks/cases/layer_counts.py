"""Cases of the causes in `modelaudit/runtimes/checks/stored/layer_counts.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, Case
from tests.runtimes.checks.making import Keras, old, stack


def chain(k: Keras, widths: tuple[int, ...]) -> Any:
    layers = [k.layers.Dense(width, name=f"dense_{n}") for n, width in enumerate(widths, 1)]
    return stack(k, (4,), *layers)


def beside(whole: tuple[int, ...], saved: tuple[int, ...]) -> Callable[[Path], Path]:
    """The weights of one model with the architecture of another one."""

    def make(folder: Path) -> Path:
        path = folder / "model.weights.h5"
        plain = folder / "plain.h5"
        chain(old(), saved).save_weights(plain)
        plain.rename(path)
        (folder / "model.json").write_text(chain(old(), whole).to_json())
        with h5py.File(path) as file:
            assert len(file.attrs["layer_names"]) == len(saved)
        return path

    return make


def from_json(path: Path, **options: Any) -> Any:
    model = old().models.model_from_json((path.parent / "model.json").read_text())
    model.load_weights(path.rename(path.with_name("w.h5")), **options)
    return model


CASES = tuple(
    Case(
        "layer-count",
        K2,
        beside(whole, saved),
        {"by_name=True": lambda path: from_json(path, by_name=True)},
        LoadCall.LOAD_WEIGHTS,
        from_json,
        note=note,
    )
    for note, whole, saved in (("missing", (3, 3, 2), (3, 3)), ("further", (3, 3), (3, 3, 2)))
)
