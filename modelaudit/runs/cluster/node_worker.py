"""The process that audits models on a node: reads messages from stdin, answers on stdout.

It is apart from Ray's own process because workers and runtimes are forked from it: Ray has threads,
and what another thread holds while a process is forked stays held in the child.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from modelaudit.errors import UsageError
from modelaudit.registry.worker_pool import end_with
from modelaudit.result_row import row_to_json
from modelaudit.runs.batch import audit_each
from modelaudit.runs.cache_notes import CachedProbe
from modelaudit.runs.cluster.messages import NodeOrder, NodeResult, NodeTask, from_line, to_line
from modelaudit.runs.progress import Progress
from modelaudit.runs.write_reports import report_writer
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace

SHARED = "models and --out must have the same paths on all nodes"


class _Warnings(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        """Keep the warning for the driver."""
        self.texts.append(text)


def serve(receive: Callable[[], bytes], answer: Callable[[bytes], object]) -> None:
    """Answer every task until there are no more; the first message is the order."""
    order = from_line(NodeOrder, receive())
    order = replace(order, settings=replace(order.settings, jobs=1))
    with ExitStack() as stack:
        probe = None
        if order.probe:
            from modelaudit.probe.run import local_probe  # takes a moment

            probe = stack.enter_context(local_probe(order.settings, order.roots))
        if not order.reports.out.is_dir():
            where = f"{os.uname().nodename} does not see {order.reports.out}"
            answer(to_line(NodeResult(stop=f"{where}: {SHARED}")))
            return
        heard = _Warnings()

        def tasks() -> Iterator[tuple[AuditTarget, CachedProbe | None]]:
            while line := receive():
                heard.texts.clear()
                task = from_line(NodeTask, line)
                root = task.target.root
                if root.exists():
                    yield task.target, CachedProbe(*task.recalled) if task.recalled else None
                else:
                    unseen = f"{os.uname().nodename} does not see {root}: {SHARED}"
                    answer(to_line(NodeResult(unseen=unseen)))

        work = audit_each(
            *(tasks(), order.settings, order.created),
            probe=probe,
            deliver=report_writer(order.reports),
            known=None if order.known is None else frozenset(order.known),
            progress=heard,
        )
        stack.callback(work.close)
        try:
            for done in work:
                row, notes = row_to_json(done.row), dict(done.notes)
                answer(to_line(NodeResult(row, notes, tuple(heard.texts))))
        except UsageError as error:
            answer(to_line(NodeResult(stop=str(error), warnings=tuple(heard.texts))))


def main() -> None:
    """Serve the process that started this one, and end with it."""
    end_with(os.getppid())
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what anything else prints is no answer
    serve(sys.stdin.buffer.readline, answers.write)


if __name__ == "__main__":
    main()
