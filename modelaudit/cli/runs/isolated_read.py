"""Reading models in a child, for commands that print what they find out.

A model that takes its reader down, or asks for more time or memory than the limits allow, costs
its own answer and no other's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import click

from modelaudit.cli import exit_codes as exits
from modelaudit.cli.terminal import clean
from modelaudit.errors import ModelAuditError, UsageError
from modelaudit.facts import Json
from modelaudit.registry import worker_pool as slots
from modelaudit.settings import Settings

Task = TypeVar("Task")


class Told(NamedTuple):
    """What the child gave for one task; `lost` says why it gave nothing."""

    value: dict[str, Json]
    lost: str = ""


def contained(
    tasks: Sequence[Task], work: Callable[[Task], dict[str, Json]], settings: Settings
) -> Iterator[Told]:
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
    for done in slots.run(tasks, guarded, jobs=1, seconds=seconds, memory=memory):
        answer = done.value or {}
        if answer.get("usage"):
            raise UsageError(str(answer["error"]))
        value = answer.get("value")
        lost = done.lost or str(answer.get("error") or "")
        yield Told(value if isinstance(value, dict) else {}, lost)


def show_lost(name: str, lost: str) -> None:
    """Say on stderr why there is no answer for a model."""
    click.echo(f"modelaudit: {clean(name)}: {clean(lost)}", err=True)


def end_lost() -> click.exceptions.Exit:
    """How a command ends that has no answer for a model."""
    return click.exceptions.Exit(exits.INCOMPLETE)
