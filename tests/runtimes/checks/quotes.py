"""Compares a quoted error with what a runtime says."""

from __future__ import annotations

import re

_TYPED = re.compile(r"([A-Z][A-Za-z]*(?:Error|Exception|Warning)): (.*)", re.DOTALL)
# Errors of an inner object, as Keras wraps them.
_WRAPPED = "Exception encountered:"


def says(quoted: str, real: str) -> bool:
    """Whether an error (`Type: text`) has the quoted type, if one is quoted, and the quoted parts.

    Parts between `…` stand in this order. They may be inside an error that Keras wraps around.
    """
    kind, text = "", quoted.rstrip(".")
    if typed := _TYPED.fullmatch(text):
        kind, text = typed[1], typed[2]
    if kind and not real.startswith(f"{kind}: "):
        return False
    position = 0
    for part in filter(None, (each.strip() for each in text.split("…"))):
        position = real.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return True
