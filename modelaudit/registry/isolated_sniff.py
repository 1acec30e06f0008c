"""Format detection in a child process if it needs libhdf5, which may crash on a file."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from modelaudit.facts import Format, Json
from modelaudit.file_formats import Container, Content, formats
from modelaudit.formats.io.bounded import printable
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.sniff import sniff
from modelaudit.registry.snapshot import Snapshot, allowance, file_state
from modelaudit.settings import Limits, default_jobs
from modelaudit.workers import worker_pool
from modelaudit.workers.shared_work import SharedWork

SECONDS = 30.0  # to read a few links
AT_ONCE = 200  # files for one answer of a child: answering takes longer than to look at one

# Formats that follow from a file's bytes and name, and take long to detect.
_OF_BYTES = {
    form.value: form
    for form in formats(Content.MODEL, Content.WEIGHTS)
    if form.info.container in (Container.HDF5, Container.ZIP)
}


class KnownFormats(Struct, frozen=True):
    """What an earlier run with the same code found files to be.

    Attributes:
        found: path -> its model's files then, as `Snapshot.text` of a settled snapshot, and the
            code of its format.
    """

    found: Mapping[str, tuple[str, str]] = {}

    def of(self, path: Path) -> Format | None:
        """The format of a file that did not change since; None if it may have, or is not known."""
        files, code = self.found.get(os.fspath(path), ("", ""))
        form = _OF_BYTES.get(code)
        if form is None:
            return None
        now = file_state(os.fspath(path), printable(path.name))
        # A name cannot imitate an entry: its quotes are escaped.
        return (
            form if now.size >= 0 and Snapshot((now,), settled=True).text[1:-1] in files else None
        )


NOTHING_KNOWN = KnownFormats()


def sniff_isolated(path: Path, limits: Limits, shared: SharedWork | None = None) -> Format:
    """`sniff`, with HDF5 files opened in a child; a file that crashes it is corrupt."""
    return sniff_all_isolated([path], limits, shared=shared)[path]


def sniff_all_isolated(
    paths: Iterable[Path],
    limits: Limits,
    known: KnownFormats = NOTHING_KNOWN,
    shared: SharedWork | None = None,
) -> dict[Path, Format]:
    """The same for many paths: child processes open all HDF5 files among them, many at once.

    Files with a `known` format are not opened. All together take no more than what is `shared`.
    """
    forms: dict[Path, Format] = {}
    waiting: list[Path] = []
    for path in paths:
        if form := known.of(path):
            forms[path] = form
            continue
        asked: list[FileWindow] = []

        def ask(window: FileWindow, asked: list[FileWindow] = asked) -> Format:
            asked.append(window)
            return Format.CORRUPT_HDF5

        forms[path] = sniff(path, ask)
        if asked:
            waiting.append(path)
    if waiting:  # import h5py here, so that no child needs to
        importlib.import_module("modelaudit.formats.hdf5.keras_layout")
    groups = [waiting[start : start + AT_ONCE] for start in range(0, len(waiting), AT_ONCE)]
    lost = _look_at(groups, forms, limits, shared)
    if len(waiting) > 1:  # one of them crashed the child; the others are as good as before
        _look_at([[path] for path in lost], forms, limits, shared)
    return forms


def _look_at(
    groups: Sequence[Sequence[Path]],
    forms: dict[Path, Format],
    limits: Limits,
    shared: SharedWork | None,
) -> list[Path]:
    """Add the formats of files in these groups to `forms`; returns the files of lost groups."""
    lost: list[Path] = []
    for done in worker_pool.run_tasks(
        groups,
        _look,
        jobs=default_jobs(),
        seconds=SECONDS,
        memory=limits.read_memory,
        allowed=lambda group: allowance(group, limits),
        shared=lambda _: shared,
    ):
        words = (done.value or {}).get("formats")
        if isinstance(words, list):
            forms.update(zip(groups[done.index], map(Format, map(str, words)), strict=True))
        else:
            lost += groups[done.index]
    return lost


def _look(group: Sequence[Path]) -> dict[str, Json]:
    return {"formats": [sniff(path).value for path in group]}
