"""Words that an archive keeps beside the weights, of layers that look them up."""

from __future__ import annotations

from collections import Counter

from modelaudit.errors import ProblemKind, ReadError
from modelaudit.facts import Artifact, Format
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.layer_classes import Trait, has
from modelaudit.repairs.containers import opened_archive
from modelaudit.runtimes.checks.stored.weight_layouts import OLD_LAYOUT
from modelaudit.settings import Limits


def stored_words(artifact: Artifact, limits: Limits) -> dict[str, tuple[str, ...]]:
    """Route of a layer -> its words, those for unknown and empty words included.

    Only of layers outside of inner models. Archives number their folders by class.

    Raises:
        ReadError: the archive cannot be read.
    """
    if artifact.format is not Format.KERAS_ARCHIVE or artifact.architecture is None:
        return {}
    parts = opened_archive(artifact, limits)
    names = frozenset(parts.names())
    counted: Counter[str] = Counter()
    found: dict[str, tuple[str, ...]] = {}
    for layer in artifact.architecture.layers:
        if "/config/" in layer.config_route or not has(layer.class_name, Trait.VOCABULARY):
            continue
        group = snake_case(layer.class_name)
        folders = [f"layers/{group}_{counted[group]}" if counted[group] else f"layers/{group}"]
        if not counted[group]:  # Keras 2.12 and 2.13 numbered the others in another way
            folders.append(f"{OLD_LAYOUT}/{group}")
        counted[group] += 1
        for name in (f"assets/{folder}/vocabulary.txt" for folder in folders):
            if name in names and (words := _lines(parts.window(name), limits)):
                found[layer.route] = words
    return found


def _lines(window: FileWindow, limits: Limits) -> tuple[str, ...]:
    """The words, or () if they have the encoding of another machine: Keras writes with its own."""
    if window.size > limits.config_bytes:
        raise ReadError(ProblemKind.LIMIT_EXCEEDED, window.file, "too large for a config")
    try:
        return tuple(window.head(window.size).decode().split("\n"))
    except UnicodeDecodeError:
        return ()
