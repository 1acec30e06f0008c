"""Orbax checkpoint directories: named for what they are, with the parts that a loader obeys.

Arrays lie in TensorStore's formats and are not read. Keras (from 3.14 on) builds the model from
the JSON under `model_config` and writes assets to the paths that `_METADATA` names; Orbax makes
paths of the names there, and a specification of TensorStore's can name any place. So all JSON is
looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Format, Json, Problem, ProblemKind
from modelaudit.formats.bounded import file_entry, json_loads, model_digest, read_bytes
from modelaudit.formats.keras_parts import Notes, architecture_of, json_part, mapping_of
from modelaudit.formats.saved_model_files import list_files
from modelaudit.formats.sniff_orbax import MARKS, UNFINISHED
from modelaudit.formats.window import Window
from modelaudit.formats.zip_directory import unsafe_name
from modelaudit.settings import Limits

_CONFIG, _TREE = "model_config", "_METADATA"
_PLACES = ("path", "kvstore", "base", "base_url", "url")  # where TensorStore keeps data


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
        if _CONFIG in parts.parts[:-1]:
            config, where = _config(path, file, limits, notes) or config, file
        else:
            tree = parts.name == _TREE
            document = _document(path, file, limits, notes) if tree else _json(path, file, limits)
            notes.problems += [*_climbing(document, file), *_elsewhere(document, file)]
    if any(UNFINISHED in part for file in listing.paths for part in file.split("/")):
        reason = "holds a checkpoint whose writing was not finished"
        notes.problems.append(Problem(ProblemKind.LEFTOVER, root.name, reason))
    files = tuple(
        file_entry(path, root, _role(file), limits) for file, path in sorted(listing.paths.items())
    )
    saved = mapping_of(config) or {}
    return Artifact(
        root=root,
        format=Format.ORBAX,
        files=files,
        sha256=model_digest(files),
        complete=False,
        architecture=architecture_of(config, where, "config", limits, notes) if config else None,
        training=mapping_of(saved.get("compile_config")),
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


def _config(path: Path, file: str, limits: Limits, notes: Notes) -> Json:
    """The Keras config, which is JSON as a text in JSON."""
    outer = mapping_of(_document(path, file, limits, notes)) or {}
    text = outer.get("config")
    if isinstance(text, str):
        return json_part(text.encode(), file, "config", limits, notes)
    return text


def _climbing(tree: Json, file: str) -> Iterator[Problem]:
    """Names in the tree of values that would lead out of a directory, if they are assets' paths."""
    for key, leaf in (mapping_of((mapping_of(tree) or {}).get("tree_metadata")) or {}).items():
        steps = (mapping_of(leaf) or {}).get("key_metadata")
        names = [
            str(step.get("key"))
            for step in (steps if isinstance(steps, list) else ())
            if isinstance(step, dict)
        ]
        # Orbax joins them by dots, which can make `..` of harmless parts.
        for name in dict.fromkeys((*names, ".".join(names))):
            if reason := unsafe_name(name):
                evidence: dict[str, Json] = {"orbax": "name", "name": name}
                yield Problem(ProblemKind.UNSAFE_PATH, file, reason, key, evidence)
                break


def _elsewhere(document: Json, file: str) -> Iterator[Problem]:
    """Places outside of the checkpoint that a specification, an object with a `driver`, names."""
    pending: list[Json] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            pending.extend(value.values())
            for key in _PLACES if "driver" in value else ():
                place = value.get(key)
                if not isinstance(place, str):
                    continue
                reason = f"{place} is an address" if "://" in place else unsafe_name(place)
                if reason:
                    evidence: dict[str, Json] = {"orbax": "place", "name": place}
                    yield Problem(ProblemKind.UNSAFE_PATH, file, reason, key, evidence)


def _json(path: Path, file: str, limits: Limits) -> Json:
    """What a file says that may be JSON or data; None for data."""
    try:
        if Window.of_file(path, file).head(1) not in (b"{", b"["):
            return None
        return json_loads(read_bytes(path, limits.config_bytes, file, "config_bytes"), limits, file)
    except ReadError:
        return None


def _role(file: str) -> str:
    parts = PurePosixPath(file)
    if _CONFIG in parts.parts[:-1]:
        return "config"
    return "metadata" if parts.name in MARKS else "weights"
