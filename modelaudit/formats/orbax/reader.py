"""Reader of Orbax checkpoint directories: their JSON files, but not their arrays.

Arrays are in TensorStore's formats and are not read. Keras (3.14 and later) builds the model from
the JSON under `model_config` and writes assets to the paths in `_METADATA`; Orbax uses the names
there as paths, and a TensorStore specification can contain any location. Hence all JSON is checked.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path, PurePosixPath

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Artifact, Format, Json, Problem, ProblemKind
from modelaudit.formats.io.bounded import (
    BEFORE_JSON,
    file_entry,
    json_loads,
    model_digest,
    read_bytes,
)
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.common import ReadNotes, architecture_of, json_part, mapping_of
from modelaudit.formats.orbax.external_paths import escaping_asset_paths, external_locations
from modelaudit.formats.orbax.sniff import MARKS, UNFINISHED
from modelaudit.formats.saved_model.files import list_files
from modelaudit.settings import Limits

_CONFIG, _TREE = "model_config", "_METADATA"
_HEAD_BYTES = 4096


def read_orbax(root: Path, limits: Limits) -> Artifact:
    """Read the checkpoint in the directory `root`. It is never complete: arrays are not read.

    Raises:
        LimitExceeded: too many files.
    """
    root = root.absolute()
    listing = list_files(root, limits)
    notes = ReadNotes(list(listing.problems))
    detail = "is an Orbax checkpoint, whose arrays are not read"
    notes.problems.append(Problem(ProblemKind.UNSUPPORTED, root.name, detail))
    config: Json = None
    where = ""
    for file, path in sorted(listing.paths.items()):
        parts = PurePosixPath(file)
        saved = _CONFIG in parts.parts[:-1]
        if saved or parts.name == _TREE:
            document = _document(path, file, limits, notes)
        else:
            document = _json(path, file, limits, notes)
        notes.problems += [
            *escaping_asset_paths(document, file),
            *external_locations(document, file),
        ]
        if saved and (found := _config(document, file, limits, notes)):
            config, where = found, file
    if any(UNFINISHED in part for file in listing.paths for part in file.split("/")):
        reason = "contains a checkpoint that was not completely written"
        notes.problems.append(Problem(ProblemKind.LEFTOVER, root.name, reason))
    files = tuple(
        file_entry(path, root, _role(file), limits) for file, path in sorted(listing.paths.items())
    )
    return Artifact(
        root=root,
        format=Format.ORBAX,
        files=files,
        sha256=model_digest(files),
        complete=False,
        architecture=architecture_of(config, where, "config", limits, notes) if config else None,
        training=mapping_of((mapping_of(config) or {}).get("compile_config")),
        problems=tuple(notes.problems),
        documents=tuple(notes.documents),
    )


def _document(path: Path, file: str, limits: Limits, notes: ReadNotes) -> Json:
    try:
        data = read_bytes(path, limits.config_bytes, file, "config_bytes")
    except ReadError as error:
        notes.add(error, file)
        return None
    return json_part(data, file, "", limits, notes)


def _config(document: Json, file: str, limits: Limits, notes: ReadNotes) -> Json:
    """The Keras config, which is JSON in a string of the JSON document."""
    text = (mapping_of(document) or {}).get("config")
    if isinstance(text, str):
        return json_part(text.encode(), file, "config", limits, notes)
    return text


def _json(path: Path, file: str, limits: Limits, notes: ReadNotes) -> Json:
    """Parse a file that contains either JSON or data; None for data.

    JSON that is too large, nested too deep or unreadable adds a problem, as it is not checked.
    """
    try:
        head = FileWindow.of_file(path, file).head(_HEAD_BYTES)
        if not _begins_json(head):
            return None
        return json_loads(read_bytes(path, limits.config_bytes, file, "config_bytes"), limits, file)
    except LimitExceeded as error:
        if _is_text(head):
            notes.add(error, file)
    except ReadError as error:
        if error.kind != ProblemKind.CONFIG_INVALID:  # not JSON for any reader
            notes.add(error, file)
    return None


def _begins_json(head: bytes) -> bool:
    start = head.lstrip(BEFORE_JSON)
    return start[:1] in (b"{", b"[", b'"') if start else bool(head.strip(b"\0"))


def _is_text(head: bytes) -> bool:
    """Whether bytes are text without control characters; they may end inside a character."""
    try:
        decoder = codecs.getincrementaldecoder(json.detect_encoding(head))()
        text = decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\r\n" for character in text)


def _role(file: str) -> str:
    parts = PurePosixPath(file)
    if _CONFIG in parts.parts[:-1]:
        return "config"
    return "metadata" if parts.name in MARKS else "weights"
