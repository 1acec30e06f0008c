"""Inner activations of a Keras model: dead channels, BatchNorm statistics, layer residuals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from modelaudit.audit_types.behaviour import BatchNormFit, LayerResidual
from modelaudit.facts import Artifact, Layer, Tensor
from modelaudit.layer_classes import Trait, classes
from modelaudit.measures.behaviour.equivariance import layer_residuals
from modelaudit.measures.kernels.batchnorm import (
    BatchNormTensors,
    batchnorm_tensors,
    statistics_convergence,
    statistics_misfit,
)
from modelaudit.measures.transforms import Transform
from modelaudit.measures.value_transforms import DomainTransform
from modelaudit.probe.host.feed import ActivationRequest
from modelaudit.probe.host.restored_layers import restored_layers
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.runner import (
    AS_GIVEN,
    Array,
    InputVariant,
    MeasurementUnavailable,
    Runner,
)
from modelaudit.structs import replace
from modelaudit.thresholds.weights import MISFIT

RECTIFIERS = classes(Trait.RECTIFIER) | {"relu", "relu6"}
FITTED = 128  # maximum number of batch normalizations
WATCHED = 24  # maximum number of layers with residuals
WATCHED_BYTES = 256 << 20
NO_LAYERS = "the file contains a graph without layers, so activations cannot be captured"
EPSILON = 1e-3  # Keras's default, for layers without one


class LayerActivations:
    """Activations of a Keras model for a study's inputs, captured in as few passes as possible.

    Args:
        runner: runner with all inputs stored as `x`, and some of them as `few` (may be `x`).
        few: name of the inputs for statistics and residuals, which need fewer inputs than
            measurements on outputs.
    """

    def __init__(
        self, runner: Runner, artifact: Artifact, seen: Observation, few: str, n: int
    ) -> None:
        self._runner, self._few = runner, few
        self._layers, self._routes = restored_layers(artifact, seen)
        self._normalised = tuple(batchnorm_tensors(artifact))[:FITTED]
        self._rectified = [each.route for each in self._layers if _rectified(each)]
        self._residual = tuple(_watched(artifact, self._layers, n))
        self._seen: tuple[Mapping[str, Array], ...] | None = None

    def _given(self) -> tuple[Mapping[str, Array], ...]:
        """Inputs of batch normalizations, outputs of rectified layers and of kernel layers."""
        if not self._layers:
            raise MeasurementUnavailable(NO_LAYERS)
        if self._seen is None:
            into = ActivationRequest(tuple(layer.route for layer in self._normalised), True, True)
            rectified = ActivationRequest(tuple(self._rectified), statistics=True)
            watches = (into, rectified, ActivationRequest(self._residual))
            if self._few == "x":
                self._seen = self._asked(watches)
            else:
                ((dead,), (fits, whole)) = (
                    self._asked(watches[1:2]),
                    self._asked(watches[::2], self._few),
                )
                self._seen = (fits, dead, whole)
        return self._seen

    def _asked(
        self,
        watches: Sequence[ActivationRequest],
        name: str = "x",
        variant: InputVariant = AS_GIVEN,
    ) -> tuple[Mapping[str, Array], ...]:
        """`Runner.activations`, with the names that the layers have in the file."""
        if not self._routes:
            return self._runner.activations(watches, name, variant)
        asked = [
            replace(watch, routes=tuple(self._routes.get(each, each) for each in watch.routes))
            for watch in watches
        ]
        known = {route: name for name, route in self._routes.items()}
        return tuple(
            {known.get(route, route) + rest: value for (route, rest), value in _split(seen)}
            for seen in self._runner.activations(asked, name, variant)
        )

    def dead_shares(self, others: Iterable[Sequence[Array]] = ()) -> Mapping[str, float]:
        """Share of channels of each rectified layer that never exceed zero on `x`, in [0, 1].

        A layer without an active channel must be so for `others` too: further inputs of the model.

        Raises:
            MeasurementUnavailable: activations cannot be captured.
        """
        if self._layers and not self._rectified:
            return {}
        _, seen, _ = self._given()
        largest = {route: seen[key] for route in self._rectified if (key := f"{route}:max") in seen}
        largest = {route: most for route, most in largest.items() if most.size}
        for arrays in others:
            dead = tuple(route for route, most in largest.items() if (most <= 0).all())
            if not dead:
                break
            self._runner.put("once", arrays)
            (found,) = self._asked([ActivationRequest(dead, statistics=True)], "once")
            self._runner.drop("once")
            largest |= {route: np.maximum(largest[route], found[f"{route}:max"]) for route in dead}
        return {route: float(np.mean(most <= 0)) for route, most in largest.items()}

    def batchnorm_fits(
        self, moves: Sequence[str], domains: Sequence[DomainTransform]
    ) -> tuple[BatchNormFit, ...]:
        """Fit of stored statistics to actual inputs, in execution order, also for input variants.

        Raises:
            MeasurementUnavailable: activations cannot be captured.
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
            statistics = _statistics(layer, given, self._layers)
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
        (seen,) = self._asked([watch], self._few, variant)
        return seen

    def _deviations(
        self, layer: BatchNormTensors, seen: Mapping[str, Mapping[str, Array]]
    ) -> dict[str, float]:
        return {
            name: float(statistics_misfit(*_statistics(layer, each, self._layers))[0])
            for name, each in seen.items()
        }

    def residuals(self, move: Transform) -> tuple[LayerResidual, ...]:
        """Equivariance residuals of kernel layers under one transform, in execution order.

        Only for layers whose features for all inputs fit into memory together.

        Raises:
            MeasurementUnavailable: activations cannot be captured.
        """
        if self._layers and not self._residual:
            raise MeasurementUnavailable("no layer's features are small enough to compare")
        _, _, plain = self._given()
        watch = ActivationRequest(self._residual)
        (moved,) = self._asked([watch], self._few, InputVariant(move.name))
        rows: list[LayerResidual] = []
        for route in self._residual:
            if route not in plain or route not in moved:
                continue
            a, b = plain[route], moved[route]
            spatial = a.ndim >= len(move.element.perm) + 2
            found = layer_residuals(a, b, move if spatial else None)
            if found.identity is not None:
                rows.append(LayerResidual(route, move.name, found.identity, found.permutation))
        return tuple(rows)


def _split(seen: Mapping[str, Array]) -> Iterator[tuple[tuple[str, str], Array]]:
    """Results with their keys in two: the route, and which call and statistic of it."""
    for key, value in seen.items():
        end = min(len(key.partition(mark)[0]) for mark in ":@")
        yield (key[:end], key[end:]), value


def _rectified(layer: Layer) -> bool:
    """Whether it gives 0 for all negative values; a leaky one keeps what tells them apart."""
    activation = layer.config.get("activation")
    named = activation.get("class_name") if isinstance(activation, dict) else activation
    held = activation.get("config") if isinstance(activation, dict) else None
    configs = (layer.config, held if isinstance(held, dict) else {})
    leaky = any(config.get("negative_slope", config.get("alpha")) for config in configs)
    return (layer.class_name in RECTIFIERS or named in RECTIFIERS) and not leaky


def _statistics(
    layer: BatchNormTensors, seen: Mapping[str, Array], layers: Sequence[Layer]
) -> tuple[Array, Array, tuple[Array, Array], float]:
    """Mean and variance of the layer's inputs, the stored statistics, and epsilon."""
    stored = _stored(layer.mean), _stored(layer.variance)
    mean, variance = seen[f"{layer.route}:mean"], seen[f"{layer.route}:var"]
    if mean.shape != stored[0].shape:
        raise MeasurementUnavailable(f"inputs of {layer.route} have another number of channels")
    said = next(
        (each.config.get("epsilon") for each in layers if each.route == layer.route),
        None,
    )
    return mean, variance, stored, float(said) if isinstance(said, int | float) else EPSILON


def _stored(tensor: Tensor) -> Array:
    if tensor.source is None:
        raise MeasurementUnavailable(f"{tensor.name} cannot be read")
    return np.asarray(tensor.source.array(), dtype=np.float64)


def _watched(artifact: Artifact, every: Sequence[Layer], n: int) -> Iterator[str]:
    """Routes of evenly selected kernel layers whose features fit into the memory budget."""
    kernels = {kernel.route for kernel in artifact.kernels}
    layers = [each for each in every if each.route in kernels]
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
