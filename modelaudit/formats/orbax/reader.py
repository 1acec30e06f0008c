"""Orbax checkpoint directories: named for what they are, with the parts that a loader obeys.

Arrays lie in TensorStore's formats and are not read. Keras (from 3.14 on) builds the model from
the JSON under `model_config` and writes assets to the paths that `_METADATA` names; Orbax makes
paths of the names there, and a specification of TensorStore's can name any place. So all JSON is
looked at.
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
from modelaudit.formats.io.file_window import Window
from modelaudit.formats.keras.common import Notes, architecture_of, json_part, mapping_of
from modelaudit.formats.orbax.external_paths import climbing, elsewhere
from modelaudit.formats.orbax.sniff import MARKS, UNFINISHED
from modelaudit.formats.saved_model.files import list_files
from modelaudit.settings import Limits

_CONFIG, _TREE = "model_config", "_METADATA"
_HEAD_BYTES = 4096


def read_orbax(root: Path, limits: Limits) -> Artifact:
    """Facts of the checkpoint in the directory `root`; never complete, for arrays are not read.

    Raises:
        LimitExceeded: too many files.
    """
    root = root.absolute()
    listing = list_files(root, limits)
    notes = Notes(list(listing.problems))
    detail = "is an Orbax checkpoint, whose arrays are not read here"
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
        notes.problems += [*climbing(document, file), *elsewhere(document, file)]
        if saved and (found := _config(document, file, limits, notes)):
            config, where = found, file
    if any(UNFINISHED in part for file in listing.paths for part in file.split("/")):
        reason = "holds a checkpoint whose writing was not finished"
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


def _document(path: Path, file: str, limits: Limits, notes: Notes) -> Json:
    try:
        data = read_bytes(path, limits.config_bytes, file, "config_bytes")
    except ReadError as error:
        notes.add(error, file)
        return None
    return json_part(data, file, "", limits, notes)


def _config(document: Json, file: str, limits: Limits, notes: Notes) -> Json:
    """The Keras config, which is JSON as a text in JSON."""
    text = (mapping_of(document) or {}).get("config")
    if isinstance(text, str):
        return json_part(text.encode(), file, "config", limits, notes)
    return text


def _json(path: Path, file: str, limits: Limits, notes: Notes) -> Json:
    """What a file says that may be JSON or data; None for data.

    JSON that is too large, too deep or cannot be read is noted: it can name a place unseen.
    """
    try:
        head = Window.of_file(path, file).head(_HEAD_BYTES)
        if not _begins_json(head):
            return None
        return json_loads(read_bytes(path, limits.config_bytes, file, "config_bytes"), limits, file)
    except LimitExceeded as error:
        if _is_text(head):
            notes.add(error, file)
    except ReadError as error:
        if error.kind != ProblemKind.CONFIG_INVALID:  # else it is no JSON, to nobody
            notes.add(error, file)
    return None


def _begins_json(head: bytes) -> bool:
    start = head.lstrip(BEFORE_JSON)
    return start[:1] in (b"{", b"[", b'"') if start else bool(head.strip(b"\0"))


def _is_text(head: bytes) -> bool:
    """Whether bytes are text without control characters, as JSON is; they may end in a letter."""
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
