"""Commands run in other processes, and directories made once for all test workers."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this repository."""
    return [sys.executable, "-m", name, *arguments]


def output_of(command: list[str]) -> str:
    """Run a command that must succeed in a separate process, and return its output.

    Its Keras is Keras 3, whatever the environment of the tests.
    """
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment | QUIET,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stderr[-4000:]}"
    return done.stdout


@cache
def _server(*imported: str) -> subprocess.Popen[str]:
    """The process of `tests.fork_server` with these modules, one for each worker of pytest."""
    pipe = subprocess.PIPE
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    server = subprocess.Popen(
        module("tests.fork_server", *imported),
        cwd=REPOSITORY,
        env=environment | QUIET,
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(server.communicate)  # it ends with its input
    return server


def forked(
    *arguments: object,
    imported: tuple[str, ...],
    cwd: Path = REPOSITORY,
    env: dict[str, str] | None = None,
) -> str:
    """The output of `python *arguments`, run in a fork of a process with the modules `imported`.

    `env` adds variables.
    """
    server = _server(*imported)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = [list(map(str, arguments)), str(cwd), str(out), str(err), env or {}]
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = server.stdout.readline().strip()
        said = err.read_text(errors="replace") if err.exists() else ""
        assert status == "0", f"{arguments} ended with {status}:\n{said[-4000:]}"
        return out.read_text()


def with_tensorflow(
    *arguments: object, cwd: Path = REPOSITORY, env: dict[str, str] | None = None
) -> str:
    """The same for a program with TensorFlow and Keras, which take seconds to import.

    `TF_USE_LEGACY_KERAS` in `env` selects what `tf.keras` is.
    """
    return forked(*arguments, imported=("tensorflow", "keras", "tf_keras"), cwd=cwd, env=env)


def told_with_tensorflow(
    *arguments: object, cwd: Path = REPOSITORY, env: dict[str, str] | None = None
) -> Any:
    """The same for a program whose last line is JSON, which is returned parsed."""
    return json.loads(with_tensorflow(*arguments, cwd=cwd, env=env).splitlines()[-1])


def answer_of(command: list[str]) -> Any:
    """The same for a command whose last line is JSON, which is returned parsed."""
    return json.loads(output_of(command).splitlines()[-1])


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A directory that `make` fills once in this run of pytest.

    Workers of pytest-xdist share it: the first to take the lock makes it, the others wait.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, finished = shared / name, shared / f"{name}.finished"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            folder.mkdir()
            make(folder)
            finished.touch()
    return folder
