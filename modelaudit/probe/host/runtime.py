"""Starting runtimes: processes that hold a TensorFlow and fork a child for each model.

Nothing here imports TensorFlow. A runtime is one process (see `zygote`) that any number of
processes of this program may use at once, by the path of its socket.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelaudit.probe.host import bubblewrap
from modelaudit.probe.host import scratch_dirs as scratch

ZYGOTE = Path(__file__).resolve().parents[1] / "child" / "zygote.py"
START_SECONDS = 180.0
STOP_SECONDS = 5.0
LOG_CHARACTERS = 2000
LATE = f"not ready after {START_SECONDS:g} s"
UNREADY = "ended before it was ready"
WAKE = b'{"wake": true}\n'

# What a runtime inherits: enough to find its libraries and no secret of the user's.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

Flavour = Literal["keras", "tf_keras"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """An interpreter with a TensorFlow. `flavour` tf_keras asks TF >= 2.16 for Keras 2."""

    name: str
    python: str
    flavour: Flavour = "keras"


def installed_runtime() -> Runtime:
    """The running interpreter, with the Keras that its TensorFlow uses."""
    return Runtime("here", sys.executable)


def installed_legacy_runtime() -> Runtime:
    """The running interpreter, with tf-keras in place of Keras 3."""
    return Runtime("here-legacy", sys.executable, "tf_keras")


@dataclass(frozen=True, slots=True)
class RuntimeHandle:
    """A started runtime; plain values, so it may be handed to other processes.

    `scratch` is the directory that holds the children's private directories. `failure` is
    empty, or why the runtime did not start: every session on it is then UNAVAILABLE.
    `jailed` says that it runs inside bubblewrap, `late` that it may not have imported TensorFlow
    yet (see `wake`).
    """

    runtime: Runtime
    connect_path: str
    scratch: str
    failure: str = ""
    threads: int = 1
    jailed: bool = False
    late: bool = False


@contextlib.contextmanager
def start_runtime(
    runtime: Runtime,
    *,
    threads: int = 1,
    fork: bool = sys.platform.startswith("linux"),
    late: bool = False,
    jail: Collection[Path] | None = None,
) -> Iterator[RuntimeHandle]:
    """Start a runtime for as long as the context lasts.

    With `fork` TensorFlow is imported once and each session costs milliseconds; without, each
    session is a fresh process. With `late` it is imported when the first session asks for it:
    that is for a runtime that most runs do not need. `threads` bounds TensorFlow's two thread
    pools. With `jail` the runtime runs inside bubblewrap, where of the user's files it sees those
    paths alone.
    """
    mode = ("late" if late else "fork") if fork else "fresh"
    with scratch.scratch_directory() as folder:
        # Children that drop root's user must pass through; names below are random or mode 0700.
        folder.chmod(0o711)
        path = str(folder / "socket")
        alive, owner = os.pipe()  # the runtime ends when `owner` closes, also if we are killed
        process = None
        try:
            with (folder / "log").open("wb") as log:
                try:
                    process, failure = _launch(
                        runtime, path, alive, threads, mode, log.fileno(), jail
                    )
                finally:
                    os.close(alive)
                if failure == "ready":
                    yield RuntimeHandle(
                        runtime,
                        path,
                        str(folder),
                        threads=threads,
                        jailed=jail is not None,
                        late=mode == "late",
                    )
                else:
                    reason = _with_log(failure, folder)
                    yield RuntimeHandle(runtime, path, str(folder), reason)
        finally:
            os.close(owner)
            if process is not None:
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _launch(
    runtime: Runtime,
    path: str,
    alive: int,
    threads: int,
    mode: str,
    log: int,
    jail: Collection[Path] | None,
) -> tuple[subprocess.Popen[bytes] | None, str]:
    """The process, and `ready` or why it is not."""
    ready, ready_end = os.pipe()
    command = [runtime.python, "-E", str(ZYGOTE), path]
    command += [str(alive), str(ready_end), str(threads), mode]
    try:
        if jail is not None:
            command = bubblewrap.bubblewrap_command(
                command, [*jail, ZYGOTE.parent], Path(path).parent
            )
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(runtime, threads),
            pass_fds=(alive, ready_end),
            cwd=Path(path).parent,
            start_new_session=True,  # a terminal's interrupt is ours to handle
        )
    except OSError as error:
        os.close(ready)
        return None, f"{command[0]} cannot be started: {error.strerror or error}"
    finally:
        os.close(ready_end)
    with os.fdopen(ready, "rb") as pipe:
        if not select.select([pipe], [], [], START_SECONDS)[0]:
            process.kill()
            return process, LATE
        if pipe.read():
            return process, "ready"
    return process, f"{command[0]} {UNREADY}"


def _with_log(failure: str, folder: Path) -> str:
    """Why a runtime did not start, and the end of its log as long as that is there."""
    text = ""
    with contextlib.suppress(OSError):
        text = (folder / "log").read_text(errors="backslashreplace")
    return f"{failure}\n{text[-LOG_CHARACTERS:]}".strip()


def wake(handle: RuntimeHandle) -> str:
    """Have a late runtime import TensorFlow, and wait for it; empty, or why it could not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(START_SECONDS)
        try:
            control.connect(handle.connect_path)
            control.sendall(WAKE)
            if control.recv(len(WAKE)):
                return ""
        except TimeoutError:
            return LATE
        except OSError:
            pass  # it ended, and its log says why
    return _with_log(f"{handle.runtime.python} {UNREADY}", Path(handle.scratch))


def _environment(runtime: Runtime, threads: int) -> dict[str, str]:
    """The runtime's whole environment: on the CPU, quiet, and the same in every run."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | {
        "LANG": "C.UTF-8",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_USE_LEGACY_KERAS": "1" if runtime.flavour == "tf_keras" else "0",
        "KERAS_BACKEND": "tensorflow",
        "OPENBLAS_NUM_THREADS": str(threads),
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # a fork copies fewer page tables and pages
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
