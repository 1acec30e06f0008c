"""Sensitivity curves of models that are written out here: what is measured, and at what cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from modelaudit.audit_types.behaviour import Collapse, OutputBehaviour
from modelaudit.audit_types.sensitivity import SensitivityCurve
from modelaudit.measures.augmentation.other_changes import changeable
from modelaudit.probe.study.runner import MeasurementUnavailable
from modelaudit.probe.study.sensitivity import MOST, ChangedInputs, sensitivity_curves

RNG = np.random.default_rng(3)
SIDE = 24


def bars(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one bright line through the middle, upright (0) or lying (1), and their classes."""
    x = RNG.random((n, SIDE, SIDE, 1), dtype=np.float32) * 0.2
    y = np.arange(n) // 2 % 2  # both directions of a change see both classes
    x[y == 0, 4:20, 11:13] += 0.8
    x[y == 1, 11:13, 4:20] += 0.8
    return np.clip(x, 0, 1), y


def by_middle(x: np.ndarray) -> np.ndarray:
    """A model that looks at the middle row and column only: exactly one pixel wide."""
    upright, lying = x[:, 4:20, 11, 0].mean(axis=1), x[:, 11, 4:20, 0].mean(axis=1)
    return softmax(20 * np.stack([upright, lying], axis=1))


def by_gradients(x: np.ndarray) -> np.ndarray:
    """A model that compares changes along rows and columns anywhere: no shift matters."""
    along = np.square(np.diff(x, axis=2)).mean(axis=(1, 2, 3))
    down = np.square(np.diff(x, axis=1)).mean(axis=(1, 2, 3))
    return softmax(200 * np.stack([along, down], axis=1))


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class Counted:
    """A model as the study asks it, which counts the predictions."""

    def __init__(self, model: Callable[[np.ndarray], np.ndarray]) -> None:
        self.model, self.asked = model, 0

    def __call__(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        self.asked += 1
        return {"scores": self.model(arrays[0])}


def curves(
    model: Callable[[np.ndarray], np.ndarray], seconds: float = 60, kind: str = "softmax"
) -> tuple[dict[str, SensitivityCurve], int]:
    """Curves by change, and the number of predictions."""
    x, y = bars(64)
    layout = changeable(x, kind="image", first_axis=1)
    assert layout is not None
    end = time.monotonic() + seconds
    inputs = ChangedInputs(x, y, {"scores": model(x)}, layout, 0.0, end)
    output = OutputBehaviour("scores", kind, (None, 2), Collapse(False), ())
    counted = Counted(model)
    found = sensitivity_curves(inputs, [output], counted)
    return {each.change: each for each in found}, counted.asked


def test_one_pixel_costs_the_model_that_looks_at_one_column_everything() -> None:
    found, asked = curves(by_middle)
    assert asked <= MOST
    shift = found["shift"]
    assert shift.judged is not None
    assert shift.given == 1.0
    assert shift.measure == "accuracy"
    # Half of the shifts by a pixel leave the line, two pixels wide, where the model looks.
    lost = {point.strength: point.lost for point in shift.points}
    assert lost[1] == pytest.approx(0.5)
    assert lost[2] == 1.0
    assert found["translation"].judged.lost > 0.3
    assert found["translation"].control is not None
    assert found["brightness"].judged.lost == 0


def test_the_model_that_ignores_places_loses_nothing_by_shifts() -> None:
    found, asked = curves(by_gradients)
    assert asked <= MOST
    for name in ("shift", "translation", "zoom", "brightness"):
        assert found[name].judged is not None
        assert found[name].judged.lost == 0, name
    assert found["shift"].control is None


def test_curves_go_on_to_where_they_bend() -> None:
    found, _ = curves(by_middle)
    changed = [point.strength for point in found["translation"].points]
    steady = [point.strength for point in found["brightness"].points]
    assert min(changed) < found["translation"].moderate
    assert max(steady) > found["brightness"].moderate
    assert changed == sorted(changed)


def test_what_is_in_a_map_moves_with_the_image() -> None:
    def edges(x: np.ndarray) -> np.ndarray:
        return np.diff(x, axis=1)

    found, _ = curves(edges, kind="spatial")
    assert "rotation" not in found
    assert "blur" in found


def test_the_time_limit_ends_the_curves() -> None:
    with pytest.raises(MeasurementUnavailable, match="time limit"):
        curves(by_middle, seconds=-1)
