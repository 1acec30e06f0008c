"""The nodes of a syntax tree, walked once: a dozen questions are asked of each method."""

from __future__ import annotations

import ast
from functools import lru_cache

_KEPT = 1024  # trees: methods, and the statements in them


@lru_cache(maxsize=_KEPT)
def walked(tree: ast.AST) -> tuple[ast.AST, ...]:
    """A node and all below it, as `ast.walk` gives them."""
    return tuple(ast.walk(tree))
