"""Formats told in a child where libhdf5 has to be asked: it may die of what it opens."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

from modelaudit.facts import Format, Json
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.sniff import sniff
from modelaudit.registry import worker_pool
from modelaudit.settings import Limits

SECONDS = 30.0  # for a look at a few links


def sniff_isolated(path: Path, limits: Limits) -> Format:
    """`sniff`, with an HDF5 file opened in a child; one that takes its child down is corrupt."""
    return sniff_all_isolated([path], limits)[path]


def sniff_all_isolated(paths: Iterable[Path], limits: Limits) -> dict[Path, Format]:
    """The same for many paths: one child after another opens all the HDF5 files among them."""
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
    if waiting:  # import h5py here, so that no child need do it
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
