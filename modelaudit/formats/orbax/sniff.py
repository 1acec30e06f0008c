"""Detection of Orbax checkpoint directories by the names of their files."""

from __future__ import annotations

from collections.abc import Collection

# Files that Orbax writes, and by which Keras recognises a checkpoint.
MARKS = frozenset(
    (
        *("_CHECKPOINT_METADATA", "_METADATA", "manifest.ocdbt"),
        *("orbax.checkpoint", "pytree.orbax-checkpoint", "checkpoint_metadata"),
    )
)
UNFINISHED = ".orbax-checkpoint-tmp"  # part of the name of a directory while it is written


def is_orbax(names: Collection[str]) -> bool:
    """Whether a directory with these entries is an Orbax checkpoint, finished or not."""
    return not MARKS.isdisjoint(names) or any(UNFINISHED in name for name in names)
