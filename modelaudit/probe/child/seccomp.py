"""A system call filter for the child, assembled as classic BPF without a library.

It is a deny list. An allow list would have to include all system calls of every libc, interpreter
and TensorFlow build that the child runs with; the list of what a model must never do (start
programs, open sockets, access other processes, change file modes, load kernel code) is short and
stable. Access to files is restricted by Landlock, since this filter cannot check paths.

Other interpreters load this module too: Python 3.7 syntax, standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# System call numbers on (x86_64, aarch64), None if there is no such call. Calls added since Linux
# 5.0 have the same number on all architectures.
DENIED: dict[str, tuple[int | None, int | None]] = {
    # network and other endpoints
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "accept": (43, 202),
    "accept4": (288, 242),
    "bind": (49, 200),
    "listen": (50, 201),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "semget": (64, 190),
    "shmget": (29, 194),
    # programs and processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "setns": (308, 268),
    "unshare": (272, 97),
    "personality": (135, 92),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # file attributes and handles, which Landlock does not cover
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    # mounts and roots
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # the kernel itself
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
}
CLONE, CLONE3 = (56, 220), 435
KILL, TGKILL, PRLIMIT = (62, 129), (234, 131), (302, 261)
CLONE_THREAD = 0x00010000
X32_BIT = 0x40000000

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ARCHITECTURES = ("x86_64", "aarch64")  # order of the columns above

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
DENY = ERRNO | errno.EPERM
NUMBER_AT, ARCH_AT, FIRST_ARGUMENT_AT = 0, 4, 16  # offsets into struct seccomp_data

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277}
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_TSYNC = 1, 1


class SeccompError(OSError):
    """The filter could not be installed, and nothing is filtered."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _step(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, k)


def _only(number: int, accept: Iterable[tuple[int, int]]) -> list[bytes]:
    """Allow call `number` only if one of the (jump code, value) tests holds for its argument 1."""
    tests = list(accept)
    body = [_step(LOAD, FIRST_ARGUMENT_AT)]
    for index, (code, value) in enumerate(tests):
        body.append(_step(code, value, yes=len(tests) - index))
    body += [_step(RETURN, DENY), _step(RETURN, ALLOW)]
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
    if machine == "x86_64":  # the x32 numbers would bypass all checks below
        steps += [_step(JUMP_GREATER_EQUAL, X32_BIT, no=1), _step(RETURN, DENY)]
    for numbers in DENIED.values():
        number = numbers[column]
        if number is not None:
            steps += [_step(JUMP_EQUAL, number, no=1), _step(RETURN, DENY)]
    # clone3 has its flags behind a pointer; libc falls back to clone if clone3 is missing.
    steps += [_step(JUMP_EQUAL, CLONE3, no=1), _step(RETURN, ERRNO | errno.ENOSYS)]
    steps += _only(CLONE[column], [(JUMP_SET, CLONE_THREAD)])
    steps += _only(KILL[column], [(JUMP_EQUAL, pid)])
    steps += _only(TGKILL[column], [(JUMP_EQUAL, pid)])
    steps += _only(PRLIMIT[column], [(JUMP_EQUAL, pid), (JUMP_EQUAL, 0)])
    steps.append(_step(RETURN, ALLOW))
    return b"".join(steps)


def restrict() -> None:
    """Install the filter on all threads of this process; it cannot be removed.

    Raises:
        SeccompError: the filter was not installed.
    """
    machine = os.uname().machine
    code = assemble(machine, os.getpid())
    program = _Program(len(code) // 8, code)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise SeccompError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    result = library.syscall(
        ctypes.c_long(SECCOMP_SYSCALL[machine]),
        ctypes.c_uint(SECCOMP_SET_MODE_FILTER),
        ctypes.c_uint(SECCOMP_FILTER_TSYNC),
        ctypes.byref(program),
    )
    if result != 0:
        raise SeccompError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
