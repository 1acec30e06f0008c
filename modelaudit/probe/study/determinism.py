"""Asking the same twice: is the model deterministic, and how large is rounding noise?"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modelaudit.facts import Artifact
from modelaudit.layer_classes import Trait, has
from modelaudit.probe.study.runner import Array, MeasurementUnavailable, Runner
from modelaudit.thresholds.answers import OTHER_INPUTS, ROUNDING

OTHER_BATCH, OTHER_ROWS = 7, 28  # some calls of another size are as good as one for each input


@dataclass(frozen=True, slots=True)
class RepeatedRuns:
    """What asking again showed.

    Attributes:
        given: outputs for the inputs as given.
        noise: largest absolute difference between repeats, other batch sizes included.
        deterministic: repeats are equal but for rounding, whatever else is in the batch, also
            where a flag saved in the graph makes the model behave as in training.
        training_flag_matters: calling the model without a training flag gives other outputs
            than inference does; None where the model cannot be called so.
    """

    given: Mapping[str, Array]
    noise: float
    deterministic: bool
    training_flag_matters: bool | None


def run_repeatedly(runner: Runner, artifact: Artifact, few: str = "x") -> RepeatedRuns:
    """Run the inputs `x`, then `few` again: the same, in small batches, without a flag.

    Raises:
        Unavailable: the model gives no output at all.
    """
    given = runner.predict()
    if not given:
        raise MeasurementUnavailable("the model gives no numeric output")
    first = given if few == "x" else runner.predict(few)
    again = runner.predict(few)
    other = runner.predict(few, batch_size=OTHER_BATCH, rows=OTHER_ROWS)
    start = {name: values[:OTHER_ROWS] for name, values in first.items()}
    scale = max((_scale(values) for values in given.values()), default=1.0)
    alone = largest_difference(start, other) <= OTHER_INPUTS.value * scale
    same = alone and largest_difference(first, again) <= ROUNDING.value * scale
    matters: bool | None = None
    with contextlib.suppress(MeasurementUnavailable):
        plain = runner.predict(few, training=None, rows=OTHER_ROWS)
        matters = largest_difference(start, plain) > ROUNDING.value * scale
        if matters:  # or is it the way of calling? In half precision that is more than rounding
            called = runner.predict(few, rows=OTHER_ROWS, traced=False)
            matters = largest_difference(called, plain) > ROUNDING.value * scale
        # Keras layers that augment are random in a bare call and silent in `predict`; only a
        # flag that was saved with the call makes the model itself random, or dependent on what
        # else is in the batch.
        if _saved_training_flag(artifact):
            twice = runner.predict(few, training=None, rows=OTHER_ROWS)
            random = largest_difference(plain, twice) > ROUNDING.value * scale
            same = same and not (random or matters)
    noise = max(largest_difference(first, again), largest_difference(start, other))
    return RepeatedRuns(given, noise, same, matters)


def _saved_training_flag(artifact: Artifact) -> bool:
    """Some call has training=True, other than of augmentation.

    Keras 3 itself writes the flag into every call of an augmenting layer, where it is the default;
    these rest in `predict` all the same.
    """
    layers = artifact.architecture.layers if artifact.architecture else ()
    return any(
        kwargs.get("training") is True
        for layer in layers
        if not _augments(layer.class_name)
        for kwargs in layer.call_kwargs
    )


def _augments(class_name: str) -> bool:
    """Whether it is an augmentation layer of Keras, or by its name a subclass of one."""
    return has(class_name, Trait.AUGMENTATION) or class_name.startswith("Random")


def _scale(values: Array) -> float:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return max(1e-30, float(np.abs(finite).max())) if finite.size else 1.0


def largest_difference(a: Mapping[str, Array], b: Mapping[str, Array]) -> float:
    """Largest absolute difference over outputs of one name; NaN beside NaN counts as equal."""
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
