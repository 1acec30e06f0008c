"""Opening an HDF5 file safely: signature, superblock, file handle, names of its parts."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeAlias

from msgspec import Struct

# libhdf5 loads filter plugins (shared libraries) from this path if a file uses an unknown filter.
# It reads the variable once, at start-up; hence before the import.
os.environ["HDF5_PLUGIN_PATH"] = "/nonexistent"

import h5py

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.file_formats import HDF5_SIGNATURE
from modelaudit.formats.io.file_window import FileWindow, WindowFile

# All exceptions that h5py may raise on a damaged file; its documentation has no list.
HDF5_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, MemoryError)

_UNDEFINED = (1 << 64) - 1
_OUTSIDE_BYTES = 1 << 20  # before and after the HDF5 data, which are checked for non-zero bytes


class Superblock(Struct, frozen=True):
    """Fields of the superblock.

    Attributes:
        start: offset of the signature; the user block precedes it.
        version: of the superblock, 0 to 3.
        end: declared end of the file as an offset from its start; None if unknown.
    """

    start: int
    version: int
    end: int | None


def find_signature(window: FileWindow) -> int | None:
    """Offset of the HDF5 signature, which is at 0 or at a power of two from 512 on."""
    offset = 0
    while offset < window.size:
        if window.head(8, offset) == HDF5_SIGNATURE:
            return offset
        offset = max(512, offset * 2)
    return None


def read_superblock(window: FileWindow) -> Superblock | None:
    """The superblock (HDF5 File Format Specification 3.0, section II.A); None without a signature.

    Raises:
        ReadError: `corrupt` for an unknown version or a truncated superblock.
    """
    start = find_signature(window)
    if start is None:
        return None
    head = window.head(96, start)
    version = head[8] if len(head) > 8 else 255
    if version > 3 or len(head) < 48:
        reason = "HDF5 superblock is truncated or of an unknown version"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    width = head[13] if version < 2 else head[9]
    addresses = {0: 24, 1: 28, 2: 12, 3: 12}[version]
    if width != 8:  # other address sizes are legal but not in use
        return Superblock(start, version, None)
    (end,) = struct.unpack_from("<Q", head, addresses + 2 * width)
    return Superblock(start, version, None if end == _UNDEFINED else end)


def bytes_outside(window: FileWindow, superblock: Superblock | None) -> Iterator[Problem]:
    """Bytes before the HDF5 data (a user block) or after them, unless all are zero."""
    if superblock is None:
        return
    spans = [("user-block", 0, superblock.start)]
    if superblock.end is not None and superblock.end < window.size:
        spans.append(("trailing", superblock.end, window.size - superblock.end))
    for what, start, size in spans:
        head = window.head(min(size, _OUTSIDE_BYTES), start)
        if head.strip(b"\0"):
            evidence: dict[str, Json] = {"hdf5": what, "measured": size, "head": head[:16].hex()}
            detail = f"{size:,} bytes {'before' if start == 0 else 'after'} the HDF5 data"
            yield Problem(ProblemKind.OTHER, window.file, detail, what, evidence)


@contextmanager
def opened_hdf5(window: FileWindow) -> Iterator[h5py.File]:
    """Open the HDF5 file in `window` read-only, without locking it.

    Raises:
        ReadError: `corrupt`, or an error of the window.
    """
    with window.opened() as handle:
        file = _open(window, handle)
        try:
            yield file
        finally:
            file.close()


def _open(window: FileWindow, handle: WindowFile) -> h5py.File:
    # libhdf5 reads a plain file about 1.5 times as fast as a Python file object, but fails if this
    # process has opened the file with other settings.
    if window.plain:
        with suppress(*HDF5_ERRORS):
            return h5py.File(os.fsencode(window.path), "r", locking=False)
    try:
        return h5py.File(handle, "r", locking=False)
    except HDF5_ERRORS as error:
        raise ReadError(ProblemKind.CORRUPT, window.file, hdf5_reason(error)) from error


Names = tuple[list[bytes], bool]
Hdf5Object: TypeAlias = h5py.Group | h5py.Dataset | h5py.Datatype


def hdf5_reason(error: BaseException) -> str:
    """libhdf5's message without the text that h5py adds."""
    text = str(error) or type(error).__name__
    return text.partition("(")[2].rpartition(")")[0] or text if "(" in text else text


def text_of(name: bytes | str) -> str:
    """Decode a name from the file; bytes that are not valid UTF-8 become backslash escapes."""
    data = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "backslashreplace")


def object_address(identifier: h5py.h5g.GroupID | h5py.h5d.DatasetID | h5py.h5t.TypeID) -> int:
    """Unique address of an object in the file, the same for all links to it."""
    return _address(h5py.h5g.get_objinfo(identifier))


def _address(found: h5py.h5g.GroupStat) -> int:
    # Not of `h5o.get_info`: it computes the size of the group's index, and never returns if that
    # index is circular.
    low, high = found.objno
    return int(low) | int(high) << 64


def opened_object(
    group: h5py.Group, link: bytes
) -> tuple[h5py.h5g.GroupID | h5py.h5d.DatasetID | h5py.h5t.TypeID, int]:
    """The object behind a hard link, and its address.

    Raises:
        One of `HDF5_ERRORS`: it cannot be opened.
    """
    found = h5py.h5g.get_objinfo(group.id, link)
    # `h5o.open` imports modules in each call, which takes longer than to open the object.
    if found.type == h5py.h5g.DATASET:
        return h5py.h5d.open(group.id, link), _address(found)
    if found.type == h5py.h5g.GROUP:
        return h5py.h5g.open(group.id, link), _address(found)
    return h5py.h5o.open(group.id, link), _address(found)


def link_names(group: h5py.Group, most: int) -> Names:
    """Names of a group's links, and whether the list is complete.

    The list is incomplete if there are more than `most` links, or if a name occurs twice: libhdf5
    iterates over a circular index forever, so it must not count or collect the names itself.

    Raises:
        One of `HDF5_ERRORS`: the index is damaged in another way.
    """
    return _names(group.id.links.iterate, most)


def is_hard(group: h5py.Group, link: bytes) -> bool:
    """Whether a link is a hard link, and its name is not a path.

    libhdf5 treats a name with a slash, which only a forged file contains, as a path and follows
    the links on it.
    """
    return b"/" not in link and group.id.links.get_info(link).type == h5py.h5l.TYPE_HARD


def attribute_names(
    identifier: h5py.h5g.GroupID | h5py.h5d.DatasetID | h5py.h5t.TypeID, most: int = 10_000
) -> Names:
    """Raw names of the attributes, and whether the list is complete; see `link_names`.

    Raises:
        One of `HDF5_ERRORS`: the list is damaged.
    """
    return _names(partial(h5py.h5a.iterate, identifier), most)


def _names(iterate: Callable[[Callable[[bytes], bool | None]], object], most: int) -> Names:
    names: dict[bytes, None] = {}
    whole = True

    def note(name: bytes) -> bool | None:
        nonlocal whole
        whole = name not in names and len(names) < most
        names[bytes(name)] = None
        return None if whole else True  # True ends the iteration

    iterate(note)
    return list(names)[:most], whole
