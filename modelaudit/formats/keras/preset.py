"""Reader of KerasHub presets: a directory of configs, weights, and the files of a tokenizer.

The configs are the arguments of KerasHub's own classes, not graphs of layers, so the layers are
known only to KerasHub. What can be checked without it: that all files are there, that the weights
are as many as the metadata counts, and what the weights themselves show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from modelaudit.formats.hdf5.contents import read_contents
from modelaudit.formats.io.bounded import file_entry, model_digest
from modelaudit.formats.keras.common import ReadNotes, claim, json_part, mapping_of, with_names
from modelaudit.formats.keras.preset_names import (
    CONFIG,
    CONFIGS,
    CONVERTER,
    METADATA,
    TASK,
    TASK_WEIGHTS,
    TOKENIZER,
    WEIGHTS,
    WEIGHTS_MAP,
    preset_files,
)
from modelaudit.formats.keras.variables.unbound import numbered_names
from modelaudit.formats.zip.archive_members import DirectoryParts
from modelaudit.settings import Limits
from modelaudit.structs import replace

_VOCABULARIES = "assets/tokenizer/"
# Arguments of a tokenizer that are null in its config because a file has them.
_IN_FILES = {
    "vocabulary": ("vocabulary.txt", "vocabulary.json"),
    "merges": ("merges.txt",),
    "proto": ("vocabulary.spm",),
}
_HEAD = "task/"  # before the names of the weights that only the task has


def read_preset(path: Path, limits: Limits) -> Artifact:
    """Read a KerasHub preset.

    `extra["preset"]` has `class` and `task` (names of classes of KerasHub), `keras_hub` (its
    version), `parameters` (their number in the metadata), `stored` (in the file of the backbone)
    and `converter` (the config of the image converter).

    Raises:
        LimitExceeded: the directory has too many files.
    """
    return _PresetReader(path, limits).read()


class _PresetReader:
    """Reads a preset file by file; one that cannot be read adds a problem."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits = path, limits
        self.parts = DirectoryParts(path, limits)
        self.names = self.parts.names()
        self.own = preset_files(self.names)
        self.notes = ReadNotes(list(self.parts.problems()))
        self.variables: dict[str, str] = {}

    def read(self) -> Artifact:
        """The artefact."""
        files = tuple(self._entry(name) for name in self.names)
        configs = {name: mapping_of(self._json(name)) or {} for name in CONFIGS if name in self.own}
        metadata = mapping_of(self._json(METADATA)) or {}
        for name in (CONFIG, METADATA):
            if name not in self.own:
                self._missing(name, f"has no {name}, which KerasHub reads first")
        self._tokenizer(configs.get(TOKENIZER))
        self._programs()
        backbone = tuple(self._backbone())
        tensors = (*backbone, *(self._hdf5(TASK_WEIGHTS, _HEAD)))
        hub = metadata.get("keras_hub_version", metadata.get("keras_nlp_version"))
        converter = mapping_of(configs.get(CONVERTER, {}).get("config"))
        preset: dict[str, Json] = {
            "class": _class(configs.get(CONFIG)),
            "task": _class(configs.get(TASK)),
            "keras_hub": claim(hub),
            "parameters": metadata.get("parameter_count"),
            "stored": sum(each.size for each in backbone if _counted(each)),
            "converter": None if converter is None else dict(converter),
        }
        artifact = Artifact(
            root=self.path.absolute(),
            format=Format.KERASHUB_PRESET,
            files=files,
            sha256=model_digest(files),
            complete=self.notes.complete,
            provenance=Provenance(
                keras=claim(metadata.get("keras_version")),
                date_saved=claim(metadata.get("date_saved")),
                exporter=f"keras-hub {hub}"[:256] if isinstance(hub, str) else None,
            ),
            tensors=tensors,
            problems=tuple(self.notes.problems),
            extra={"preset": preset, "metadata": dict(metadata)},
            documents=tuple(self.notes.documents),
        )
        return with_names(artifact, self.variables)

    def _entry(self, name: str) -> FileEntry:
        if name in CONFIGS:
            role = "config"
        elif name in self.own:
            role = "metadata" if name == METADATA else "weights"
        else:
            role = "asset" if name.startswith("assets/") else "foreign"
        return file_entry(self.parts.path(name), self.path, role, self.limits)

    def _json(self, name: str) -> Json:
        if name not in self.own:
            return None
        try:
            data = self.parts.window(name).head(self.limits.config_bytes + 1)
        except ReadError as error:
            self.notes.add(error, name, name)
            return None
        return json_part(data, name, "", self.limits, self.notes)

    def _backbone(self) -> Iterator[Tensor]:
        """Tensors of the weights file, or of all the files that the map of shards names."""
        if WEIGHTS in self.own:
            yield from self._hdf5(WEIGHTS)
        elif WEIGHTS_MAP not in self.own:
            self._missing(WEIGHTS, "has no weights: the download is not complete")
        else:
            mapping = mapping_of(self._json(WEIGHTS_MAP)) or {}
            where = mapping_of(mapping.get("weight_map")) or {}
            listed = [each if isinstance(each, list) else [each] for each in where.values()]
            for name in sorted({name for each in listed for name in each if isinstance(name, str)}):
                if name in self.own:
                    yield from self._hdf5(name)
                else:
                    detail = f"{name} is listed in {WEIGHTS_MAP} but not in the directory"
                    self.notes.problems.append(
                        Problem(ProblemKind.MISSING_SHARD, self.path.name, detail, name)
                    )

    def _hdf5(self, name: str, before: str = "") -> tuple[Tensor, ...]:
        """Tensors of a weights file if it is there, with `before` before their names."""
        if name not in self.own:
            return ()
        try:
            contents = read_contents(self.parts.window(name), self.limits)
        except ReadError as error:
            self.notes.add(error, name, name)
            return ()
        self.notes.problems.extend(contents.problems)
        names = numbered_names(contents.tensors, contents.var_names)
        self.variables |= {before + tensor: variable for tensor, variable in names.items()}
        return tuple(replace(each, name=before + each.name) for each in contents.tensors)

    def _tokenizer(self, config: Mapping[str, Json] | None) -> None:
        """Report the files of a vocabulary that a tokenizer needs and the preset lacks."""
        arguments = mapping_of(config.get("config")) if config else None
        for argument, files in _IN_FILES.items():
            lacks = arguments is not None and arguments.get(argument, "") is None
            if lacks and not any(_VOCABULARIES + each in self.names for each in files):
                name = _VOCABULARIES + files[0]
                self._missing(name, f"has a tokenizer without its {argument} ({name})")

    def _programs(self) -> None:
        """Report programs among the assets and the files that KerasHub does not write."""
        for name in self.names:
            if name in self.own:
                continue
            try:
                head = self.parts.window(name).head(HEAD_BYTES)
            except ReadError as error:
                self.notes.add(error, name, name)
                continue
            if what := executable_kind(head):
                evidence: dict[str, Json] = {"program": what, "head": head.hex()}
                detail = f"{name} is {what} by its first bytes"
                self.notes.problems.append(Problem(ProblemKind.OTHER, name, detail, name, evidence))

    def _missing(self, name: str, detail: str) -> None:
        self.notes.problems.append(Problem(ProblemKind.MISSING_FILE, self.path.name, detail, name))


def _counted(tensor: Tensor) -> bool:
    """Whether Keras counts it as a weight: states of random seeds are none."""
    return tensor.role == "weight" and not (tensor.dtype == "uint32" and tensor.shape == (2,))


def _class(config: Mapping[str, Json] | None) -> str | None:
    return claim(config.get("class_name")) if config else None
