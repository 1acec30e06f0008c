"""Names of Python modules' functions and constants that compute on tensors, and related lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("arithmetic_names.txt")


@cache
def arithmetic_names() -> Mapping[str, frozenset[str]]:
    """Module (`tf.math`) -> names in it; the header of the list describes the other sections.

    The list is package data.
    """
    text = re.sub(r"\n\s+", " ", _LIST.read_text(encoding="utf-8"))
    lines = [line.partition(": ") for line in text.splitlines() if not line.startswith("#")]
    return {module: frozenset(names.split()) for module, _, names in lines}
