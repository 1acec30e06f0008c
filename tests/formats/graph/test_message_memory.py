"""Messages that take more memory than there is: that is told, and is no fault of the file."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json
from modelaudit.formats.graph.message_bytes import byte_size, canonical
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.settings import Limits
from modelaudit.workers.task_allowance import Allowance
from modelaudit.workers.task_results import TaskResult
from modelaudit.workers.worker_pool import run_tasks

COUNT = 8_000_000  # numbers of one byte in the file, of eight in memory


def _packed() -> bytes:
    """A GraphDef with one constant of many small numbers."""
    message = pb.GraphDef()
    message.node.add(name="c", op="Const").attr["value"].tensor.int64_val.extend([1])
    small = message.SerializeToString()
    start = small.index(b"\x52\x01\x01")  # field 10, packed, one byte
    message.node[0].attr["value"].tensor.int64_val.extend([1] * (COUNT - 1))
    assert start > 0
    return message.SerializeToString()


def _read(memory: list[int]) -> Iterator[TaskResult]:
    data = _packed()

    def work(_: int) -> dict[str, Json]:
        message = parse(pb.GraphDef, data, "g.pb", Limits())
        return {"bytes": byte_size(message), "canonical": len(canonical(message))}

    return run_tasks(memory, work, jobs=1, seconds=60.0, allowed=lambda n: Allowance(60.0, n))


def test_any_memory_gives_the_size_or_the_limit() -> None:
    """Some are enough to parse the message, and not to write it again."""
    found = {(done.limit, done.lost == "") for done in _read([n << 20 for n in range(8, 330, 14)])}
    assert found == {("", True), ("memory_bytes", False)}
