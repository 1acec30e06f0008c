"""What only a look at all models together shows: the same model twice, generations mixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
BREAKING = "breaking-version"  # the rule that holds a version against the one before it


@dataclass(frozen=True, slots=True)
class Together:
    """One thing about several models.

    `kind` is a word for programs: `same-content`, `same-weights`, `mixed-keras` or
    `breaking-version`. `models` are their paths.
    """

    kind: str
    title: str
    detail: str
    models: tuple[str, ...]


def together(rows: Sequence[Row]) -> tuple[Together, ...]:
    """What rows of a run (`path`, `sha256`, `weights`, `saved_with`, `findings`) say together."""
    return (*_same_content(rows), *_same_weights(rows), *_mixed_keras(rows), *_breaking(rows))


def news(before: Sequence[Together], after: Sequence[Together]) -> tuple[Together, ...]:
    """What was not known before: of mixed generations the fact, of all else the models."""
    kinds = {known.kind for known in before}
    groups: dict[tuple[str, str], list[frozenset[str]]] = {}  # that a model was in, by kind
    for known in before:
        models = frozenset(known.models)
        for model in models:
            groups.setdefault((known.kind, model), []).append(models)

    def was_known(each: Together) -> bool:
        if each.kind == "mixed-keras":
            return each.kind in kinds
        return any(
            models.issuperset(each.models) for models in groups.get((each.kind, each.models[0]), ())
        )

    return tuple(each for each in after if not was_known(each))


def _groups(rows: Iterable[Row], key: str) -> list[list[Row]]:
    """Rows that share what they have under `key` with others, by the first path."""
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: str(row["path"])):
        if row.get(key):
            groups.setdefault(str(row[key]), []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def _paths(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(sorted(str(row["path"]) for row in rows))


def _same_content(rows: Sequence[Row]) -> list[Together]:
    """Models whose bytes are the same, whatever they are called."""
    return [
        Together(
            "same-content",
            f"{len(group)} models are byte for byte the same",
            "One of them may have been meant to be another model, or was copied over it.",
            _paths(group),
        )
        for group in _groups(rows, "sha256")
    ]


def _same_weights(rows: Sequence[Row]) -> list[Together]:
    """Models whose files differ and whose weights do not: saved again, converted, or changed."""
    return [
        Together(
            "same-weights",
            f"{len(group)} models hold the same weights in files that differ",
            "The stored weights are equal; architecture, code and settings may still differ. "
            "The report of each says what it does with them.",
            _paths(group),
        )
        for group in _groups((row for row in rows if row.get("sha256")), "weights")
        if len({row["sha256"] for row in group}) > 1
    ]


def _mixed_keras(rows: Sequence[Row]) -> list[Together]:
    """Models of Keras 3 beside models of an older Keras."""
    generations: dict[bool, list[Row]] = {}
    for row in rows:
        saved = row.get("saved_with")
        version = str(saved.get("keras") or "") if isinstance(saved, Mapping) else ""
        major = version.partition(".")[0]
        if major.isdecimal():
            generations.setdefault(int(major) >= 3, []).append(row)
    if len(generations) < 2:
        return []
    new, old = generations[True], generations[False]
    return [
        Together(
            "mixed-keras",
            f"{len(new)} saved by Keras 3 and {len(old)} by an older Keras",
            "No one Keras loads all of both; listed are those of the rarer generation. "
            "The reports say which runtime loads each.",
            _paths(new if len(new) < len(old) else old),
        )
    ]


def _breaking(rows: Sequence[Row]) -> list[Together]:
    """Versions that callers of the version before cannot call."""
    found = [row for row in rows if any(_breaks(each) for each in row.get("findings") or ())]
    if not found:
        return []
    what = "1 version breaks" if len(found) == 1 else f"{len(found)} versions break"
    return [
        Together(
            BREAKING,
            f"{what} callers of the version before",
            "The report of each says which inputs or outputs changed.",
            _paths(found),
        )
    ]


def _breaks(finding: Mapping[str, Any]) -> bool:
    return finding.get("name") == BREAKING and not finding.get("waived_by")
