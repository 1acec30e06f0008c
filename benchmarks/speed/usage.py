"""Time and memory of the processes of one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A separate process waits for the command, so that the usage is that of the command alone.
MEASURE = """
import json, resource, subprocess, sys, time
start = time.monotonic()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
wall = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "code": done.returncode, "said": done.stdout, "errors": done.stderr, "wall": wall,
    "user": used.ru_utime, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024,
}))
"""


@dataclass(frozen=True)
class Usage:
    """Exit code, stdout and stderr; seconds of wall clock, user and all CPU; peak resident MiB."""

    code: int
    said: str
    errors: str
    wall: float
    user: float
    cpu: float
    peak: float


def measure(command: list[str], variables: Mapping[str, str] | None = None) -> Usage:
    """Run a command in the repository, with additional environment variables."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        cwd=ROOT,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return Usage(**json.loads(done.stdout))
