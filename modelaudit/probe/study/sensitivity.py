"""Sensitivity curves: what gradual changes of the user's inputs do to the first useful output.

Each change is measured at its moderate strength first. A second round goes on to where the curve
bends: to less where the output changed, to more where it did not. Changes that matter are compared
with a control. All rounds together take at most `MOST` predictions of a part of the inputs, and end
when the time limit is near.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct, field

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.audit_types.sensitivity import SensitivityCurve, SensitivityPoint
from modelaudit.measures.augmentation.image_changes import GradualChange, Images, Span
from modelaudit.measures.augmentation.other_changes import ChangeableInputs, changeable
from modelaudit.measures.augmentation.sensitivity import (
    commonest_confusion,
    confidence,
    equal_norm_control,
    sensitivity_point,
)
from modelaudit.probe.study.determinism import RepeatedRuns
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.output import Outputs, finite_values
from modelaudit.probe.study.runner import Array, MeasurementUnavailable, Runner
from modelaudit.thresholds.augmentation import NOTICEABLE

MOST = 32  # predictions
SPARE = 3.0  # predictions for which there must be time left
NO_CHANGES = "inputs of this kind and shape ({kind}) have no gradual changes"


class ChangedInputs(Struct, frozen=True):
    """The inputs of the curves.

    Attributes:
        x: inputs (n, ...).
        y: their labels or targets (n, ...), or None.
        given: outputs by name for `x`.
        layout: how they can be changed.
        noise: largest difference between repeated runs.
        end: time (`time.monotonic`) at which the study must end.
    """

    x: Array
    y: Array | None
    given: Outputs
    layout: ChangeableInputs
    noise: float
    end: float


class _Measured(Struct):
    """What is known about one change so far."""

    change: GradualChange
    points: dict[float, SensitivityPoint] = field(default_factory=dict)
    control: SensitivityPoint | None = None
    confusion: tuple[int, int, float] | None = None

    @property
    def judged(self) -> SensitivityPoint | None:
        return self.points.get(self.change.moderate)

    @property
    def matters(self) -> bool:
        return self.judged is not None and noticeable(self.judged)

    def next_strength(self) -> float | None:
        """Where to measure next: the bend lies beyond what was measured so far; None if nowhere."""
        known = sorted(self.points)
        if self.change.name == "shift" or not self.matters:
            return next((s for s in self.change.strengths if s > known[-1]), None)
        lower = [s for s in self.change.strengths if s < known[0]]
        return lower[-1] if lower and noticeable(self.points[known[0]]) else None


def noticeable(point: SensitivityPoint) -> bool:
    """Whether the output changes enough to look closer."""
    if point.agreement is not None:
        return 1 - point.agreement >= NOTICEABLE.value
    return point.variation is not None and point.variation >= NOTICEABLE.value


def sensitivity_curves(
    inputs: ChangedInputs,
    outputs: Sequence[OutputBehaviour],
    ask: Callable[[Sequence[Array]], Mapping[str, Array]],
) -> tuple[SensitivityCurve, ...]:
    """The curves of the first output that depends on its input.

    Args:
        ask: predicts one array per input of the model.

    Raises:
        MeasurementUnavailable: no output can be judged, or the time limit is near.
        StudyEnded: the child has ended.
    """
    output = next((each for each in outputs if not each.collapse.collapsed), None)
    if output is None:
        raise MeasurementUnavailable("no output depends on its input")
    # What is in a map moves with the image, so moving changes do not compare.
    changes = [c for c in inputs.layout.changes if not (c.spatial and output.kind == "spatial")]
    return tuple(_Curves(inputs, output, ask).measure([_Measured(change) for change in changes]))


class _Curves:
    def __init__(
        self,
        inputs: ChangedInputs,
        output: OutputBehaviour,
        ask: Callable[[Sequence[Array]], Mapping[str, Array]],
    ) -> None:
        self._in, self._output, self._ask = inputs, output, ask
        self._kind = "regression" if output.guessed else output.kind
        self._images = inputs.layout.images(inputs.x)
        self._span: Span = (float(inputs.x.min()), float(inputs.x.max()))
        self._given = finite_values(inputs.given[output.name])
        self._left, self._slowest = MOST, 0.0

    def measure(self, measured: list[_Measured]) -> Iterator[SensitivityCurve]:
        """Measure in rounds, until the predictions or the time are used up."""
        for each in measured:
            self._measure(each, each.change.moderate)
        done = [each for each in measured if each.points]
        if not done:
            raise MeasurementUnavailable("the time limit is near (--timeout)")
        by_size = sorted(done, key=lambda each: -_size(each.judged))
        if len(measured) <= MOST // 2:
            for each in by_size:
                self._measure(each, each.next_strength())
            for each in by_size:
                if each.matters and self._left > 0:
                    self._control(each)
            for each in by_size:
                self._measure(each, each.next_strength())
        for each in done:
            yield self._curve(each)

    def _measure(self, at: _Measured, strength: float | None) -> None:
        if strength is None or not self._affordable():
            return
        values = self._predict(self._changed(at.change, strength))
        at.points[strength] = self._compare(strength, values)
        if strength == at.change.moderate:
            at.confusion = commonest_confusion(self._given, values, self._kind)

    def _control(self, at: _Measured) -> None:
        if not self._affordable():
            return
        moderate = at.change.moderate
        rng = np.random.default_rng(0)
        changed = self._changed(at.change, moderate)
        control = equal_norm_control(self._images, changed, at.change.name, rng)
        at.control = self._compare(moderate, self._predict(control))

    def _affordable(self) -> bool:
        return self._left > 0 and time.monotonic() + SPARE * self._slowest < self._in.end

    def _changed(self, change: GradualChange, strength: float) -> Images:
        rng = np.random.default_rng(0)
        return np.clip(change.apply(self._images, strength, self._span, rng), *self._span)

    def _predict(self, images: Images) -> Array:
        start = time.monotonic()
        x = self._in.layout.restored(images, self._in.x, self._span)
        values = finite_values(self._ask([x])[self._output.name])
        self._left -= 1
        self._slowest = max(self._slowest, time.monotonic() - start)
        return values

    def _compare(self, strength: float, values: Array) -> SensitivityPoint:
        return sensitivity_point(
            strength, self._given, values, self._kind, self._in.y, self._in.noise
        )

    def _curve(self, at: _Measured) -> SensitivityCurve:
        points = tuple(at.points[strength] for strength in sorted(at.points))
        labelled = next((p for p in points if p.score is not None and p.lost is not None), None)
        classes = points[0].agreement is not None
        sure = confidence(self._given, self._kind)
        return SensitivityCurve(
            output=self._output.name,
            change=at.change.name,
            unit=at.change.unit,
            moderate=at.change.moderate,
            measure="" if labelled is None else "accuracy" if classes else "R2",
            given=None if labelled is None else (labelled.score or 0) + (labelled.lost or 0),
            confidence=None if sure is None else float(np.median(sure)),
            points=points,
            control=at.control,
            confusion=at.confusion,
        )


def _size(point: SensitivityPoint | None) -> float:
    """How much the output changed, to look first at what changed most."""
    if point is None:
        return 0.0
    if point.agreement is not None:
        return 1 - point.agreement
    return min(point.variation or 0.0, 1.0)


def study_sensitivity(
    runner: Runner,
    fed: PreparedInputs,
    kind: str,
    rows: Array,
    repeats: RepeatedRuns,
    outputs: Sequence[OutputBehaviour],
    end: float,
) -> tuple[SensitivityCurve, ...]:
    """The curves for the user's inputs; empty for built-in ones, which mean nothing to the model.

    Args:
        kind: their kind (`modality.Modality`).
        rows: indices of the inputs that are changed.
        repeats: the outputs for the inputs as given.
        end: time (`time.monotonic`) at which the study must end.

    Raises:
        MeasurementUnavailable: these inputs have no gradual changes, or as `sensitivity_curves`.
        StudyEnded: the child has ended.
    """
    if fed.info.kind != "user":
        return ()
    x = fed.arrays[0]
    first = next((move.first_axis for move in fed.moves[0].values()), 1)
    layout = changeable(x, kind=kind, first_axis=first)
    if layout is None:
        raise MeasurementUnavailable(NO_CHANGES.format(kind=kind))
    if not repeats.deterministic or not np.isfinite(repeats.noise):
        raise MeasurementUnavailable("the same inputs get different outputs")
    inputs = ChangedInputs(
        x=x[rows],
        y=None if fed.y is None else fed.y[rows],
        given={name: values[rows] for name, values in repeats.given.items()},
        layout=layout,
        noise=repeats.noise,
        end=end,
    )
    return sensitivity_curves(inputs, outputs, runner.predict_once)
