"""Where the architecture of a weights file is searched."""

from __future__ import annotations

from pathlib import Path

NAMES = ("model.json", "architecture.json", "config.json")


def architecture_names(root: Path) -> tuple[str, ...]:
    """File names under which the architecture of a weights file is searched."""
    return tuple(dict.fromkeys((f"{root.name.partition('.')[0]}.json", *NAMES)))
