"""Carry out all attempts in the sandbox, and on request each without one.

    python -m tests.probe.escapes [control]

Prints JSON: `held`, attempt -> whether it says to be `done`, and its `error`; what has `changed` of
the targets, seen from outside; and `control`, the same for each attempt without a sandbox. These
have targets of their own; in the sandbox, one process tries all.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelaudit.probe.child import sandbox
from tests.probe.escape_attempts import (
    GETVAL,
    IPC_RMID,
    IPC_STAT,
    LIBC,
    NAMED,
    SECRET,
    call,
)
from tests.probe.further_attempts import FURTHER

CONTROL = "control"
IPC_CREAT, EVERYBODY = 0o1000, 0o666
ATTEMPTS = {**NAMED, **FURTHER}


@contextlib.contextmanager
def targets() -> Iterator[dict[str, Any]]:
    """Other programs of the same user, what they share, and a file."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    made: dict[str, Any] = {"victim": waiting(), "mq": f"/box{os.getpid()}"}
    made |= {"posix_shm": made["mq"], "file": str(folder / "model" / "file")}
    shared = Path("/dev/shm", made["mq"][1:])
    made["shm"] = LIBC.shmget(0, 4096, IPC_CREAT | EVERYBODY)
    made["sem"] = LIBC.semget(0, 1, IPC_CREAT | EVERYBODY)
    made["msg"] = LIBC.msgget(0, IPC_CREAT | EVERYBODY)
    try:
        (folder / "scratch").mkdir()
        (folder / "model").mkdir()
        Path(made["file"]).write_text(SECRET)
        shared.write_text(SECRET)
        LIBC.shmat.restype = ctypes.c_void_p
        made["mapped"] = LIBC.shmat(made["shm"], None, 0)
        ctypes.memmove(made["mapped"], SECRET.encode(), len(SECRET))
        LIBC.msgsnd(made["msg"], ctypes.create_string_buffer(b"\1" + bytes(7) + b"hello"), 5, 0)
        LIBC.mq_open(made["mq"].encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
        for path in (folder / "model", folder / "scratch", Path(made["file"])):
            path.chmod(0o777 if path.is_dir() else 0o644)
        made["scratch"] = str(folder / "scratch")
        yield made
    finally:
        os.kill(made["victim"], signal.SIGKILL)
        os.waitpid(made["victim"], 0)
        LIBC.shmctl(made["shm"], IPC_RMID, None)
        LIBC.semctl(made["sem"], 0, IPC_RMID, 0)
        LIBC.msgctl(made["msg"], IPC_RMID, None)
        LIBC.mq_unlink(made["mq"].encode())
        shared.unlink(missing_ok=True)
        shutil.rmtree(folder)


def waiting() -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            signal.pause()
        finally:
            os._exit(0)
    return pid


def state(target: dict[str, Any]) -> dict[str, Any]:
    """What the attempts would change, read from outside."""
    file = Path(target["file"])
    seen: dict[str, Any] = {}
    for who in ("parent", "victim"):
        pid = target[who]
        living = "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        seen[who] = living and [
            os.getpriority(os.PRIO_PROCESS, pid),
            os.sched_getscheduler(pid),
            sorted(os.sched_getaffinity(pid)),
            call((252, 31), 1, pid),  # ioprio_get
            Path(f"/proc/{pid}/oom_score_adj").read_text(),
        ]
    status = file.stat()
    with file.open() as opened:
        flags = None
        with contextlib.suppress(OSError):
            flags = fcntl.ioctl(opened, 0x801C581F, bytes(28)).hex()
    seen["file"] = [status.st_mode, status.st_nlink, status.st_mtime, os.listxattr(file), flags]
    seen["beside"] = sorted(each.name for each in file.parent.iterdir())
    segment, queue = ctypes.create_string_buffer(200), ctypes.create_string_buffer(200)
    held = LIBC.shmctl(target["shm"], IPC_STAT, segment)
    seen["shm"] = [held, bytes(segment)[:32].hex(), ctypes.string_at(target["mapped"], 200).hex()]
    seen["sem"] = LIBC.semctl(target["sem"], 0, GETVAL, 0)
    seen["msg"] = [LIBC.msgctl(target["msg"], IPC_STAT, queue), bytes(queue)[72:96].hex()]
    seen["posix"] = [Path("/dev/shm", target["posix_shm"][1:]).exists()]
    again = LIBC.mq_open(target["mq"].encode(), os.O_RDONLY)
    if again >= 0:
        os.close(again)
    seen["mq"] = again >= 0
    return seen


def tried(names: list[str], target: dict[str, Any]) -> dict[str, dict[str, Any]]:
    outcome = {}
    for name in names:
        result: dict[str, Any] = {"done": False, "error": ""}
        try:
            result["done"] = ATTEMPTS[name](target) is not False
        except (OSError, RuntimeError, ValueError) as error:
            result["error"] = f"{type(error).__name__} {error}"
            result["errno"] = getattr(error, "errno", None)
        outcome[name] = result
    return outcome


def from_a_parent(target: dict[str, Any], act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run `act` in a child of a process that stays, as a runtime does; add what has changed."""
    ours, theirs = socket.socketpair()
    target["channel"] = theirs.fileno()
    answer, says = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            target["parent"] = os.getpid()
            os.kill(os.getpid(), signal.SIGSTOP)
            if os.fork() == 0:
                os.setsid()
                signal.alarm(30)
                os.chdir(target["scratch"])
                os.write(says, json.dumps(act()).encode())
                os._exit(0)
            os.close(says)
            signal.pause()
        finally:
            os._exit(1)
    target["parent"] = parent
    os.close(says)
    try:
        os.waitpid(parent, os.WUNTRACED)
        before = state(target)
        os.kill(parent, signal.SIGCONT)
        with os.fdopen(answer) as pipe:
            said = json.loads(pipe.read())
        after = state(target)
    finally:
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        ours.close()
        theirs.close()
    return {"said": said, "changed": [key for key in before if before[key] != after[key]]}


def main() -> None:
    control = {}
    for name in ATTEMPTS if CONTROL in sys.argv else ():
        with targets() as target:
            outcome = from_a_parent(target, lambda name=name, target=target: tried([name], target))
            control[name] = outcome["said"][name] | {"changed": outcome["changed"]}
    with targets() as target:
        policy = {
            "readable": [str(Path(target["file"]).parent)],
            "listable": [],
            "scratch": target["scratch"],
            "address_space": 4 << 30,
            "cpu": 50,
            "file_size": 1 << 20,
        }

        def held() -> dict[str, Any]:
            layers = sandbox.enter(policy)
            return {"layers": layers, "held": tried([*ATTEMPTS], target)}

        outcome = from_a_parent(target, held)
    said = {"control": control, "changed": outcome["changed"]} | outcome["said"]
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
