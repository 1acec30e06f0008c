"""Is a JSON file a TensorFlow.js model, and of which kind?"""

from __future__ import annotations

import re
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.file_formats import Format
from modelaudit.formats.io.file_window import FileWindow

HEAD_BYTES = 1 << 16  # metadata of any size can stand before the topology
_TOPOLOGY = b'"modelTopology"'
_LAYERS = re.compile(rb'"format"\s*:\s*"layers-model"')
_GRAPH = re.compile(
    rb'"format"\s*:\s*"graph-model"|"modelTopology"\s*:\s*\{\s*"(?:node|library|versions)"'
)


def tfjs_format(head: bytes) -> Format | None:
    """The kind of model that a file starts like; None if it is no model of TensorFlow.js.

    Args:
        head: its first bytes, `HEAD_BYTES` or fewer.
    """
    if head.lstrip()[:1] != b"{":
        return None
    if _GRAPH.search(head):
        return Format.TFJS_GRAPH
    return Format.TFJS_LAYERS if _TOPOLOGY in head or _LAYERS.search(head) else None


def starts_tfjs(path: Path, head: bytes) -> bool:
    """Whether a file starts like a model of TensorFlow.js; JSON files are read further for it.

    Args:
        path: the file; one that cannot be read further is none.
        head: its first bytes, fewer than `HEAD_BYTES`.
    """
    if head.lstrip()[:1] != b"{" or tfjs_format(head):
        return tfjs_format(head) is not None
    try:
        return tfjs_format(FileWindow.of_file(path).head(HEAD_BYTES)) is not None
    except ReadError:
        return False
