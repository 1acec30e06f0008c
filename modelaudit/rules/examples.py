"""The smallest facts on which a rule fails or passes: each rule's bad and good example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from modelaudit.audit_types.loading import Status
from modelaudit.facts import (
    Architecture,
    Artifact,
    Format,
    Json,
    Layer,
    Problem,
    ProblemKind,
    Tensor,
    TensorStats,
)
from modelaudit.measures.summary import Measurements
from modelaudit.probe.protocol import Observation
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

ROOT = Path("/models/example.keras")
ORDINARY = TensorStats(minimum=-1.0, maximum=1.0, mean=0.0, std=0.5, zeros=0, nonfinite=0)


def healthy() -> Facts:
    """One complete Dense layer without problems."""
    return Facts(model(layer()))


def layer(
    name: str = "dense",
    class_name: str = "Dense",
    variables: Mapping[str, str] | None = None,
    config: Mapping[str, Json] | None = None,
    inbound: tuple[tuple[str, ...], ...] = (),
) -> Layer:
    """A layer with a kernel and a bias."""
    found = {"kernel": f"{name}/kernel", "bias": f"{name}/bias"} if variables is None else variables
    return Layer(
        route=name,
        name=name,
        class_name=class_name,
        config=config or {},
        inbound=inbound,
        variables=found,
        expected={"kernel": (4, 2), "bias": (2,)},
    )


def dense(name: str, activation: str = "relu", **more: Json) -> Layer:
    """A Dense layer of 8 units."""
    return layer(name, config={"units": 8, "activation": activation, **more})


def hidden(activation: str) -> Facts:
    """A Dense layer with this activation, before a head with softmax."""
    return chain(dense("hidden", activation), dense("head", "softmax"))


def tensor(name: str, shape: tuple[int, ...] = (4, 2), stats: TensorStats = ORDINARY) -> Tensor:
    """A float32 weight."""
    size = 1
    for n in shape:
        size *= n
    return Tensor(name, shape, "float32", 4 * size, "model.weights.h5", stats=stats)


def model(
    *layers: Layer,
    tensors: tuple[Tensor, ...] | None = None,
    problems: tuple[Problem, ...] = (),
    extra: Mapping[str, Json] | None = None,
    kind: Format = Format.KERAS_ARCHIVE,
) -> Artifact:
    """A model of these layers; tensors default to one for every variable."""
    if tensors is None:
        tensors = tuple(
            tensor(name, (4, 2) if role == "kernel" else (2,))
            for each in layers
            for role, name in each.variables.items()
        )
    routes = tuple(each.route for each in layers)
    architecture = Architecture("Functional", "model", "keras3", layers, routes[:1], routes[-1:])
    return Artifact(
        root=ROOT,
        format=kind,
        architecture=architecture if layers else None,
        tensors=tensors,
        problems=problems,
        extra=extra or {},
    )


def chain(*layers: Layer, training: Mapping[str, Json] | None = None) -> Facts:
    """A model of layers one after another, compiled with mean squared error or as given."""
    linked = [layers[0]]
    for each in layers[1:]:
        linked.append(replace(each, inbound=((linked[-1].route,),)))
    return Facts(replace(model(*linked), training=training or {"loss": "mse"}))


def with_problem(kind: ProblemKind, **evidence: Json) -> Callable[[], Facts]:
    """Facts with one problem reported by the reader."""
    problem = Problem(kind, "example.keras", "what the reader saw", evidence=evidence)
    return lambda: Facts(model(layer(), problems=(problem,)))


def measured(measurements: Measurements) -> Callable[[], Facts]:
    """Facts with these static measurements, of a compiled model."""
    return lambda: replace(chain(layer()), measurements=measurements)


def observed(*statuses: Status, error: str = "") -> Callable[[], Facts]:
    """Facts with one observation per status: in `here`, then in `here-legacy`."""
    names = ("here", "here-legacy")
    observations = tuple(
        Observation(
            name, "load_model", status, error_type="ValueError" if error else "", error=error
        )
        for name, status in zip(names, statuses, strict=False)
    )
    return lambda: Facts(model(layer()), observations=observations)
