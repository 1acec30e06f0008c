"""The user, capabilities and namespaces of the child: nobody else's, and none that it can use.

Other interpreters load this module too: Python 3.7 syntax, standard library only.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NOBODY = 65534  # the overflow uid and gid, which own no files
# A child of root becomes a user of its own: this number plus its process ID. Neither accounts nor
# containers use the numbers from 1,879,048,192 to 2,147,352,575 (see systemd, "Users and Groups").
OWN_USERS = 2_000_000_000
OWN_PROCESSES = 2048  # limit of processes and threads, if it counts for the child alone
CLONE_NEWIPC, CLONE_NEWUSER = 0x08000000, 0x10000000
PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 28, 38
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH = 1 << 2

LIBRARY = ctypes.CDLL(None, use_errno=True)  # libc; opened once, as each opening takes a while


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def attempt(step: Callable[[], None]) -> bool | str:
    """True if the step succeeds, else why not."""
    try:
        step()
    except (OSError, ValueError, AttributeError) as error:
        return str(error) or type(error).__name__
    return True


def prctl(option: int, value: int) -> None:
    """Change an attribute of this process.

    Raises:
        OSError: the kernel refuses.
    """
    if LIBRARY.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def drop_user(scratch: str, needed: Iterable[str], report: dict[str, bool | str]) -> None:
    """Switch to a user without files and capabilities.

    That user may be unable to read root's own files (an interpreter in /root, a model with mode
    0600). Then one capability is kept, to read files regardless of their mode; Landlock limits
    what it applies to. If root does not have it, as in a container, the model cannot be run.

    Raises:
        PermissionError: one of `needed` cannot be read; it would look like an error of the model.
    """
    if os.geteuid() != 0:
        report["unprivileged"] = True
        report["ipc-namespace"] = attempt(_own_namespaces)
        report["capabilities"] = attempt(lambda: set_capabilities(0, 0))
        return
    report["ipc-namespace"] = attempt(lambda: _unshare(CLONE_NEWIPC))
    user = _own_user()
    try:
        # The supervisor reads it, through its group if root cannot ignore file modes.
        Path(scratch).chmod(0o2750)
        os.umask(0o027)
        os.chown(scratch, user, os.getegid())
        # Capabilities then survive the change of user. access(2), with which TensorFlow checks
        # whether a file exists, uses the remaining ones and not only the user.
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(user, user, user)
        report["unprivileged"] = True
    except OSError as error:
        report["unprivileged"] = f"stays root: {error}"
    spare = CAP_DAC_READ_SEARCH & permitted() if report["unprivileged"] is True else 0
    dropped = attempt(lambda: set_capabilities(0, spare))
    closed = _first_closed(needed)
    kept = spare if closed is not None else 0
    if dropped is True:
        dropped = attempt(lambda: set_capabilities(kept, kept))
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
    if LIBRARY.unshare(namespaces) != 0:
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


def set_capabilities(effective: int, permitted: int) -> None:
    """Set the first 32 capabilities of this process, and drop all others.

    Raises:
        OSError: it does not have them.
    """
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)(_CapabilityData(effective, permitted, 0), _CapabilityData())
    if LIBRARY.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def permitted() -> int:
    """The first 32 permitted capabilities of this process."""
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    if LIBRARY.capget(ctypes.byref(header), data) != 0:
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


def below(paths: Iterable[str]) -> Iterator[str]:
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
