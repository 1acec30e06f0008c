"""Which attributes a method makes a `tf.Variable`, and which of these are drawn at random."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from modelaudit.formats.source_code.making import made_layers
from modelaudit.formats.source_code.methods import (
    Function,
    Names,
    assigned,
    full_name,
    own_attribute,
)
from modelaudit.formats.source_code.walking import walked

# What makes a `tf.Variable`: in both generations of Keras, also the function of its backend.
VARIABLES = (
    *("tensorflow.Variable", "tensorflow.compat.v1.Variable"),
    *("keras.backend.variable", "tensorflow.keras.backend.variable"),
)
_RANDOM = re.compile(
    r"random|uniform|normal(?!i[sz])|glorot|lecun|he_|orthogonal|variance_?scaling", re.IGNORECASE
)
# Functions that make the same numbers each time.
_CONSTANTS = frozenset(
    ("arange", "constant", "eye", "fill", "full", "linspace", "ones", "range", "zeros")
)


def variables(method: Function, names: Names) -> Iterator[str]:
    """Attributes that a method makes a `tf.Variable`."""
    return (each.attribute for each in made_layers(method, names) if each.name in VARIABLES)


def drawn(method: Function, names: Names) -> Iterator[str]:
    """Those of them that may be of random numbers, which the method names; without a seed."""
    if not _draws(method, names):
        return
    for target, value in assigned(method):
        attribute = own_attribute(target)
        if not (attribute and isinstance(value, ast.Call)):
            continue
        inside = [*value.args, *(word.value for word in value.keywords)]
        made = full_name(value.func, names) in VARIABLES
        if made and not all(_fixed(each, names) or _seeded(each) for each in inside):
            yield attribute


def _fixed(node: ast.expr, names: Names) -> bool:
    """Whether an expression has numbers, and what makes zeros, ones or other fixed numbers."""
    calls = [each for each in walked(node) if isinstance(each, ast.Call)]
    if not calls:
        return not any(isinstance(each, ast.Name) for each in walked(node))
    return all(full_name(each.func, names).rpartition(".")[2] in _CONSTANTS for each in calls)


def _seeded(node: ast.expr) -> bool:
    """Whether a call in it is given a seed, with which a program draws the same numbers again."""
    return any(isinstance(each, ast.keyword) and each.arg == "seed" for each in walked(node))


def _draws(method: Function, names: Names) -> bool:
    """Whether a method names something that draws random numbers."""
    return any(
        _RANDOM.search(full_name(each, names))
        for each in walked(method)
        if isinstance(each, ast.Attribute | ast.Name)
    )
