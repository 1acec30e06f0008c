"""Permanent restrictions of the child, applied before it opens a model.

The layers are independent: if the kernel lacks one, the others still apply, and the report says
which one is missing and why. The order matters: steps that need privileges come before privileges
are dropped, and the system call filter, which forbids many of these steps, comes last.

Other interpreters load this module too: Python 3.7 syntax, standard library only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import landlock, seccomp
from .unprivileged import PR_SET_NO_NEW_PRIVS, attempt, below, drop_user, prctl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4

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

# Threads count as processes. The user may have others; see `unprivileged.OWN_PROCESSES`.
SHARED_PROCESSES = 4096

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
    report["limits"] = attempt(lambda: _limit(policy))
    if not sys.platform.startswith("linux"):
        for layer in LAYERS[1:]:
            report[layer] = f"needs Linux, this is {sys.platform}"
        _settle(scratch)
        return report
    readable = [*SYSTEM_READABLE, *_interpreter_paths(), *policy["readable"]]
    drop_user(scratch, [*_interpreter_files(), *below(policy["readable"])], report)
    _settle(scratch)
    report["no-new-privileges"] = attempt(lambda: prctl(PR_SET_NO_NEW_PRIVS, 1))
    report["not-dumpable"] = attempt(lambda: prctl(PR_SET_DUMPABLE, 0))
    # Changing the user clears this signal, so it is set afterwards.
    report["dies-with-parent"] = attempt(lambda: prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL)))
    if policy.get("parent", os.getppid()) != os.getppid():  # it ended before that
        os._exit(1)
    _restrict_files(readable, policy["listable"], scratch, report)
    report["seccomp"] = attempt(seccomp.restrict)
    return report


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
