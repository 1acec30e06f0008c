"""Reader of Orbax checkpoint directories: their JSON files, but not their arrays.

Arrays are in TensorStore's formats and are not read. Keras (3.14 and later) builds the model from
the JSON under `model_config` and writes assets to the paths in `_METADATA`; Orbax uses the names
there as paths, and a TensorStore specification can contain any location. Hence all JSON is checked.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
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
from modelaudit.formats.keras.json_config import mapping
from modelaudit.formats.orbax.sniff import MARKS, UNFINISHED
from modelaudit.formats.saved_model.files import list_files
from modelaudit.formats.zip.problems import unsafe_name
from modelaudit.settings import Limits

_CONFIG, _TREE = "model_config", "_METADATA"
_HEAD_BYTES = 4096
_PLACES = ("path", "kvstore", "base", "base_url", "url")  # TensorStore's keys for data locations
_OWN_WORDS = "custom_metadata"  # free-form data of the program; not used as locations
_ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# TensorStore's URL form of a specification: the location, then the formats after a bar.
_PIPELINE = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]*://|/|\.\.).*\|\s*[\w.-]+:", re.IGNORECASE | re.DOTALL
)
_IN_MEMORY = "memory"


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


def escaping_asset_paths(tree: Json, file: str) -> Iterator[Problem]:
    """Names in the tree of values that are unsafe as paths of assets."""
    for key, leaf in mapping(mapping(tree).get("tree_metadata")).items():
        steps = mapping(leaf).get("key_metadata")
        names = [
            str(step.get("key"))
            for step in (steps if isinstance(steps, list) else ())
            if isinstance(step, dict)
        ]
        # Orbax joins names with dots, which can create `..` from harmless names.
        for name in dict.fromkeys((*names, ".".join(names))):
            if reason := unsafe_name(name):
                evidence: dict[str, Json] = {"orbax": "name", "name": name}
                yield Problem(ProblemKind.UNSAFE_PATH, file, reason, key, evidence)
                break


def external_locations(document: Json, file: str) -> Iterator[Problem]:
    """Locations outside the checkpoint in a TensorStore specification.

    A specification is an object with a `driver`; inside it, all URLs count. A URL that is followed
    by a bar and a format counts anywhere. URLs of local files count anywhere but in the program's
    own metadata.
    """
    pending: list[tuple[str, Json, bool, bool]] = [("", document, False, False)]
    while pending:
        key, value, inside, own = pending.pop()
        if isinstance(value, list):
            pending.extend((key, each, inside, own) for each in value)
        elif isinstance(value, dict):
            inside = inside or "driver" in value
            for name, each in value.items():
                if "driver" in value and name in _PLACES and isinstance(each, str):
                    reason = _address(each) if _ADDRESS.match(each) else unsafe_name(each)
                    if reason:
                        yield _problem(file, name, each, reason)
                else:
                    pending.append((name, each, inside, own or name == _OWN_WORDS))
        elif isinstance(value, str) and (reason := _address(value)):
            local = value.lstrip()[:7].lower() == "file://" and not own
            if inside or local or _PIPELINE.match(value):
                yield _problem(file, key, value, reason)


def _address(place: str) -> str:
    """Why a string is a location outside the checkpoint; "" for names and in-memory data."""
    found = _ADDRESS.match(place)
    if found is None:
        return f"{place} is a path followed by a format" if _PIPELINE.match(place) else ""
    return "" if found[1].lower() == _IN_MEMORY else f"{place} is a URL"


def _problem(file: str, key: str, place: str, reason: str) -> Problem:
    evidence: dict[str, Json] = {"orbax": "place", "name": place}
    return Problem(ProblemKind.UNSAFE_PATH, file, reason, key, evidence)
