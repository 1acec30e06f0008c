"""Results of discovery: models, things that look like models, and paths not searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from modelaudit.facts import Format, Problem, Signature


class ModelCandidate(Struct, frozen=True):
    """One model, or a file that its name claims to be one.

    Attributes:
        path: absolute: a file, a directory (SavedModel) or the prefix of a checkpoint.
        relative: the same as POSIX text, relative to `Discovery.root`.
        format: determined from the content.
        series: TF-Serving's base directory (relative), if this is one version of a model.
        version: its number in that series; TF-Serving serves the highest.
        aliases: further relative paths of the same files (hard or symbolic links).
        origin: where it comes from according to its location in a registry (MLflow, a cache, a
            version), as one line for people; "" if unknown.
        previous: the next lower version in its series.
        previous_name: what MLflow calls that version; "" for its path.
        declared_signature: inputs and outputs in MLflow's description of this model.
    """

    path: Path
    relative: str
    format: Format
    series: str | None = None
    version: int | None = None
    aliases: tuple[str, ...] = ()
    origin: str = ""
    previous: Path | None = None
    previous_name: str = ""
    declared_signature: Signature | None = None


class SkippedPath(Struct, frozen=True):
    """A path that looks like a model or leads to one but is skipped, with the reason."""

    path: str
    reason: str


class Discovery(Struct, frozen=True):
    """The result of discovery, in byte order of the paths.

    `empty_versions` are versions without a model that a server would load as the newest.
    `root` is the directory that all paths are relative to. `others` counts the files that are not
    models by lower-case suffix ("" for none). `problems` are paths that could not be searched.
    """

    root: Path
    candidates: tuple[ModelCandidate, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    named: tuple[SkippedPath, ...] = ()
    empty_versions: tuple[SkippedPath, ...] = ()
    problems: tuple[Problem, ...] = ()


def merged(first: Discovery, others: Sequence[Discovery]) -> Discovery:
    """All of them as one, in byte order of the paths, with the root of the first."""
    every = (first, *others)
    counts: Counter[str] = Counter()
    for each in every:
        counts.update(each.others)
    return Discovery(
        first.root,
        tuple(
            sorted(
                (model for each in every for model in each.candidates),
                key=lambda model: model.relative.encode(),
            )
        ),
        dict(sorted(counts.items())),
        tuple(sorted((x for each in every for x in each.named), key=lambda x: x.path)),
        tuple(x for each in every for x in each.empty_versions),
        tuple(sorted((x for each in every for x in each.problems), key=lambda x: x.file)),
    )
