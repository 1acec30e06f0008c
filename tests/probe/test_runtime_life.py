"""A runtime lives exactly as long as its owner. Fresh mode: it starts without TensorFlow."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelaudit.probe.supervisor import here, start_runtime
from tests.probe.restricted import ROOT, needs_linux

OWNER = """
import time
from modelaudit.probe.supervisor import here, start_runtime
with start_runtime(here(), fork=False) as handle:
    print(handle.connect_path, flush=True)
    time.sleep(60)
"""


def processes(word: str) -> list[int]:
    """Ids of living processes with `word` on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in line:
            found.append(int(folder.name))
    return found


def gone(word: str) -> bool:
    deadline = time.monotonic() + 10
    while processes(word) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not processes(word)


@needs_linux
def test_nothing_is_left_behind() -> None:
    with start_runtime(here(), fork=False) as handle:
        assert not handle.failure
        assert len(processes(handle.connect_path)) == 1
        assert Path(handle.connect_path).stat().st_mode & 0o077 == 0
    assert gone(handle.connect_path)
    assert not Path(handle.scratch).exists()


@needs_linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_owner_takes_its_runtime_along(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout is not None
        path = owner.stdout.readline().decode().strip()
        assert processes(path)
        owner.send_signal(how)
    assert gone(path)


@needs_linux
def test_a_runtime_inherits_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    with start_runtime(here(), fork=False) as handle:
        (pid,) = processes(handle.connect_path)
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        descriptors = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    assert b"hunter2" not in environment
    assert b"CUDA_VISIBLE_DEVICES=-1" in environment
    kinds = {name.partition(":")[0] for name in descriptors if not name.startswith("/")}
    assert kinds <= {"pipe", "socket", "anon_inode"}
