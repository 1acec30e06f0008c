"""The system call filter, run by a BPF interpreter in the test and applied to a process."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from modelaudit.probe.child import seccomp
from modelaudit.probe.child.allowed_calls import ALLOWED, RESTRICTED
from tests.probe.restricted import needs_linux, run_restricted

X86_HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC_HEADER = Path("/usr/include/asm-generic/unistd.h")
EPERM = 0x00050000 | errno.EPERM
ENOSYS = 0x00050000 | errno.ENOSYS
ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PID = 4321


def verdict(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Run the filter on one call, by the semantics of classic BPF."""
    whole = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<iIQ6Q", number, arch or ARCH[machine], 0, *whole)
    code = seccomp.assemble(machine, PID)
    program = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code), 8)]
    accumulator = counter = 0
    while True:
        operation, yes, no, k = program[counter]
        counter += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif operation == 0x06:
            return k
        else:
            tests = {0x15: accumulator == k, 0x25: accumulator > k, 0x35: accumulator >= k}
            counter += yes if tests[operation] else no


def numbers(machine: str) -> dict[str, int]:
    column = seccomp.ARCHITECTURES.index(machine)
    restricted = {name: numbers for name, (numbers, _) in RESTRICTED.items()}
    both = ALLOWED | restricted
    return {name: n[column] for name, n in both.items() if n[column] is not None}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_calls_on_the_list_are_allowed_and_no_others(machine: str) -> None:
    named = numbers(machine)
    allowed = {named[name] for name in ALLOWED if name in named}
    special = {named[name] for name in RESTRICTED if name in named}
    assert not allowed & special
    assert len(allowed) + len(special) == len(named)
    for number in range(600):
        expected = ENOSYS if number == 435 or number > 470 else EPERM
        if number not in special:
            assert verdict(machine, number) == (ALLOW if number in allowed else expected), number


THREAD = 0x3D0F00  # the flags used by pthread_create
# Arguments that are permitted, and such that are not.
ARGUMENTS = {
    # CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID; that of process 1, and of a device
    **dict.fromkeys(
        ("clock_gettime", "clock_getres", "clock_nanosleep"),
        ([(1,), (2,)], [(0xFFFFFFF2,), (0xFFFFFFE3,), (12,)]),
    ),
    "clone": ([(THREAD,)], [(17,), (THREAD | 0x10000000,), (0,)]),  # SIGCHLD: fork; CLONE_NEWUSER
    "kill": ([(PID, 9)], [(1, 9), (0, 9), (0xFFFFFFFF, 9), (PID + 1, 9)]),
    "tgkill": ([(PID, PID, 6)], [(1, 1, 6)]),
    "prlimit64": (
        [(0, 7, 0, 4096), (PID, 7, 0, 4096)],
        [(1, 7, 0, 4096), (0, 7, 4096, 0), (0, 7, 1 << 32, 0)],  # of others, and new ones
    ),
    # PR_SET_NAME; PDEATHSIG, DUMPABLE, SECCOMP, SET_PTRACER
    "prctl": ([(15,)], [(1,), (4,), (22,), (0x59616D61,)]),
    "ioctl": ([(3, 0x5401)], [(3, 0x40086602), (3, 0x5412), (3, 0x401C5820)]),  # FS_IOC, TIOCSTI
    "fcntl": ([(3, 1030, 3), (3, 3)], [(3, command) for command in (6, 8, 10, 15, 1024, 1031)]),
}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_calls_that_depend_on_their_arguments(machine: str) -> None:
    named = numbers(machine)
    assert ARGUMENTS.keys() == RESTRICTED.keys() - {"arch_prctl"}
    for name, (permitted, refused) in ARGUMENTS.items():
        for arguments in permitted:
            assert verdict(machine, named[name], *arguments) == ALLOW, (name, arguments)
        for arguments in refused:
            assert verdict(machine, named[name], *arguments) == EPERM, (name, arguments)
    if machine == "x86_64":
        assert verdict(machine, named["arch_prctl"], 0x1023) == ALLOW
        assert verdict(machine, named["arch_prctl"], 0x1002) == EPERM  # ARCH_SET_FS


def test_other_architectures_and_the_x32_numbers() -> None:
    assert verdict("x86_64", 0, arch=0x40000003) == KILL  # i386 calls
    for number in (0, 41):
        assert verdict("x86_64", 0x40000000 | number) == EPERM
    with pytest.raises(seccomp.SeccompError, match="riscv64"):
        seccomp.assemble("riscv64", PID)


@pytest.mark.parametrize(
    ("machine", "header"), [("x86_64", X86_HEADER), ("aarch64", GENERIC_HEADER)]
)
def test_numbers_are_the_kernels(machine: str, header: Path) -> None:
    if not header.exists():
        pytest.skip(f"the kernel's headers are not installed (linux-libc-dev): {header}")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    kernel = {name: int(number) for name, number in lines}
    kernel.setdefault("newfstatat", kernel.get("fstatat", -1))
    ours = numbers(machine) | {"seccomp": seccomp.SECCOMP_SYSCALL[machine]}
    newer = {name for name in ours if name not in kernel}
    assert newer <= {"futex_wait", "futex_wake", "futex_requeue", "map_shadow_stack", "mseal"}
    assert {name: kernel[name] for name in ours if name in kernel} == {
        name: number for name, number in ours.items() if name not in newer
    }
    assert not kernel.keys() & ((ALLOWED.keys() | RESTRICTED.keys()) - ours.keys())


ATTEMPTS = """
import ctypes, os, signal, socket, threading, mmap
outcome = {}
def attempt(name, action):
    try:
        action()
        outcome[name] = 0
    except OSError as error:
        outcome[name] = error.errno
def fork():
    if os.fork() == 0:
        os._exit(0)
def thread():
    done = threading.Thread(target=lambda: None)
    done.start()
    done.join()
parent, file = os.getppid(), os.memfd_create("x")
seccomp.restrict()
attempt("inet", lambda: socket.socket())
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("pair", socket.socketpair)
attempt("fork", fork)
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("kill", lambda: os.kill(parent, 0))
attempt("chmod", lambda: os.chmod("/tmp", 0o1777))
attempt("utime", lambda: os.utime("/tmp"))
attempt("memfd", lambda: os.memfd_create("y"))
attempt("thread", thread)
attempt("self", lambda: os.kill(os.getpid(), 0))
attempt("write", lambda: os.write(file, b"x"))
attempt("map", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
"""


@needs_linux
def test_the_filter_restricts_a_process() -> None:
    outcome = run_restricted("from modelaudit.probe.child import seccomp\n" + ATTEMPTS)
    allowed = {"thread", "self", "write", "map"}
    assert {name for name, code in outcome.items() if code == 0} == allowed
    assert {code for code in outcome.values() if code} == {errno.EPERM}
