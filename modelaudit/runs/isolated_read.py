"""Reading models in a child, for calls that give what they find out.

A model that takes its reader down, or asks for more time or memory than the limits allow, costs
its own answer and no other's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from modelaudit.errors import ModelAuditError, UsageError
from modelaudit.facts import Json
from modelaudit.registry import worker_pool
from modelaudit.settings import Settings

Task = TypeVar("Task")


class ChildResult(NamedTuple):
    """What the child gave for one task; `lost` says why it gave nothing."""

    value: dict[str, Json]
    lost: str = ""


def run_in_child(
    tasks: Sequence[Task], work: Callable[[Task], dict[str, Json]], settings: Settings
) -> Iterator[ChildResult]:
    """Do `work` on each task in a child, and yield what it gives, in the tasks' order.

    Args:
        tasks: handed over by fork.
        work: gives a JSON object; may run the model, too.
        settings: `read_seconds`, `read_memory` and the probe's `timeout` apply.

    Raises:
        UsageError: the work raised one.
    """

    def guarded(task: Task) -> dict[str, Json]:
        try:
            return {"value": work(task)}
        except ModelAuditError as error:
            return {"error": str(error), "usage": isinstance(error, UsageError)}

    seconds = 2 * settings.limits.read_seconds
    seconds += 4 * settings.probe.timeout if settings.probe.enabled else 0.0
    memory = settings.limits.read_memory
    for done in worker_pool.run_tasks(tasks, guarded, jobs=1, seconds=seconds, memory=memory):
        answer = done.value or {}
        if answer.get("usage"):
            raise UsageError(str(answer["error"]))
        value = answer.get("value")
        lost = done.lost or str(answer.get("error") or "")
        yield ChildResult(value if isinstance(value, dict) else {}, lost)
