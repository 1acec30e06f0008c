"""Running a whole runtime in bubblewrap (`--sandbox bwrap`).

Bubblewrap provides a file system with the interpreter, the system's libraries and the audited
paths, all read-only; no network and no other processes. Children still enable all layers of
`sandbox`; bubblewrap is an additional layer that also works on kernels without Landlock.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from modelaudit.probe.child.sandbox import SYSTEM_READABLE

LAYER = "bubblewrap"  # its name in sandbox reports
PROGRAM = "bwrap"
MISSING = "bubblewrap is not installed (apt-get install bubblewrap)"
SECONDS = 30.0
NAMESPACES = ("--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts")
# Capabilities of root, for which no user namespace is used; needed to run children as `nobody`.
ROOT_NEEDS = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",  # for the socket's directory, and to remove files of the children
    "CAP_DAC_READ_SEARCH",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
)
ASK_PATHS = (
    "import json, sys;"
    "print(json.dumps([sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix,"
    " *sys.path]))"
)


def bubblewrap_command(command: list[str], visible: Iterable[Path], private: Path) -> list[str]:
    """The command that runs `command` in bubblewrap.

    Args:
        command: starts with the absolute path of an interpreter.
        visible: absolute paths that are readable, besides those of the system and interpreter.
        private: the only writable directory.

    Raises:
        OSError: bubblewrap is not installed, or the interpreter does not start.
    """
    if shutil.which(PROGRAM) is None:
        raise OSError(MISSING)
    own = [path for path in SYSTEM_READABLE if not path.startswith(("/proc", "/dev"))]
    own += os.environ.get("LD_LIBRARY_PATH", "").split(":")
    paths = {*own, *_interpreter_paths(command[0]), *map(os.fspath, visible)}
    paths = {path for path in paths if Path(path).is_absolute()}
    arguments = [PROGRAM, *NAMESPACES, "--new-session"]
    if os.geteuid() == 0:
        arguments += ["--cap-drop", "ALL"]
        for capability in ROOT_NEEDS:
            arguments += ["--cap-add", capability]
    arguments += parent_directory_options([*map(Path, paths), private])
    for path in sorted(paths):  # directories before their contents
        arguments += ["--ro-bind-try", path, path]
    arguments += ["--dev", "/dev", "--proc", "/proc"]
    arguments += ["--bind", str(private), str(private), "--remount-ro", "/"]
    return [*arguments, "--chdir", str(private), "--", *command]


def parent_directory_options(paths: Iterable[Path]) -> list[str]:
    """Options that create the parent directories of `paths`, accessible to all users."""
    options: list[str] = []
    for parent in sorted({parent for path in paths for parent in path.parents}):
        options += ["--perms", "0755", "--dir", str(parent)]
    return options


def _interpreter_paths(python: str) -> list[str]:
    """Directories of an interpreter's programs, libraries and packages."""
    done = subprocess.run(
        [python, "-E", "-c", ASK_PATHS],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        found = json.loads(done.stdout)
    except ValueError as error:
        raise OSError(f"it does not report its paths: {done.stderr[-200:]!r}") from error
    return [path for path in found if isinstance(path, str)]


def unavailable_reason() -> str:
    """Try bubblewrap; return why it cannot be used on this machine, or ""."""
    command = [PROGRAM, *NAMESPACES, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    try:
        done = subprocess.run(
            [*command, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return MISSING
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip()[-300:] or f"exit code {done.returncode}"
    return f"{said} (containers often forbid namespaces; the other layers do not need them)"
