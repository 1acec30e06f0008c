"""State of the statistics that are stored in BatchNormalization layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.behaviour import BatchNormFit
from modelaudit.audit_types.kernels import BatchNormState
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Json, Tensor
from modelaudit.graphs import VARIABLE_KEY_END
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.thresholds.weights import OFF_SCALE

_ROLES: Mapping[str, str] = {
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "mean",
    "moving_variance": "variance",
    "running_mean": "mean",  # Keras 1
    "running_std": "variance",  # Keras 1's name for the variance
}
_TINY = 1e-12  # keeps the logarithm of a variance of 0 finite


def inputs_off_scale(fits: Sequence[BatchNormFit], orientation: str) -> bool:
    """Whether the inputs, also in this orientation, are on a scale unlike that in training.

    The outputs then say nothing about orientations: all inputs are far from the training data.

    Args:
        fits: fits in execution order; only the first is used, which is closest to the inputs.
    """
    if not fits:
        return False
    turned = fits[0].orientation.get(orientation, fits[0].mean_deviation)
    return min(fits[0].mean_deviation, turned) > OFF_SCALE.value


def statistics_misfit(
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    stored: tuple[NDArray[np.float64], NDArray[np.float64]],
    epsilon: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`mean_deviation` and `log_variance` of `BatchNormFit`, over the last axis.

    Args:
        mean, variance: empirical statistics of the layer's inputs, (..., C).
        stored: moving mean and moving variance, (C,) each.
        epsilon: the layer's epsilon, which is added to the stored variance.
    """
    deviation = np.abs(mean - stored[0]) / np.sqrt(np.maximum(stored[1], 0.0) + epsilon)
    ratio = np.log((variance + _TINY) / (np.maximum(stored[1], 0.0) + _TINY))
    return np.median(deviation, axis=-1), np.median(np.abs(ratio), axis=-1)


def statistics_convergence(
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    stored: tuple[NDArray[np.float64], NDArray[np.float64]],
    epsilon: float,
) -> tuple[float, float]:
    """How far the stored statistics have moved from their initial values to the actual ones.

    A moving average with momentum m that starts at mean 0 and variance 1 has moved by the share
    1 - m^k after k steps, equally in all channels, if the inputs do not change. Statistics of
    other inputs are not on this path.

    Args:
        mean, variance, stored, epsilon: as in `statistics_misfit`, (C,) each.

    Returns:
        The share in (0, 1], in steps of 0.01, with the smallest misfit, and that misfit.
    """
    share = np.linspace(0.01, 1.0, 100)[:, None]
    deviation, log = statistics_misfit(share * mean, 1 - share + share * variance, stored, epsilon)
    misfits = np.maximum(deviation, log / 3)
    best = int(np.argmin(misfits))
    return float(share[best, 0]), float(misfits[best])


class BatchNormTensors(Struct, frozen=True):
    """Stored tensors of a BatchNormalization layer; gamma and beta are optional.

    `config` is that of the layer, empty where the file has none.
    """

    route: str
    mean: Tensor
    variance: Tensor
    gamma: Tensor | None = None
    beta: Tensor | None = None
    config: Mapping[str, Json] = {}


def batchnorm_tensors(artifact: Artifact) -> Iterator[BatchNormTensors]:
    """Find the layers in the saved architecture, and others by the names of their variables.

    Layers come first, in execution order, then other variables in the order of the object graph
    or of the file.
    """
    by_name = {tensor.name: tensor for tensor in artifact.tensors if tensor.role == "weight"}
    groups: dict[str, dict[str, Tensor]] = {}
    claimed: set[str] = set()
    configs: dict[str, Mapping[str, Json]] = {}
    for layer in artifact.architecture.layers if artifact.architecture else ():
        roles = {_ROLES[role]: name for role, name in layer.variables.items() if role in _ROLES}
        if "mean" in roles and "variance" in roles and all(n in by_name for n in roles.values()):
            groups[layer.route] = {role: by_name[name] for role, name in roles.items()}
            configs[layer.route] = layer.config
            claimed.update(roles.values())
    readable = variable_names(artifact)
    seen: Counter[str] = Counter()
    for name in dict.fromkeys((*readable, *by_name)):
        if name not in by_name or name in claimed:
            continue
        said = readable.get(name, name)
        prefix, role = _split(said)
        if role is not None:
            # Two layers of the same name: variables of a role are in layer order.
            seen[said] += 1
            route = prefix if seen[said] == 1 else f"{prefix}#{seen[said]}"
            groups.setdefault(route, {})[role] = by_name[name]
    for route, tensors in groups.items():
        if "mean" in tensors and "variance" in tensors:
            yield BatchNormTensors(
                route,
                tensors["mean"],
                tensors["variance"],
                tensors.get("gamma"),
                tensors.get("beta"),
                configs.get(route, {}),
            )


def variable_names(artifact: Artifact) -> Mapping[str, str]:
    """Tensor name -> variable name, from the object graph or from a weights file's groups.

    The keys of a SavedModel's variables are list positions (`variables/4`); the variable names
    (`bn1/moving_mean`) are stored as well. Weights files number the variables of a layer.
    """
    given = artifact.extra.get("variable_names")
    names = {name: str(word) for name, word in given.items()} if isinstance(given, dict) else {}
    for node in artifact.object_graph:
        said = node.attributes.get("VARIABLE_VALUE", {})
        if said.get("key") and said.get("full_name"):
            names[said["key"].removesuffix(VARIABLE_KEY_END)] = said["full_name"]
    return names


def batchnorm_state(tensors: BatchNormTensors) -> BatchNormState:
    """Compare stored statistics bitwise with their initial values: mean 0, variance 1.

    Gamma and beta are compared with the values of their initializers. Where one is drawn at random,
    the other one tells.

    Raises:
        ReadError: a tensor cannot be read, or is not a vector of real numbers.
    """
    mean, variance = _vector(tensors.mean), _vector(tensors.variance)
    if mean.shape != variance.shape or mean.size == 0:
        raise ReadError("config-invalid", tensors.mean.file, "mean and variance do not match")
    beta = _as_started(tensors.beta, tensors.config.get("beta_initializer"), 0.0)
    gamma = _as_started(tensors.gamma, tensors.config.get("gamma_initializer"), 1.0)
    # Residual blocks start with a gamma of 0. Not every file says so, but training moves beta.
    if gamma is False and beta and not tensors.config and tensors.gamma is not None:
        gamma = not _vector(tensors.gamma).any()
    return BatchNormState(
        route=tensors.route,
        channels=mean.size,
        statistics_initial=bool((mean == 0).all() and (variance == 1).all()),
        affine_initial=False not in {gamma, beta},
        min_variance=float(variance.min()),
    )


def _as_started(tensor: Tensor | None, initializer: Json, usual: float) -> bool | None:
    """Whether a vector has the values that it started with; None if it has none, or random ones."""
    if tensor is None:
        return None
    values = _vector(tensor)
    said = initializer if isinstance(initializer, dict) else {"class_name": initializer}
    found = candidates(said, tensor.shape) if initializer is not None else ()
    if found and found[0].kind != "constant":
        return None
    start = found[0].mean if found else usual
    return bool((values == float(np.float32(start))).all())


def _split(name: str) -> tuple[str, str | None]:
    prefix, _, last = name.removesuffix(VARIABLE_KEY_END).rpartition("/")
    return prefix, _ROLES.get(last.removesuffix(":0"))


def _vector(tensor: Tensor) -> NDArray[np.floating]:
    if tensor.source is None or len(tensor.shape) != 1:
        raise ReadError("tensor-unreadable", tensor.file, f"{tensor.name} is no readable vector")
    array = tensor.source.array()
    if array.dtype.kind in "biucOSUM":
        raise ReadError("unsupported", tensor.file, f"{tensor.name} has no real numbers")
    return array.astype(np.float64)
