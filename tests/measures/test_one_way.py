"""What steps of gradient descent leave of an error, against the steps themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures.one_way import error_left
from modelaudit.measures.optimizer_state import OptimizerState


def state(rate: float, momentum: float, steps: int, **settings) -> OptimizerState:
    given = {"momentum": momentum, **settings}
    return OptimizerState(name="SGD", rate=rate, steps=steps, settings=given)


@given(
    momentum=st.floats(0, 0.95),
    part=st.floats(0.01, 0.95),
    steps=st.integers(0, 300),
    less=st.floats(0.01, 1),
)
def test_the_steps_of_keras(momentum: float, part: float, steps: int, less: float) -> None:
    share = part * (1 - momentum**0.5) ** 2
    error, change = 1.0, 0.0
    for _ in range(steps):
        change = momentum * change - share * error
        error += change
    found = error_left(state(share / 2, momentum, steps), 2.0)
    assert found == pytest.approx(error, rel=1e-6, abs=1e-9)
    assert error_left(state(share / 2, momentum, steps), 2.0 * less) >= found - 1e-9


def test_what_is_not_known() -> None:
    assert error_left(state(0.01, 0.9, 10), 2.0) == 0  # it swings
    assert error_left(state(0.0001, 0.9, 10, nesterov=True), 2.0) == 0
    assert error_left(state(0.0, 0.0, 10), 2.0) == 0
