"""Code that calls nothing, and only reads attributes that are not on the allow list."""

from __future__ import annotations

import re
from collections.abc import Collection

from modelaudit.formats.bytecode.instructions import instructions, versions_between
from modelaudit.formats.bytecode.marshal_reader import Bytecode
from modelaudit.rules.security.config.allowed_code import allowed_words

# Instructions that run a function: calls, imports, `with`, and texts made of values.
_RUNS = re.compile(r"CALL|IMPORT|WITH|SPECIAL|FORMAT|CONVERT|YIELD|GENERATOR|ITER\Z")
_PLAIN = re.compile(r"\.[a-zA-Z]\w*\Z")


def only_reads(read: Bytecode, unlisted: Collection[str]) -> bool:
    """Whether all that is unlisted is attributes without an underscore in front, and nothing runs.

    Such as `x[:, self.output_slice_index, :]`: whatever object `self` is, code that calls nothing
    does no more with it than to index by what it holds.

    Args:
        read: the code.
        unlisted: what in it is not on the allow list.
    """
    if not unlisted or not all(map(_PLAIN.match, unlisted)):
        return False
    names = {name for code in read.code.nested() for name in code.names}
    if not names <= allowed_words() | {each[1:] for each in unlisted}:
        return False
    return not any(
        _RUNS.search(each.name)
        for version in versions_between(read.layout.first, read.layout.last)
        for code in read.code.nested()
        for each in instructions(code.bytecode, version) or ()
    )
