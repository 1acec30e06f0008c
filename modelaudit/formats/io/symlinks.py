"""Symbolic links in models: a target must be inside the model or its Hugging Face blobs."""

from __future__ import annotations

import re
from pathlib import Path

_REPOSITORY = re.compile(r"(?:models|datasets|spaces)--.+")


def hub_blobs(path: Path) -> Path | None:
    """Directory of the blobs of a model in the Hugging Face cache; None outside such a cache.

    The cache stores `models--ORG--NAME/snapshots/REVISION/…` as links into the sibling directory
    `blobs` of `snapshots`. No other directory counts, and `blobs` must not be a link itself.

    Args:
        path: a snapshot, or a directory or file in it.
    """
    place = path.resolve()
    for snapshots in place.parents:
        if snapshots.name == "snapshots" and _REPOSITORY.fullmatch(snapshots.parent.name):
            blobs = snapshots.parent / "blobs"
            return blobs if blobs.is_dir() and not blobs.is_symlink() else None
    return None


def is_inside(path: Path, root: Path) -> bool:
    """Whether `path`, with all links resolved, is inside `root` or in the blobs of `root`."""
    try:
        target = path.resolve()
        if target.is_relative_to(root.resolve()):
            return True
        blobs = hub_blobs(root)
    except (OSError, RuntimeError):  # a cycle of links
        return False
    return blobs is not None and target.is_relative_to(blobs)
