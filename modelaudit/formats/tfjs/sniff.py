"""Is a JSON file a TensorFlow.js model, and of which kind?"""

from __future__ import annotations

import re

from modelaudit.file_formats import Format

HEAD_BYTES = 4096
_TOPOLOGY = b'"modelTopology"'
_LAYERS = re.compile(rb'"format"\s*:\s*"layers-model"')
_GRAPH = re.compile(rb'"format"\s*:\s*"graph-model"|"modelTopology"\s*:\s*\{\s*"(?:node|library)"')


def tfjs_format(head: bytes) -> Format | None:
    """The kind of model that a file starts like; None if it is no model of TensorFlow.js.

    Args:
        head: the first `HEAD_BYTES` of the file.
    """
    if head.lstrip()[:1] != b"{":
        return None
    if _GRAPH.search(head):
        return Format.TFJS_GRAPH
    return Format.TFJS_LAYERS if _TOPOLOGY in head or _LAYERS.search(head) else None
