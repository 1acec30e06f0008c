"""Cases of the causes in `modelaudit/runtimes/saved_config.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import after, archive, dense, h5, in_keras2, in_keras3
from tests.runtimes.checks.making import (
    Config,
    Keras,
    deleting,
    of_class,
    old,
    saved,
    setting,
    stack,
)


def depthwise(folder: Path) -> Path:
    layers = old().layers
    model = stack(old(), (6, 6, 2), layers.DepthwiseConv2D(3), layers.Flatten(), layers.Dense(2))
    return saved(model, folder / "m.h5")


def recurrent(kind: str) -> Callable[[Keras], Any]:
    return lambda k: stack(k, (5, 3), getattr(k.layers, kind)(4), k.layers.Dense(2))


def first_dtype(config: Config) -> None:
    """Initializers with a dtype, as TensorFlow 1 wrote them, with the keys in sorted order."""
    for each in of_class(config, "Dense"):
        for key in ("kernel_initializer", "bias_initializer"):
            each["config"][key]["config"]["dtype"] = "float32"
        each["config"] = dict(sorted(each["config"].items()))


CASES = (
    Case(
        "unknown-argument",
        K3,
        depthwise,
        {
            "tf-keras": in_keras2,
            "delete groups": after(deleting("DepthwiseConv2D", "groups"), in_keras3),
        },
    ),
    Case(
        "unknown-argument",
        K3,
        h5(dense, first_dtype, plain=True),
        {"tf-keras": in_keras2},
        note="initializers",
    ),
    Case(
        "unknown-argument",
        K3,
        h5(recurrent("LSTM"), setting("LSTM", time_major=False), plain=True),
        {
            "tf-keras": in_keras2,
            "delete time_major": after(deleting("LSTM", "time_major"), in_keras3),
        },
        note="recurrent",
    ),
    Case(
        "unknown-argument",
        K3,
        archive(recurrent("LSTM"), setting("LSTM", time_major=False)),
        {
            "tf-keras": in_keras2,
            "delete time_major": after(deleting("LSTM", "time_major"), in_keras3),
        },
        note="archive",
    ),
    Case("unknown-argument", K3, h5(dense, setting("Dense", odd=[1])), {}, note="of nobody"),
    Case("unknown-argument", K2, h5(dense, setting("Dense", odd=1)), {}, note="of nobody"),
    Case("unknown-argument", K2, h5(dense, setting("InputLayer", odd=1)), {}, note="input layer"),
    Case("unknown-argument", K2, archive(dense, setting("Dense", odd=1)), {}, note="archive"),
    Case("unknown-argument", K2, h5(dense, keras2=False), {K3: in_keras3}, note="of Keras 3"),
    Case(
        "unknown-argument",
        K3,
        h5(
            lambda k: stack(k, (4,), k.layers.Dense(2, kernel_regularizer=k.regularizers.L2(0.1))),
            lambda c: [e["config"].update(odd=1) for e in of_class(c, "L2")],
            plain=True,
        ),
        {},
        note="regularizer",
    ),
    Case("missing-argument", K3, h5(dense, deleting("Dense", "units"))),
    Case(
        "missing-argument",
        K3,
        archive(dense, deleting("Dense", "units"), keras2=False),
        note="archive",
    ),
    Case("missing-argument", K2, h5(dense, deleting("Dense", "units"))),
)
