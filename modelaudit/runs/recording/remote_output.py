"""Reports at a URL: a run writes them into a directory of this machine, which is uploaded.

Of what is at the URL, only the history is fetched: it has the audit of each model. For reports it
is enough to know that they are there, so empty files stand for them.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from modelaudit.errors import LockHeld, StoreError, UsageError
from modelaudit.formats.zip.problems import unsafe_name
from modelaudit.registry.remote.address import Place, Url
from modelaudit.registry.remote.upload import Upload
from modelaudit.runs.recording import shard_file
from modelaudit.runs.run_result import Output
from modelaudit.store import store
from modelaudit.store.store import Store

_OURS = re.compile(r"[^/]+|(models|runs)/[^/]+/[^/]+")
_INDEX = ("index.json", "index.html")
_STATE = (shard_file.NAME, store.NAME)
_LOCK = ".lock"


@contextmanager
def output_at(place: Place, *, whole: bool = False) -> Iterator[Output]:
    """A directory for reports: `place` itself or, for a URL, a private one that is uploaded.

    If the run ends with an error after its first result, what it wrote is uploaded too, so that the
    next one continues.

    Args:
        place: where the reports are to be.
        whole: whether to fetch the models' reports that are at the URL, and not only their names.

    Raises:
        UsageError: the URL cannot be written to. Once a run has results, the message says in which
            directory they are kept.
        LockHeld: another run wrote to the URL meanwhile; the same holds.
        ReadError: what is at the URL cannot be read.
    """
    if isinstance(place, Path):
        yield Output(place)
        return
    with _upload_to(place) as upload:
        reports = _Reports(place, upload)
        reports.fetch(whole=whole)
        (upload.folder / _LOCK).touch()
        upload.put_one(_LOCK)  # to know before the work whether it can be written to
        try:
            yield Output(upload.folder, str(place), reports.publish)
        except BaseException:
            has_results = any(name.startswith("models/") for name in upload.new())
            if has_results and not upload.kept:
                reports.finish()
            raise
        reports.finish()


@contextmanager
def output_to_read(place: Place, *, whole: bool = False) -> Iterator[Output]:
    """What a run left: at `place` itself or, for a URL, a copy of the history.

    Args:
        place: where the reports are.
        whole: whether to fetch the models' reports, too.

    Raises:
        ReadError: what is at the URL cannot be read.
    """
    if isinstance(place, Path):
        yield Output(place)
        return
    with _upload_to(place) as upload:
        _Reports(place, upload).fetch(whole=whole)
        yield Output(upload.folder, str(place))


@contextmanager
def new_files_at(place: Place, suffixes: tuple[str, ...]) -> Iterator[Output]:
    """A place for new files that replace none: `place` itself, or one that is uploaded.

    Args:
        place: a file if its name has one of the suffixes, otherwise a directory.
        suffixes: of files.

    Raises:
        UsageError: the URL cannot be written to.
        ReadError: it cannot be read what is there.
    """
    if isinstance(place, Path):
        yield Output(place)
        return
    one = PurePosixPath(place.name).suffix in suffixes
    above = Url(place.text.rpartition("/")[0]) if one else place
    with _upload_to(above) as upload:
        there = [place.name] if one else [file.name for file in upload.listed()]
        for name in there:
            if not unsafe_name(name) and (not one or upload.remote.state(name)):
                upload.stand_in(name)
        upload.settle()

        def publish() -> None:
            with upload.keeping():
                upload.put(upload.new())

        yield Output(upload.folder / place.name if one else upload.folder, str(place), publish)


@contextmanager
def _upload_to(url: Url) -> Iterator[Upload]:
    """A private directory that stands for a URL. Errors name the URL."""
    folder = Path(tempfile.mkdtemp(prefix="modelaudit-"))
    upload = None
    try:
        upload = Upload(url, folder)
        try:
            yield upload
        except (UsageError, StoreError, LockHeld) as error:
            if upload.kept:
                raise
            raise type(error)(str(error).replace(os.fspath(folder), str(url))) from error
    finally:
        if not (upload and upload.kept):
            shutil.rmtree(folder, ignore_errors=True)


class _Reports:
    """The reports at a URL while a run writes others."""

    def __init__(self, url: Url, upload: Upload) -> None:
        self._url, self._upload = url, upload
        self._history: tuple[int, str] | None = None  # its state

    def fetch(self, *, whole: bool) -> None:
        """Fetch the history, and make empty files for reports."""
        folder = self._upload.folder
        for file in self._upload.listed():
            if not _OURS.fullmatch(file.name) or unsafe_name(file.name):
                continue
            if file.name in _STATE or (whole and file.name.startswith("models/")):
                path = folder / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                self._upload.remote.fetch(file, path)
            else:
                self._upload.stand_in(file.name)
            if file.name == store.NAME:
                self._history = file.state
        for number, run in enumerate(sorted(folder.glob("runs/*"))):
            os.utime(run, (number, number))  # the newest last
        if self._history:
            self._restore_audits()
        self._upload.settle()

    def publish(self) -> None:
        """Upload what is new, the index last, but not the history."""
        self._put([name for name in self._upload.new() if name not in _STATE])

    def finish(self) -> None:
        """Upload the rest, the history last, and remove what is no longer in the directory."""
        self._put(self._upload.new())
        with self._upload.keeping():
            self._upload.remove_gone()

    def _put(self, names: list[str]) -> None:
        with self._upload.keeping():
            now = self._upload.remote.state(store.NAME) if names else None
            if names and (now and now.state) != self._history:
                raise LockHeld(f"{self._url}: another run wrote to it meanwhile")
            self._upload.put(names, last=(*_INDEX, *_STATE))

    def _restore_audits(self) -> None:
        """Take the audits at the URL out of the history, where they are too."""
        folder, stand_ins = self._upload.folder, self._upload.stand_ins
        with Store.open_to_read(folder) as history:
            for slug, audit in history.last_filed().items():
                name = f"models/{slug}/audit.json"
                if name in stand_ins:
                    (folder / name).write_text(history.document(audit), encoding="utf-8")
                    stand_ins.discard(name)
