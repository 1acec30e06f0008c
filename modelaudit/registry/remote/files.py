"""The files below a URL: listed in one call, read in ranges or as a whole, with retries."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import ProblemKind
from modelaudit.registry.file_groups import checkpoint_prefix
from modelaudit.registry.remote.address import Url

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Result = TypeVar("Result")

# The extra that installs what reads URLs of a scheme; others need a package that fsspec names.
_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "azure"),
    **dict.fromkeys(("http", "https"), "http"),
    **dict.fromkeys(("sftp", "ssh"), "sftp"),
    "hf": "hf",
}
_WEB = ("http", "https")
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[^\s'\"<>)]+")
_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.5
_PIECE_BYTES = 8 << 20
# What tells one state of an object from another, as the libraries of fsspec call it.
_VERSIONS = (
    *("ETag", "etag", "generation", "VersionId", "version_id", "md5Hash", "content_md5"),
    *("Content-MD5", "blob_id", "xet_hash", "oid", "checksum"),
)
_TIMES = ("LastModified", "Last-Modified", "last_modified", "updated", "mtime", "created")


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
        self._system, root = _opened(url)
        # Of web servers, fsspec keeps the query, such as a signature, in the path.
        root, mark, query = root.partition("?") if url.scheme in _WEB else (root, "", "")
        self._root, self._query = root.rstrip("/"), mark + query
        self._beside = False

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
        if now != file:
            raise self._error(f"{file.name} was replaced while it was fetched")
        if size != file.size:
            raise self._error(f"{file.name} has {file.size:,} bytes, of which {size:,} arrived")

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
        if not isinstance(details.get("size"), int) or not _version(details):
            path = self._path(name)
            details = self._tried(f"{name} cannot be read", lambda: self._info(path))
        size = details.get("size")
        if not isinstance(size, int):
            raise self._error(f"{name} has no known size")
        return RemoteFile(name, size, _version(details), _modified(details))

    def _tried(self, what: str, work: Callable[[], Result]) -> Result:
        """The result of `work`, repeated after failures that may pass.

        The libraries raise errors of many classes, none of which they share.
        """
        pause = _FIRST_PAUSE_SECONDS
        for left in reversed(range(_TRIES)):
            try:
                return work()
            except (FileNotFoundError, PermissionError) as error:
                raise self._error(f"{what}: {_reason(error)}") from error
            except Exception as error:
                if not left:
                    raise self._error(f"{what}: {_reason(error)}") from error
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
    system, path = _opened(url)
    try:
        system.pipe_file(path, data)
    except Exception as error:
        reason = f"cannot be written: {_reason(error)}"
        raise ReadError(ProblemKind.UNREADABLE, str(url), reason) from error


def _opened(url: Url) -> tuple[AbstractFileSystem, str]:
    try:
        import fsspec
    except ImportError as error:
        raise UsageError(f"{url}: no package for URLs: {_install(url)}") from error
    try:
        system, root = fsspec.core.url_to_fs(url.text, use_listings_cache=False)
    except ImportError as error:
        raise UsageError(f"{url}: no package for such URLs: {_install(url)}") from error
    except Exception as error:  # unknown scheme, missing credentials, no such host
        raise UsageError(f"{url}: {_reason(error)}") from error
    return system, str(root).rstrip("/")


def _install(url: Url) -> str:
    return f"pip install 'tf-modelaudit[{_EXTRAS.get(url.scheme, 'remote')}]'"


def _own_name(path: str) -> str:
    return path.rpartition("/")[2]


def _version(details: Mapping[str, object]) -> str:
    """What tells this state of a file from others: the server's own name for it, or its time."""
    modified = _modified(details)
    written = "" if modified is None else f"modified {modified:.6f}"
    return next((f"{name} {details[name]}" for name in _VERSIONS if details.get(name)), written)


def _modified(details: Mapping[str, object]) -> float | None:
    """The time of the last change: a number, a date, or a date as HTTP or ISO 8601 write it."""
    for name in _TIMES:
        value = details.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
        for parse in (datetime.fromisoformat, parsedate_to_datetime):
            with suppress(ValueError, TypeError):
                return parse(str(value)).timestamp()
    return None


def _reason(error: Exception) -> str:
    """An error on one line, with addresses as reports show them: libraries put in whole ones."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    said = _ADDRESS.sub(lambda found: str(Url(found[0])), said)
    return said.strip().partition("\n")[0][:200] or type(error).__name__
