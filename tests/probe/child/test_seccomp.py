"""The system call filter, run by a BPF interpreter in the test and applied to a process."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from modelaudit.probe.child import seccomp
from tests.probe.restricted import needs_linux, run_restricted

X86_HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC_HEADER = Path("/usr/include/asm-generic/unistd.h")
EPERM = 0x00050000 | errno.EPERM
ENOSYS = 0x00050000 | errno.ENOSYS
ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PID = 4321


def verdict(machine: str, number: int, first: int = 0, arch: int | None = None) -> int:
    """Run the filter on one call, by the semantics of classic BPF."""
    data = struct.pack("<iIQ6Q", number, arch or ARCH[machine], 0, first, 0, 0, 0, 0, 0)
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
            tests = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}
            counter += yes if tests[operation] else no


def numbers(machine: str) -> dict[str, int]:
    column = seccomp.ARCHITECTURES.index(machine)
    return {name: n[column] for name, n in seccomp.DENIED.items() if n[column] is not None}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_denied_calls_are_denied_and_no_others(machine: str) -> None:
    column = seccomp.ARCHITECTURES.index(machine)
    special = {table[column] for table in (seccomp.CLONE, seccomp.KILL, seccomp.TGKILL)}
    special |= {seccomp.PRLIMIT[column], seccomp.CLONE3}
    denied = set(numbers(machine).values())
    for number in range(600):
        if number not in special:
            assert verdict(machine, number) == (EPERM if number in denied else ALLOW), number


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_calls_that_depend_on_their_first_argument(machine: str) -> None:
    column = seccomp.ARCHITECTURES.index(machine)
    thread = 0x3D0F00  # the flags used by pthread_create
    assert verdict(machine, seccomp.CLONE[column], thread) == ALLOW
    assert verdict(machine, seccomp.CLONE[column], 17) == EPERM  # SIGCHLD: fork
    assert verdict(machine, seccomp.CLONE3) == ENOSYS
    for call in (seccomp.KILL, seccomp.TGKILL):
        assert verdict(machine, call[column], PID) == ALLOW
        for other in (1, 0, 0xFFFFFFFF, PID + 1):
            assert verdict(machine, call[column], other) == EPERM
    for pid, expected in ((0, ALLOW), (PID, ALLOW), (1, EPERM)):
        assert verdict(machine, seccomp.PRLIMIT[column], pid) == expected


def test_other_architectures_and_the_x32_numbers() -> None:
    assert verdict("x86_64", 0, arch=0x40000003) == KILL  # i386 calls
    assert verdict("x86_64", 0x40000000 | 41) == EPERM
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
    column = seccomp.ARCHITECTURES.index(machine)
    ours = numbers(machine) | {
        "clone": seccomp.CLONE[column],
        "clone3": seccomp.CLONE3,
        "kill": seccomp.KILL[column],
        "tgkill": seccomp.TGKILL[column],
        "prlimit64": seccomp.PRLIMIT[column],
        "seccomp": seccomp.SECCOMP_SYSCALL[machine],
    }
    newer = {name for name in ours if name not in kernel}
    assert newer <= {"fchmodat2", "memfd_secret", "process_madvise", "mount_setattr"}
    assert {name: kernel[name] for name in ours if name in kernel} == {
        name: number for name, number in ours.items() if name not in newer
    }
    known_absent = {name for name, n in seccomp.DENIED.items() if n[column] is None}
    assert not known_absent & kernel.keys()


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
