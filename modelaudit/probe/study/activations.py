"""What flows inside a Keras model: dead channels, fit of BatchNorm statistics, layer residuals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from modelaudit.facts import Artifact, Json, Layer, Tensor
from modelaudit.layer_classes import Trait, classes
from modelaudit.measures.behaviour.equivariance import layer_residuals
from modelaudit.measures.kernels.batchnorm import (
    BatchNormTensors,
    batchnorm_tensors,
    statistics_convergence,
    statistics_misfit,
)
from modelaudit.measures.summary import BatchNormFit
from modelaudit.measures.transforms import DomainTransform, Transform
from modelaudit.probe.host.feed import ActivationRequest
from modelaudit.probe.study.runner import Array, InputVariant, MeasurementUnavailable, Runner
from modelaudit.thresholds.weights import MISFIT

RECTIFIERS = classes(Trait.RECTIFIER) | {"relu", "relu6"}
FITTED = 128  # batch normalisations looked at
WATCHED = 24  # layers whose residuals are measured
WATCHED_BYTES = 256 << 20
NO_LAYERS = "the file holds a graph without layers, whose inner values cannot be read"
EPSILON = 1e-3  # Keras's default, where a layer does not say


class LayerActivations:
    """What flows inside a Keras model for the inputs of one study, in as few passes as it takes.

    Args:
        runner: with all inputs put as `x`, and fewer of them as `few` (which may be `x` itself).
        artifact: the model's file.
        few: name of the inputs that statistics and residuals take: they need fewer than
            statements on outputs do.
        n: how many these are.
    """

    def __init__(self, runner: Runner, artifact: Artifact, few: str, n: int) -> None:
        self._runner, self._artifact, self._few = runner, artifact, few
        self._normalised = tuple(batchnorm_tensors(artifact))[:FITTED]
        self._rectified = [each.route for each in _layers(artifact) if _rectified(each)]
        self._residual = tuple(_watched(artifact, n))
        self._seen: tuple[Mapping[str, Array], ...] | None = None

    def _given(self) -> tuple[Mapping[str, Array], ...]:
        """What enters batch normalisations, leaves rectified layers and leaves kernel layers."""
        if self._artifact.architecture is None:
            raise MeasurementUnavailable(NO_LAYERS)
        if self._seen is None:
            into = ActivationRequest(tuple(layer.route for layer in self._normalised), True, True)
            rectified = ActivationRequest(tuple(self._rectified), statistics=True)
            watches = (into, rectified, ActivationRequest(self._residual))
            if self._few == "x":
                self._seen = self._runner.activations(watches)
            else:
                ((dead,), (fits, whole)) = (
                    self._runner.activations(watches[1:2]),
                    self._runner.activations(watches[::2], self._few),
                )
                self._seen = (fits, dead, whole)
        return self._seen

    def dead_shares(self) -> Mapping[str, float]:
        """Share of channels of each rectified layer that never exceed zero on `x`.

        Raises:
            Unavailable: inner activations cannot be seen.
        """
        if self._artifact.architecture is not None and not self._rectified:
            return {}
        _, seen, _ = self._given()
        return {
            route: float(np.mean(seen[f"{route}:max"] <= 0))
            for route in self._rectified
            if f"{route}:max" in seen and seen[f"{route}:max"].size
        }

    def batchnorm_fits(
        self, moves: Sequence[str], domains: Sequence[DomainTransform]
    ) -> tuple[BatchNormFit, ...]:
        """How stored statistics fit what flows in, in execution order; under variants of the input.

        Raises:
            Unavailable: inner activations cannot be seen.
        """
        if not self._normalised:
            return ()
        given, _, _ = self._given()
        by_move = {move: self._into(InputVariant(move)) for move in moves}
        by_domain = {domain.name: self._into(InputVariant("e", domain)) for domain in domains}
        fits = []
        for layer in self._normalised:
            if f"{layer.route}:mean" not in given:
                continue
            statistics = _statistics(layer, given, self._artifact)
            deviation, log = map(float, statistics_misfit(*statistics))
            fit = BatchNormFit(
                route=layer.route,
                mean_deviation=deviation,
                log_variance=log,
                misfit=max(deviation, log / 3),
                domain=self._deviations(layer, by_domain),
                orientation=self._deviations(layer, by_move),
            )
            if fit.misfit > MISFIT.value:
                share, left = statistics_convergence(*statistics)
                fit = replace(fit, settled=share, settled_misfit=left)
            fits.append(fit)
        return tuple(fits)

    def _into(self, variant: InputVariant) -> Mapping[str, Array]:
        watch = ActivationRequest(tuple(layer.route for layer in self._normalised), True, True)
        (seen,) = self._runner.activations([watch], self._few, variant)
        return seen

    def _deviations(
        self, layer: BatchNormTensors, seen: Mapping[str, Mapping[str, Array]]
    ) -> dict[str, float]:
        return {
            name: float(statistics_misfit(*_statistics(layer, each, self._artifact))[0])
            for name, each in seen.items()
        }

    def residuals(self, move: Transform) -> tuple[Mapping[str, Json], ...]:
        """How equivariant the features of kernel layers are under one move, in execution order.

        Only layers whose features for all inputs fit into memory together.

        Raises:
            Unavailable: inner activations cannot be seen.
        """
        if self._artifact.architecture is not None and not self._residual:
            raise MeasurementUnavailable("no layer's features are small enough to be compared")
        _, _, plain = self._given()
        watch = ActivationRequest(self._residual)
        (moved,) = self._runner.activations([watch], self._few, InputVariant(move.name))
        rows: list[Mapping[str, Json]] = []
        for route in self._residual:
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


def _layers(artifact: Artifact) -> tuple[Layer, ...]:
    return artifact.architecture.layers if artifact.architecture else ()


def _rectified(layer: Layer) -> bool:
    activation = layer.config.get("activation")
    named = activation.get("class_name") if isinstance(activation, dict) else activation
    return layer.class_name in RECTIFIERS or named in RECTIFIERS


def _statistics(
    layer: BatchNormTensors, seen: Mapping[str, Array], artifact: Artifact
) -> tuple[Array, Array, tuple[Array, Array], float]:
    """Mean and variance of what was seen to flow in, those that are stored, and the epsilon."""
    stored = _stored(layer.mean), _stored(layer.variance)
    mean, variance = seen[f"{layer.route}:mean"], seen[f"{layer.route}:var"]
    if mean.shape != stored[0].shape:
        raise MeasurementUnavailable(
            f"what flows into {layer.route} has another number of channels"
        )
    said = next(
        (each.config.get("epsilon") for each in _layers(artifact) if each.route == layer.route),
        None,
    )
    return mean, variance, stored, float(said) if isinstance(said, int | float) else EPSILON


def _stored(tensor: Tensor) -> Array:
    if tensor.source is None:
        raise MeasurementUnavailable(f"{tensor.name} cannot be read")
    return np.asarray(tensor.source.array(), dtype=np.float64)


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
