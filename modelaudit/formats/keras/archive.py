"""Reader of the .keras format: a zip archive (or directory) of config, metadata and weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import (
    Artifact,
    FileEntry,
    Format,
    Json,
    Problem,
    ProblemKind,
    Provenance,
    Tensor,
)
from modelaudit.formats.executables import HEAD_BYTES, executable_kind
from modelaudit.formats.hdf5.contents import Hdf5Contents, read_contents
from modelaudit.formats.hdf5.keras_layout import V3
from modelaudit.formats.io.bounded import (
    display_path,
    ending,
    file_entry,
    free_name,
    model_digest,
)
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.common import (
    ReadNotes,
    architecture_of,
    binding_of,
    claim,
    json_part,
    mapping_of,
    stray_configs,
    with_binding,
    with_names,
)
from modelaudit.formats.keras.variables.unbound import numbered_names
from modelaudit.formats.npz import read_npz
from modelaudit.formats.zip.archive_members import ArchiveParts, DirectoryParts, ZipParts
from modelaudit.settings import Limits
from modelaudit.structs import replace

CONFIG, METADATA = "config.json", "metadata.json"
WEIGHTS, WEIGHTS_NPZ, WEIGHTS_MAP = "model.weights.h5", "model.weights.npz", "model.weights.json"

# Members that Keras itself writes.
_HONEST_RATIO = 10  # up to which configs are often compressed
_LEAST = 0.1  # of the usual number of parts, in the smallest archive
_OWN_MEMBER = re.compile(
    r"(?:config\.json|metadata\.json|model\.weights\.(?:h5|npz|json)"
    r"|model_\d{5}\.weights\.h5|assets/.*)\Z",
    re.DOTALL,
)


def read_keras_archive(path: Path, limits: Limits) -> Artifact:
    """Read a .keras archive, or a directory with the contents of one.

    The last of several members with the same name wins, as in Keras. `extra["archive"]` lists the
    members and the bytes outside them; `extra["h5"]` is the same as for HDF5 files; for
    `unclaimed` and `misordered` see `with_binding`.

    Raises:
        ReadError: the file is not a zip archive, or its central directory is damaged.
    """
    file = display_path(path, path)
    parts: ArchiveParts
    if path.is_dir():
        parts = unpacked = DirectoryParts(path, limits)
        files = tuple(
            file_entry(unpacked.path(name), path, _file_role(name), limits)
            for name in unpacked.names()
        )
    else:
        parts = ZipParts(FileWindow.of_file(path, file), limits)
        files = (file_entry(path, path, "archive", limits),)
    size = sum(each.size for each in files)
    return _ArchiveReader(path, file, parts, limits, size).read(files)


class _ArchiveReader:
    """Reads an archive member by member; a member that cannot be read adds a problem."""

    def __init__(
        self, path: Path, file: str, parts: ArchiveParts, limits: Limits, size: int
    ) -> None:
        self.path = path
        self.file = file
        self.parts = parts
        self.limits = limits
        self.size = size  # of the archive, in bytes
        self.names = set(parts.names())
        self.read_names: set[str] = set()  # members whose checksum is verified already
        self.notes = ReadNotes(list(parts.problems()))

    def read(self, files: tuple[FileEntry, ...]) -> Artifact:
        """The artefact; `files` are its entries on disk."""
        config = self._json(CONFIG)
        if config is None and any(each.value is None for each in self.notes.documents):
            self._problem(ProblemKind.CONFIG_INVALID, "", f"its {CONFIG} is null, not a config")
        if METADATA not in self.names:  # no version of Keras reads it
            remark = f"has no {METADATA}, so the version of Keras that saved it is not known"
            self._problem(ProblemKind.OTHER, METADATA, remark)
        metadata = mapping_of(self._json(METADATA) if METADATA in self.names else None) or {}
        contents = self._weights()
        self._check_the_rest()
        suffix = ending(self.path)
        if suffix != ".keras" and self.path.is_file():
            its = f"its suffix is {suffix}" if suffix else "it has no suffix"
            detail = f"is a .keras archive, but {its}; Keras loads it only as .keras"
            evidence: dict[str, Json] = {"rename": free_name(self.path, ".keras")}
            problem = Problem(ProblemKind.SUFFIX_MISMATCH, self.file, detail, "", evidence)
            self.notes.problems.append(problem)
        architecture = architecture_of(config, self._label(CONFIG), "", self.limits, self.notes)
        training = mapping_of(config.get("compile_config")) if isinstance(config, dict) else None
        extra: dict[str, Json] = {
            "archive": dict(self.parts.facts()),
            "h5": dict(contents.extra),
            "metadata": dict(metadata),
        }
        artifact = Artifact(
            root=self.path.absolute(),
            format=Format.KERAS_ARCHIVE,
            files=files,
            sha256=model_digest(files),
            complete=self.notes.complete,
            provenance=Provenance(
                keras=claim(metadata.get("keras_version")),
                date_saved=claim(metadata.get("date_saved")),
            ),
            architecture=architecture,
            training=training,
            tensors=contents.tensors,
            problems=tuple(self.notes.problems),
            extra=extra,
            documents=tuple(self.notes.documents),
        )
        bound = with_binding(artifact, binding_of(architecture, contents))
        # A subclassed model saves no layers: as in weights alone, groups tell what its weights are.
        opaque = architecture is None or not architecture.layers
        return with_names(bound, numbered_names(contents.tensors, {})) if opaque else bound

    def _json(self, name: str) -> Json:
        if name not in self.names:
            self._problem(ProblemKind.MISSING_FILE, name, f"has no {name}")
            return None
        self.read_names.add(name)
        try:
            window = self.parts.window(name)
            data = window.head(self.limits.config_bytes + 1)
        except ReadError as error:
            self.notes.add(error, self._label(name), name)
            return None
        limits = self._limits_of(window)
        return json_part(data, self._label(name), "", limits, self.notes)

    def _limits_of(self, window: FileWindow) -> Limits:
        """Fewer parts for a member that is much larger than the archive that it is packed in."""
        share = min(max(_HONEST_RATIO * self.size / max(window.size, 1), _LEAST), 1.0)
        return replace(self.limits, density=self.limits.density * share)

    def _weights(self) -> Hdf5Contents:
        """Tensors of the weights file that Keras would load, in its order of preference."""
        arrays = self._npz()  # can contain pickles, even if Keras loads another file
        if WEIGHTS in self.names:
            return self._hdf5((WEIGHTS,))
        if WEIGHTS_MAP in self.names:
            return self._hdf5(self._shards())
        nothing = Hdf5Contents(V3, (), ())
        if WEIGHTS_NPZ not in self.names:
            detail = "has no weights: saving was interrupted, or they were removed"
            self._problem(ProblemKind.MISSING_FILE, WEIGHTS, detail)
            return nothing
        return replace(nothing, tensors=arrays)

    def _npz(self) -> tuple[Tensor, ...]:
        """Arrays of the npz file, if there is one."""
        if WEIGHTS_NPZ not in self.names:
            return ()
        self.read_names.add(WEIGHTS_NPZ)
        tensors: tuple[Tensor, ...] = ()
        for index in range(self.parts.count(WEIGHTS_NPZ)):  # the last one counts
            tensors = ()
            try:
                tensors, problems = read_npz(self.parts.window(WEIGHTS_NPZ, index), self.limits)
            except ReadError as error:
                self.notes.add(error, self._label(WEIGHTS_NPZ), WEIGHTS_NPZ)
                continue
            self.notes.problems.extend(problems)
        return tensors

    def _shards(self) -> tuple[str, ...]:
        """Weights files in the map of a sharded model; missing ones are problems."""
        mapping = mapping_of(self._json(WEIGHTS_MAP)) or {}
        where = mapping_of(mapping.get("weight_map")) or {}
        names: set[str] = set()
        for value in where.values():
            entries = value if isinstance(value, list) else [value]
            names.update(entry for entry in entries if isinstance(entry, str))
        for name in sorted(names - self.names):
            detail = f"{name} is listed in {WEIGHTS_MAP} but not in the archive"
            self._problem(ProblemKind.MISSING_SHARD, name, detail)
        return tuple(sorted(names & self.names))

    def _hdf5(self, names: tuple[str, ...]) -> Hdf5Contents:
        """Merged contents of one or more weights files."""
        whole = Hdf5Contents(V3, (), ())
        tensors: dict[str, Tensor] = {}
        for name in names:
            self.read_names.add(name)
            try:
                window = self.parts.window(name)
                contents = read_contents(window, self._limits_of(window))
            except ReadError as error:
                self.notes.add(error, self._label(name), name)
                continue
            self.notes.problems.extend(contents.problems)
            stray_configs(contents, self._label(name), self.limits, self.notes)
            tensors |= {tensor.name: tensor for tensor in contents.tensors}
            whole = replace(
                contents,
                tensors=tuple(tensors.values()),
                var_names={**whole.var_names, **contents.var_names},
                extra={**whole.extra, **contents.extra},
            )
        return whole

    def _check_the_rest(self) -> None:
        """Check checksums and sizes of all other members; report members Keras does not write."""
        for name in sorted(self.names):
            own = _OWN_MEMBER.match(name)
            heads = list(self._heads(name))
            head = heads[-1] if heads else b""
            what = next(filter(None, map(executable_kind, heads)), "")
            if own and what:
                detail = f"{name} is {what} by its first bytes"
                evidence: dict[str, Json] = {"program": what, "head": head.hex()}
                problem = Problem(ProblemKind.OTHER, self._label(name), detail, name, evidence)
                self.notes.problems.append(problem)
            if not own:
                evidence = {"zip": "member", "head": head.hex()}
                detail = "is a file that Keras does not write into models"
                problem = Problem(ProblemKind.LEFTOVER, self._label(name), detail, name, evidence)
                self.notes.problems.append(problem)

    def _heads(self, name: str) -> Iterator[bytes]:
        """First bytes of the members of this name that were not read yet."""
        count = self.parts.count(name) - (name in self.read_names)
        for index in range(count if name != WEIGHTS_NPZ else 0):
            try:
                yield self.parts.window(name, index).head(HEAD_BYTES)
            except ReadError as error:
                self.notes.add(error, self._label(name), name)

    def _problem(self, kind: ProblemKind, name: str, detail: str) -> None:
        self.notes.problems.append(Problem(kind, self.file, detail, name))

    def _label(self, name: str) -> str:
        return f"{self.file}:{name}" if self.path.is_file() else name


def _file_role(name: str) -> str:
    if name in {CONFIG, WEIGHTS_MAP}:
        return "config"
    if name == METADATA:
        return "metadata"
    if name.startswith("assets/"):
        return "asset"
    return "weights" if _OWN_MEMBER.match(name) else "foreign"
