"""A system call filter for the child, assembled as classic BPF without a library.

Only the calls of `allowed_calls` are permitted. Access to files is restricted by Landlock, since
this filter cannot check paths.

Other interpreters load this module too: Python 3.7 syntax, standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import TYPE_CHECKING

from .allowed_calls import ALLOWED, CLONE3, NEWEST, OWN_PID, RESTRICTED
from .unprivileged import LIBRARY, PR_SET_NO_NEW_PRIVS, prctl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

X32_BIT = 0x40000000

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ARCHITECTURES = ("x86_64", "aarch64")  # order of the columns in `allowed_calls`

LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_EQUAL, RETURN = 0x20, 0x15, 0x25, 0x35, 0x06
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
DENY, MISSING = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16  # offsets into struct seccomp_data

SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277}
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_TSYNC = 1, 1


class SeccompError(OSError):
    """The filter could not be installed, and nothing is filtered."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _step(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, k)


def _only(number: int, words: Mapping[int, Sequence[int]]) -> list[bytes]:
    """Allow call `number` only if these words of its arguments have one of their values."""
    body: list[bytes] = []
    for word, values in words.items():
        body.append(_step(LOAD, ARGUMENTS_AT + 4 * word))
        for index, value in enumerate(values):
            body.append(_step(JUMP_EQUAL, value, yes=len(values) - index))
        body.append(_step(RETURN, DENY))
    body.append(_step(RETURN, ALLOW))
    return [_step(JUMP_EQUAL, number, no=len(body)), *body]


def assemble(machine: str, pid: int) -> bytes:
    """Assemble the filter for process `pid` on `machine` (x86_64 or aarch64).

    Raises:
        SeccompError: unsupported architecture.
    """
    if machine not in AUDIT_ARCH or sys.byteorder != "little":
        raise SeccompError(errno.ENOTSUP, f"no system call table for {machine}")
    column = ARCHITECTURES.index(machine)
    steps = [
        _step(LOAD, ARCH_AT),
        _step(JUMP_EQUAL, AUDIT_ARCH[machine], yes=1),
        _step(RETURN, KILL_PROCESS),
        _step(LOAD, NUMBER_AT),
    ]
    for numbers in ALLOWED.values():
        number = numbers[column]
        if number is not None:
            steps += [_step(JUMP_EQUAL, number, no=1), _step(RETURN, ALLOW)]
    for numbers, words in RESTRICTED.values():
        number = numbers[column]
        if number is not None:
            own = {w: [pid if v == OWN_PID else v for v in values] for w, values in words.items()}
            steps += _only(number, own)
    if machine == "x86_64":  # the x32 numbers are other names for the same calls
        steps += [_step(JUMP_GREATER_EQUAL, X32_BIT, no=1), _step(RETURN, DENY)]
    steps += [_step(JUMP_EQUAL, CLONE3, no=1), _step(RETURN, MISSING)]
    steps += [_step(JUMP_GREATER, NEWEST, no=1), _step(RETURN, MISSING)]
    steps.append(_step(RETURN, DENY))
    return b"".join(steps)


def restrict() -> None:
    """Install the filter on all threads of this process; it cannot be removed.

    Raises:
        OSError: the filter was not installed.
    """
    machine = os.uname().machine
    code = assemble(machine, os.getpid())
    program = _Program(len(code) // 8, code)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    result = LIBRARY.syscall(
        ctypes.c_long(SECCOMP_SYSCALL[machine]),
        ctypes.c_uint(SECCOMP_SET_MODE_FILTER),
        ctypes.c_uint(SECCOMP_FILTER_TSYNC),
        ctypes.byref(program),
    )
    if result != 0:
        raise SeccompError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
