"""Formats of exports, and the words of a path that name a model, whatever its format."""

from __future__ import annotations

import re
from pathlib import Path

from modelaudit.file_formats import Format

EXPORTS = frozenset({Format.TFLITE, Format.TFJS_LAYERS, Format.TFJS_GRAPH})
# One of their words alone tells two models apart: full and lite, dynamic and static.
_PAIRS = re.compile(r"dynamic[\W_]range|full[\W_](?=int)")
_WORD = re.compile(r"[^\W_]+")
_OF_EXPORTS = frozenset(
    {
        *("tf", "tflite", "litert", "tfjs", "js"),
        *("keras", "h5", "hdf5", "saved", "savedmodel"),
        *("export", "exports", "exported", "convert", "converted", "deploy", "edgetpu"),
        *("float", "float32", "fp32", "float16", "fp16", "f16", "f32", "unquant"),
        *("int8", "uint8", "int16", "int16x8", "16x8", "quant", "quantized", "quantised"),
        *("integer", "optimized", "optimised", "dr", "drq"),
    }
)


def name_words(path: Path) -> tuple[str, ...]:
    """The words of the directories and of the name: the same for a model and its exports.

    `digits/keras/model.h5` and `digits/tflite/model_int8.tflite` both give `digits`, `model`.
    """
    parts = (*path.parent.parts, path.stem)
    plain = (_PAIRS.sub(" ", part.lower()) for part in parts)
    words = (word for part in plain for word in _WORD.findall(part))
    return tuple(word for word in words if word not in _OF_EXPORTS)
