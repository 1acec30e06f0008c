"""Code that imports the libraries that it computes with, inside the function."""

from __future__ import annotations

import re
from collections.abc import Collection

from modelaudit.formats.bytecode.marshal_reader import Bytecode
from modelaudit.rules.security.config.allowed_code import allowed_words

_LIBRARIES = frozenset({"tensorflow", "tf_keras", "keras", "numpy", "math"})
_IMPORT = re.compile(r"import ([a-zA-Z_.]+)\Z")
_ATTRIBUTE = re.compile(r"\.([a-zA-Z]\w*)\Z")
_NUMBERS = re.compile(r"[0-9,]+ numbers\Z")  # data, which no name here can run
# Types that values are compared with.
_HARMLESS = frozenset({"ndarray", "generic"})
_MESSAGE = "print"  # of Python alone: `tf.print` writes to files


def only_imports(read: Bytecode, unlisted: Collection[str]) -> bool:
    """Whether all that is unlisted is imports of libraries of the allow list, and names of it.

    Such as `import tensorflow as tf` before `tf.add(x, y)`, as converters write it, since code
    without globals runs in each program. What a name is an attribute of is not known then.

    Args:
        read: the code.
        unlisted: what in it is not on the allow list.
    """
    words = allowed_words() | _HARMLESS | _LIBRARIES
    if not any(_IMPORT.match(each) for each in unlisted):
        return False
    if not all(_is_known(each, words) for each in unlisted):
        return False
    names = {part for code in read.code.nested() for name in code.names for part in name.split(".")}
    return names <= words | {_MESSAGE}


def _is_known(unlisted: str, words: Collection[str]) -> bool:
    if imported := _IMPORT.match(unlisted):
        return imported[1].partition(".")[0] in _LIBRARIES and set(imported[1].split(".")) <= {
            *words
        }
    attribute = _ATTRIBUTE.match(unlisted)
    name = attribute[1] if attribute else unlisted
    return name in words or unlisted == _MESSAGE or bool(_NUMBERS.match(unlisted))
