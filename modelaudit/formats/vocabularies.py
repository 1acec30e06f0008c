"""Vocabularies in files next to a model: how many indices they give."""

from __future__ import annotations

from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Json
from modelaudit.formats.class_labels import holds_others
from modelaudit.formats.io.bounded import json_loads, read_bytes
from modelaudit.layer_classes import Trait, has
from modelaudit.settings import Limits

_TEXT_FILES = ("vocab.txt", "vocabulary.txt")
_JSON_FILES = ("vocab.json", "vocabulary.json", "word_index.json", "tokenizer.json")
VOCABULARY_FILES = (*_TEXT_FILES, *_JSON_FILES)
# Where Keras' Tokenizer keeps its words, and other programs theirs.
_KEYS = ("config", "word_index", "model", "vocab", "vocabulary", "token_to_id")
_DEEPEST = 4
_LONGEST = 200  # characters of a word
_DISTINCT = 0.9  # a text of sentences or labels repeats its lines


def takes_words(artifact: Artifact) -> bool:
    """Whether the model may have an embedding, whose size a vocabulary can contradict.

    Other models of a directory do not read a file that all of them would read again.
    """
    architecture = artifact.architecture
    return architecture is None or any(
        has(layer.class_name, Trait.SEQUENCE) for layer in architecture.layers
    )


def read_vocabularies(model: Path, limits: Limits) -> list[Json]:
    """`[{"file": name, "indices": n, "shared": bool}]`: the indices from 0 that a file gives.

    A text gives one for each line, JSON up to the largest number of a word, or below `num_words`.
    Files that are too large, malformed or no vocabulary are ignored.

    Args:
        model: the model's file, directory or prefix; a directory is searched before its parent.
        limits: `text_bytes` is the maximum size of a text; those of configs apply to JSON.
    """
    for place in [model, model.parent] if model.is_dir() else [model.parent]:
        found: list[Json] = []
        for name in VOCABULARY_FILES:
            path = place / name
            if path.is_file() and (n := _indices(path, limits)):
                found.append({"file": name, "indices": n, "shared": holds_others(place, model)})
        if found:
            return found
    return []


def _indices(path: Path, limits: Limits) -> int | None:
    try:
        if path.name in _TEXT_FILES:
            return _lines(read_bytes(path, limits.text_bytes))
        return _of_json(
            json_loads(read_bytes(path, limits.config_bytes), limits, path.name), limits
        )
    except ReadError:
        return None


def _lines(data: bytes) -> int | None:
    """The number of lines: the first may be empty, for padding."""
    words = [line.rstrip(b"\r") for line in data.split(b"\n")]
    while words and not words[-1]:
        words.pop()
    longest = max(map(len, words), default=0)
    return len(words) if longest <= _LONGEST and _different(words) else None


def _different(words: list[bytes]) -> bool:
    return len(words) > 1 and len(set(words)) >= _DISTINCT * len(words)


def _of_json(value: Json, limits: Limits) -> int | None:
    most: int | None = None
    for _ in range(_DEEPEST):
        if isinstance(value, str):  # as `json.dump(tokenizer.to_json())` and Keras itself write it
            value = json_loads(value.encode("utf-8", "replace"), limits, "")
        if isinstance(value, list):
            words = [word.encode("utf-8", "replace") for word in value if isinstance(word, str)]
            return len(words) if len(words) == len(value) and _different(words) else None
        if not isinstance(value, dict):
            return None
        numbers = [n for n in value.values() if type(n) is int and n >= 0]
        if len(numbers) > 1 and len(numbers) == len(value):
            unlike = len(set(numbers)) >= _DISTINCT * len(numbers)
            indices = max(numbers) + 1
            # Numbers far apart are counts of words.
            return min(indices, most or indices) if unlike and indices <= 2 * len(numbers) else None
        said = value.get("num_words")
        most = said if type(said) is int and said > 0 else most
        value = next((value[key] for key in _KEYS if key in value), None)
    return None
