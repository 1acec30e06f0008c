"""Bubblewrap around a whole runtime: namespaces of its own, asked for by `--sandbox bwrap`.

Inside there is a file system with the interpreter, the system's libraries and the audited paths,
all read-only; no network, no other processes. The children still take on every layer of
`sandbox`: this one stands around them, and also holds where a kernel lacks Landlock.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from modelaudit.probe.child.sandbox import SYSTEM_READABLE

LAYER = "bubblewrap"  # its name among the layers of the sandbox
PROGRAM = "bwrap"
MISSING = "bubblewrap is not installed (apt-get install bubblewrap)"
SECONDS = 30.0
NAMESPACES = ("--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts")
# As root there is no user namespace; what the runtime needs to hand its children to `nobody`.
ROOT_NEEDS = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",  # the socket's directory, and to clean up what the children wrote
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
    """`command`, to be run by bubblewrap.

    Args:
        command: an interpreter's absolute path first.
        visible: absolute paths that it may read, beside the system's and the interpreter's.
        private: the one directory that it may write.

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
    for path in sorted(paths):  # a directory before what lies in it
        arguments += ["--ro-bind-try", path, path]
    arguments += ["--dev", "/dev", "--proc", "/proc"]
    arguments += ["--bind", str(private), str(private), "--remount-ro", "/"]
    return [*arguments, "--chdir", str(private), "--", *command]


def parent_directory_options(paths: Iterable[Path]) -> list[str]:
    """Options that make the directories above `paths`, so that every user can pass through."""
    options: list[str] = []
    for parent in sorted({parent for path in paths for parent in path.parents}):
        options += ["--perms", "0755", "--dir", str(parent)]
    return options


def _interpreter_paths(python: str) -> list[str]:
    """Where an interpreter keeps its programs, libraries and packages."""
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
        raise OSError(f"it does not tell its paths: {done.stderr[-200:]!r}") from error
    return [path for path in found if isinstance(path, str)]


def unavailable_reason() -> str:
    """Why bubblewrap cannot be used on this machine, or "" where it can: it is tried."""
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
    said = done.stderr.strip()[-300:] or f"it ended with code {done.returncode}"
    return f"{said} (containers often forbid namespaces; the other layers need none)"
