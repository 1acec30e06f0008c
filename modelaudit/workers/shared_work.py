"""What several tasks may take together: those that look at one archive, and at its models."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from modelaudit.settings.audit_target import OuterArchive
from modelaudit.work_budget import UNIT_SECONDS, unit_seconds

_LEAST = 1.0  # units, with which it is worth to begin a task
_ENOUGH = 4  # at most so many tasks begin together with equal parts of everything


class Loan(Struct, frozen=True):
    """What one task may take.

    Attributes:
        units: of plain work; 0 if nothing is left.
        unit: the seconds of processor time that one takes here; 0 if that was not measured.
    """

    units: float
    unit: float


def too_costly(setting: str, *, shared: bool) -> str:
    """Why a task was stopped; `shared`: it took of what others share."""
    if shared and setting == "work":
        return (
            "it took more processor time than its size, or what is left of what its archive may "
            "take, allows, and was stopped (setting work)"
        )
    return f"it took too much processor time for its size and was stopped (setting {setting})"


NOTHING_LEFT = (
    "it was not looked at: what is in its archive has taken the work that the archive may take for "
    "its size (setting work)"
)
UNBOUNDED = Loan(math.inf, 0.0)  # of a task that shares nothing


class SharedWork:
    """Work that tasks take from, one after another or several at once.

    A task borrows an amount that nothing else can take, and gives back what it did not need. So all
    together never take more, and most of them have much more than they need.

    Args:
        units: of plain work that all tasks together may take.
        most: of them for one task; it begins with fewer only if others have taken the rest.
        unit: measures the seconds of a unit; called once, when there are several tasks, so that
            none of these has to, or when half of the units are taken.
    """

    def __init__(self, units: float, most: float, unit: Callable[[], float] = unit_seconds) -> None:
        self._units, self._enough = units, min(most, units / _ENOUGH)
        self._measured = unit
        self._unit = 0.0
        self._seconds = 0.0
        self._loans: list[Loan] = []
        self._expected = 0

    def expect(self, tasks: int) -> None:
        """Say how many tasks will ask for work, so that the first ones leave some to the others."""
        self._expected += tasks

    def take(self, seconds: float) -> None:
        """Count processor time that was taken without a loan."""
        self._seconds += seconds

    def left(self) -> float:
        """The units that nothing has taken; a part of them may be lent."""
        left = self._units - self._seconds / (self._unit or UNIT_SECONDS)
        if not self._unit and left < self._units / 2:
            self._unit = self._measured()
            left = self._units - self._seconds / self._unit
        return max(left, 0.0)

    def lend(self, at_once: int) -> Loan | None:
        """Work for one task; None if one must wait until another gives back what it has.

        Args:
            at_once: how many tasks there may be at the same time.
        """
        if self._expected > 1 and not self._unit:
            self._unit = self._measured()
        free = self.left() - sum(loan.units for loan in self._loans)
        if self._loans and free < self._enough:
            return None
        # Two at least, so that the first one does not take all where others follow.
        others = max(min(max(at_once, 2), self._expected), 1)
        self._expected = max(self._expected - 1, 0)
        if free < _LEAST:
            return Loan(0.0, self._unit)
        loan = Loan(max(free / others, min(free, self._enough)), self._unit)
        self._loans.append(loan)
        return loan

    def give_back(self, loan: Loan, seconds: float | None) -> None:
        """Return a loan.

        Args:
            loan: what `lend` gave.
            seconds: of processor time that the task took; None if it was stopped.
        """
        self._loans.remove(loan)
        self.take(loan.units * (self._unit or UNIT_SECONDS) if seconds is None else seconds)


class WorkOfArchives:
    """What the models of each archive may take together."""

    def __init__(self) -> None:
        self._found: dict[Path, SharedWork] = {}

    def of(self, archive: OuterArchive | None, most: float) -> SharedWork | None:
        """The work that the models of this archive share; None for models in no archive.

        Args:
            archive: the outermost one around a model.
            most: units for one model; see `SharedWork`.
        """
        if archive is None:
            return None
        if archive.path not in self._found:
            self._found[archive.path] = SharedWork(archive.units, most)
        return self._found[archive.path]
