"""Audits on a Ray cluster: the same rows and reports as on one machine.

The driver finds the models, gives each to a free place in the cluster, and receives rows as they
finish. Reports are written where a model is audited. A place that is lost costs a second attempt
elsewhere; a model that loses its place twice costs its own row.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.result_row import result_row, row_from_json
from modelaudit.runs.batch import FinishedModel, lost_model_audit, model_seconds
from modelaudit.runs.cache_notes import CachedProbe
from modelaudit.runs.cluster.messages import NodeOrder, NodeResult, NodeTask, from_line, to_line
from modelaudit.runs.cluster.node_auditor import THREADS, NodeAuditor
from modelaudit.runs.progress import Progress
from modelaudit.runs.write_reports import report_writer
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.settings.installation import require
from modelaudit.terminal_text import clean

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorClass, ActorHandle

MOST_LOSSES = 2  # of one model's place; then the model is taken for the reason
READ_BYTES = 1 << 30  # `read_memory` bounds the address space, which is mostly not used
REACHABLE_SECONDS = 10.0
MOST_UNMADE = 3  # places in a row that end before they begin
START_SECONDS = 300.0  # for Ray to find room, and for the runtimes to start


class _Running(Struct, frozen=True):
    """A place, and the model that is audited there; None while the place is being made."""

    place: ActorHandle[NodeAuditor]
    task: NodeTask | None


def audit_on_ray(
    targets: Sequence[AuditTarget],
    order: NodeOrder,
    recalled: Mapping[Path, CachedProbe],
    progress: Progress,
) -> Generator[FinishedModel]:
    """Audit every target on the cluster of the settings, and yield rows as they come.

    Args:
        targets: the models, in the order in which they are started.
        order: what holds for all of them.
        recalled: earlier results of running a model, by path.
        progress: receives warnings.

    Raises:
        MissingPackage: Ray is not installed.
        UsageError: the cluster cannot be reached or has no room for one model, a node does not see
            a model or the output directory, or a report cannot be written.
    """
    if not targets:
        return
    with _connected(order.settings.engine.address):
        from ray.exceptions import RayError

        cluster = _Cluster(order)
        waiting = deque(NodeTask(each, recalled.get(each.path)) for each in targets)
        losses: Counter[Path] = Counter()
        try:
            while waiting or cluster.busy:
                cluster.fill(waiting)
                for task, answer in cluster.finished():
                    for text in answer.warnings:
                        progress.warn(f"{clean(task.target.shown)}: {clean(text)}")
                    if answer.unseen and task.target.root.exists():
                        raise UsageError(answer.unseen)
                    if answer.stop:
                        raise UsageError(answer.stop)
                    if answer.unseen:
                        yield _lost(task.target, order, "it is gone")
                        continue
                    if not answer.lost:
                        yield FinishedModel(task.target, row_from_json(answer.row), answer.notes)
                        continue
                    losses[task.target.path] += 1
                    if losses[task.target.path] < MOST_LOSSES:
                        waiting.append(task)
                    else:
                        why = f"its process was lost {MOST_LOSSES} times: {clean(answer.lost)}"
                        yield _lost(task.target, order, why)
        except (RayError, ConnectionError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise UsageError(f"the connection to the cluster was lost: {reason}") from error
        finally:
            cluster.end()


def _lost(target: AuditTarget, order: NodeOrder, why: str) -> FinishedModel:
    audit = lost_model_audit(target, order.settings, order.created, why)
    report_writer(order.reports)(audit)
    return FinishedModel(target, result_row(audit), {})


class _Cluster:
    """The places in the cluster, and what is audited in each.

    Args:
        order: what every place is told first.

    Raises:
        UsageError: no node has room for one model.
    """

    def __init__(self, order: NodeOrder) -> None:
        import ray

        self._ray, self._order = ray, order
        self._told, self._name = to_line(order), uuid.uuid4().hex
        self._unmade = 0  # places in a row that could not be made
        self._free: list[ActorHandle[NodeAuditor]] = []
        self._running: dict[ObjectRef[bytes], _Running] = {}
        self._seconds = 2 * model_seconds(order.settings, run=order.probe) + START_SECONDS
        made = ray.remote(NodeAuditor).options(
            num_cpus=1, memory=_memory(order.settings), scheduling_strategy="SPREAD"
        )
        self._kind: ActorClass[NodeAuditor] = made
        if not self._room():
            needs = f"1 core and {_memory(order.settings) / (1 << 30):.1f} GiB of memory"
            option = " (--memory)" if order.settings.probe.enabled else ""
            raise UsageError(f"no node of the cluster has {needs} for a model{option}")

    @property
    def busy(self) -> bool:
        """Whether any model is being audited."""
        return any(each.task for each in self._running.values())

    def fill(self, waiting: deque[NodeTask]) -> None:
        """Make as many places as there is room and work for, and give models to free ones."""
        audited = sum(each.task is not None for each in self._running.values())
        wanted = min(self._room(), len(waiting) + audited)
        while len(self._free) + len(self._running) < wanted:
            place = self._kind.remote(self._told, self._name, str(Path.cwd()), _threads())
            assert isinstance(place, self._ray.actor.ActorHandle)
            self._running[place.begin.remote()] = _Running(place, None)
        while self._free and waiting:
            place, task = self._free.pop(), waiting.popleft()
            self._running[place.audit.remote(to_line(task))] = _Running(place, task)
        while self._free:  # nothing waits: others may have the room
            self._ray.kill(self._free.pop())

    def finished(self) -> Iterator[tuple[NodeTask, NodeResult]]:
        """Wait for the next results, of one or more models, or of none.

        Raises:
            UsageError: no place can be made.
        """
        if not self._running:
            raise UsageError("the cluster has no node left")
        ready, _ = self._ray.wait([*self._running], num_returns=1, timeout=self._seconds)
        if not ready and not self.busy:
            raise UsageError("the cluster has had no free node for minutes")
        # None is ready: every model has had more than its time.
        for ref in ready or [*self._running]:
            one = self._running.pop(ref)
            answer = self._answer(ref) if ready else NodeResult(lost="it exceeded its time limit")
            if answer.lost:
                self._ray.kill(one.place)
            else:
                self._free.append(one.place)
            if one.task:
                yield one.task, answer
                continue
            self._unmade = self._unmade + 1 if answer.lost else 0
            if self._unmade == MOST_UNMADE:
                raise UsageError(f"the nodes cannot start an audit: {clean(answer.lost)}")

    def end(self) -> None:
        """Give all places back; what is audited in them stops."""
        for place in (*self._free, *(each.place for each in self._running.values())):
            self._ray.kill(place)

    def _answer(self, ref: ObjectRef[bytes]) -> NodeResult:
        try:
            return from_line(NodeResult, self._ray.get(ref))
        except self._ray.exceptions.RayTaskError as error:
            return NodeResult(lost=f"{type(error.cause).__name__}: {error.cause}")
        except self._ray.exceptions.RayError as error:
            return NodeResult(lost=str(error).strip().partition("\n")[0])

    def _room(self) -> int:
        """How many places all nodes together have."""
        needed, places = _memory(self._order.settings), 0
        nodes: Callable[[], list[Mapping[str, Any]]] = self._ray.nodes
        for node in nodes():
            has = node["Resources"] if node["Alive"] else {}
            places += min(int(has.get("CPU", 0)), int(has.get("memory", 0) // needed))
        return places


def _memory(settings: Settings) -> int:
    """Bytes that a place asks for: what a model that runs may use, or what reading takes."""
    return settings.probe.memory if settings.probe.enabled else READ_BYTES


def _threads() -> str:
    return os.environ.get(THREADS, "")


def _check_reachable(address: str) -> None:
    """Connect once: Ray itself tries for minutes before it gives up.

    Raises:
        OSError: nothing answers.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), REACHABLE_SECONDS).close()


@contextmanager
def _connected(address: str) -> Iterator[None]:
    """Connect to a cluster; "" is the one of the variable RAY_ADDRESS or of this machine."""
    if "://" in address:
        raise UsageError(f"{address} is no HOST:PORT of a cluster")
    require(("ray",), "--engine ray needs", adds="pip install 'tf-modelaudit[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    import ray

    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
    handlers = {number: signal.getsignal(number) for number in numbers}
    shared = ray.is_initialized()
    try:
        if not shared:
            _check_reachable(address)
            ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
            for number, handler in handlers.items():  # Ray's own would end the run without a word
                signal.signal(number, handler)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        where = f" at {address}" if address else ""
        raise UsageError(f"cannot reach the Ray cluster{where}: {reason}") from error
    try:
        yield
    finally:
        if not shared:
            ray.shutdown()
