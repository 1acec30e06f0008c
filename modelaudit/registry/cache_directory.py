"""A bounded, private directory of entries that may be deleted at any time.

Archives are unpacked and remote files are copied here, so that those that did not change keep their
files and times, and audits of the models in them are reused like any others.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.settings import CacheSettings

PARTIAL = ".partial-"
_SIZE = "bytes"  # written last: an entry without it is incomplete
# A run hardly takes longer; what it reads must stay for as long.
_IN_USE_SECONDS = 86_400.0


class CacheDirectory:
    """The entries of the cache.

    Args:
        settings: where, and how many bytes.

    Attributes:
        root: the directory.
    """

    def __init__(self, settings: CacheSettings) -> None:
        self.root = Path(settings.directory) if settings.directory else _default()
        self._most = settings.size

    def create(self) -> None:
        """Create the directory, and remove what runs that were killed left in it.

        Raises:
            OSError: it cannot be written to.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in self.root.glob(f"{PARTIAL}*"):
            if time.time() - old.stat().st_mtime > _IN_USE_SECONDS:
                shutil.rmtree(old, ignore_errors=True)

    def is_complete(self, entry: Path) -> bool:
        """Whether everything of an entry was written; it counts as used now."""
        try:
            os.utime(entry / _SIZE)
        except OSError:
            return False
        return True

    def complete(self, entry: Path, size: int) -> None:
        """Record that an entry is complete, and how many bytes it has.

        Raises:
            OSError: it cannot be written.
        """
        (entry / _SIZE).write_text(str(size), encoding="ascii")

    def make_room(self, needed: int, name: str, *, own: Path | None = None) -> None:
        """Remove entries that were used least recently until `needed` bytes more may be kept.

        Args:
            needed: bytes.
            name: what needs them, for errors.
            own: the entry that will have them: its present size does not count.

        Raises:
            ReadError: the cache is too small.
        """
        entries = sorted(each for each in self._entries() if each[2] != own)
        total = needed + sum(size for _, size, _ in entries)
        for used, size, entry in entries:
            if total <= self._most or time.time() - used < _IN_USE_SECONDS:
                break
            shutil.rmtree(entry, ignore_errors=True)
            total -= size
        if total > self._most:
            reason = (
                f"does not fit into the cache, which would hold {total:,} bytes, over the limit of "
                f"{self._most:,} (option --cache-size)"
            )
            raise ReadError(ProblemKind.LIMIT_EXCEEDED, name, reason)

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Time of the last use, bytes and path of every complete entry."""
        for entry in self.root.iterdir():
            try:
                used, size = (entry / _SIZE).stat().st_mtime, int((entry / _SIZE).read_text())
            except (OSError, ValueError):
                continue
            yield used, size, entry


def _default() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "modelaudit" / "archives"
