"""Class names in files next to a model."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Json
from modelaudit.formats.io.bounded import json_loads, read_bytes
from modelaudit.settings import Limits

NAMES_FILE = "labels.txt"
_TEXT_FILES = (NAMES_FILE, "class_names.txt", "classes.txt")
_JSON_FILES = ("class_indices.json", "class_names.json", "classes.json", "labels.json")
# Teachable Machine writes the names into `metadata.json`; so may others, into any of these keys.
_METADATA = "metadata.json"
# Hugging Face writes them into the settings of a model, by their numbers and the other way round.
_SETTINGS = "config.json"
_MAPPINGS = ("id2label", "label2id")
_KEYS = ("labels", "class_names", "classes", *_MAPPINGS)
_KEYS_OF_FILE = {_METADATA: _KEYS, _SETTINGS: _MAPPINGS}
LABEL_FILES = (*_TEXT_FILES, *_JSON_FILES, _METADATA, _SETTINGS)
_MODELS = frozenset((".h5", ".hdf5", ".keras", ".pb", ".tflite", ".index", ".onnx"))
_MOST = 10_000
_LONGEST = 200  # characters of a name
_DISTINCT = 0.9  # ImageNet has two cranes and two maillots; labels of samples repeat much more


def read_labels(model: Path, limits: Limits) -> Json:
    """`{"file": name, "sha256": …, "names": [...], "shared": bool}`, or None without such a file.

    The names are in the order of the model's outputs; the file is shared if other models are
    beside it.

    Numbers at the start of lines that count from 0 (`0 Cat`, as in Teachable Machine) are removed.
    Files that are too large, malformed or no list of different names are ignored.

    Args:
        model: the model's file, directory or prefix; a directory is searched before its parent.
        limits: `text_bytes` is the maximum size of a file.
    """
    places = [model, model.parent] if model.is_dir() else [model.parent]
    for place in places:
        for name in LABEL_FILES:
            path = place / name
            if not path.is_file():
                continue
            try:
                data = read_bytes(path, limits.text_bytes, name)
                if name in _TEXT_FILES:
                    names = label_lines(data)
                else:
                    names = _names_in(json_loads(data, limits, name), _KEYS_OF_FILE.get(name))
            except ReadError:
                continue
            short = names and len(names) <= _MOST and max(map(len, names)) <= _LONGEST
            if short and len(set(names)) >= _DISTINCT * len(names):
                return {
                    "file": name,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "names": list(names),
                    "shared": holds_others(place, model),
                }
    return None


def holds_others(place: Path, model: Path) -> bool:
    """Whether a directory holds another model than this one."""
    if place == model:
        return False
    with os.scandir(place) as entries:
        return any(
            Path(entry.name).suffix.lower() in _MODELS and Path(entry.name).stem != model.stem
            for entry in itertools.islice(entries, _MOST)
        )


def label_lines(data: bytes) -> list[str]:
    """The names in a text, one a line, without first comments and numbers that count from 0."""
    text = data.decode("utf-8-sig", "replace")
    lines = [line.strip() for line in text.splitlines()[: _MOST + 1] if line.strip()]
    lines = [*itertools.dropwhile(lambda line: line.startswith("# "), lines)]
    numbered = [line.split(maxsplit=1) for line in lines]
    if all(parts[0] == str(index) and len(parts) > 1 for index, parts in enumerate(numbered)):
        return [parts[1] for parts in numbered]
    return lines


def _names_in(value: Json, only: Sequence[str] | None) -> list[str]:
    """The names under the first of some keys that has any, or those that the whole file is."""
    if isinstance(value, dict):
        for key in _KEYS if only is None else only:
            if isinstance(value.get(key), list | dict) and (names := _names(value[key])):
                return names
    return _names(value) if only is None else []


def _names(value: Json) -> list[str]:
    """The names in a list, in Keras' `class_indices` (name -> index), or in the reverse mapping."""
    if isinstance(value, list):
        return [each for each in value if isinstance(each, str)] if _all_text(value) else []
    if not isinstance(value, dict) or len(value) > _MOST:
        return []
    if all(type(index) is int for index in value.values()):
        pairs = [(index, name) for name, index in value.items() if isinstance(index, int)]
    else:
        # ImageNet's file has [identifier, name] for each index.
        pairs = [
            (int(index), str(name[-1] if isinstance(name, list) and name else name))
            for index, name in value.items()
            if index.isdecimal() and len(index) <= len(str(_MOST))
        ]
    pairs.sort()
    counted = [index for index, _ in pairs] == [*range(len(value))]
    return [name for _, name in pairs] if counted else []


def _all_text(values: list[Json]) -> bool:
    return all(isinstance(each, str) for each in values)
