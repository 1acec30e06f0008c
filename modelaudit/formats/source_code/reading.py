"""Reads Python files for the classes in them."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from modelaudit.errors import ReadError
from modelaudit.formats.io.bounded import files_below, read_bytes
from modelaudit.formats.source_code.classes import ClassCode, MadeObject, SourceCode
from modelaudit.formats.source_code.methods import made_objects
from modelaudit.formats.source_code.syntax import classes_in, functions_in, makers_in
from modelaudit.formats.source_code.walking import walked

_SUFFIX = ".py"
_LARGEST = 4 << 20  # bytes of a file
_LARGEST_OF_ALL = 256 << 20  # bytes of all files
_MOST_FILES = 20_000
# Directories of other people's code.
_SKIPPED = frozenset(("site-packages", "node_modules", "__pycache__", ".git", ".venv", "venv"))

SourceFile: TypeAlias = tuple[str, str, int, int]
"""A file, its name in messages, and what changes with its content: its size and time."""


def read_source_code(paths: Iterable[str]) -> SourceCode:
    """The classes in these files, and in the Python files of these directories.

    A file that is not Python of this interpreter's version is a problem of the result, and the
    others are read. The result is kept as long as no file changes.
    """
    return _read(source_files(paths))


def source_files(paths: Iterable[str]) -> tuple[SourceFile, ...]:
    """What `read_source_code` reads, without reading it."""
    return tuple(_state(path, root) for root in map(Path, paths) for path in _files(root))


def _files(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    for path in files_below(root, _MOST_FILES):
        inside = path.relative_to(root).parts
        if path.suffix == _SUFFIX and path.is_file() and _SKIPPED.isdisjoint(inside):
            yield path


def _state(path: Path, root: Path) -> SourceFile:
    name = path.relative_to(root.parent).as_posix()
    try:
        found = path.stat()
    except OSError:
        return str(path), name, 0, 0
    return str(path), name, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=8)
def _read(files: tuple[SourceFile, ...]) -> SourceCode:
    classes: dict[str, tuple[ClassCode, ...]] = {}
    functions: set[str] = set()
    makers: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    calls: list[MadeObject] = []
    left = _LARGEST_OF_ALL
    for path, name, size, _time in files:
        walked.cache_clear()  # no tree is kept longer than its file is read
        left -= size
        if left < 0:
            problems.append(f"{name}: not read, nor what follows: it is more than 256 MiB of code")
            break
        module = name.removesuffix(_SUFFIX).removesuffix("/__init__").replace("/", ".")
        try:
            tree = _parsed(read_bytes(Path(path), _LARGEST, name))
            found = [*classes_in(tree, module, name)]
            functions |= set(functions_in(tree))
            for maker, kinds in makers_in(tree):
                makers[maker] = kinds if makers.get(maker, kinds) == kinds else ()
        except (ReadError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
            problems.append(f"{name}: {str(error) or type(error).__name__}")
            continue
        calls += made_objects(tree)
        for each in found:
            classes[each.name] = (*classes.get(each.name, ()), each)
    made: dict[str, tuple[MadeObject, ...]] = {}
    for call in calls:
        if call.name in classes:
            made[call.name] = (*made.get(call.name, ()), call)
    return SourceCode(classes, tuple(problems), frozenset(functions), made, makers)


def _parsed(content: bytes) -> ast.Module:
    """The syntax tree.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is not Python that can be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in other people's strings
        return ast.parse(content, feature_version=sys.version_info[:2])
