"""Run a command as an unprivileged user when the tests are run by root."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from modelaudit.probe.host import bubblewrap

USER = 12345


def command(argv: list[str], needed: Iterable[Path]) -> list[str]:
    """The command that runs `argv` as user `USER`, with access to `needed` and the interpreter.

    That user cannot access an interpreter below root's home. The command then gets a mount
    namespace in which the directories on the path are accessible.

    Raises:
        LookupError: this is not possible here, with the reason.
    """
    change = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    if shutil.which("setpriv") is None:
        raise LookupError("no setpriv here (util-linux)")
    closed = {door for path in [*_interpreter(), *needed] for door in _closed_above(path)}
    if not closed:
        return [*change, *argv]
    if reason := bubblewrap.unavailable_reason():
        raise LookupError(f"{min(closed)} is closed to other users, and bubblewrap: {reason}")
    opened = ["bwrap", "--dev-bind", "/", "/"]
    for door in sorted(closed):
        opened += ["--tmpfs", str(door)]
    behind = [path.resolve() for path in [*_interpreter(), *needed] if _closed_above(path)]
    opened += bubblewrap.parent_directory_options(behind)
    for path in behind:
        opened += ["--bind", str(path), str(path)]
    return [*opened, "--", *change, *argv]


def _interpreter() -> list[Path]:
    prefixes = {sys.prefix, sys.base_prefix}
    return [Path(os.path.realpath(prefix)) for prefix in sorted(prefixes)]


def _closed_above(path: Path) -> list[Path]:
    """Directories above `path` that other users cannot enter."""
    return [parent for parent in path.resolve().parents if not parent.stat().st_mode & 0o001]
