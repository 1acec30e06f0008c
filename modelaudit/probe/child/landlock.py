"""Landlock, the Linux sandbox for unprivileged processes, through system calls.

The restriction is permanent for this thread and all processes that it starts. Structures and
numbers are from the kernel's public interface (linux/landlock.h); the three system calls have the
same numbers on all architectures.

Other interpreters load this module too: Python 3.7 syntax, standard library only.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import TYPE_CHECKING

from .unprivileged import LIBRARY, PR_SET_NO_NEW_PRIVS, prctl

if TYPE_CHECKING:
    from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
RULE_PATH_BENEATH = 1

WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
TRUNCATE = 1 << 14
ALL_V1 = (1 << 13) - 1  # execute, read, write, create and remove, for all file types
REFER = 1 << 13
IOCTL_DEV = 1 << 15
FILE_ONLY = WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV | 1  # rights that apply to files

NET_ALL = 0b11  # bind and connect of TCP
SCOPE_ALL = 0b11  # abstract Unix sockets and signals outside this domain


class LandlockError(OSError):
    """The kernel does not support Landlock, or refused a step."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scope", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # the layout that `_pack_` implies; newer interpreters need it explicitly
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _call(number: int, *arguments: object) -> int:
    result = int(LIBRARY.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise LandlockError(code, os.strerror(code))
    return result


def abi() -> int:
    """Version of the kernel's Landlock interface.

    Raises:
        LandlockError: the kernel was built or started without Landlock.
    """
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG))


def rights(version: int) -> int:
    """All file system rights that a kernel with interface `version` can restrict."""
    handled = ALL_V1
    if version >= 2:
        handled |= REFER
    if version >= 3:
        handled |= TRUNCATE
    if version >= 5:
        handled |= IOCTL_DEV
    return handled


def restrict(
    *,
    readable: Iterable[str],
    listable: Iterable[str],
    devices: Iterable[str],
    writable: Iterable[str],
) -> int:
    """Deny access to the file system, TCP, and processes outside, except for the given paths.

    Args:
        readable: files, and directories with their contents, that can be read and listed.
        listable: directories that can be listed, but whose contents cannot be read.
        devices: device files that can be read and written.
        writable: directories in which everything but execution is allowed.

    Paths that do not exist are skipped.

    Returns:
        The interface version. TCP is restricted from 4 on, signals from 6 on.

    Raises:
        OSError: nothing was restricted.
    """
    version = abi()
    handled = rights(version)
    attributes = _Ruleset(handled, NET_ALL if version >= 4 else 0, SCOPE_ALL if version >= 6 else 0)
    # Older kernels have a shorter structure, and accept a longer one if the rest is zero.
    size = ctypes.sizeof(attributes)
    ruleset = _call(
        CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    try:
        for path in readable:
            _grant(ruleset, path, READ_FILE | READ_DIR)
        for path in listable:
            _grant(ruleset, path, READ_DIR)
        for path in devices:
            _grant(ruleset, path, handled & (READ_FILE | WRITE_FILE))
        for path in writable:
            _grant(ruleset, path, handled & ~1)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        _call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return version


def _grant(ruleset: int, path: str, access: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            access &= FILE_ONLY
        if access:
            rule = _PathBeneath(access, parent)
            _call(
                ADD_RULE,
                ctypes.c_int(ruleset),
                ctypes.c_int(RULE_PATH_BENEATH),
                ctypes.byref(rule),
                ctypes.c_uint32(0),
            )
    finally:
        os.close(parent)
