"""Where the architecture of a weights file is searched."""

from __future__ import annotations

import re
from pathlib import Path

NAMES = ("model.json", "architecture.json", "config.json")
_WORD = re.compile(r"[_-]?weights")


def own_name(root: Path) -> str:
    """The name of the JSON file that holds the architecture of this weights file."""
    return f"{root.name.partition('.')[0]}.json"


def common_names(root: Path) -> tuple[str, ...]:
    """Names of JSON files that hold the architecture of some weights file in their directory."""
    return tuple(name for name in NAMES if name != own_name(root))


def likely_names(root: Path) -> tuple[str, ...]:
    """Names of JSON files that may hold it.

    A saved model of a likely name is none: it may be an earlier version with other activations.

    `model_weights.h5` goes with `model_architecture.json`, `weights2.h5` with `model2.json`, and
    `model_weights_a.h5` with `model_a.json`.
    """
    stem = root.name.partition(".")[0]
    stems = dict.fromkeys(
        (
            *(stem, stem.replace("weights", "model"), stem.replace("weights", "architecture")),
            _WORD.sub("", stem, count=1).strip("_-") or stem,
        )
    )
    names = (f"{each}{suffix}" for suffix in (".json", "_architecture.json") for each in stems)
    return tuple(name for name in names if name not in {root.name, own_name(root), *NAMES})


def architecture_names(root: Path) -> tuple[str, ...]:
    """All names under which the architecture of a weights file is searched, in this order."""
    return (own_name(root), *likely_names(root), *common_names(root))
