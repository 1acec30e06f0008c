"""Remote files in memory, which count what is read and fail where a test says so."""

from __future__ import annotations

import io
from collections import Counter
from typing import ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

READ: Counter[str] = Counter()
FAILING: dict[str, list[Exception]] = {}
SHORT: set[str] = set()
REPLACED: set[str] = set()


class CountedFiles(MemoryFileSystem):
    """A file system of its own in memory."""

    protocol = "counted"
    store: ClassVar[dict[str, MemoryFile]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("counted:/"))

    def open(self, path, mode="rb", **options):
        name = path.rpartition("/")[2]
        if FAILING.get(name) and mode == "rb":
            raise FAILING[name].pop()
        opened = super().open(path, mode, **options)
        if mode != "rb":
            return opened
        data = opened.read()
        READ[name] += len(data)
        if name in REPLACED:
            self.pipe(path, b"other")
        return io.BytesIO(data[: len(data) // 2] if name in SHORT else data)

    def cat_file(self, path, start=None, end=None, **options):
        found = super().cat_file(path, start=start, end=end, **options)
        READ[path.rpartition("/")[2]] += len(found)
        return found


fsspec.register_implementation("counted", CountedFiles, clobber=True)
FILES = CountedFiles()


def forget():
    """An empty store."""
    FILES.store.clear()
    FILES.pseudo_dirs[:] = [""]
    for each in (READ, FAILING, SHORT, REPLACED):
        each.clear()
