"""Limit on the total size of a child's files, since the limit on file size is per file."""

from __future__ import annotations

import os
from pathlib import Path

ENTRIES = 10_000  # maximum number of files and directories of a child
DEEPEST = 100  # maximum nesting of its directories
BLOCK = 512  # unit of st_blocks in bytes, on all systems


def excess(folder: Path, limit: int) -> str:
    """Why the contents of `folder` exceed a limit, or "".

    Links are not followed, and the search stops at the first excess. A directory that cannot be
    read, or has too long a path, could hide its contents and counts as an excess.

    Args:
        folder: a child's private directory.
        limit: maximum total size of all files on disk, in bytes.
    """
    used = entries = 0
    pending = [(os.fspath(folder), 0)]
    while pending:
        path, depth = pending.pop()
        if depth > DEEPEST:
            return f"nested more than {DEEPEST} directories"
        try:
            with os.scandir(path) as listing:
                for entry in listing:
                    entries += 1
                    used += entry.stat(follow_symlinks=False).st_blocks * BLOCK
                    if used > limit:
                        return f"wrote more than {limit:,} bytes of files"
                    if entries > ENTRIES:
                        return f"made more than {ENTRIES:,} files"
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, depth + 1))
        except (FileNotFoundError, NotADirectoryError):  # removed in the meantime
            continue
        except OSError:
            return "made a directory unreadable to the supervisor"
    return ""
