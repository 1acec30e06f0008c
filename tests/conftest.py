"""Fixtures for every room."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent


# A deadline times the machine, not the code. On CI the examples are the same in every run, so that
# a red run can be repeated; elsewhere each run looks at new ones.
settings.register_profile("modelaudit", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("modelaudit")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of `tests.made.build`, built once a session in a process of its own.

    Workers of pytest-xdist share it: the first to take the lock builds, the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, finished = shared / "made", shared / "made.finished"
    with (shared / "made.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            folder.mkdir()
            _build(folder)
            finished.touch()
    return folder


def _build(folder: Path) -> None:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.made.build", str(folder)],
        cwd=ROOT,
        env=environment | quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"the sample builders failed:\n{done.stderr[-4000:]}"
