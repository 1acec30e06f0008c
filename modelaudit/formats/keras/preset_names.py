"""Detection of KerasHub presets: the names of their files, and the package that wrote them."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.formats.io.file_window import FileWindow

CONFIG, METADATA, TASK = "config.json", "metadata.json", "task.json"
TOKENIZER, CONVERTER = "tokenizer.json", "image_converter.json"
CONFIGS = (
    *(CONFIG, TASK, "preprocessor.json", TOKENIZER),
    *(CONVERTER, "audio_converter.json", "video_converter.json"),
)
WEIGHTS, WEIGHTS_MAP, TASK_WEIGHTS = "model.weights.h5", "model.weights.json", "task.weights.h5"
SHARD = re.compile(r"model_\d{5}\.weights\.h5|[^/]+\.lora\.h5")
DIRECTORIES = frozenset(("assets",))

_PACKAGE = re.compile(rb'"keras_(?:hub|nlp)(?:_version"|[.>])')
_HEAD_BYTES = 4096  # the metadata has fewer; the config begins with its module


def preset_files(names: Collection[str]) -> frozenset[str]:
    """Those of the names in a preset's directory that KerasHub writes there."""
    own = {*CONFIGS, METADATA, WEIGHTS, WEIGHTS_MAP, TASK_WEIGHTS}
    return frozenset(name for name in names if name in own or SHARD.fullmatch(name))


def is_preset(directory: Path, names: Collection[str]) -> bool:
    """Whether KerasHub, or its predecessor KerasNLP, wrote the files of a directory.

    Other libraries also write a `config.json` and a `tokenizer.json`, and an unpacked `.keras`
    archive has the same files as a preset without a task.
    """
    return CONFIG in names and any(
        name in names and _names_the_package(directory / name) for name in (METADATA, CONFIG)
    )


def _names_the_package(path: Path) -> bool:
    try:
        return bool(_PACKAGE.search(FileWindow.of_file(path).head(_HEAD_BYTES)))
    except (ReadError, OSError):
        return False
