"""A runtime lives exactly as long as its owner. Fresh mode, which starts without TensorFlow."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Format
from modelaudit.probe.host.observe import open_session
from modelaudit.probe.host.runtime import (
    Runtime,
    installed_legacy_runtime,
    installed_runtime,
    start_runtime,
    wake,
)
from modelaudit.settings import ProbeSettings
from tests.probe.restricted import ROOT, needs_linux

OWNER = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # background shells ignore it
from modelaudit.probe.host.runtime import installed_runtime, start_runtime
with start_runtime(installed_runtime(), fork=False) as handle:
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
    with start_runtime(installed_runtime(), fork=False) as handle:
        assert not handle.failure
        assert len(processes(handle.connect_path)) == 1
        assert Path(handle.connect_path).stat().st_mode & 0o077 == 0
    assert gone(handle.connect_path)
    assert not Path(handle.scratch).exists()


@needs_linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_runtime_dies_with_its_killed_owner(how: signal.Signals) -> None:
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
    with start_runtime(installed_runtime(), fork=False) as handle:
        (pid,) = processes(handle.connect_path)
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        descriptors = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    assert b"hunter2" not in environment
    assert b"CUDA_VISIBLE_DEVICES=-1" in environment
    kinds = {name.partition(":")[0] for name in descriptors if not name.startswith("/")}
    assert kinds <= {"pipe", "socket", "anon_inode"}


def mapped(path: str) -> bool:
    """Whether the only process with `path` on its command line holds TensorFlow's library."""
    (pid,) = processes(path)
    return "libtensorflow" in Path(f"/proc/{pid}/maps").read_text()


@needs_linux
@pytest.mark.slow
def test_a_late_runtime_imports_tensorflow_for_the_first_session(made: Path) -> None:
    model = made / "keras2_sequential.h5"
    with start_runtime(installed_legacy_runtime(), late=True) as handle:
        assert not handle.failure
        assert not mapped(handle.connect_path)
        # The import is not counted as time of the model.
        settings = ProbeSettings(timeout=3)
        with open_session(handle, model, Format.LEGACY_H5_FULL, settings) as session:
            assert session.alive
            assert session.load(["load_model"]).status is Status.LOADED
        assert mapped(handle.connect_path)
        assert not wake(handle)


WITHOUT_TENSORFLOW = """#!/bin/sh
shift
exec {python} -c '
import runpy, sys
sys.modules["tensorflow"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
' "$@"
"""


@needs_linux
def test_a_late_runtime_reports_a_failed_import_to_every_session(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(WITHOUT_TENSORFLOW.format(python=sys.executable))
    python.chmod(0o755)
    model = tmp_path / "model.h5"
    model.touch()
    with start_runtime(Runtime("bare", str(python)), late=True) as handle:
        assert not handle.failure
        for _ in range(2):
            session = open_session(handle, model, Format.LEGACY_H5_FULL, ProbeSettings())
            assert not session.alive
            seen = session.observation
            assert seen.status is Status.UNAVAILABLE
            assert seen.error.startswith(f"{python} ended before it was ready")
            assert "tensorflow" in seen.error
    stopped = open_session(handle, model, Format.LEGACY_H5_FULL, ProbeSettings()).observation
    assert stopped.status is Status.UNAVAILABLE
    assert stopped.error.startswith(f"{python} ended before it was ready")
