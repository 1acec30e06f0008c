"""How much a child has written: a limit on file size bounds one file, not their number."""

from __future__ import annotations

import os
from pathlib import Path

ENTRIES = 10_000  # files and directories that a child may make
BLOCK = 512  # bytes, the unit of st_blocks on every system


def excess(folder: Path, limit: int) -> str:
    """Why what lies below `folder` is too much, or "" where it is not.

    Nothing is followed out of the folder, and the search ends with the first excess. A directory
    that cannot be looked into hides what is in it, which counts as one.

    Args:
        folder: a child's private directory.
        limit: bytes on the disk that are allowed, all files together.
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
            return "closed a directory of files to the supervisor"
        except OSError:  # gone in the meantime
            continue
    return ""
