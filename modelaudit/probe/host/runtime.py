"""Starting runtimes: processes with TensorFlow that fork a child for each model.

This module does not import TensorFlow. A runtime is one process (see `zygote`) that several
processes of this program can use at once, through the path of its socket.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from modelaudit.probe.host import bubblewrap
from modelaudit.probe.host import scratch_dirs as scratch
from modelaudit.settings.installation import RUNS_MODELS, require

ZYGOTE = Path(__file__).resolve().parents[1] / "child" / "zygote.py"
START_SECONDS = 180.0
STOP_SECONDS = 5.0
LOG_CHARACTERS = 2000
LATE = f"not ready after {START_SECONDS:g} s"
UNREADY = "ended before it was ready"
WAKE = b'{"wake": true}\n'

# Environment variables that a runtime inherits: paths of libraries, but no secrets of the user.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

Flavour = Literal["keras", "tf_keras"]


class Runtime(Struct, frozen=True):
    """An interpreter with TensorFlow. `flavour` tf_keras selects Keras 2 in TF >= 2.16."""

    name: str
    python: str
    flavour: Flavour = "keras"

    @property
    def legacy(self) -> bool:
        """Whether its Keras is Keras 2."""
        return self.flavour == "tf_keras"


def require_runtime() -> None:
    """Check that models can be run.

    Raises:
        MissingPackage: TensorFlow, or a package that measures its outputs, is not installed.
    """
    require(RUNS_MODELS, "running models needs", "--no-probe, to judge files alone")


def installed_runtime() -> Runtime:
    """The current interpreter, with the Keras that its TensorFlow uses."""
    return Runtime("here", sys.executable)


def installed_legacy_runtime() -> Runtime:
    """The current interpreter, with tf-keras instead of Keras 3."""
    return Runtime("here-legacy", sys.executable, "tf_keras")


class RuntimeHandle(Struct, frozen=True):
    """A started runtime. It has only plain values, so it can be passed to other processes.

    Attributes:
        runtime: the runtime.
        connect_path: path of its socket.
        scratch: directory of the children's private directories.
        failure: why the runtime did not start, or ""; all its sessions are then UNAVAILABLE.
        threads: threads per thread pool of TensorFlow.
        jailed: whether it runs in bubblewrap.
        late: whether it imports TensorFlow on demand (see `wake`).
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
    """Start a runtime for the duration of the context.

    Args:
        threads: size of each of TensorFlow's two thread pools.
        fork: import TensorFlow once, so that starting a session takes milliseconds; otherwise each
            session is a new process.
        late: import TensorFlow only when the first session needs it, for runtimes that are rarely
            used.
        jail: run in bubblewrap, where these are the only visible user files; None to run without.
    """
    mode = ("late" if late else "fork") if fork else "fresh"
    with scratch.scratch_directory() as folder:
        # Children that run as another user must be able to pass; names are random or mode 0700.
        folder.chmod(0o711)
        path = str(folder / "socket")
        alive, owner = os.pipe()  # the runtime ends when `owner` is closed, even if we are killed
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
    """Start the process; return it, and `ready` or why it is not."""
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
            start_new_session=True,  # only we handle a terminal's interrupt
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
    """Why a runtime did not start, with the end of its log if it exists."""
    text = ""
    with contextlib.suppress(OSError):
        text = (folder / "log").read_text(errors="backslashreplace")
    return f"{failure}\n{text[-LOG_CHARACTERS:]}".strip()


def wake(handle: RuntimeHandle) -> str:
    """Make a late runtime import TensorFlow, and wait; return "" or the reason of a failure."""
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
            pass  # it ended; its log has the reason
    return _with_log(f"{handle.runtime.python} {UNREADY}", Path(handle.scratch))


def _environment(runtime: Runtime, threads: int) -> dict[str, str]:
    """The complete environment of the runtime: CPU only, quiet, reproducible."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | {
        "LANG": "C.UTF-8",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_USE_LEGACY_KERAS": "1" if runtime.legacy else "0",
        "KERAS_BACKEND": "tensorflow",
        "HDF5_USE_FILE_LOCKING": "FALSE",  # a model could lock the user's files
        "OPENBLAS_NUM_THREADS": str(threads),
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # forks copy fewer page tables and pages
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
