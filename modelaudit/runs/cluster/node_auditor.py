"""The Ray actor: one place on a node in which one model after another is audited.

It imports nothing else of this package: what audits is in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Ray sets this for its own processes; it changes the last bits of what models answer.
THREADS = "OMP_NUM_THREADS"


class NodeAuditor:
    """Passes messages between the driver and a `node_worker`, which it starts and starts again.

    Args:
        order: a `NodeOrder` as a line.
        directory: the driver's current directory, for relative paths.
        threads: `OMP_NUM_THREADS` of the driver, "" if it is not set.
    """

    def __init__(self, order: bytes, directory: str, threads: str) -> None:
        self._order, self._directory, self._threads = order, directory, threads
        self._worker: subprocess.Popen[bytes] | None = None

    def begin(self) -> bytes:
        """Answer once this place exists: a `NodeResult` as a line."""
        return _answer()

    def audit(self, task: bytes) -> bytes:
        """The `NodeResult` of a `NodeTask`, both as lines."""
        worker = self._worker or self._start()
        assert worker.stdin and worker.stdout
        try:
            worker.stdin.write(task)
            worker.stdin.flush()
            answer = worker.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if answer.endswith(b"\n"):
            return answer
        self._worker = None
        worker.kill()
        status = worker.wait()
        return _answer(lost=f"its process on the node ended with status {status}")

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "modelaudit.runs.cluster.node_worker"]
        worker = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._directory if Path(self._directory).is_dir() else None,
            env=environment(os.environ, self._threads),
        )
        assert worker.stdin
        worker.stdin.write(self._order)
        self._worker = worker
        return worker


def _answer(**fields: str) -> bytes:
    """A `NodeResult` with these fields, as a line."""
    return json.dumps(fields).encode() + b"\n"


def environment(current: Mapping[str, str], threads: str) -> dict[str, str]:
    """Environment variables of a `node_worker`: those of a process of the driver."""
    kept = {name: value for name, value in current.items() if not name.startswith("RAY_")}
    kept.pop(THREADS, None)
    return {**kept, THREADS: threads} if threads else kept
