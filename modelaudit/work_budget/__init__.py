"""How much work one audit may take, whatever its model contains.

Bounds on numbers of parts hold for the parts that somebody thought of. This one holds for all of
them: what reads and judges a model says now and then that it has done something, and is stopped
when the processor time of the audit exceeds what a model of this size may take.

Processor time depends on the processor, and on what else it does. So it is counted in units of a
fixed piece of plain work, which is measured when an audit has taken half of what it may.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import Enum

from modelaudit.errors import WorkSpent

COUNTED_BYTES = 10_000_000
"""The bytes of a model's files for which the setting `work` holds, and a smaller model too."""

UNIT_SECONDS = 0.077
"""What a unit takes on the processor on which the aim of 2 s was set: 26 units."""

_ROUNDS = 400_000  # of a unit
_KEPT = 5_000
_LOOK = 200  # parts after which the clock is read


class Phase(Enum):
    """A phase of an audit; its value is the share of the work that is spent when it must end.

    The rest is for the sections of the audit and for writing it.
    """

    READING = 0.54
    MEASURING = 0.62
    PREDICTING = 0.65
    SECURITY = 0.7
    JUDGING = 0.75


def unit_seconds() -> float:
    """The processor time of one unit of plain work in this process, measured now.

    Other programs slow it down, and what is measured in units as well.
    """
    start = time.thread_time()
    found: dict[int, tuple[int, str]] = {}
    for number in range(_ROUNDS):
        found[number % _KEPT] = number, str(number & 255)
    return time.thread_time() - start


class WorkBudget:
    """What one audit may take, and what it has taken.

    Args:
        units: of plain work that the audit may take.
        clock: the processor time of this thread in seconds.
        unit: measures the seconds of a unit; called only when half of a phase's work is spent.

    Attributes:
        cut: the phases that had to end before they were done.
    """

    def __init__(
        self,
        units: float,
        clock: Callable[[], float] = time.thread_time,
        unit: Callable[[], float] = unit_seconds,
    ) -> None:
        self.units = units
        self._clock, self._measured = clock, unit
        self._unit: float | None = None
        self._enter(Phase.READING)
        self._taken = 0.0  # before the current phase
        self._by_phase: dict[Phase, float] = {}
        self._since: float | None = None
        self._parts = 0
        self.cut: list[Phase] = []

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Count the work of a block, as part of a phase; work outside of such blocks is free."""
        token, before, outer = _current.set(self), self._phase, self._since is not None
        self._enter(phase)
        if not outer:
            self._since = self._clock()
        try:
            yield
        finally:
            _current.reset(token)
            self._enter(before)
            if not outer:
                taken = self._seconds()
                self._by_phase[phase] = self._by_phase.get(phase, 0.0) + taken - self._taken
                self._taken, self._since = taken, None

    def begin_again(self, phase: Phase) -> None:
        """Count what a phase took no longer, since it is done again from the start."""
        self._taken -= self._by_phase.pop(phase, 0.0)

    def is_spent(self) -> bool:
        """Whether the current phase must end."""
        self._parts = 0
        if self._seconds() <= self._free:
            return False
        if self._unit is None:
            start = self._clock()
            self._unit = self._measured()
            self._taken -= self._clock() - start  # the measurement is no work of the audit
            self._enter(self._phase)
        spent = self._seconds() > self._free
        if spent and self._phase not in self.cut:
            self.cut.append(self._phase)
        return spent

    def _enter(self, phase: Phase) -> None:
        """Begin a phase, which need not end within `_free` seconds; asked often, so kept."""
        self._phase = phase
        unit = UNIT_SECONDS / 2 if self._unit is None else self._unit
        self._free = phase.value * self.units * unit

    def is_cut(self) -> bool:
        """Whether the current phase is known to be spent; does not read the clock."""
        return self._phase in self.cut

    def require(self, phase: Phase) -> None:
        """Ask for what a phase has found as a whole.

        Raises:
            WorkSpent: the phase had to end before it was done.
        """
        if phase in self.cut:
            raise WorkSpent(phase.value * self.units)

    def spend(self, parts: int) -> None:
        """Say that something was done.

        Raises:
            WorkSpent: the current phase must end.
        """
        self._parts += parts
        if self._parts >= _LOOK and self.is_spent():
            raise WorkSpent(self._phase.value * self.units)

    def _seconds(self) -> float:
        return self._taken + (0.0 if self._since is None else self._clock() - self._since)


_current: ContextVar[WorkBudget | None] = ContextVar("_current", default=None)
_lent: ContextVar[tuple[float, float]] = ContextVar("_lent", default=(math.inf, 0.0))


def lend(units: float, unit: float) -> None:
    """Let audits that begin from now on take no more than so many units.

    Args:
        units: of plain work; infinite for no such bound.
        unit: the seconds that one takes, if they were measured; 0 if not.
    """
    _lent.set((units, unit))


def lent_budget(units: float) -> WorkBudget:
    """A budget of so many units, or of those that are lent, if they are fewer."""
    most, unit = _lent.get()
    if most >= units:
        return WorkBudget(units)
    return WorkBudget(most, unit=lambda: unit or unit_seconds())


def within(budget: WorkBudget | None, phase: Phase) -> AbstractContextManager[None]:
    """Count the work of a block as part of a phase, if there is a budget."""
    return budget.during(phase) if budget is not None else nullcontext()


def current_budget() -> WorkBudget | None:
    """The budget of the audit that goes on, if one does."""
    return _current.get()


def spend(parts: int = _LOOK) -> None:
    """Say that a part was done, in a loop whose parts take 0.2 ms or more, or so many smaller ones.

    Raises:
        WorkSpent: the audit has taken the work that its phase may take.
    """
    budget = _current.get()
    if budget is not None:
        budget.spend(parts)


def is_spent() -> bool:
    """Whether the audit has taken the work that its phase may take."""
    budget = _current.get()
    return budget is not None and budget.is_spent()
