"""Names of layers, operations, losses and other parts of models, in all versions of Keras."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("part_names.txt")


@cache
def part_names() -> frozenset[str]:
    """Names of classes and functions that a config may refer to in Keras.

    The list is package data; its header says how it was made.
    """
    text = re.sub(r"\n\s+", " ", _LIST.read_text(encoding="utf-8"))
    lines = (line.partition(": ")[2] for line in text.splitlines() if not line.startswith("#"))
    return frozenset(name for line in lines for name in line.split())
