"""The files below a URL: listed in one call, read in ranges or whole, written, with retries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import ProblemKind
from modelaudit.registry.file_groups import checkpoint_prefix
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.library import (
    error_text,
    is_bucket,
    modified_at,
    open_url,
    version_of,
)

Result = TypeVar("Result")

_WEB = ("http", "https")
_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.5
_PIECE_BYTES = 8 << 20


class RemoteFile(Struct, frozen=True):
    """One file.

    Attributes:
        name: its path below the URL.
        size: in bytes.
        version: what tells this state from others; "" if the server says nothing of the kind.
        modified: when it was written, in seconds since 1970; None if unknown.
    """

    name: str
    size: int
    version: str
    modified: float | None = None

    @property
    def state(self) -> tuple[int, str]:
        """Equal for the same bytes; of a file asked for alone, servers may round the time."""
        return self.size, self.version


class RemoteListing(Struct, frozen=True):
    """The files below a URL, in order of their names.

    Attributes:
        files: at most as many as asked for.
        cut: whether there are more.
        beside: the URL is not a directory, but that of the file, or the prefix of a checkpoint of
            the files.
    """

    files: list[RemoteFile]
    cut: bool
    beside: bool


class FileSource(Protocol):
    """Files that are not on this machine."""

    def files(self, most: int) -> RemoteListing:
        """List at most so many of them; raises `ReadError` and `UsageError`."""

    def head(self, file: RemoteFile, size: int) -> bytes:
        """The first `size` bytes of one; raises `ReadError`."""

    def fetch(self, file: RemoteFile, target: Path) -> None:
        """Copy one to `target`, in the state in which it was listed; raises `ReadError`."""


class RemoteFiles:
    """The files at and below a URL.

    Credentials come from where the library of the scheme takes them: environment variables, its
    configuration files, the identity of the machine.

    Args:
        url: a directory or a file.

    Raises:
        UsageError: no installed library reads such URLs.
    """

    def __init__(self, url: Url) -> None:
        self._url = url
        self._system, root = open_url(url)
        # Of web servers, fsspec keeps the query, such as a signature, in the path.
        root, mark, query = root.partition("?") if url.scheme in _WEB else (root, "", "")
        self._root, self._query = root.rstrip("/"), mark + query
        self._beside = False
        self.is_bucket = is_bucket(url)

    def files(self, most: int) -> RemoteListing:
        """List what is below the URL, or the file at it under its own name.

        Args:
            most: maximum number of files.

        Raises:
            ReadError: it cannot be listed.
            UsageError: there is nothing at the URL.
        """
        found = self._tried("cannot be listed", self._find)
        if not found:
            raise UsageError(f"{self._url}: no such file or directory")
        names = sorted(found)
        files = [self._file(name, found[name]) for name in names[:most]]
        return RemoteListing(files, len(names) > most, self._beside)

    def head(self, file: RemoteFile, size: int) -> bytes:
        """The first `size` bytes of a file.

        Raises:
            ReadError: it cannot be read.
        """
        path = self._path(file.name)

        def read() -> bytes:
            found = self._system.cat_file(path, start=0, end=min(size, file.size))
            return bytes(found)

        return self._tried(f"{file.name} cannot be read", read)

    def fetch(self, file: RemoteFile, target: Path) -> None:
        """Copy a file to `target`, which does not exist, in the state in which it was listed.

        Raises:
            ReadError: it cannot be read, is shorter than listed, or was replaced meanwhile.
        """
        path = self._path(file.name)

        def copy() -> None:
            opened = self._system.open(path, "rb", block_size=_PIECE_BYTES, cache_type="readahead")
            with opened as source, target.open("wb") as copied:
                left = file.size + 1
                while left and (piece := source.read(min(_PIECE_BYTES, left))):
                    left -= len(piece)
                    copied.write(piece)

        self._tried(f"{file.name} cannot be fetched", copy)
        now = self._file(file.name, self._tried("cannot be read", lambda: self._info(path)))
        size = target.stat().st_size
        if now.state != file.state:
            raise self._error(f"{file.name} was replaced while it was fetched")
        if size != file.size:
            raise self._error(f"{file.name} has {file.size:,} bytes, of which {size:,} arrived")

    def state(self, name: str) -> RemoteFile | None:
        """The state of a file now; None if it is not there.

        Raises:
            ReadError: it cannot be told.
        """
        self._system.invalidate_cache()

        def look() -> RemoteFile | None:
            with suppress(FileNotFoundError):
                return self._file(name, self._info(self._path(name)))
            return None

        return self._tried(f"{name} cannot be read", look)

    def put(self, name: str, source: Path) -> None:
        """Write a file in one step: one that is there is replaced whole.

        Raises:
            ReadError: it cannot be written.
        """
        path = self._path(name)

        def copy() -> None:
            if self.is_bucket:
                self._system.put_file(str(source), path)
            else:
                self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._system.put_file(str(source), f"{path}.part")
                self._system.mv(f"{path}.part", path)

        self._tried(f"{name} cannot be written", copy)

    def remove(self, name: str) -> None:
        """Remove a file, unless it is gone.

        Raises:
            ReadError: it cannot be removed.
        """

        def drop() -> None:
            with suppress(FileNotFoundError):
                self._system.rm_file(self._path(name))

        self._tried(f"{name} cannot be removed", drop)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}{self._query}"

    def _find(self) -> dict[str, Mapping[str, object]]:
        """Details of all files, by path below the root."""
        self._system.invalidate_cache()
        own: Mapping[str, object] = {}
        with suppress(FileNotFoundError):
            own = self._info(self._root + self._query)
        name = _own_name(self._root)
        # A page of links, by which web servers list a directory, is no file either.
        is_file = own.get("type") == "file" and own.get("mimetype") != "text/html"
        beside = {name: own} if is_file else {}
        if not is_file:
            found: dict[str, Mapping[str, object]] = {}
            with suppress(FileNotFoundError):
                found = self._system.find(self._root + self._query, detail=True)
            start = f"{self._root}/"
            below = {
                path[len(start) :]: each for path, each in found.items() if path.startswith(start)
            }
            if below:
                return below
            beside = self._of_prefix(name)
        if beside:
            self._root, self._beside = self._root.rpartition("/")[0], True
        return beside

    def _of_prefix(self, prefix: str) -> dict[str, Mapping[str, object]]:
        """The files of a checkpoint."""
        try:
            beside = self._system.ls(self._root.rpartition("/")[0], detail=True)
        except FileNotFoundError:
            return {}
        files = {_own_name(str(each["name"])): each for each in beside if each["type"] == "file"}
        return {name: each for name, each in files.items() if checkpoint_prefix(name) == prefix}

    def _info(self, path: str) -> Mapping[str, object]:
        found: Mapping[str, object] = self._system.info(path)
        return found

    def _file(self, name: str, details: Mapping[str, object]) -> RemoteFile:
        """A file from what a listing says; asked for if that is not its size and state."""
        if not isinstance(details.get("size"), int) or not version_of(details):
            path = self._path(name)
            details = self._tried(f"{name} cannot be read", lambda: self._info(path))
        size = details.get("size")
        if not isinstance(size, int):
            raise self._error(f"{name} has no known size")
        return RemoteFile(name, size, version_of(details), modified_at(details))

    def _tried(self, what: str, work: Callable[[], Result]) -> Result:
        """The result of `work`, repeated after failures that may pass.

        The libraries raise errors of many classes, none of which they share.
        """
        pause = _FIRST_PAUSE_SECONDS
        for left in reversed(range(_TRIES)):
            try:
                return work()
            except (FileNotFoundError, PermissionError) as error:
                raise self._error(f"{what}: {error_text(error)}") from error
            except Exception as error:
                if not left:
                    raise self._error(f"{what}: {error_text(error)}") from error
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def _error(self, reason: str) -> ReadError:
        return ReadError(ProblemKind.UNREADABLE, str(self._url), reason)


def write_file(url: Url, data: bytes) -> None:
    """Write a file at a URL; one that is there is replaced.

    Raises:
        ReadError: it cannot be written.
        UsageError: no installed library writes there.
    """
    system, path = open_url(url)
    try:
        system.pipe_file(path, data)
    except Exception as error:
        reason = f"cannot be written: {error_text(error)}"
        raise ReadError(ProblemKind.UNREADABLE, str(url), reason) from error


def _own_name(path: str) -> str:
    return path.rpartition("/")[2]
