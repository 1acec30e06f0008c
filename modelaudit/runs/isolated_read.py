"""Reading models in a child process, for commands that print what they find.

A model that crashes its reader, or exceeds the time or memory limits, loses only its own result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from modelaudit.errors import ModelAuditError, UsageError
from modelaudit.facts import Json
from modelaudit.registry.snapshot import allowance
from modelaudit.settings import Settings
from modelaudit.workers import task_allowance, worker_pool
from modelaudit.workers.task_results import TaskResult

Task = TypeVar("Task")


class ChildResult(NamedTuple):
    """The child's result for one task; `lost` says why there is none."""

    value: dict[str, Json]
    lost: str = ""


def run_in_child(
    tasks: Sequence[Task],
    work: Callable[[Task], dict[str, Json]],
    settings: Settings,
    models: Callable[[Task], Iterable[Path]],
    jobs: int = 1,
) -> Iterator[ChildResult]:
    """Run `work` on each task in children, and yield the results in the tasks' order.

    Args:
        tasks: passed to the child by fork.
        work: returns a JSON object; may also run the model.
        settings: `read_seconds`, `read_memory`, `cpu_seconds` and the probe's `timeout` apply.
        models: the models that a task reads.
        jobs: number of children.

    Raises:
        UsageError: raised by `work`.
    """

    def guarded(task: Task) -> dict[str, Json]:
        try:
            return {"value": work(task)}
        except ModelAuditError as error:
            return {"error": str(error), "usage": isinstance(error, UsageError)}

    running = 4 * settings.probe.timeout if settings.probe.enabled else 0.0
    seconds = 2 * settings.limits.read_seconds + running
    memory = settings.limits.read_memory

    def allowed(task: Task) -> task_allowance.Allowance:
        may = allowance(models(task), settings.limits)
        if settings.probe.enabled:
            return task_allowance.Allowance(2 * may.seconds + running)
        return task_allowance.Allowance(2 * may.seconds, may.memory, may.units and 2 * may.units)

    for done in _in_order(
        worker_pool.run_tasks(
            tasks, guarded, jobs=jobs, seconds=seconds, memory=memory, allowed=allowed
        )
    ):
        answer = done.value or {}
        if answer.get("usage"):
            raise UsageError(str(answer["error"]))
        value = answer.get("value")
        lost = done.lost or str(answer.get("error") or "")
        yield ChildResult(value if isinstance(value, dict) else {}, lost)


def _in_order(results: Iterator[TaskResult]) -> Iterator[TaskResult]:
    """Results by index: each is held back until those before it are there."""
    held: dict[int, TaskResult] = {}
    following = 0
    for result in results:
        held[result.index] = result
        while following in held:
            yield held.pop(following)
            following += 1
