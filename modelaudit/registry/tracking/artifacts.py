"""The files of one version: behind the tracking server, in a bucket, or on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.files import FileSource, RemoteFile, RemoteFiles, RemoteListing
from modelaudit.registry.tracking.client import TrackingServer
from modelaudit.registry.tracking.registered import Registered
from modelaudit.registry.tracking.replies import ArtifactsPage

_PROXIED = "mlflow-artifacts"
# Buckets only: a URL that names a host would lead the user's credentials there.
_STORES = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"))
REPORTS = "modelaudit"  # the directory of our reports among the artifacts of a run
_DEEPEST = 30  # directories in each other


class ProxiedPath(str):
    """A path in the artifact store behind the tracking server."""

    __slots__ = ()


def files_at(server: TrackingServer, one: Registered, location: str) -> FileSource | Path:
    """What reads the files of a version, or the directory with them on this machine.

    Args:
        location: where the server says that they are.

    Raises:
        ReadError: they are where nothing is read.
        UsageError: no installed library reads that store.
    """
    place = place_of_files(server, one, location)
    if isinstance(place, Path):
        return place
    return RemoteFiles(place) if isinstance(place, Url) else ArtifactFiles(server, one, place)


def place_of_files(
    server: TrackingServer, one: Registered, location: str
) -> Path | Url | ProxiedPath:
    """Where artifacts are: on this machine, at a URL, or behind the tracking server.

    The server's answers are not trusted: only buckets are used, and paths of this machine only in
    the directory that the user named. That the server is reached over loopback says nothing: it
    may be at the other end of a tunnel.

    Raises:
        ReadError: they are elsewhere.
    """
    try:
        parts = urlsplit(location)
    except ValueError as error:
        raise ReadError(ProblemKind.UNREADABLE, one.path, "its files are at no address") from error
    scheme = parts.scheme.lower()
    if scheme == _PROXIED and server.is_own(parts.netloc):
        return ProxiedPath(parts.path.strip("/"))
    if scheme in _STORES and "::" not in location:  # which joins URLs
        return Url(location)
    path = unquote(parts.path) if scheme == "file" else location
    if scheme in ("", "file") and (local := _allowed(server, path)):
        return local
    where = str(Url(location)) if scheme else location
    reason = f"its files are at {where[:200]}, which is not used"
    if scheme in ("", "file"):
        reason += ": the tracking server does not serve them, and --local-artifacts is elsewhere"
    raise ReadError(ProblemKind.UNREADABLE, one.path, reason)


class ArtifactFiles:
    """The files of a version in the artifact store behind the tracking server.

    Listings have no checksums. The version of a file is that of the registered model: what is
    registered is not changed.

    Args:
        root: the path of its files in the store.
    """

    def __init__(self, server: TrackingServer, one: Registered, root: str) -> None:
        self._server, self._one, self._root = server, one, root.rstrip("/")

    def files(self, most: int) -> RemoteListing:
        """List all files, one directory at a time.

        Args:
            most: maximum number of files and directories.

        Raises:
            ReadError: they cannot be listed, or there are none.
        """
        found: list[RemoteFile] = []
        waiting = [("", 0)]
        seen = 0
        while waiting:
            folder, depth = waiting.pop()
            place = f"{self._root}/{folder}".rstrip("/")
            for each in self._server.artifacts(place, ArtifactsPage).files:
                seen += 1
                if seen > most:
                    return RemoteListing(_sorted(found), cut=True, beside=False)
                name = f"{folder}/{each.path}" if folder else each.path
                if each.is_dir and _is_plain(each.path):
                    if depth == _DEEPEST:
                        raise self._error(f"more than {_DEEPEST} directories in each other")
                    waiting.append((name, depth + 1))
                else:
                    size = each.file_size
                    found.append(RemoteFile(name, size, self._one.state, self._one.created))
        if not found:
            raise self._error("it has no files")
        return RemoteListing(_sorted(found), cut=False, beside=False)

    def head(self, file: RemoteFile, size: int) -> bytes:
        """The first `size` bytes of a file.

        Raises:
            ReadError: it cannot be read.
        """
        return self._server.head(f"{self._root}/{file.name}", min(size, file.size))

    def fetch(self, file: RemoteFile, target: Path) -> None:
        """Copy a file to `target`.

        Raises:
            ReadError: it cannot be read, or has not the size that was listed.
        """
        size = self._server.download(f"{self._root}/{file.name}", target, file.size + 1)
        if size != file.size:
            more = "more" if size > file.size else f"{size:,}"
            raise self._error(f"{file.name} has {file.size:,} bytes, of which {more} arrived")

    def _error(self, reason: str) -> ReadError:
        return ReadError(ProblemKind.UNREADABLE, self._one.path, reason)


def _allowed(server: TrackingServer, path: str) -> Path | None:
    """The resolved path, if it is in the directory that the user named."""
    if not (server.local and Path(path).is_absolute()) or "\0" in path:
        return None
    found = Path(path).resolve()
    return found if found.is_relative_to(server.local) else None


def _sorted(files: list[RemoteFile]) -> list[RemoteFile]:
    return sorted(files, key=lambda file: file.name)


def _is_plain(name: str) -> bool:
    """Whether a directory with this name is one level deeper, and nowhere else."""
    return name not in ("", ".", "..") and "/" not in name and "\\" not in name
