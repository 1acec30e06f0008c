"""The process that audits models on a node, for all places of a run there.

It is apart from Ray's own processes because workers and runtimes are forked from it: Ray has
threads, and what another thread holds while a process is forked stays held in the child. It imports
and starts once what every audit needs, and forks a process for each place that connects, which
reads messages and answers. It ends when the last place has gone.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import NoReturn

from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.pipeline import Probe
from modelaudit.result_row import row_to_json
from modelaudit.runs.batch import audit_each, prepare
from modelaudit.runs.cache_notes import CachedProbe
from modelaudit.runs.cluster.messages import NodeOrder, NodeResult, NodeTask, from_line, to_line
from modelaudit.runs.cluster.node_auditor import same_user
from modelaudit.runs.progress import Progress
from modelaudit.runs.write_reports import report_writer
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace
from modelaudit.workers.worker_pool import end_with

SHARED = "models and --out must have the same paths on all nodes"
LINGER_SECONDS = 5.0  # for a place that follows one that was lost
Serve = Callable[[Callable[[], bytes], Callable[[bytes], object]], None]


class _Warnings(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        """Keep the warning for the driver."""
        self.texts.append(text)


class _NodePlace(Struct, frozen=True):
    """A connected place, and the process that serves it."""

    connection: socket.socket
    process: int
    watched: int  # a file descriptor that can be read when the process has ended

    def end(self) -> None:
        """End the process, with the audit that it may be at."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self.close()

    def close(self) -> None:
        """Close what is known of it here."""
        self.connection.close()
        os.close(self.watched)


def host(listener: socket.socket, serve_place: Serve) -> None:
    """Fork a process for each place that connects, until there have been none for seconds.

    A place that ends takes its process with it, as a process that ends does its connection.
    """
    poll, places = select.poll(), list[_NodePlace]()
    poll.register(listener, select.POLLIN)
    while ready := {fd for fd, _ in poll.poll(None if places else LINGER_SECONDS * 1000)}:
        for place in list(places):
            numbers = {place.connection.fileno(), place.watched}
            if ready & numbers:
                for number in numbers:
                    poll.unregister(number)
                places.remove(place)
                place.end()
        if listener.fileno() in ready:
            connection = listener.accept()[0]
            if not same_user(connection):
                connection.close()
                continue
            own = os.getpid()
            process = os.fork()
            if not process:
                _serve_forked(own, listener, places, connection, serve_place)
            place = _NodePlace(connection, process, os.pidfd_open(process))
            poll.register(connection, select.POLLRDHUP)
            poll.register(place.watched, select.POLLIN)
            places.append(place)


def _serve_forked(
    parent: int,
    listener: socket.socket,
    others: list[_NodePlace],
    connection: socket.socket,
    serve_place: Serve,
) -> NoReturn:
    status = 1
    try:
        end_with(parent)
        # A connection that a sibling keeps open would never signal its end.
        listener.close()
        for place in others:
            place.close()
        serve_place(connection.makefile("rb").readline, connection.sendall)
        status = 0
    except BaseException:  # a forked child must never return into the parent's code
        traceback.print_exc()
    finally:
        os._exit(status)


def serve(
    order: NodeOrder,
    probe: Probe | None,
    receive: Callable[[], bytes],
    answer: Callable[[bytes], object],
) -> None:
    """Answer every task until there are no more."""
    with ExitStack() as stack:
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
    """Host the places of a run on this node, apart from the process that starts this one."""
    if os.fork():
        os._exit(0)  # Ray ends the children of a place with it, which others still need
    os.setsid()
    listener = socket.socket(fileno=int(sys.argv[1]))
    order = from_line(NodeOrder, sys.stdin.buffer.readline())
    order = replace(order, settings=replace(order.settings, jobs=1))
    os.dup2(2, 1)  # nobody reads what anything prints
    prepare(order.settings, order.formats)
    with ExitStack() as stack:
        probe = None
        if order.probe:
            from modelaudit.probe.run import local_probe  # takes a moment

            probe = stack.enter_context(local_probe(order.settings, order.roots))
        host(listener, partial(serve, order, probe))


if __name__ == "__main__":
    main()
