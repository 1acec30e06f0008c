"""Permanent restrictions of the child, applied before it opens a model.

The layers are independent: if the kernel lacks one, the others still apply, and the report says
which one is missing and why. The order matters: steps that need privileges come before privileges
are dropped, and the system call filter, which forbids many of these steps, comes last.

Other interpreters load this module too: Python 3.7 syntax, standard library only.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import landlock, seccomp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

NOBODY = 65534  # the overflow uid and gid, which own no files
# A child of root becomes a user of its own: this number plus its process ID. Neither accounts nor
# containers use the numbers from 1,879,048,192 to 2,147,352,575 (see systemd, "Users and Groups").
OWN_USERS = 2_000_000_000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 4, 28, 38
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH = 1 << 2

# Files that TensorFlow, its thread pools and libc read; none is secret or writable.
SYSTEM_READABLE = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
)
DEVICES = ("/dev/null",)

# Threads count as processes of their user, who may have others unless the child is its own user.
OWN_PROCESSES, SHARED_PROCESSES = 2048, 4096
CLONE_NEWIPC, CLONE_NEWUSER = 0x08000000, 0x10000000

LAYERS = (
    "limits",
    "unprivileged",
    "ipc-namespace",
    "capabilities",
    "no-new-privileges",
    "not-dumpable",
    "dies-with-parent",
    "landlock",
    "landlock-network",
    "landlock-signals",
    "seccomp",
)
REQUIRED = ("limits", "landlock", "seccomp")  # for --require-sandbox


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def enter(policy: Mapping[str, Any]) -> dict[str, bool | str]:
    """Restrict this process permanently.

    Args:
        policy: `readable` and `listable` (lists of paths), `scratch` (the only writable directory,
            which becomes home, temporary and working directory), `address_space` (bytes in
            addition to those mapped now), `cpu` (seconds), `file_size` (bytes), `parent` (its
            process ID, optional: this process ends if that has ended).

    Returns:
        Layer of `LAYERS` -> True if it is in effect, else the reason why it is not.

    Raises:
        PermissionError: the unprivileged user cannot read files that running a model needs.
    """
    report: dict[str, bool | str] = {}
    scratch = str(policy["scratch"])
    with contextlib.suppress(OSError):  # it leads a session already
        os.setsid()
    os.umask(0o077)
    report["limits"] = _attempt(lambda: _limit(policy))
    if not sys.platform.startswith("linux"):
        for layer in LAYERS[1:]:
            report[layer] = f"needs Linux, this is {sys.platform}"
        _settle(scratch)
        return report
    readable = [*SYSTEM_READABLE, *_interpreter_paths(), *policy["readable"]]
    _drop_user(scratch, [*_interpreter_files(), *_below(policy["readable"])], report)
    _settle(scratch)
    report["no-new-privileges"] = _attempt(lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1))
    report["not-dumpable"] = _attempt(lambda: _prctl(PR_SET_DUMPABLE, 0))
    # Changing the user clears this signal, so it is set afterwards.
    report["dies-with-parent"] = _attempt(lambda: _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL)))
    if policy.get("parent", os.getppid()) != os.getppid():  # it ended before that
        os._exit(1)
    _restrict_files(readable, policy["listable"], scratch, report)
    report["seccomp"] = _attempt(seccomp.restrict)
    return report


def _attempt(step: Callable[[], None]) -> bool | str:
    try:
        step()
    except (OSError, ValueError, AttributeError) as error:
        return str(error) or type(error).__name__
    return True


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _limit(policy: Mapping[str, Any]) -> None:
    """Limits of last resort; the supervisor monitors time and memory more closely."""
    cpu = int(policy["cpu"])
    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, int(policy["file_size"])),
        (resource.RLIMIT_NOFILE, 256),  # deleted open files are not counted by the disk limit
        (resource.RLIMIT_NPROC, SHARED_PROCESSES),
        (resource.RLIMIT_SIGPENDING, 64),  # counted for all processes of the user, as the next
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ]
    mapped = _mapped_bytes()
    if mapped is not None:
        wanted.append((resource.RLIMIT_AS, mapped + int(policy["address_space"])))
    for which, value in wanted:
        _, hard = resource.getrlimit(which)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # At the hard CPU limit the kernel kills; at the soft limit it sends SIGXCPU.
        soft = max(bound - 1, 1) if which == resource.RLIMIT_CPU else bound
        resource.setrlimit(which, (soft, bound))
    if mapped is None:
        raise OSError("memory cannot be limited without /proc")


def _mapped_bytes() -> int | None:
    """Address space in use; TensorFlow maps gigabytes that it never touches."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def _drop_user(scratch: str, needed: Iterable[str], report: dict[str, bool | str]) -> None:
    """Switch to a user without files and capabilities.

    That user may be unable to read root's own files (an interpreter in /root, a model with mode
    0600). Then one capability is kept, to read files regardless of their mode; Landlock limits
    what it applies to. If root does not have it, as in a container, the model cannot be run.

    Raises:
        PermissionError: one of `needed` cannot be read; it would look like an error of the model.
    """
    if os.geteuid() != 0:
        report["unprivileged"] = True
        report["ipc-namespace"] = _attempt(_own_namespaces)
        report["capabilities"] = _attempt(lambda: _set_capabilities(0, 0))
        return
    report["ipc-namespace"] = _attempt(lambda: _unshare(CLONE_NEWIPC))
    user = _own_user()
    try:
        # The supervisor reads it, through its group if root cannot ignore file modes.
        Path(scratch).chmod(0o2750)
        os.umask(0o027)
        os.chown(scratch, user, os.getegid())
        # Capabilities then survive the change of user. access(2), with which TensorFlow checks
        # whether a file exists, uses the remaining ones and not only the user.
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(user, user, user)
        report["unprivileged"] = True
    except OSError as error:
        report["unprivileged"] = f"stays root: {error}"
    spare = CAP_DAC_READ_SEARCH & _permitted() if report["unprivileged"] is True else 0
    dropped = _attempt(lambda: _set_capabilities(0, spare))
    closed = _first_closed(needed)
    kept = spare if closed is not None else 0
    if dropped is True:
        dropped = _attempt(lambda: _set_capabilities(kept, kept))
    if closed is not None and not kept and report["unprivileged"] is True:
        raise PermissionError(
            f"models run as an unprivileged user who cannot read {closed}, and root lacks "
            "CAP_DAC_READ_SEARCH here, which would allow it: run modelaudit as a user other than "
            f"root, or make {closed} readable for all users"
        )
    if dropped is True and kept:
        dropped = f"keeps CAP_DAC_READ_SEARCH: other users cannot read {closed}"
    report["capabilities"] = dropped


def _own_user() -> int:
    """A user ID that no other process has; `NOBODY` where a container maps no such numbers."""
    wanted = OWN_USERS + os.getpid()
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/uid_map").read_text().splitlines():
            first, _, count = map(int, line.split())
            if first <= wanted < first + count:
                _limit_processes()
                return wanted
    return NOBODY


def _limit_processes() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = OWN_PROCESSES if hard == resource.RLIM_INFINITY else min(hard, OWN_PROCESSES)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _unshare(namespaces: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(namespaces) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _own_namespaces() -> None:
    """Enter a user namespace, in which limits count for this child alone, and an IPC namespace.

    The kernel then grants all capabilities in these namespaces; the caller drops them.
    """
    user, group = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER | CLONE_NEWIPC)
    _limit_processes()
    with contextlib.suppress(OSError):  # without these, only the names of users are unknown
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _set_capabilities(effective: int, permitted: int) -> None:
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)(_CapabilityData(effective, permitted, 0), _CapabilityData())
    library = ctypes.CDLL(None, use_errno=True)
    if library.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _permitted() -> int:
    """The first 32 permitted capabilities of this process."""
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    library = ctypes.CDLL(None, use_errno=True)
    if library.capget(ctypes.byref(header), data) != 0:
        return 0
    return int(data[0].permitted)


def _first_closed(paths: Iterable[str]) -> str | None:
    """The first of `paths` that this user cannot open, else None."""
    for path in paths:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except PermissionError:
            return path
        except OSError:
            continue
    return None


def _below(paths: Iterable[str]) -> Iterator[str]:
    """`paths` and their contents, of a hostile directory tree only the first thousand.

    If a later one is unreadable, loading fails with its name.
    """
    waiting, seen = collections.deque(paths), 0
    while waiting and seen < 1000:
        path = waiting.popleft()
        yield path
        seen += 1
        if not Path(path).is_symlink():
            with contextlib.suppress(OSError):
                waiting += map(str, Path(path).iterdir())


def _interpreter_files() -> Iterator[str]:
    """One file of the standard library and of each package, and their directories.

    An import lists the directory before it opens the file.
    """
    for name in ("os", "encodings", "numpy", "h5py", "tensorflow", "keras", "tf_keras"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            yield str(Path(file).parent)
            yield str(file)


def _interpreter_paths() -> list[str]:
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *sys.path}
    return sorted(path for path in paths if path and os.path.realpath(path) != "/")


def _settle(scratch: str) -> None:
    """Use the private directory as home, temporary and working directory."""
    for name in ("HOME", "TMPDIR", "KERAS_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = scratch
    tempfile.tempdir = scratch
    os.chdir(scratch)


def _restrict_files(
    readable: list[str], listable: list[str], scratch: str, report: dict[str, bool | str]
) -> None:
    try:
        version = landlock.restrict(
            readable=readable, listable=listable, devices=DEVICES, writable=[scratch]
        )
    except OSError as error:
        for layer in ("landlock", "landlock-network", "landlock-signals"):
            report[layer] = f"not available: {error}"
        return
    report["landlock"] = True
    for layer, since in (("landlock-network", 4), ("landlock-signals", 6)):
        report[layer] = version >= since or f"the kernel has Landlock {version}, needs {since}"
