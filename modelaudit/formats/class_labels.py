"""Class names in files next to a model."""

from __future__ import annotations

from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Json
from modelaudit.formats.io.bounded import json_loads, read_bytes
from modelaudit.settings import Limits

_TEXT_FILES = ("labels.txt", "class_names.txt")
_INDEX_FILE = "class_indices.json"
LABEL_FILES = (*_TEXT_FILES, _INDEX_FILE)
_MOST = 10_000
_MOST_DIGITS = 9


def read_labels(model: Path, limits: Limits) -> Json:
    """`{"file": name, "names": [...]}` in the order of the model's outputs; None without a file.

    Numbers at the start of lines that count from 0 (`0 Cat`, as in Teachable Machine) are removed.
    Files that are too large or malformed are ignored.

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
                names = _indexed(data, limits) if name == _INDEX_FILE else _lines(data)
            except ReadError:
                continue
            if names:
                return {"file": name, "names": list(names)}
    return None


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8-sig", "replace")
    lines = [line.strip() for line in text.splitlines()[:_MOST] if line.strip()]
    numbered = [line.split(maxsplit=1) for line in lines]
    if all(parts[0] == str(index) and len(parts) > 1 for index, parts in enumerate(numbered)):
        return [parts[1] for parts in numbered]
    return lines


def _indexed(data: bytes, limits: Limits) -> list[str]:
    """Keras's `class_indices` (name -> index), or the reverse mapping."""
    mapping = json_loads(data, limits, _INDEX_FILE)
    if not isinstance(mapping, dict) or len(mapping) > _MOST:
        return []
    pairs = [
        (value, key) if isinstance(value, int) else (int(key), str(value))
        for key, value in mapping.items()
        if isinstance(value, int) or (key.isdecimal() and len(key) <= _MOST_DIGITS)
    ]
    return [name for _, name in sorted(pairs)] if len(pairs) == len(mapping) else []
