"""A copy of what matters below a URL, in the cache: what did not change is not fetched again."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct, field

from modelaudit.errors import ReadError
from modelaudit.facts import Problem, ProblemKind
from modelaudit.formats.other_formats import HEAD_BYTES
from modelaudit.formats.zip.problems import unsafe_name
from modelaudit.registry.archives.contents import is_archive, leads_to_a_model
from modelaudit.registry.cache_directory import PARTIAL, CacheDirectory
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.files import FileSource, RemoteFile, RemoteFiles, RemoteListing
from modelaudit.registry.remote.groups import FileGroup, Needed, file_groups_of
from modelaudit.registry.tree_walk import MAGIC
from modelaudit.settings import CacheSettings, Limits
from modelaudit.settings.selection import Selection, fits
from modelaudit.structs import replace

_LAYOUT = 1  # of the copies: another number makes them anew
_STATE = "remote.json"
_MOST_NAME_BYTES = 255  # of one part of a path, in the cache


class Mirror(Struct, frozen=True):
    """The copy of what is below a URL.

    Attributes:
        place: where the URL itself is: a directory, a file, or the prefix of a checkpoint.
        problems: what could not be listed or fetched; `file` is a path below the URL.
        unread: paths below the URL of models that could not be fetched as a whole.
        fetched: bytes fetched now.
        holds_files: whether anything is there.
        units: paths below the URL of what is fetched as a whole.
        elsewhere: how many models are not fetched because they are in other shards.
    """

    place: Path
    holds_files: bool
    problems: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()
    fetched: int = 0
    units: tuple[str, ...] = ()
    elsewhere: int = 0


class _Copied(Struct, frozen=True):
    """The state in which a file was copied, and what of it."""

    size: int
    version: str
    part: Needed


class _MirrorState(Struct, frozen=True):
    files: dict[str, _Copied] = field(default_factory=dict)


def mirror(
    url: Url,
    cache: CacheSettings,
    limits: Limits,
    selection: Selection,
    source: tuple[FileSource, str] | None = None,
    apart: str | None = None,
) -> Mirror:
    """Copy what may belong to models below `url`, unless an earlier copy is that of the same state.

    Of files that look like data only the names are kept, of others the first bytes. A model of
    which a file cannot be fetched is left out as a whole: half of it would look damaged.

    Args:
        url: a directory, a file, or the prefix of a checkpoint.
        cache: where copies are kept, and how many bytes.
        limits: `files` bounds the number of files.
        selection: what is left out is not fetched. Each shard has a copy of its own.
        source: what reads the URL, and the server that it is relative to; None for a library.
        apart: a directory below the URL that is left out: that of our own reports.

    Raises:
        UsageError: there is nothing at the URL, or nothing that reads it.
        ReadError: it cannot be listed, or the cache is too small.
    """
    remote, server = source or (RemoteFiles(url), "")
    listing = remote.files(limits.files)
    if apart:
        below = [file for file in listing.files if not file.name.startswith(f"{apart}/")]
        listing = replace(listing, files=below)
    directory = CacheDirectory(cache)
    part = f"\0{selection.shard}" if selection.shard else ""
    part += f"\0at {server}" if server else ""
    digest = hashlib.sha256(f"{_LAYOUT}\0{url.text}{part}".encode()).hexdigest()[:32]
    entry = directory.root / f"url-{digest}"
    try:
        directory.create()
        entry.mkdir(mode=0o700, exist_ok=True)
        with _alone(entry):
            update = _Update(url, remote, directory, entry, selection)
            found = update.run(listing)
    except OSError as error:
        reason = f"cannot be copied into the cache {directory.root}: {error.strerror or error}"
        raise ReadError(ProblemKind.UNREADABLE, str(url), reason) from error
    if not listing.cut:
        return found
    reason = f"stopped after {limits.files:,} files; the rest was not searched (setting files)"
    problem = Problem(ProblemKind.LIMIT_EXCEEDED, "", reason)
    return replace(found, problems=(*found.problems, problem))


class _Update:
    """Brings one copy up to date. Used once."""

    def __init__(
        self,
        url: Url,
        remote: FileSource,
        directory: CacheDirectory,
        entry: Path,
        selection: Selection,
    ) -> None:
        self._remote, self._selection = remote, selection
        self._directory, self._entry = directory, entry
        self._url, self._place = url, entry.joinpath(*url.parts)
        self._old = _state(entry).files
        self._new: dict[str, _Copied] = {}
        self._problems: list[Problem] = []
        self._unread: list[str] = []
        self._fetched = self._elsewhere = self._needed = 0

    def run(self, listing: RemoteListing) -> Mirror:
        files = {file.name: file for file in listing.files if self._is_usable(file.name)}
        tree = self._place.parent if listing.beside else self._place
        every = file_groups_of({name: file.size for name, file in files.items()})
        groups = [group for group in every if not self._is_left_out(group)]
        self._forget_all_but(tree, {name for group in groups for name in group.files})
        parts = [(name, part) for group in groups for name, part in group.files.items()]
        kept = [self._kept(tree / name, files[name], part) for name, part in parts]
        self._needed = sum(
            files[name].size
            for (name, part), before in zip(parts, kept, strict=True)
            if Needed.WHOLE in (part, before and before.part)
        )
        if not all(kept):
            self._directory.make_room(self._needed, str(self._url), own=self._entry)
        for group in groups:
            self._copy(tree, group, files)
        (self._entry / _STATE).write_bytes(msgspec.json.encode(_MirrorState(self._new)))
        self._directory.complete(self._entry, self._needed)
        return Mirror(
            self._place,
            bool(self._new),
            tuple(self._problems),
            tuple(self._unread),
            self._fetched,
            tuple(group.place for group in every),
            self._elsewhere,
        )

    def _is_usable(self, name: str) -> bool:
        reason = unsafe_name(name)
        parts = name.removesuffix("/").split("/")
        if not reason and not {"", "."}.isdisjoint(parts):
            reason = f"{name[:80]!r} has a part without a name"
        if not reason and any(len(os.fsencode(part)) > _MOST_NAME_BYTES for part in parts):
            reason = f"a part of {name[:80]}… has more than {_MOST_NAME_BYTES} bytes"
        if reason:
            self._problems.append(Problem(ProblemKind.UNSAFE_PATH, name, f"not fetched: {reason}"))
        return not reason and not name.endswith("/")  # some tools mark directories so

    def _is_left_out(self, group: FileGroup) -> bool:
        """Whether the user leaves out a model; descriptions beside models stay."""
        if fits(group.place, self._selection.exclude):
            return True
        models = any(leads_to_a_model(name) for name in group.files) or len(group.files) > 1
        if models and not self._selection.takes(group.place):
            return True
        shard = self._selection.shard
        if not (models and group.place and shard) or shard.takes(group.place):
            return False
        self._elsewhere += 1
        return True

    def _forget_all_but(self, tree: Path, names: Collection[str]) -> None:
        """Remove copies of what is gone."""
        for name in self._old.keys() - names:
            _remove(tree / name, self._entry)
        self._old = {name: each for name, each in self._old.items() if name in names}

    def _copy(self, tree: Path, group: FileGroup, files: Mapping[str, RemoteFile]) -> None:
        """Copy the files of one group, or none if one of them cannot be."""
        try:
            for name, part in group.files.items():
                self._new[name] = self._copied(tree / name, files[name], part)
        except (ReadError, FileExistsError, NotADirectoryError) as error:
            reason = error.reason if isinstance(error, ReadError) else "is a file and a directory"
            self._problems.append(Problem(ProblemKind.UNREADABLE, group.place, reason))
            self._unread.append(group.place)
            for name in group.files:
                self._new.pop(name, None)
                _remove(tree / name, self._entry)

    def _kept(self, place: Path, file: RemoteFile, part: Needed) -> _Copied | None:
        """An earlier copy of the same state; None if there is none."""
        before = self._old.get(file.name)
        if before is None or not file.version or not place.is_file():
            return None
        looked = {Needed.HEAD, Needed.WHOLE} if part is Needed.HEAD else {part}
        same = replace(before, part=part) == _Copied(file.size, file.version, part)
        return before if same and before.part in looked else None

    def _copied(self, place: Path, file: RemoteFile, part: Needed) -> _Copied:
        if before := self._kept(place, file, part):
            return before
        now = _Copied(file.size, file.version, part)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = place.with_name(f"{PARTIAL}{os.getpid()}")
        try:
            if part is Needed.HEAD:
                head = self._remote.head(file, HEAD_BYTES)
                self._fetched += len(head)
                fresh.write_bytes(head)
                may_be_model = head.startswith(MAGIC) or is_archive(file.name, head)
                if may_be_model and len(head) < file.size:
                    fresh.unlink()
                    now = replace(now, part=Needed.WHOLE)
                    more = self._needed + file.size
                    self._directory.make_room(more, str(self._url), own=self._entry)
                    self._needed = more
            if now.part is Needed.WHOLE:
                self._remote.fetch(file, fresh)
                self._fetched += file.size
            elif now.part is Needed.NAME:
                fresh.touch(0o600)
            # A model that was written long ago is not one that is still being copied.
            if file.modified is not None:
                os.utime(fresh, (file.modified, file.modified))
            fresh.replace(place)
        finally:
            fresh.unlink(missing_ok=True)
        return now


def _state(entry: Path) -> _MirrorState:
    try:
        return msgspec.json.decode((entry / _STATE).read_bytes(), type=_MirrorState)
    except (OSError, msgspec.MsgspecError):
        return _MirrorState()


def _remove(path: Path, entry: Path) -> None:
    """Remove a copy, and the directories that are empty then."""
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == entry or not parent.is_relative_to(entry):
            return
        with suppress(OSError):
            parent.rmdir()


@contextmanager
def _alone(entry: Path) -> Iterator[None]:
    """Wait until no other run changes the entry."""
    with (entry / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
