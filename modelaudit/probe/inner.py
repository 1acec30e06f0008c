"""What flows inside a Keras model: dead channels, fit of BatchNorm statistics, layer residuals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from modelaudit.facts import Artifact, Json, Layer, Tensor
from modelaudit.measures.batchnorm import BatchNormTensors, batchnorm_tensors
from modelaudit.measures.residuals import layer_residuals
from modelaudit.measures.summary import BatchNormFit
from modelaudit.measures.transforms import DomainTransform, Transform
from modelaudit.probe.runner import Array, Runner, Unavailable, Variant

RECTIFIERS = frozenset({"relu", "relu6", "ReLU", "LeakyReLU"})
FITTED = 128  # batch normalisations looked at
WATCHED = 24  # layers whose residuals are measured
WATCHED_BYTES = 256 << 20
NO_LAYERS = "the file holds a graph without layers, whose inner values cannot be read"
EPSILON = 1e-3  # Keras's default, where a layer does not say


def dead_shares(runner: Runner, artifact: Artifact) -> Mapping[str, float]:
    """Share of channels of each rectified layer that never exceed zero on `x`.

    Raises:
        Unavailable: inner activations cannot be seen.
    """
    if artifact.architecture is None:
        raise Unavailable(NO_LAYERS)
    routes = [layer.route for layer in _layers(artifact) if _rectified(layer)]
    if not routes:
        return {}
    seen = runner.activations(routes, statistics=True)
    return {
        route: float(np.mean(seen[f"{route}:max"] <= 0))
        for route in routes
        if f"{route}:max" in seen and seen[f"{route}:max"].size
    }


def _layers(artifact: Artifact) -> tuple[Layer, ...]:
    return artifact.architecture.layers if artifact.architecture else ()


def _rectified(layer: Layer) -> bool:
    activation = layer.config.get("activation")
    named = activation.get("class_name") if isinstance(activation, dict) else activation
    return layer.class_name in RECTIFIERS or named in RECTIFIERS


def batchnorm_fits(
    runner: Runner,
    artifact: Artifact,
    moves: Sequence[str],
    domains: Sequence[DomainTransform],
    few: str = "x",
) -> tuple[BatchNormFit, ...]:
    """How stored statistics fit what flows in, in execution order; under variants of the input.

    Statistics over images and places need fewer inputs than statements on outputs do: those put
    under `few` are enough.

    Raises:
        Unavailable: inner activations cannot be seen.
    """
    layers = list(batchnorm_tensors(artifact))[:FITTED]
    if not layers:
        return ()
    if artifact.architecture is None:
        raise Unavailable(NO_LAYERS)
    routes = [layer.route for layer in layers]
    given = runner.activations(routes, few, into=True, statistics=True)
    by_move = {
        m: runner.activations(routes, few, Variant(m), into=True, statistics=True) for m in moves
    }
    by_domain = {
        d.name: runner.activations(routes, few, Variant("e", d), into=True, statistics=True)
        for d in domains
    }
    fits = []
    for layer in layers:
        if f"{layer.route}:mean" not in given:
            continue
        mean, log = _misfit(layer, given, artifact)
        fits.append(
            BatchNormFit(
                route=layer.route,
                mean_deviation=mean,
                log_variance=log,
                misfit=max(mean, log / 3),
                domain={k: _misfit(layer, seen, artifact)[0] for k, seen in by_domain.items()},
                orientation={k: _misfit(layer, seen, artifact)[0] for k, seen in by_move.items()},
            )
        )
    return tuple(fits)


def _misfit(
    layer: BatchNormTensors, seen: Mapping[str, Array], artifact: Artifact
) -> tuple[float, float]:
    """Median |mean difference| in stored deviations, and median |log variance ratio|."""
    mean, variance = _stored(layer.mean), _stored(layer.variance)
    observed, spread = seen[f"{layer.route}:mean"], seen[f"{layer.route}:var"]
    if observed.shape != mean.shape:
        raise Unavailable(f"what flows into {layer.route} has another number of channels")
    said = next(
        (each.config.get("epsilon") for each in _layers(artifact) if each.route == layer.route),
        None,
    )
    epsilon = float(said) if isinstance(said, int | float) else EPSILON
    deviation = np.abs(observed - mean) / np.sqrt(np.maximum(variance, 0.0) + epsilon)
    ratio = np.log((spread + 1e-12) / (np.maximum(variance, 0.0) + 1e-12))
    return float(np.median(deviation)), float(np.median(np.abs(ratio)))


def _stored(tensor: Tensor) -> Array:
    if tensor.source is None:
        raise Unavailable(f"{tensor.name} cannot be read")
    return np.asarray(tensor.source.array(), dtype=np.float64)


def residuals(
    runner: Runner, artifact: Artifact, move: Transform, n: int, few: str = "x"
) -> tuple[Mapping[str, Json], ...]:
    """How equivariant the features of kernel layers are under one move, in execution order.

    Only layers whose features for all `n` inputs put under `few` fit into memory together.

    Raises:
        Unavailable: inner activations cannot be seen.
    """
    if artifact.architecture is None:
        raise Unavailable(NO_LAYERS)
    routes = list(_watched(artifact, n))
    if not routes:
        raise Unavailable("no layer's features are small enough to be compared")
    plain = runner.activations(routes, few)
    moved = runner.activations(routes, few, Variant(move.name))
    rows: list[Mapping[str, Json]] = []
    for route in routes:
        if route not in plain or route not in moved:
            continue
        a, b = plain[route], moved[route]
        spatial = a.ndim >= len(move.element.perm) + 2
        found = layer_residuals(a, b, move if spatial else None)
        if found.identity is not None:
            row: dict[str, Json] = {
                "route": route,
                "transform": move.name,
                "identity": found.identity,
                "permutation": found.permutation,
            }
            rows.append(row)
    return tuple(rows)


def _watched(artifact: Artifact, n: int) -> Iterator[str]:
    """Routes of kernel layers, evenly thinned, as far as their features fit the budget."""
    kernels = {kernel.route for kernel in artifact.kernels}
    layers = [each for each in _layers(artifact) if each.route in kernels]
    step = max(1, -(-len(layers) // WATCHED))
    room = WATCHED_BYTES
    for layer in layers[::-1][::step][::-1]:
        shape = layer.output_shape
        if shape is None or any(size is None for size in shape[1:]):
            continue
        size = 8 * n * int(np.prod([s for s in shape[1:] if s is not None]))
        if size <= room:
            room -= size
            yield layer.route
