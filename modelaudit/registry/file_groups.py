"""Groups the files of one directory into models, by their names only."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

STATE_FILE = "checkpoint"
GRAPH_FILES = ("saved_model.pb", "saved_model.pbtxt")
METADATA_FILES = ("keras_metadata.pb", "fingerprint.pb")
SAVED_MODEL_FILES = frozenset((*GRAPH_FILES, *METADATA_FILES))
SAVED_MODEL_DIRECTORIES = frozenset(("variables", "assets", "assets.extra", "debug"))
# Members of a .keras archive, for one that was unpacked (or saved to a directory).
KERAS_FILES = frozenset(("config.json", "metadata.json", "model.weights.h5", "model.weights.json"))
KERAS_DIRECTORIES = frozenset(("assets",))

# tf.train.Saver and tf.train.Checkpoint, V2: PREFIX.index, PREFIX.data-00000-of-00002, PREFIX.meta;
# without a name before the dot if the prefix ends in a slash;
# an interrupted save leaves PREFIX.data-00000-of-00001.tempstate4036577590216504352.
_PART = re.compile(
    r"(?P<prefix>.*)\.(?:(?P<kind>index|meta)|data-[0-9]{5}-of-[0-9]{5}(?P<left>\.tempstate[0-9]+)?)",
    re.DOTALL,
)
# V1 (and SessionBundle): PREFIX itself, or PREFIX-00000-of-00002, next to PREFIX.meta.
_SHARD = re.compile(r"(?P<prefix>.+)-[0-9]{5}-of-[0-9]{5}", re.DOTALL)
# Where TensorFlow writes the parts of a checkpoint before it moves their data to the prefix.
_UNMOVED = re.compile(r".+_temp_[0-9a-f]{32}", re.DOTALL)
_UNMOVED_PART = re.compile(r"part-[0-9]{5}-of-[0-9]{5}")
_STATE_LEFTOVER = re.compile(re.escape(STATE_FILE) + r"\.tmp.*", re.DOTALL)


class CheckpointFiles(Struct, frozen=True):
    """The files of one checkpoint. `lone`: a single `.index` or `.meta`, perhaps unrelated."""

    prefix: str
    files: tuple[str, ...]
    lone: bool

    def place(self, directory: Path) -> Path:
        """The path of this checkpoint: its prefix, or the directory if that has no name."""
        bundle = "export.meta" in self.files and "export.index" not in self.files
        return directory if bundle else directory / self.prefix

    def interrupted(self, directory: Path) -> str:
        """That it is a part without its index or data, which a save left behind; or ""."""
        if not (_UNMOVED.fullmatch(directory.name) and _UNMOVED_PART.fullmatch(self.prefix)):
            return ""
        found = [match for name in self.files if (match := _PART.fullmatch(name))]
        kinds = {match["kind"] for match in found if not match["left"]}
        lacks = "an index" if "index" not in kinds else "data" if None not in kinds else ""
        said = "left by a save that was interrupted, without"
        return f"{said} {lacks}: nothing can be loaded from it" if lacks else ""


def checkpoint_prefix(name: str) -> str | None:
    """The prefix of the checkpoint that the file `name` belongs to, or None."""
    match = _PART.fullmatch(name)
    return match["prefix"] if match else None


def shard_prefix(name: str) -> str | None:
    """The prefix of the V1 checkpoint that `name` would be a data file of, or None."""
    match = _SHARD.fullmatch(name)
    return match["prefix"] if match else None


def checkpoints(files: Collection[str]) -> tuple[CheckpointFiles, ...]:
    """Group the files of one directory into checkpoints, in order of their prefixes.

    A file named like the prefix belongs to it: V1 data, or an empty placeholder for V2.
    """
    parts: dict[str, list[str]] = {}
    kinds: dict[str, set[str]] = {}
    for name in sorted(files):
        if match := _PART.fullmatch(name):
            parts.setdefault(match["prefix"], []).append(name)
            kinds.setdefault(match["prefix"], set()).add(match["kind"] or "data")
    for name in sorted(files):
        shard = _SHARD.fullmatch(name)
        prefix = shard["prefix"] if shard and "meta" in kinds.get(shard["prefix"], ()) else name
        if prefix in parts and not _PART.fullmatch(name):
            parts[prefix].append(name)
            kinds[prefix].add("data")
    return tuple(
        CheckpointFiles(prefix, tuple(names), lone=len(names) == 1 and "data" not in kinds[prefix])
        for prefix, names in sorted(parts.items())
    )


def state_files(files: Collection[str]) -> frozenset[str]:
    """The `checkpoint` file that names the newest prefix, and its temporary files."""
    return frozenset(
        name for name in files if name == STATE_FILE or _STATE_LEFTOVER.fullmatch(name)
    )


def is_keras_archive(files: Collection[str]) -> bool:
    """Whether a directory contains the members of a .keras archive."""
    return "config.json" in files and any(
        name in files for name in KERAS_FILES if name != "config.json"
    )


def is_saved_model(files: Collection[str], variables: Collection[str]) -> bool:
    """Whether a directory contains a SavedModel, even without its saved_model.pb.

    Args:
        files: names of the files in the directory.
        variables: names of the files in its `variables/`, empty if there is none.
    """
    return any(name in files for name in SAVED_MODEL_FILES) or any(
        checkpoint_prefix(name) == "variables" for name in variables
    )
