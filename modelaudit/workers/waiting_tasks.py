"""The tasks of a pool that have not begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from modelaudit.workers.shared_work import UNBOUNDED, Loan, SharedWork

Task = TypeVar("Task")


class WaitingTasks(Generic[Task]):
    """Tasks that have not begun, in their order, but for those that wait for what others share."""

    def __init__(
        self, tasks: Iterable[Task], shared: Callable[[Task], SharedWork | None], jobs: int
    ) -> None:
        self._rest, self._held = enumerate(tasks), list[tuple[int, Task]]()
        self._shared, self._jobs = shared, jobs

    def next(self) -> tuple[int, Task, SharedWork | None, Loan] | None:
        """A task that can begin, and what it may take; None if there is none now."""
        for place, (index, task) in enumerate(self._held):
            shares = self._shared(task)
            if shares and (loan := shares.lend(self._jobs)):
                del self._held[place]
                return index, task, shares, loan
        for index, task in self._rest:
            shares = self._shared(task)
            if loan := shares.lend(self._jobs) if shares else UNBOUNDED:
                return index, task, shares, loan
            self._held.append((index, task))
        return None
