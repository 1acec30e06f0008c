"""What a look through a directory finds: models, things like models, and places not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelaudit.facts import Format, Problem, Signature


@dataclass(frozen=True, slots=True)
class ModelCandidate:
    """One model, or what a model's name promises.

    Attributes:
        path: absolute: a file, a directory (SavedModel) or the prefix of a checkpoint.
        relative: the same as POSIX text, relative to `Discovery.root`.
        format: told by the content.
        series: TF-Serving's base directory (relative) where this is one version of a model.
        version: its number in that series; TF-Serving serves the highest.
        aliases: further relative paths of the very same files (hard or symbolic links).
        origin: where it comes from by its place in a registry (MLflow, a cache, a version), as
            one line for people; "" where the place says nothing.
        previous: the next lower version in its series.
        declared_signature: inputs and outputs as MLflow's description of this model alone has them.
    """

    path: Path
    relative: str
    format: Format
    series: str | None = None
    version: int | None = None
    aliases: tuple[str, ...] = ()
    origin: str = ""
    previous: Path | None = None
    declared_signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class SkippedPath:
    """A path that looks like a model or leads to one, and is no row: with the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What there is, in byte order of the paths.

    `empty_versions` are versions without a model that a server would take for the newest.
    `root` is the directory that all relative paths start from. `others` counts the files that
    are no models by lower-case suffix ("" for none). `problems` are places not looked at.
    """

    root: Path
    candidates: tuple[ModelCandidate, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    named: tuple[SkippedPath, ...] = ()
    empty_versions: tuple[SkippedPath, ...] = ()
    problems: tuple[Problem, ...] = ()
