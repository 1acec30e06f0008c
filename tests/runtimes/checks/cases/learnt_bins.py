"""Cases of the causes in `modelaudit/runtimes/checks/stored/learnt_bins.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K3, Case
from tests.runtimes.checks.cases.shared import into
from tests.runtimes.checks.making import Keras, new, old


def learnt(k: Keras) -> Any:
    bins = k.layers.Discretization(num_bins=3, output_mode="one_hot", name="bins")
    bins.adapt(np.linspace(0, 9, 30, dtype="float32")[:, None])
    start = k.Input((1,))
    return k.Model(start, k.layers.Dense(2, name="last")(bins(start)))


def weights(folder: Path) -> Path:
    path = folder / "m.h5"
    learnt(old()).save_weights(path)
    return path


def saved_again(path: Path) -> Any:
    before, model = learnt(old()), learnt(new())
    before.load_weights(path)
    before.save_weights(path.with_name("again.weights.h5"))
    model.load_weights(path.with_name("again.weights.h5"))
    return model


CASES = (
    Case(
        "learnt-bins",
        K3,
        weights,
        {"save the weights there as .weights.h5": saved_again},
        LoadCall.LOAD_WEIGHTS,
        into(new, learnt),
    ),
)
