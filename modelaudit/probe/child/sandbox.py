"""The child's restrictions, taken on before it touches a model; there is no way back.

Each layer stands alone: where the kernel lacks one, the others still hold, and the report says
which is missing and why. Order matters: what needs privileges comes before they are given up,
and the system call filter, which forbids much of this very code, comes last.

Python 3.7 syntax and the standard library only: foreign interpreters load this file too.
"""

from __future__ import annotations

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

NOBODY = 65534  # the overflow uid and gid, which own nothing

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 4, 28, 38
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH = 1 << 2

# Looked up by TensorFlow, its thread pools and libc; nothing here is secret or writable.
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

LAYERS = (
    "limits",
    "unprivileged",
    "capabilities",
    "no-new-privileges",
    "not-dumpable",
    "dies-with-parent",
    "landlock",
    "landlock-network",
    "landlock-signals",
    "seccomp",
)
REQUIRED = ("limits", "landlock", "seccomp")  # what --require-sandbox insists on


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def enter(policy: Mapping[str, Any]) -> dict[str, bool | str]:
    """Restrict this process for good.

    Args:
        policy: `readable` and `listable` (lists of paths), `scratch` (the one writable
            directory, which becomes home, temporary and working directory),
            `address_space` (bytes beyond what is mapped now), `cpu` (seconds), `file_size` (bytes).

    Returns:
        Each layer of `LAYERS` -> True where it is in force, else the reason why it is not.

    Raises:
        PermissionError: what a model needs to run is closed to the user that it would run as.
    """
    report: dict[str, bool | str] = {}
    scratch = str(policy["scratch"])
    with contextlib.suppress(OSError):  # already the leader of a session
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
    # Changing the user clears this signal, so it is set only now.
    report["dies-with-parent"] = _attempt(lambda: _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL)))
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
    """Bounds of last resort; the supervisor watches time and resident memory more closely."""
    cpu = int(policy["cpu"])
    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, int(policy["file_size"])),
        (resource.RLIMIT_NOFILE, 256),  # a deleted file that is open is out of sight
        (resource.RLIMIT_NPROC, 4096),
    ]
    mapped = _mapped_bytes()
    if mapped is not None:
        wanted.append((resource.RLIMIT_AS, mapped + int(policy["address_space"])))
    for which, value in wanted:
        _, hard = resource.getrlimit(which)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # At the hard limit on time the kernel kills; at the soft one it says why (SIGXCPU).
        soft = max(bound - 1, 1) if which == resource.RLIMIT_CPU else bound
        resource.setrlimit(which, (soft, bound))
    if mapped is None:
        raise OSError("no bound on memory: it needs /proc")


def _mapped_bytes() -> int | None:
    """Address space in use: TensorFlow maps gigabytes that it never touches."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def _drop_user(scratch: str, needed: Iterable[str], report: dict[str, bool | str]) -> None:
    """Become a user who owns nothing and has no capability.

    Root's own files (an interpreter below /root, a model with mode 0600) may be closed to that
    user. Then one capability stays, to read past file modes; Landlock bounds what it reaches.
    Where root itself has not got it, as in a container, there is no use in going on.

    Raises:
        PermissionError: one of `needed` cannot be read, which would look like a fault of the model.
    """
    if os.geteuid() != 0:
        report["unprivileged"] = True
        report["capabilities"] = _attempt(lambda: _set_capabilities(0, 0))
        return
    try:
        # The supervisor looks into it, by its group where root cannot read past file modes.
        Path(scratch).chmod(0o2750)
        os.umask(0o027)
        os.chown(scratch, NOBODY, os.getegid())
        # Capabilities then outlive the change of user, and access(2), by which TensorFlow asks
        # whether a file exists, looks at those that are left and not at the user alone.
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
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
            f"run modelaudit as another user than root, or open {closed} to all users: models are "
            "run as a user without rights, to whom it is closed, and root has no "
            "CAP_DAC_READ_SEARCH here to leave to that user"
        )
    if dropped is True and kept:
        dropped = f"keeps CAP_DAC_READ_SEARCH: {closed} is closed to other users"
    report["capabilities"] = dropped


def _set_capabilities(effective: int, permitted: int) -> None:
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)(_CapabilityData(effective, permitted, 0), _CapabilityData())
    library = ctypes.CDLL(None, use_errno=True)
    if library.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _permitted() -> int:
    """The first 32 capabilities that this process may use."""
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    library = ctypes.CDLL(None, use_errno=True)
    if library.capget(ctypes.byref(header), data) != 0:
        return 0
    return int(data[0].permitted)


def _first_closed(paths: Iterable[str]) -> str | None:
    """The first of `paths` that this user cannot open."""
    for path in paths:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except PermissionError:
            return path
        except OSError:
            continue
    return None


def _below(paths: Iterable[str]) -> Iterator[str]:
    """`paths`, and what lies below them.

    A hostile directory tree is not walked to its end: past a thousand entries loading then fails
    with the file's name.
    """
    seen = 0
    for path in paths:
        yield path
        for folder, folders, names in os.walk(path):
            yield from (str(Path(folder, name)) for name in folders + names)
            seen += len(folders) + len(names)
            if seen > 1000:
                break


def _interpreter_files() -> Iterator[str]:
    """A file of the standard library and one of each package, with their directories.

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
    """Make the private directory home, temporary and working directory."""
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
        report[layer] = version >= since or f"kernel has Landlock {version}, this needs {since}"
