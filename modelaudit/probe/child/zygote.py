"""One process per runtime that imports TensorFlow once and forks a child for each model.

It runs no ops itself, so that a fork copies no thread pools or sessions. On systems where forking
after the import is not safe (all but Linux), each child is a new process of this file.

Run as a script by any interpreter with TensorFlow, also Python 3.7 with TensorFlow 1.15. The
modules in this directory are loaded as a separate package, because `modelaudit` itself needs a
newer Python. Not run with `-I`, since TensorFlow may be installed with `pip install --user`.

Arguments: socket path, descriptor that is closed when the owner dies, descriptor for the ready
message, threads per thread pool, and the mode: `fork`, `late` (imports TensorFlow at the first
request) or `fresh`.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import random
import selectors
import signal
import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "modelaudit_probe"
MESSAGE_BYTES = 1 << 20
RECEIVE_SECONDS = 10.0


def _load_siblings() -> None:
    """Make the modules in this directory importable as a package, but not as top-level modules."""
    folder = str(Path(__file__).absolute().parent)
    sys.path[:] = [path for path in sys.path if path not in ("", folder)]
    package = types.ModuleType(PACKAGE)
    package.__path__ = [folder]
    sys.modules[PACKAGE] = package


def _worker() -> types.ModuleType:
    """The child's module; imported once, before any fork."""
    return importlib.import_module(PACKAGE + ".worker")


class _Hidden:
    """A finder for which matplotlib and pandas are not installed."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Search nothing, and let no other finder search for these."""
        if name in ("matplotlib", "pandas"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextlib.contextmanager
def cheap_imports() -> Iterator[None]:
    """Import in less time: no garbage collection, which finds nothing in modules.

    And neither matplotlib nor pandas, which Keras imports where they are installed: for drawing,
    and for tables as inputs.
    """
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # else the first collection would look through all that was imported
        gc.enable()
        sys.meta_path.remove(hidden)  # a model's own code may import them


def import_runtime(policy: dict[str, Any]) -> tuple[Any, Any, dict[str, str]]:
    """(tensorflow, keras or None, versions), with threads and seeds set; runs no ops."""
    keras = None
    with cheap_imports():
        import tensorflow as tf

        versions = {"python": sys.version.split()[0], "tensorflow": str(tf.__version__)}
        with contextlib.suppress(ImportError, AttributeError):
            keras = tf.keras  # Keras 3, or tf-keras if TF_USE_LEGACY_KERAS is set
            _ = keras.layers.Dense  # loaded lazily, so load it before the fork
            name, version = _keras_version(keras)
            versions[name] = version
    for name in ("numpy", "h5py"):
        with contextlib.suppress(ImportError):
            versions[name] = str(__import__(name).__version__)
    threads = int(policy["threads"])
    with contextlib.suppress(AttributeError, RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    seed = int(policy.get("seed", 0)) % 2**32
    random.seed(seed)  # Keras uses it to generate seeds of layers without a seed
    np.random.seed(seed)
    tf.compat.v1.set_random_seed(seed)
    return tf, keras, versions


def _keras_version(keras: types.ModuleType) -> tuple[str, str]:
    """`keras` or `tf-keras`, and its version, which tf-keras has only in its root module."""
    root = sys.modules[keras.Model.__module__.split(".")[0]]
    name = "tf-keras" if root.__name__ == "tf_keras" else "keras"
    return name, str(getattr(keras, "__version__", None) or root.__version__)


class Children:
    """Running children: process ID -> connection of the session that owns it."""

    def __init__(self, forking: bool, threads: str) -> None:
        self.forking, self.threads = forking, threads
        self.imported = False
        self.connections: dict[int, socket.socket] = {}

    def prepare(self) -> None:
        """Import TensorFlow once for all children, if they are forks of this process."""
        if self.forking and not self.imported:
            import_runtime({"threads": self.threads})
            _worker()
            gc.freeze()  # else the garbage collector of each child would copy all pages
            self.imported = True

    def start(self, connection: socket.socket, message: bytes, fds: list[int]) -> None:
        """Start a child on `fds` (channel, log) with the policy in `message`."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            # Sent by the child itself: the kernel then passes its process ID in the owner's
            # namespace, which can differ from `pid`.
            _tell(connection, {"started": True})
            _become_worker(fds, message.decode(), parent, self.forking)
        self.connections[pid] = connection

    def kill(self, connection: socket.socket) -> None:
        """Kill the child of `connection` and any process in its session."""
        for pid, owner in self.connections.items():
            if owner is connection:
                # The child leads a session, unless it was killed too early.
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)

    def reap(self) -> list[socket.socket]:
        """Report ended children to their owners; return their connections."""
        done = []
        for pid in list(self.connections):
            waited, status, usage = os.wait4(pid, os.WNOHANG)
            if waited:
                connection = self.connections.pop(pid)
                _tell(connection, {"status": status, "peak_kib": usage.ru_maxrss})
                done.append(connection)
        return done


def _become_worker(fds: list[int], message: str, parent: int, forking: bool) -> None:
    """Run the worker, in this process or in a new one. Does not return."""
    try:
        policy = dict(json.loads(message), parent=parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if forking:
            _worker().main(fds[0], fds[1], policy, import_runtime)
        for fd in fds:
            os.set_inheritable(fd, True)
        command = [sys.executable, "-E", str(Path(__file__).absolute()), "--worker"]
        os.execv(sys.executable, [*command, json.dumps(policy), *map(str, fds)])
    finally:
        os._exit(70)


def _tell(connection: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the owner has hung up
        connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Receive one line and the descriptors sent with it."""
    message, fds = b"", array.array("i")
    space = socket.CMSG_SPACE(2 * fds.itemsize)
    while not message.endswith(b"\n"):
        piece, ancillary, _, _ = connection.recvmsg(MESSAGE_BYTES, space)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not piece:
            break
        message += piece
    return message, list(fds)


def _accept(listener: socket.socket, children: Children) -> socket.socket | None:
    """Start a child for the next session; None if it hung up or no process can be started.

    A connection without descriptors only requests that TensorFlow is imported.
    """
    connection, _ = listener.accept()
    fds: list[int] = []
    try:
        connection.settimeout(RECEIVE_SECONDS)
        message, fds = _receive(connection)
        connection.settimeout(None)
        if len(fds) == 2:
            children.prepare()
            children.start(connection, message, fds)
            return connection
        if message:
            children.prepare()
            _tell(connection, {"ready": True})
    except OSError as error:
        sys.stderr.write(f"a child could not be started: {error}\n")
    finally:
        for fd in fds:
            os.close(fd)
    connection.close()
    return None


def serve(listener: socket.socket, owner: int, children: Children) -> None:
    """Accept sessions until the owner's descriptor is closed."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    with selectors.DefaultSelector() as selector:
        for watched in (listener, owner, woken):
            selector.register(watched, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                source: object = key.fileobj
                if source == owner:
                    for connection in list(children.connections.values()):
                        children.kill(connection)
                    return
                if source == woken:
                    os.read(woken, 4096)
                    for connection in children.reap():
                        with contextlib.suppress(KeyError):  # its owner has hung up already
                            selector.unregister(connection)
                        connection.close()
                elif source is listener:
                    accepted = _accept(listener, children)
                    if accepted is not None:
                        selector.register(accepted, selectors.EVENT_READ)
                elif isinstance(source, socket.socket) and not source.recv(1):
                    # The owner hung up: kill the child; its end closes the connection.
                    selector.unregister(source)
                    children.kill(source)


def main(arguments: list[str]) -> None:
    """Entry point of the script; see the module docstring."""
    _load_siblings()
    if arguments[0] == "--worker":
        policy = json.loads(arguments[1])
        _worker().main(int(arguments[2]), int(arguments[3]), policy, import_runtime)
    path, owner, ready, threads, mode = arguments
    children = Children(mode != "fresh", threads)
    if mode == "fork":
        children.prepare()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        os.umask(0o077)
        listener.bind(path)
        listener.listen(64)
        with os.fdopen(int(ready), "w") as handle:
            handle.write(json.dumps({"ready": True}))
        serve(listener, int(owner), children)


if __name__ == "__main__":
    main(sys.argv[1:])
