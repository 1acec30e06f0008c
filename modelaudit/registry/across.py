"""What only a look at all models together shows: the same model twice, generations mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Together:
    """One thing about several models.

    `kind` is a word for programs: `same-content` or `mixed-keras`. `models` are their paths.
    """

    kind: str
    title: str
    detail: str
    models: tuple[str, ...]


def together(rows: Sequence[Row]) -> tuple[Together, ...]:
    """What rows of a run (`path`, `sha256`, `saved_with`) say together."""
    return (*_same_content(rows), *_mixed_keras(rows))


def _same_content(rows: Sequence[Row]) -> list[Together]:
    """Models whose bytes are the same, whatever they are called."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        if row.get("sha256"):
            groups.setdefault(str(row["sha256"]), []).append(str(row["path"]))
    return [
        Together(
            "same-content",
            f"{len(paths)} models are byte for byte the same",
            "One of them may have been meant to be another model, or was copied over it.",
            tuple(sorted(paths)),
        )
        for _, paths in sorted(groups.items(), key=lambda item: min(item[1]))
        if len(paths) > 1
    ]


def _mixed_keras(rows: Sequence[Row]) -> list[Together]:
    """Models of Keras 3 beside models of an older Keras."""
    generations: dict[bool, list[str]] = {}
    for row in rows:
        saved = row.get("saved_with")
        version = str(saved.get("keras") or "") if isinstance(saved, Mapping) else ""
        major = version.partition(".")[0]
        if major.isdecimal():
            generations.setdefault(int(major) >= 3, []).append(str(row["path"]))
    if len(generations) < 2:
        return []
    new, old = generations[True], generations[False]
    few = min((new, old), key=len)
    return [
        Together(
            "mixed-keras",
            f"{len(new)} saved by Keras 3 and {len(old)} by an older Keras",
            "No one Keras loads all of both; listed are those of the rarer generation. "
            "The reports say which runtime loads each.",
            tuple(sorted(few)),
        )
    ]
