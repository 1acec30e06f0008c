"""Formats of exports, and the words of a path that name a model, whatever its format."""

from __future__ import annotations

import re
from pathlib import Path

from modelaudit.file_formats import Format

EXPORTS = frozenset({Format.TFLITE, Format.TFJS_LAYERS, Format.TFJS_GRAPH})
_WORD = re.compile(r"[^\W_]+")
_OF_EXPORTS = frozenset(
    {
        *("tf", "tflite", "lite", "litert", "tfjs", "js", "web"),
        *("keras", "h5", "hdf5", "saved", "savedmodel"),
        *("export", "exports", "exported", "convert", "converted", "deploy", "edgetpu"),
        *("float", "float32", "fp32", "float16", "fp16", "f16", "f32", "half", "unquant"),
        *("int8", "uint8", "int16", "int16x8", "16x8", "quant", "quantized", "quantised"),
        *("dynamic", "range", "full", "integer", "optimized", "optimised", "dr", "drq"),
    }
)


def name_words(path: Path) -> tuple[str, ...]:
    """The words of the directories and of the name: the same for a model and its exports.

    `digits/keras/model.h5` and `digits/tflite/model_int8.tflite` both give `digits`, `model`.
    """
    parts = (*path.parent.parts, path.stem)
    words = (word.lower() for part in parts for word in _WORD.findall(part))
    return tuple(word for word in words if word not in _OF_EXPORTS)
