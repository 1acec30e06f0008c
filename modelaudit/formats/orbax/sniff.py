"""Telling Orbax checkpoint directories by the names in them."""

from __future__ import annotations

from collections.abc import Collection

# Written by Orbax itself, and what Keras takes for its mark.
MARKS = frozenset(
    (
        *("_CHECKPOINT_METADATA", "_METADATA", "manifest.ocdbt"),
        *("orbax.checkpoint", "pytree.orbax-checkpoint", "checkpoint_metadata"),
    )
)
UNFINISHED = ".orbax-checkpoint-tmp"  # within the name of a directory that is being written


def is_orbax(names: Collection[str]) -> bool:
    """Whether a directory that holds these names is an Orbax checkpoint (or has one begun)."""
    return not MARKS.isdisjoint(names) or any(UNFINISHED in name for name in names)
