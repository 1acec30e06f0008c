"""Attempts to reach other programs of the user by system calls, one function each.

An attempt gets its `target` (see `escapes`), and returns whether it succeeded; most do if the call
raises no error. The numbers of calls that libc does not wrap are (x86_64, aarch64).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECRET = "swordfish"
LIBC = ctypes.CDLL(None, use_errno=True)
COLUMN = 0 if os.uname().machine == "x86_64" else 1
IPC_RMID, IPC_STAT, IPC_NOWAIT, SETVAL, GETVAL = 0, 2, 0o4000, 16, 12
AT_FDCWD = -100
Target = dict[str, Any]
Attempt = Callable[[Target], Any]

NAMED: dict[str, Attempt] = {}


def named(attempt: Attempt) -> Attempt:
    """An attempt of a kind that an earlier sandbox did not stop."""
    NAMED[attempt.__name__] = attempt
    return attempt


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def call(numbers: tuple[int, int], *arguments: Any) -> int:
    """A system call; integers are passed as 64-bit words."""
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return checked(LIBC.syscall(ctypes.c_long(numbers[COLUMN]), *words))


def libc(name: str, *arguments: Any) -> int:
    return checked(getattr(LIBC, name)(*arguments))


def reached(call_returned: int) -> bool:
    return call_returned >= 0


# --- shared memory, semaphores and queues of other programs


@named
def shared_memory_read(target: Target) -> bool:
    attach = LIBC.shmat
    attach.restype = ctypes.c_void_p
    address = attach(target["shm"], None, 0)
    checked(-1 if address == ctypes.c_void_p(-1).value else 0)
    found = ctypes.string_at(address, len(SECRET)) == SECRET.encode()
    ctypes.memmove(address + 100, b"written", 7)
    return found


@named
def shared_memory_listed(target: Target) -> bool:
    return reached(libc("shmctl", target["shm"], IPC_STAT, ctypes.create_string_buffer(200)))


@named
def shared_memory_removed(target: Target) -> bool:
    return reached(libc("shmctl", target["shm"], IPC_RMID, None))


@named
def semaphore_set(target: Target) -> bool:
    return reached(libc("semctl", target["sem"], 0, SETVAL, 7))


@named
def semaphore_removed(target: Target) -> bool:
    return reached(libc("semctl", target["sem"], 0, IPC_RMID, 0))


@named
def queue_read(target: Target) -> bool:
    got = ctypes.create_string_buffer(100)
    return reached(libc("msgrcv", target["msg"], got, 50, 0, IPC_NOWAIT))


@named
def queue_removed(target: Target) -> bool:
    return reached(libc("msgctl", target["msg"], IPC_RMID, None))


@named
def posix_queue_opened(target: Target) -> bool:
    return reached(libc("mq_open", target["mq"].encode(), os.O_RDWR))


@named
def posix_queue_removed(target: Target) -> bool:
    return reached(libc("mq_unlink", target["mq"].encode()))


@named
def posix_memory_opened(target: Target) -> bool:
    return reached(libc("shm_open", target["posix_shm"].encode(), os.O_RDWR, 0o600))


@named
def posix_memory_removed(target: Target) -> bool:
    return reached(libc("shm_unlink", target["posix_shm"].encode()))


# --- scheduling of the process that forks the next model, and of others


def lower(pid: int) -> int:
    """A lower priority than that of the process; only root may raise it again."""
    return min(os.getpriority(os.PRIO_PROCESS, pid) + 1, 19)


@named
def nice_of_the_parent(target: Target) -> None:
    os.setpriority(os.PRIO_PROCESS, target["parent"], lower(target["parent"]))


@named
def nice_of_all(target: Target) -> None:
    os.setpriority(os.PRIO_PGRP, target["victim"], lower(target["victim"]))


@named
def policy_of_the_parent(target: Target) -> None:
    os.sched_setscheduler(target["parent"], os.SCHED_BATCH, os.sched_param(0))


@named
def attributes_of_the_parent(target: Target) -> bool:
    size, batch = 48, 3
    given = struct.pack("<IIQiIQQQ", size, batch, 0, lower(target["parent"]), 0, 0, 0, 0)
    return reached(call((314, 274), target["parent"], given, 0))


@named
def processors_of_the_parent(target: Target) -> None:
    os.sched_setaffinity(target["parent"], {min(os.sched_getaffinity(0))})


@named
def disk_priority_of_the_parent(target: Target) -> bool:
    who_process, idle = 1, 3 << 13
    return reached(call((251, 30), who_process, target["parent"], idle))


@named
def own_nice(target: Target) -> bool:
    return os.nice(1) > 0


# --- attributes of the user's files


@named
def attribute_of_a_file(target: Target) -> bool:
    value = ctypes.create_string_buffer(b"x")
    given = struct.pack("<QII", ctypes.addressof(value), 1, 0)
    path = target["file"].encode()
    return reached(call((463, 463), AT_FDCWD, path, 0, b"user.at", given, len(given)))


@named
def attribute_by_path(target: Target) -> None:
    os.setxattr(target["file"], "user.path", b"x")


@named
def flags_of_a_file(target: Target) -> None:
    get, put, nodump = 0x80086601, 0x40086602, 0x40
    with Path(target["file"]).open() as file:
        flags = struct.unpack("<i", fcntl.ioctl(file, get, bytes(8))[:4])[0]
        fcntl.ioctl(file, put, struct.pack("<i", flags | nodump))


@named
def extended_flags_of_a_file(target: Target) -> None:
    get, put, noatime = 0x801C581F, 0x401C5820, 0x40
    with Path(target["file"]).open() as file:
        held = bytearray(fcntl.ioctl(file, get, bytes(28)))
        held[:4] = struct.pack("<I", struct.unpack("<I", held[:4])[0] | noatime)
        fcntl.ioctl(file, put, bytes(held))


@named
def file_attributes(target: Target) -> bool:
    held = ctypes.create_string_buffer(24)
    path = target["file"].encode()
    call((468, 468), AT_FDCWD, path, held, len(held), 0)
    flags = struct.unpack_from("<Q", held)[0] | 0x80
    struct.pack_into("<Q", held, 0, flags)
    return reached(call((469, 469), AT_FDCWD, path, held, len(held), 0))


@named
def file_watched(target: Target) -> bool:
    watcher = libc("inotify_init1", 0)
    return reached(libc("inotify_add_watch", watcher, target["file"].encode(), 0xFFF))
