"""Symbolic links in models: they lead to files of the model itself, or nowhere."""

from __future__ import annotations

import re
from pathlib import Path

_REPOSITORY = re.compile(r"(?:models|datasets|spaces)--.+")


def hub_blobs(path: Path) -> Path | None:
    """Where the files of a model in a Hugging Face cache really lie; None for one elsewhere.

    The cache keeps `models--ORG--NAME/snapshots/REVISION/…` as links into the `blobs` directory
    beside `snapshots`. That directory alone counts, and only where it is none of another name's.

    Args:
        path: a directory or file in a snapshot, or a snapshot itself.
    """
    place = path.resolve()
    for snapshots in place.parents:
        if snapshots.name == "snapshots" and _REPOSITORY.fullmatch(snapshots.parent.name):
            blobs = snapshots.parent / "blobs"
            return blobs if blobs.is_dir() and not blobs.is_symlink() else None
    return None


def is_inside(path: Path, root: Path) -> bool:
    """Whether `path`, all links followed, lies below `root` or in the blobs that `root` is of."""
    try:
        target = path.resolve()
        if target.is_relative_to(root.resolve()):
            return True
        blobs = hub_blobs(root)
    except (OSError, RuntimeError):  # a loop of links
        return False
    return blobs is not None and target.is_relative_to(blobs)
