"""Repeated runs: whether the model is deterministic, and how large rounding noise is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from modelaudit.facts import Artifact
from modelaudit.layer_classes import augments
from modelaudit.probe.study.runner import Array, MeasurementUnavailable, Runner
from modelaudit.thresholds.answers import OTHER_INPUTS, ROUNDING

OTHER_BATCH, OTHER_ROWS = 7, 28  # a few batches of another size are sufficient


class RepeatedRuns(Struct, frozen=True):
    """Result of repeated runs.

    Attributes:
        given: outputs for the original inputs.
        noise: largest absolute difference between repeats, including other batch sizes.
        deterministic: whether repeats are equal up to rounding, for any composition of batches,
            and also if a saved training flag puts the model into training mode.
        repeat_differs: whether the same batches, run again, give other outputs.
        training_flag_matters: whether calling the model without a training flag gives other
            outputs than inference; None if the model cannot be called without it.
    """

    given: Mapping[str, Array]
    noise: float
    deterministic: bool
    repeat_differs: bool
    training_flag_matters: bool | None


def run_repeatedly(runner: Runner, artifact: Artifact, few: str = "x") -> RepeatedRuns:
    """Run the inputs `x`, then `few` repeatedly: again, in small batches, without training flag.

    Raises:
        MeasurementUnavailable: no output of the model has numbers.
    """
    given = runner.predict()
    if not given:
        raise MeasurementUnavailable("no output of the model has numbers")
    first = given if few == "x" else runner.predict(few)
    again = runner.predict(few)
    small = min(OTHER_BATCH, runner.batch_size)
    other = runner.predict(few, batch_size=small, rows=OTHER_ROWS)
    start = {name: values[:OTHER_ROWS] for name, values in first.items()}
    scale = max((_scale(values) for values in given.values()), default=1.0)
    alone = largest_difference(start, other) <= OTHER_INPUTS.value * scale
    differs = ROUNDING.value * scale < largest_difference(first, again)
    same = alone and not differs
    matters: bool | None = None
    with contextlib.suppress(MeasurementUnavailable):
        plain = runner.predict(few, training=None, rows=OTHER_ROWS)
        matters = largest_difference(start, plain) > ROUNDING.value * scale
        if matters:  # could be due to the way of calling, which matters in half precision
            called = runner.predict(few, rows=OTHER_ROWS, traced=False)
            matters = largest_difference(called, plain) > ROUNDING.value * scale
        # Augmentation layers of Keras are random in a plain call and inactive in `predict`. Only a
        # saved flag makes the model itself random, or dependent on the rest of the batch.
        if _saved_training_flag(artifact):
            twice = runner.predict(few, training=None, rows=OTHER_ROWS)
            random = largest_difference(plain, twice) > ROUNDING.value * scale
            same = same and not (random or matters)
    noise = max(largest_difference(first, again), largest_difference(start, other))
    return RepeatedRuns(given, noise, same, differs, matters)


def _saved_training_flag(artifact: Artifact) -> bool:
    """Whether some call has training=True, except calls of augmentation layers.

    Keras 3 saves the flag, which is the default, with every call of an augmentation layer; these
    are inactive in `predict` anyway.
    """
    layers = artifact.architecture.layers if artifact.architecture else ()
    return any(
        kwargs.get("training") is True
        for layer in layers
        if not augments(layer.class_name)
        for kwargs in layer.call_kwargs
    )


def _scale(values: Array) -> float:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return max(1e-30, float(np.abs(finite).max())) if finite.size else 1.0


def largest_difference(a: Mapping[str, Array], b: Mapping[str, Array]) -> float:
    """Largest absolute difference over outputs with equal names; NaN equals NaN."""
    worst = 0.0
    for name, left in a.items():
        right = b.get(name)
        if right is None or right.shape != left.shape:
            return float("inf")
        difference = np.abs(left.astype(np.float64) - right.astype(np.float64))
        difference[np.isnan(left) & np.isnan(right)] = 0.0
        if np.isnan(difference).any():
            return float("inf")
        worst = max(worst, float(difference.max(initial=0.0)))
    return worst
