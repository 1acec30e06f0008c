"""Where the architecture of a weights file is searched."""

from __future__ import annotations

from pathlib import Path

NAMES = ("model.json", "architecture.json", "config.json")


def own_names(root: Path) -> tuple[str, ...]:
    """Names of JSON files that hold the architecture of a weights file in their directory."""
    return tuple(dict.fromkeys((f"{root.name.partition('.')[0]}.json", *NAMES)))


def likely_names(root: Path) -> tuple[str, ...]:
    """Names of JSON files that may hold it.

    A saved model of a likely name is none: it may be an earlier version with other activations.

    `model_weights.h5` goes with `model_architecture.json`, `weights2.h5` with `model2.json`.
    """
    stem = root.name.partition(".")[0]
    stems = dict.fromkeys(
        (
            *(stem, stem.replace("weights", "model"), stem.replace("weights", "architecture")),
            stem.removesuffix("weights").rstrip("_-") or stem,
        )
    )
    names = (f"{each}{suffix}" for suffix in (".json", "_architecture.json") for each in stems)
    return tuple(name for name in names if name not in {root.name, *own_names(root)})


def architecture_names(root: Path) -> tuple[str, ...]:
    """All names under which the architecture of a weights file is searched, in this order."""
    return own_names(root) + likely_names(root)
