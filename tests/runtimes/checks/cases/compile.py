"""Cases of the causes in `modelaudit/runtimes/checks/compile.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import archive, dense, in_keras2, in_keras3
from tests.runtimes.checks.making import Config, Keras, new, old, saved


def compiled(
    optimizer: Any = "adam", loss: Any = "mse", metrics: Any = ()
) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        model = dense(k)
        made = [each(k) if callable(each) else each for each in (optimizer, loss)]
        model.compile(made[0], made[1], metrics=[m(k) if callable(m) else m for m in metrics])
        return model

    return build


def training(
    build: Callable[[Keras], Any], change: Callable[[Config], Any], keras2: bool = True
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = saved(build(old() if keras2 else new()), folder / "m.h5")
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["training_config"])
            change(config)
            file.attrs["training_config"] = json.dumps(config)
        return path

    return make


def adam(k: Keras) -> Any:
    return k.optimizers.Adam()


def weighty(config: Config) -> None:
    """A loss of Keras 2 with its reduction."""
    config["loss"] = {
        "class_name": "MeanSquaredError",
        "config": {"reduction": "auto", "name": "m"},
    }


def lamb(config: Config) -> None:
    """A class that Keras 3 has, and does not find by the name that it writes."""
    config["optimizer_config"] = {"class_name": "Lamb", "config": {"name": "lamb"}}


def odd_loss(config: Config) -> None:
    config["loss"] = {"class_name": "MeanSquaredError", "config": {"name": "m", "odd": 1}}


def odd_metric(config: Config) -> None:
    config["metrics"] = [[{"class_name": "MeanSquaredError", "config": {"name": "m", "odd": 1}}]]


def of_another_package(config: Config) -> None:
    """A metric with the name of one of Keras, and an argument that this does not have."""
    config["compile_config"]["metrics"] = [
        {
            "module": "elsewhere.metrics",
            "class_name": "MeanSquaredError",
            "config": {"name": "m", "odd": 1},
            "registered_name": "Elsewhere>MeanSquaredError",
        }
    ]


def own_schedule(config: Config) -> None:
    config["optimizer_config"]["config"]["learning_rate"] = {
        "module": "mine",
        "class_name": "WarmUp",
        "config": {},
        "registered_name": "WarmUp",
    }


def rate_schedule(config: Config) -> None:
    config["optimizer_config"]["class_name"] = "Adam"
    config["optimizer_config"]["config"].pop("jit_compile", None)
    config["optimizer_config"]["config"].pop("is_legacy_optimizer", None)
    config["optimizer_config"]["config"]["learning_rate"] = {
        "class_name": "ExponentialDecay",
        "config": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9},
    }


def old_rate(config: Config) -> None:
    config["optimizer_config"]["class_name"] = "Adam"
    config["optimizer_config"]["config"] = {"lr": 0.1}


def named(**values: Any) -> Callable[[Config], None]:
    return lambda config: config.update(values)


def optimizer_of(**values: Any) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        config["compile_config"]["optimizer"]["config"].update(values)

    return change


def legacy_optimizer(config: Config) -> None:
    config["compile_config"]["optimizer"].update(module="keras.optimizers.legacy")


def wrapped(name: str) -> Callable[[Config], None]:
    """A metric around a loss object of Keras 2."""
    held = {"class_name": name, "config": {"reduction": "auto", "name": "m"}}
    return named(
        metrics=[[{"class_name": "MeanMetricWrapper", "config": {"name": "m", "fn": held}}]]
    )


UNCOMPILED_2 = {"compile=False": in_keras2}
UNCOMPILED_3 = {"compile=False": in_keras3}


def own_metric(true: Any, said: Any) -> Any:
    return true - said


CASES = (
    Case(
        "unknown-metric",
        K2,
        training(compiled(), named(metrics=[["odd"]])),
        UNCOMPILED_2,
        compile=True,
    ),
    Case(
        "unknown-metric",
        K3,
        archive(compiled(metrics=[lambda k: own_metric]), keras2=False),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "metrics-argument",
        K2,
        training(compiled(), wrapped("MeanSquaredError")),
        UNCOMPILED_2,
        compile=True,
        note="in a wrapper",
    ),
    Case("metric-object", K2, training(compiled(), wrapped("Huber")), UNCOMPILED_2, compile=True),
    Case(
        "metric-object",
        K3,
        training(compiled(loss="mean_squared_error"), wrapped("MeanSquaredError")),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "metrics-alone",
        K3,
        training(compiled(loss="mean_squared_error"), named(metrics="accuracy")),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "weighted-metrics-alone",
        K3,
        training(compiled(loss="mean_squared_error"), named(weighted_metrics="mse")),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "unknown-schedule",
        K2,
        training(compiled(adam), own_schedule),
        UNCOMPILED_2,
        compile=True,
    ),
    Case(
        "unknown-schedule",
        K3,
        training(compiled(adam, "mean_squared_error"), own_schedule, keras2=False),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "unknown-optimizer",
        K3,
        training(compiled(loss="mean_squared_error"), lamb),
        UNCOMPILED_3,
        compile=True,
    ),
    Case("unknown-optimizer", K2, training(compiled(), lamb), UNCOMPILED_2, compile=True),
    Case("unknown-loss", K2, training(compiled(), named(loss="odd")), UNCOMPILED_2, compile=True),
    Case("unknown-loss", K3, training(compiled(), named(loss="odd")), UNCOMPILED_3, compile=True),
    Case(
        "loss-by-short-name",
        K3,
        training(compiled(), named(loss="mse")),
        UNCOMPILED_3,
        compile=True,
    ),
    Case("reduction-auto", K3, training(compiled(), weighty), UNCOMPILED_3, compile=True),
    Case(
        "optimizer-argument",
        K3,
        training(compiled(loss="mean_squared_error"), old_rate),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "optimizer-argument",
        K3,
        archive(compiled(adam), optimizer_of(odd=1), keras2=False),
        UNCOMPILED_3,
        compile=True,
        note="archive",
    ),
    Case(
        "optimizer-argument",
        K2,
        archive(compiled(adam), optimizer_of(odd=1)),
        UNCOMPILED_2,
        compile=True,
        note="archive",
    ),
    Case(
        "schedule-without-module",
        K3,
        training(compiled(loss="mean_squared_error"), rate_schedule),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "legacy-optimizer",
        K3,
        archive(compiled(adam), legacy_optimizer),
        UNCOMPILED_3,
        compile=True,
    ),
    Case("loss-argument", K3, training(compiled(), odd_loss), UNCOMPILED_3, compile=True),
    Case("loss-argument", K2, training(compiled(), odd_loss), UNCOMPILED_2, compile=True),
    Case(
        "metrics-argument",
        K3,
        training(compiled(loss="mean_squared_error"), odd_metric),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "unknown-metric",
        K3,
        archive(compiled(loss="mean_squared_error"), of_another_package),
        UNCOMPILED_3,
        compile=True,
        note="of another package",
    ),
    Case(
        "metrics-argument",
        K2,
        training(compiled(loss="mean_squared_error"), odd_metric),
        UNCOMPILED_2,
        compile=True,
    ),
)
