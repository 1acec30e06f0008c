"""Limit on the total size of a child's files, since the limit on file size is per file."""

from __future__ import annotations

import os
from pathlib import Path

ENTRIES = 10_000  # maximum number of files and directories of a child
BLOCK = 512  # unit of st_blocks in bytes, on all systems


def excess(folder: Path, limit: int) -> str:
    """Why the contents of `folder` exceed a limit, or "".

    Links are not followed, and the search stops at the first excess. An unreadable directory
    could hide its contents and counts as an excess.

    Args:
        folder: a child's private directory.
        limit: maximum total size of all files on disk, in bytes.
    """
    used = entries = 0
    pending = [os.fspath(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as listing:
                for entry in listing:
                    entries += 1
                    used += entry.stat(follow_symlinks=False).st_blocks * BLOCK
                    if used > limit:
                        return f"wrote more than {limit:,} bytes of files"
                    if entries > ENTRIES:
                        return f"made more than {ENTRIES:,} files"
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except PermissionError:
            return "made a directory unreadable to the supervisor"
        except OSError:  # removed in the meantime
            continue
    return ""
