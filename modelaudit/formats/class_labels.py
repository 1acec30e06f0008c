"""Class names that lie beside a model."""

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


def read_labels(model: Path, limits: Limits) -> Json:
    """`{"file": name, "names": [...]}` in the order of the model's outputs; None without a file.

    Lines that are numbered from 0 (`0 Cat`, as Teachable Machine writes them) lose the number.
    A file that is too large or broken counts as none: nothing depends on it.

    Args:
        model: the model's file, directory or prefix; directories are looked into first.
        limits: `text_bytes` bounds the file.
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
        if isinstance(value, int) or key.isdecimal()
    ]
    return [name for _, name in sorted(pairs)] if len(pairs) == len(mapping) else []
