"""Normalizations without moving statistics: of layers, of groups, by the root mean square."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact, Tensor
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.measures.kernels.other_weights import frozen_variables


class PlainNorm(Struct, frozen=True):
    """Gamma and beta of a normalization; beta is optional. `trainable` is as saved."""

    route: str
    gamma: Tensor
    beta: Tensor | None
    trainable: bool


def plain_norms(artifact: Artifact) -> tuple[PlainNorm, ...]:
    """Layers of the architecture, or else scopes of names, with only a gamma and a beta."""
    tensors = {tensor.name: tensor for tensor in artifact.tensors if tensor.role == "weight"}
    scopes: dict[str, tuple[Mapping[str, str], bool]] = {}
    if artifact.architecture is None:
        names, frozen = variable_names(artifact), frozen_variables(artifact)
        found: dict[str, dict[str, str]] = {}
        for name in tensors:
            scope, _, role = names.get(name, name).removesuffix(":0").rpartition("/")
            found.setdefault(scope, {})[role] = name
        scopes = {
            scope: (roles, not frozen & set(roles.values())) for scope, roles in found.items()
        }
    for layer in artifact.architecture.layers if artifact.architecture else ():
        scopes[layer.route] = (layer.variables, layer.trainable)
    return tuple(
        PlainNorm(route, tensors[roles["gamma"]], tensors.get(roles.get("beta", "")), trainable)
        for route, (roles, trainable) in scopes.items()
        if "gamma" in roles and roles.keys() <= {"gamma", "beta"} and roles["gamma"] in tensors
    )


def untouched_norms(artifact: Artifact) -> Iterator[KernelInitialization]:
    """Those whose gamma is exactly 1 and whose beta is exactly 0: training moves both.

    The tests `norms` and `initial` count all of them, and those at initial values.
    """
    norms = [norm for norm in plain_norms(artifact) if norm.beta is not None]
    initial = [norm for norm in norms if is_all(norm.gamma, 1.0) and is_all(norm.beta, 0.0)]
    for norm in initial:
        yield KernelInitialization(
            route=norm.route,
            tensor=norm.gamma.name,
            initializer="Ones",
            state="fresh",
            weights=2 * norm.gamma.size,
            tests={
                "law": "constant",
                "fits": True,
                "bias_initial": True,
                "trainable": norm.trainable,
                "norms": len(norms),
                "initial": len(initial),
            },
            reason="gamma is 1 and beta is 0, exactly",
        )


def is_all(tensor: Tensor | None, value: float) -> bool:
    """Whether every value of a tensor is this one."""
    stats = tensor.stats if tensor is not None else None
    return stats is not None and stats.constant and stats.minimum == value
