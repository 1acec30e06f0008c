"""A clock for budgets of work that a test sets by hand."""

from __future__ import annotations

from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from modelaudit.work_budget import UNIT_SECONDS, Phase, WorkBudget

UNITS = 100.0


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def reach(self, phase: Phase, more: float = 0.01) -> None:
        """Go to just behind the end of a phase."""
        self.now = (phase.value + more) * UNITS * UNIT_SECONDS


def budget_with(clock: Clock) -> WorkBudget:
    """A budget of `UNITS` that reads a clock."""
    return WorkBudget(UNITS, clock, lambda: UNIT_SECONDS)


def facts_with(clock: Clock) -> Facts:
    """Facts of a sound model whose work is counted by a clock."""
    return replace(examples.healthy(), work=budget_with(clock))
