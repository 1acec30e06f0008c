"""Results of discovery: models, things that look like models, and paths not searched."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from modelaudit.facts import Format, Problem, ProblemKind, Signature
from modelaudit.file_formats import MODEL_SUFFIXES, Content, formats
from modelaudit.formats.io.density import Density
from modelaudit.formats.io.problems import limit_problem
from modelaudit.settings import Limits
from modelaudit.settings.audit_target import OuterArchive
from modelaudit.structs import replace
from modelaudit.work_budget import COUNTED_BYTES
from modelaudit.workers.shared_work import SharedWork

_FOREIGN = formats(Content.OTHER)
_OF_WORK = 0.7  # of what an archive's size allows; the rest is for the rows of its models
# Each model takes as long as it takes alone, however small it is: up to 0.3 units of work. So many
# may be in each `COUNTED_BYTES` of an archive, and in a smaller one.
_MODELS = Density("models in an archive", "files", 75, COUNTED_BYTES // 75)


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
        archive: the archive that it is in.
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
    archive: OuterArchive | None = None


def is_row(suffix: str, form: Format) -> bool:
    """Whether a file of this suffix, in lower case, and format is a model or claims to be one."""
    if suffix not in MODEL_SUFFIXES:
        return form not in _FOREIGN | {Format.UNKNOWN, Format.CORRUPT_ARCHIVE}
    return suffix == ".keras" or form not in _FOREIGN


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


class ArchiveRoom:
    """What an archive may have, together with the archives inside of it: models, and work on them.

    Args:
        size: bytes of the outermost archive.
        limits: `density`, `files` and `work` apply.

    Attributes:
        work: what unpacking it, telling formats, and auditing its models may take.
    """

    def __init__(self, size: int, limits: Limits) -> None:
        units = _OF_WORK * limits.work * max(1.0, size / COUNTED_BYTES)
        self.work = SharedWork(units, limits.work)
        self._most, self._setting = _MODELS.most(max(size - COUNTED_BYTES, 0), limits)
        self._asked = 0
        self._began = time.process_time()

    def take(self, wanted: int) -> int:
        """How many of the wanted models or inner archives there is room for."""
        left = max(self._most - self._asked, 0)
        self._asked += wanted
        return min(wanted, left)

    def told(self, found: Discovery, archive: Path, shown: str) -> Discovery:
        """What was found in the outermost archive, with what is left for its models to take.

        Args:
            found: its models, and those in the archives inside of it.
            archive: its path.
            shown: the same for reports.
        """
        self.work.take(time.process_time() - self._began)
        around = OuterArchive(archive, self.work.left())
        models = tuple(replace(model, archive=around) for model in found.candidates)
        return replace(found, candidates=models, problems=(*found.problems, *self._problems(shown)))

    def _problems(self, archive: str) -> tuple[Problem, ...]:
        """What was left out, if anything was."""
        over = self._asked - self._most
        if over <= 0:
            return ()
        reason = (
            f"{over:,} of the models and archives in it are not looked at, since it has more than "
            f"{self._most:,} for its size"
        )
        return (limit_problem(archive, reason, self._setting),)


def not_unpacked(
    root: Path,
    archive: str,
    left_out: Sequence[tuple[str, str]],
    unsafe: Sequence[tuple[str, str]],
) -> Discovery:
    """Members of an archive that were not unpacked, each a name and the reason."""
    named = [SkippedPath(f"{archive}/{name}", f"not unpacked: {why}") for name, why in left_out]
    problems = [
        Problem(ProblemKind.UNSAFE_PATH, f"{archive}/{name}", f"not unpacked: {why}")
        for name, why in unsafe
    ]
    return Discovery(root, named=tuple(named), problems=tuple(problems))


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
