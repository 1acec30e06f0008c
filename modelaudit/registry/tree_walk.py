"""One pass over an untrusted directory tree."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Format, Problem, ProblemKind
from modelaudit.file_formats import (
    HDF5_SIGNATURE,
    MODEL_SUFFIXES,
    ZIP_SIGNATURES,
    Container,
    Content,
    formats,
)
from modelaudit.formats import other_formats
from modelaudit.formats.io.bounded import display_path
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.plugin_formats import claimed
from modelaudit.formats.tfjs.sniff import starts_tfjs
from modelaudit.model_versions import is_version
from modelaudit.registry import file_groups, isolated_sniff, mlflow, provenance
from modelaudit.registry.archives.cache import ArchiveCache
from modelaudit.registry.archives.contents import is_archive, leads_to_a_model
from modelaudit.registry.candidates import (
    ArchiveRoom,
    Discovery,
    ModelCandidate,
    SkippedPath,
    is_row,
    merged,
    not_unpacked,
)
from modelaudit.registry.directory_listing import DirectoryFile, DirectoryListing, list_directory
from modelaudit.registry.directory_models import own_of_directory
from modelaudit.registry.isolated_sniff import NOTHING_KNOWN, KnownFormats, sniff_isolated
from modelaudit.settings import Limits
from modelaudit.settings.selection import fits
from modelaudit.structs import replace

# Version control keeps copies of the models here, under its own names.
_PRIVATE_DIRECTORIES = frozenset((".git", ".hg", ".svn", ".dvc"))
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
MAGIC = (HDF5_SIGNATURE, ZIP_SIGNATURES[0])
_BROKEN = {*formats(Content.DAMAGED), Format.EMPTY_FILE} - {Format.CORRUPT_SAVEDMODEL}
_SERVED = (Container.SAVED_MODEL, Container.SESSION_BUNDLE)
_EXCLUDED = "left out by --exclude"
MOST_NESTED = 2  # archives in archives
_TOO_DEEP = "archive in an archive in an archive, not unpacked"


class TreeWalk:
    """Collects models, counts and problems under `scope`, a resolved directory. Used once.

    Args:
        scope: the directory.
        limits: `files` bounds the number of its entries.
        exclude: globs of what is left out.
        inside: for the files of an archive, its path as shown, the number of archives around, and
            what these may have.
        known: formats of files that need not be opened.
    """

    def __init__(
        self,
        scope: Path,
        limits: Limits,
        archives: ArchiveCache,
        apart: Path | None = None,
        exclude: tuple[str, ...] = (),
        inside: tuple[str, int, ArchiveRoom | None] = ("", 0, None),
        known: KnownFormats = NOTHING_KNOWN,
    ) -> None:
        self._scope, self._root, self._known = scope, scope, known
        self._archives = archives
        self._archive, self._depth, self._room = inside
        self._work = self._room.work if self._room else None
        self._exclude = exclude
        self._closed: list[DirectoryFile] = []
        self._apart = apart.resolve() if apart else None
        self._limits = limits
        self._left = limits.files
        self._stopped = False
        self._models: list[ModelCandidate] = []
        self._places: set[Path] = set()
        self._orbax: list[Path] = []
        self._loose: list[tuple[DirectoryFile, str | None, bool]] = []
        self._files: dict[tuple[int, int], list[tuple[DirectoryFile, Format]]] = {}
        self._others: Counter[str] = Counter()
        self._mlflow: dict[Path, mlflow.MlflowModel] = {}
        self._named: list[SkippedPath] = []
        self._problems: list[Problem] = []

    def run(self, *, all_versions: bool) -> Discovery:
        """Walk the tree and collect the results in order."""
        waiting = [(self._scope, False)]
        while waiting and not self._stopped:
            waiting.extend(self._visit(*waiting.pop()))
        self._look_at_loose_files()
        found = [*map(self._with_version, self._models), *self._one_row_for_each_file()]
        models = tuple(sorted(found, key=lambda model: os.fsencode(model.path)))
        models = provenance.with_provenance(models, self._root, self._mlflow)
        self._note_empty_mlflow(models)
        empty = provenance.empty_newest_versions(models)
        unserved = tuple(SkippedPath(self._show(place), why) for place, why in empty)
        if not all_versions:
            models, left_out = provenance.newest_only(models)
            self._named += left_out
        if self._room is not None:
            models = models[: self._room.take(len(models))]
        named = tuple(provenance.read_with_weights(self._named, models))
        own = Discovery(self._root, models, self._others, named, unserved)
        insides = [self.look_into(file.path, all_versions=all_versions) for file in self._closed]
        return merged(own, (*insides, Discovery(self._root, problems=tuple(self._problems))))

    def look_into(self, archive: Path, *, all_versions: bool) -> Discovery:
        """What an archive contains: its models, under paths that continue the archive's own."""
        shown = self._show(archive)
        if self._depth == MOST_NESTED:
            problem = Problem(ProblemKind.LIMIT_EXCEEDED, shown, _TOO_DEEP)
            return Discovery(self._root, problems=(problem,) * leads_to_a_model(archive.name))
        if self._room is not None and not self._room.take(1):
            return Discovery(self._root)
        try:
            room = self._room or ArchiveRoom(FileWindow.of_file(archive).size, self._limits)
            found = self._archives.unpacked(archive, room.work)
        except ReadError as error:
            return Discovery(self._root, problems=(problem_of(error, shown),))
        if found.tree is None:
            return Discovery(self._root, others={archive.suffix.lower(): 1})
        walk = TreeWalk(
            *(found.tree, self._limits, self._archives),
            exclude=self._exclude,
            inside=(shown, self._depth + 1, room),
        )
        rest = not_unpacked(self._root, shown, found.left_out, found.unsafe)
        inside = walk.run(all_versions=all_versions)
        return merged(rest, (inside if self._archive else room.told(inside, archive, shown),))

    def _visit(self, directory: Path, inside: bool) -> list[tuple[Path, bool]]:
        """Process one directory; return its subdirectories, and whether they belong to a model."""
        if directory == self._apart and directory != self._scope:
            return []
        try:
            listing = list_directory(directory, self._scope, self._left)
        except OSError as error:
            self._problem(ProblemKind.UNREADABLE, directory, error.strerror or str(error))
            return []
        self._left -= listing.count
        if directory != self._scope and _VIRTUAL_ENVIRONMENT in listing.files:
            self._name(directory, "Python virtual environment, not searched")
            return []
        own = own_of_directory(directory, listing, inside)
        if own:
            self._model(directory, sniff_isolated(directory, self._limits, self._work))
        self._note_what_was_not_followed(directory, listing)
        if own or not inside:
            rest = {name: file for name, file in listing.files.items() if name not in own}
            self._look_at_files(directory, rest)
        # The Orbax reader ignores assets; for other models, rules report them.
        if any(directory.is_relative_to(checkpoint) for checkpoint in self._orbax):
            for name, file in listing.files.items():
                if Path(name).suffix.lower() in MODEL_SUFFIXES:
                    self._look_at_file(file)
        below = []
        for name in reversed(listing.directories):  # last in, first visited
            if name in _PRIVATE_DIRECTORIES:
                self._name(directory / name, "version control data, not searched")
            elif name not in own and self._is_excluded(directory / name):
                self._name(directory / name, _EXCLUDED)
            else:
                below.append((directory / name, name in own if own else inside))
        return below

    def _note_what_was_not_followed(self, directory: Path, listing: DirectoryListing) -> None:
        for name, (kind, reason) in listing.refused.items():
            self._problem(kind, directory / name, reason)
        for name, target in listing.links.items():
            where = "an enclosing directory" if directory.is_relative_to(target) else "a directory"
            reason = f"symbolic link to {where} that is searched anyway: {self._show(target)}"
            self._name(directory / name, reason)
        if listing.cut:
            reason = f"stopped after {self._limits.files:,} entries; the rest was not searched "
            reason += "(setting files)"
            self._problem(ProblemKind.LIMIT_EXCEEDED, directory, reason)
            self._stopped = True

    def _look_at_files(self, directory: Path, rest: dict[str, DirectoryFile]) -> None:
        rows = 0
        for name in [each for each in rest if other_formats.is_apple_double(rest[each].path)]:
            self._others[rest.pop(name).path.suffix.lower()] += 1
        for group in file_groups.checkpoints(rest):
            parts = set(group.files)
            if self._is_taken(directory, group):
                parts.discard(group.prefix)
                reason = "part of a checkpoint whose path is used by something else"
                for name in parts:
                    self._name(directory / name, f"{reason}: {group.prefix}")
            else:
                rows += self._look_at_checkpoint(directory, group)
            for name in parts:
                del rest[name]
        for name in file_groups.state_files(rest):
            del rest[name]
            if not rows:
                self._name(directory / name, "checkpoint state file without a checkpoint")
        for file in rest.values():
            if self._is_excluded(file.path):
                self._name(file.path, _EXCLUDED)
            else:
                self._look_at_file(file)

    def _is_taken(self, directory: Path, group: file_groups.CheckpointFiles) -> bool:
        """Whether the checkpoint's path is that of another model: `m.h5` next to `m.h5.index`."""
        place = group.place(directory)
        if place == directory:
            return directory in self._places
        return place.is_dir() or (
            place.name in group.files and other_formats.starts_with(place, MAGIC)
        )

    def _look_at_checkpoint(self, directory: Path, group: file_groups.CheckpointFiles) -> bool:
        """Add it as a row, or record why not; whether it is a row."""
        place = group.place(directory)
        left = group.interrupted(directory)
        form = Format.UNKNOWN if left else sniff_isolated(place, self._limits, self._work)
        if form is Format.DATA_CACHE or left or (group.lone and form is Format.UNKNOWN):
            like = left or f"named like a checkpoint's {group.files[0].rpartition('.')[2]}"
            self._name(directory / group.files[0], like if form is Format.UNKNOWN else form.label)
            return False
        self._model(place, form)
        return True

    def _look_at_mlmodel(self, path: Path) -> None:
        try:
            self._mlflow[path.parent] = mlflow.read_mlmodel(path, self._limits)
        except ReadError as error:
            self._name(path, f"MLflow model description cannot be used: {error.reason}")

    def _note_empty_mlflow(self, models: tuple[ModelCandidate, ...]) -> None:
        for directory, described in self._mlflow.items():
            if not any(model.path.is_relative_to(directory) for model in models):
                what = "its model is missing" if described.is_ours else "not TensorFlow/Keras"
                self._name(directory / mlflow.FILE, f"{described}: {what}")

    def _look_at_file(self, file: DirectoryFile) -> None:
        suffix, name = file.path.suffix.lower(), file.path.name
        if name == mlflow.FILE:
            self._look_at_mlmodel(file.path)
            return
        promised = suffix in MODEL_SUFFIXES or name in file_groups.GRAPH_FILES  # a GraphDef as text
        try:
            head = other_formats.head(file.path)
        except ReadError as error:
            if not promised:
                self._problem(ProblemKind.UNREADABLE, file.path, error.reason)
                return
            head = b""
        reason = other_formats.unsupported_reason(name, head)
        zipped = head.startswith(ZIP_SIGNATURES[0])
        if promised or head.startswith(MAGIC) or claimed(head) or starts_tfjs(file.path, head):
            self._loose.append((file, reason, zipped))
        elif is_archive(file.path.name, head):
            self._closed.append(file)
        else:
            self._place_file(file, reason, zipped, Format.UNKNOWN)

    def _look_at_loose_files(self) -> None:
        """Detect the formats of all files that may be models, with one child for the HDF5 files."""
        forms = isolated_sniff.sniff_all_isolated(
            (file.path for file, *_ in self._loose), self._limits, self._known, self._work
        )
        for file, reason, zipped in self._loose:
            self._place_file(file, reason, zipped, forms[file.path])

    def _place_file(
        self, file: DirectoryFile, reason: str | None, zipped: bool, form: Format
    ) -> None:
        """Add a file as a row, or count it among the others, or record why it is skipped."""
        suffix = file.path.suffix.lower()
        promised = suffix in MODEL_SUFFIXES
        if form in _BROKEN and (told := other_formats.broken_by_name(file.path.name, form)):
            self._name(file.path, told)
            return
        if is_row(suffix, form) and not (reason and suffix == ".pb" and form is Format.UNKNOWN):
            self._files.setdefault(file.identity, []).append((file, form))
            return
        if reason is None and form is Format.HDF5_OTHER and promised:
            reason = "HDF5 file without a Keras model or weights"
        if reason is None and zipped and not promised:
            self._closed.append(file)
            return
        if reason is None and promised:
            reason = f"{form.label}, although its suffix is {suffix}"
        if reason is None:
            self._others[suffix] += 1
        else:
            self._name(file.path, reason)

    def _one_row_for_each_file(self) -> list[ModelCandidate]:
        """Links to one file are one row, under the most informative name."""
        rows = []
        for links in self._files.values():
            (file, form), *others = sorted(links, key=lambda link: link[0].plainness)
            aliases = tuple(self._show(other.path) for other, _ in others)
            rows.append(ModelCandidate(file.path, self._show(file.path), form, aliases=aliases))
        return rows

    def _with_version(self, model: ModelCandidate) -> ModelCandidate:
        """Add TF-Serving's base and version if the model is in a numbered directory.

        A numbered directory inside a SavedModel is another model, not a version of it.
        """
        base = model.path.parent
        if (
            model.format.info.container not in _SERVED
            or not is_version(model.path.name)
            or base in self._places
            or not base.is_relative_to(self._scope)
        ):
            return model
        series = "." if base == self._root and not self._archive else self._show(base)
        return replace(model, series=series, version=int(model.path.name))

    def _model(self, path: Path, form: Format) -> None:
        if path == self._scope and not self._archive:  # its name then starts every relative path
            self._root = path.parent
        self._places.add(path)
        if form is Format.ORBAX:
            self._orbax.append(path)
        self._models.append(ModelCandidate(path, self._show(path), form))

    def _is_excluded(self, path: Path) -> bool:
        return bool(self._exclude) and fits(self._show(path), self._exclude)

    def _name(self, path: Path, reason: str) -> None:
        self._named.append(SkippedPath(self._show(path), reason))

    def _problem(self, kind: ProblemKind, path: Path, reason: str) -> None:
        self._problems.append(Problem(kind, self._show(path), reason))

    def _show(self, path: Path) -> str:
        if not self._archive:
            return display_path(path, self._root)
        inner = "" if path == self._scope else f"/{display_path(path, self._scope)}"
        return self._archive + inner
