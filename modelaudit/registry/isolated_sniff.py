"""Format detection in a child process if it needs libhdf5, which may crash on a file."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

from modelaudit.facts import Format, Json
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.sniff import sniff
from modelaudit.registry import worker_pool
from modelaudit.settings import Limits

SECONDS = 30.0  # to read a few links


def sniff_isolated(path: Path, limits: Limits) -> Format:
    """`sniff`, with HDF5 files opened in a child; a file that crashes it is corrupt."""
    return sniff_all_isolated([path], limits)[path]


def sniff_all_isolated(paths: Iterable[Path], limits: Limits) -> dict[Path, Format]:
    """The same for many paths: child processes open all HDF5 files among them in turn."""
    forms: dict[Path, Format] = {}
    waiting: list[Path] = []
    for path in paths:
        asked: list[FileWindow] = []

        def ask(window: FileWindow, asked: list[FileWindow] = asked) -> Format:
            asked.append(window)
            return Format.CORRUPT_HDF5

        forms[path] = sniff(path, ask)
        if asked:
            waiting.append(path)
    if waiting:  # import h5py here, so that no child needs to
        importlib.import_module("modelaudit.formats.hdf5.keras_layout")
    for done in worker_pool.run_tasks(
        waiting, _look, jobs=1, seconds=SECONDS, memory=limits.read_memory
    ):
        word = (done.value or {}).get("format")
        if isinstance(word, str):
            forms[waiting[done.index]] = Format(word)
    return forms


def _look(path: Path) -> dict[str, Json]:
    return {"format": sniff(path)}
