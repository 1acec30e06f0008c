"""Starts runtimes and opens sessions on them; the parent's side of isolation.

Nothing here imports TensorFlow. A runtime is one process (see `zygote`) that any number of
processes of this program may use at once, by the path of its socket.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from modelaudit.facts import Artifact, Format, Json
from modelaudit.formats.links import hub_blobs
from modelaudit.probe import bubblewrap, sandbox, scratch
from modelaudit.probe.channel import Channel, ChildLimits, Ended
from modelaudit.probe.protocol import Observation, Status, calls_for
from modelaudit.probe.session import Session
from modelaudit.settings import ProbeSettings

ZYGOTE = Path(__file__).with_name("zygote.py")
START_SECONDS = 180.0
STOP_SECONDS = 5.0
LOG_CHARACTERS = 2000
CHECKPOINTS = (Format.TF1_CHECKPOINT, Format.TF2_CHECKPOINT)
SCRATCH_BYTES = 64 << 20  # of a file that a child writes, beside a copy of the model

# What a runtime inherits: enough to find its libraries and no secret of the user's.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

Flavour = Literal["keras", "tf_keras"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """An interpreter with a TensorFlow. `flavour` tf_keras asks TF >= 2.16 for Keras 2."""

    name: str
    python: str
    flavour: Flavour = "keras"


def here() -> Runtime:
    """The running interpreter, with the Keras that its TensorFlow uses."""
    return Runtime("here", sys.executable)


def here_legacy() -> Runtime:
    """The running interpreter, with tf-keras in place of Keras 3."""
    return Runtime("here-legacy", sys.executable, "tf_keras")


@dataclass(frozen=True, slots=True)
class RuntimeHandle:
    """A started runtime; plain values, so it may be handed to other processes.

    `scratch` is the directory that holds the children's private directories. `failure` is
    empty, or why the runtime did not start: every session on it is then UNAVAILABLE.
    `jailed` says that it runs inside bubblewrap.
    """

    runtime: Runtime
    connect_path: str
    scratch: str
    failure: str = ""
    threads: int = 1
    jailed: bool = False


@contextlib.contextmanager
def start_runtime(
    runtime: Runtime,
    *,
    threads: int = 1,
    fork: bool = sys.platform.startswith("linux"),
    jail: Collection[Path] | None = None,
) -> Iterator[RuntimeHandle]:
    """Start a runtime for as long as the context lasts.

    With `fork` TensorFlow is imported once and each session costs milliseconds; without, each
    session is a fresh process. `threads` bounds TensorFlow's two thread pools. With `jail` the
    runtime runs inside bubblewrap, where of the user's files it sees those paths alone.
    """
    with scratch.directory() as folder:
        # Children that drop root's user must pass through; names below are random or mode 0700.
        folder.chmod(0o711)
        path = str(folder / "socket")
        alive, owner = os.pipe()  # the runtime ends when `owner` closes, also if we are killed
        process = None
        try:
            with (folder / "log").open("wb") as log:
                try:
                    process, failure = _launch(
                        runtime, path, alive, threads, fork, log.fileno(), jail
                    )
                finally:
                    os.close(alive)
                if failure == "ready":
                    jailed = jail is not None
                    yield RuntimeHandle(runtime, path, str(folder), "", threads, jailed)
                else:
                    text = (folder / "log").read_text(errors="backslashreplace")
                    reason = f"{failure}\n{text[-LOG_CHARACTERS:]}".strip()
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
    fork: bool,
    log: int,
    jail: Collection[Path] | None,
) -> tuple[subprocess.Popen[bytes] | None, str]:
    """The process, and `ready` or why it is not."""
    ready, ready_end = os.pipe()
    mode = "fork" if fork else "fresh"
    command = [runtime.python, "-E", str(ZYGOTE), path]
    command += [str(alive), str(ready_end), str(threads), mode]
    try:
        if jail is not None:
            command = bubblewrap.around(command, [*jail, ZYGOTE.parent], Path(path).parent)
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
            return process, f"not ready after {START_SECONDS:g} s"
        if pipe.read():
            return process, "ready"
    return process, f"{command[0]} ended before it was ready"


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


def open_session(
    handle: RuntimeHandle,
    root: Path,
    format: Format,
    settings: ProbeSettings,
    *,
    architecture: str | None = None,
    options: Mapping[str, Json] | None = None,
) -> Session:
    """A child for the model at `root`, restricted but with nothing loaded yet.

    Where none could be started the session is not `alive` and its `observation` says why.

    Args:
        root: absolute path of the file or directory, or a checkpoint's prefix.
        architecture: Keras JSON, for formats that hold weights alone.
        options: for loaders: `signature` (name), `tags` (of a TF1 SavedModel's MetaGraph),
            `inputs` and `outputs` (tensor names, for graphs without signatures).
    """
    blank = Observation(
        runtime=handle.runtime.name,
        call="",
        status=Status.UNAVAILABLE,
        sandbox={bubblewrap.LAYER: True} if handle.jailed else {},
    )
    # Bubblewrap shows the audited files alone, which is what Landlock is required for.
    spared = {"landlock"} if handle.jailed else set()
    required = [*sandbox.REQUIRED] if settings.require_sandbox else []
    if handle.failure:
        return Session(replace(blank, error=handle.failure), {}, None)
    try:
        readable = _files(root, format)
        size = sum(path.stat().st_size for path in readable if path.is_file())
        private = Path(tempfile.mkdtemp(dir=handle.scratch))
    except OSError as error:  # the model or the runtime is gone
        return Session(replace(blank, error_type=type(error).__name__, error=str(error)), {}, None)
    policy: dict[str, Json] = {
        "readable": [str(path) for path in readable],
        "listable": [str(root.parent)] if format in CHECKPOINTS else [],
        "scratch": str(private),
        "required": [layer for layer in required if layer not in spared],
        "seed": settings.seed,
    }
    model: dict[str, Json] = {
        **(options or {}),
        "path": str(root),
        "architecture": architecture,
        "threads": handle.threads,
    }
    limits = ChildLimits(
        settings.timeout, settings.memory, SCRATCH_BYTES + size, handle.threads, private
    )
    try:
        channel = Channel(handle.connect_path, policy, limits)
    except Ended as end:
        scratch.remove(private)
        ended = replace(blank, status=end.status, error_type=end.error_type, error=end.error)
        return Session(ended, {}, None)
    session = Session(replace(blank, status=Status.FAILED), model, channel, private)
    session.greet()
    return session


def _files(root: Path, format: Format) -> list[Path]:
    """What the child may read of the model."""
    if format not in CHECKPOINTS:
        blobs = hub_blobs(root) if root.is_dir() else None
        return [root, blobs] if blobs else [root]
    names = (f"{root.name}.index", f"{root.name}.meta", f"{root.name}.data-")
    return sorted(path for path in root.parent.iterdir() if path.name.startswith(names))


def observe(
    handle: RuntimeHandle,
    artifact: Artifact,
    settings: ProbeSettings,
    *,
    calls: Sequence[str] | None = None,
) -> tuple[Observation, Session | None]:
    """Load a model, describe it, and take the digest of every variable.

    Returns:
        What was seen, and the open session where the model is loaded, for the caller to close.
    """
    legacy = handle.runtime.flavour == "tf_keras"
    tried = calls_for(artifact.format, legacy_keras=legacy) if calls is None else tuple(calls)
    refusal = Observation(runtime=handle.runtime.name, call="", status=Status.REFUSED)
    if not tried:
        return replace(refusal, error=f"{artifact.format.label}: nothing in it can be run"), None
    refusal = replace(refusal, call=tried[0])
    architecture = None
    if tried[0] in {"load_weights", "load_checkpoint"}:
        if artifact.architecture is None:
            reason = "weights alone, and no architecture beside them to put them in"
            return replace(refusal, error=reason), None
        architecture = json.dumps(dict(artifact.architecture.config))
    if settings.device != "cpu":
        reason = f"isolated probing is on the CPU; device {settings.device!r} is not open to it"
        return replace(refusal, error=reason), None
    tags = next((list(graph.tags) for graph in artifact.graphs if graph.tags), None)
    if any("serve" in graph.tags for graph in artifact.graphs):
        tags = ["serve"]
    options: dict[str, Json] = {} if tags is None else {"tags": [str(tag) for tag in tags]}
    session = open_session(
        handle,
        artifact.root,
        artifact.format,
        settings,
        architecture=architecture,
        options=options,
    )
    seen = session.load(tried)
    digests = session.digests() if seen.status is Status.LOADED else ()
    if isinstance(digests, Observation):  # it loaded, but died or failed when asked
        seen = replace(digests, inputs=seen.inputs, outputs=seen.outputs, layers=seen.layers)
    else:
        seen = replace(seen, variables=digests)
    if seen.status is not Status.LOADED:
        session.close()
        return seen, None
    session.observation = seen
    return seen, session
