"""Opening HDF5 without following it anywhere: signature, superblock, handle, attributes."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

# libhdf5 loads filter plugins, which are shared libraries, from this path when a file names an
# unknown filter. It reads the variable once, when it starts, hence before the import.
os.environ["HDF5_PLUGIN_PATH"] = "/nonexistent"

import h5py

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.file_window import Window, WindowFile
from modelaudit.settings import Limits

SIGNATURE = b"\x89HDF\r\n\x1a\n"

# Whatever h5py may raise on a damaged file; its own documentation promises no list.
HDF5_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, MemoryError)

_UNDEFINED = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the head of an HDF5 file says of the whole.

    Attributes:
        start: offset of the signature; what lies before is the user block.
        version: of the superblock, 0 to 3.
        end: offset at which the file should end, from the start of the file; None if unknown.
    """

    start: int
    version: int
    end: int | None


def find_signature(window: Window) -> int | None:
    """Offset of the HDF5 signature, which stands at 0 or a power of two from 512 on."""
    offset = 0
    while offset < window.size:
        if window.head(8, offset) == SIGNATURE:
            return offset
        offset = max(512, offset * 2)
    return None


def read_superblock(window: Window) -> Superblock | None:
    """The superblock (HDF5 File Format Specification 3.0, section II.A); None without signature.

    Raises:
        ReadError: `corrupt` for an unknown version or a file that ends inside.
    """
    start = find_signature(window)
    if start is None:
        return None
    head = window.head(96, start)
    version = head[8] if len(head) > 8 else 255
    if version > 3 or len(head) < 48:
        reason = "HDF5 superblock is cut off or of an unknown version"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    width = head[13] if version < 2 else head[9]
    addresses = {0: 24, 1: 28, 2: 12, 3: 12}[version]
    if width != 8:  # addresses of other widths are legal and unheard of
        return Superblock(start, version, None)
    (end,) = struct.unpack_from("<Q", head, addresses + 2 * width)
    return Superblock(start, version, None if end == _UNDEFINED else end)


@contextmanager
def opened_hdf5(window: Window) -> Iterator[h5py.File]:
    """The HDF5 file in `window`, read-only and without taking a lock.

    Raises:
        ReadError: `corrupt`, or whatever the window raises.
    """
    with window.opened() as handle:
        file = _open(window, handle)
        try:
            yield file
        finally:
            file.close()


def _open(window: Window, handle: WindowFile) -> h5py.File:
    # libhdf5 reads a plain file by itself half again as fast as through Python, but refuses one
    # that this process has open with other settings.
    if window.plain:
        with suppress(*HDF5_ERRORS):
            return h5py.File(os.fsencode(window.path), "r", locking=False)
    try:
        return h5py.File(handle, "r", locking=False)
    except HDF5_ERRORS as error:
        raise ReadError(ProblemKind.CORRUPT, window.file, hdf5_reason(error)) from error


Names = tuple[list[bytes], bool]
Thing: TypeAlias = h5py.Group | h5py.Dataset | h5py.Datatype


def hdf5_reason(error: BaseException) -> str:
    """libhdf5's message without h5py's wrapping."""
    text = str(error) or type(error).__name__
    return text.partition("(")[2].rpartition(")")[0] or text if "(" in text else text


def text_of(name: bytes | str) -> str:
    """A name from the file as text that can be written anywhere."""
    data = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "backslashreplace")


def object_address(thing: Thing) -> int:
    """What tells an object of the file from every other, whatever leads to it."""
    # Not `h5o.get_info`: it adds up the size of the group's index, and never ends in one that
    # leads back to itself.
    low, high = h5py.h5g.get_objinfo(thing.id).objno
    return int(low) | int(high) << 64


def link_names(group: h5py.Group, most: int) -> Names:
    """Names of a group's links, and whether the list is whole.

    It is not where there are more than `most` or one comes twice: an index that leads back to
    itself has no end for libhdf5, which must neither count nor collect by itself.

    Raises:
        One of `HDF5_ERRORS`: the index is damaged in another way.
    """
    return _names(group.id.links.iterate, most)


def is_hard(group: h5py.Group, link: bytes) -> bool:
    """Whether a link leads to an object of this file by its name alone.

    libhdf5 takes a name with a slash, which only a forger can store, for a path, and follows the
    links on it.
    """
    return b"/" not in link and group.id.links.get_info(link).type == h5py.h5l.TYPE_HARD


def attribute_names(thing: Thing, most: int = 10_000) -> Names:
    """Names of the attributes, as they are stored, and whether the list is whole: see `link_names`.

    Raises:
        One of `HDF5_ERRORS`: the list is damaged.
    """
    return _names(partial(h5py.h5a.iterate, thing.id), most)


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


def attribute_bytes(thing: h5py.Group, name: str, limits: Limits) -> bytes | None:
    """A scalar text attribute, of whatever string type; None where there is none.

    Raises:
        ReadError: `corrupt` where it is there and cannot be read or is no text.
        LimitExceeded: it is larger than `limits.config_bytes`.
    """
    values = attribute_strings(thing, name, limits)
    return values[0] if values else None


def attribute_strings(thing: h5py.Group, name: str, limits: Limits) -> list[bytes] | None:
    """An attribute of one or more texts; None where there is no such attribute.

    Raises:
        ReadError: `corrupt` where it is there and cannot be read or is no text;
            `limit-exceeded` for more than `limits.config_bytes`.
    """
    route = f"attribute {name} of {text_of(thing.name or '/')}"
    try:
        if name not in thing.attrs:
            return None
        stored = h5py.h5a.open(thing.id, name.encode())
        if 0 in stored.shape:
            return []  # Keras writes an empty list of names as an empty array of floats
        if stored.get_storage_size() > limits.config_bytes:
            reason = f"{route} has {stored.get_storage_size():,} bytes (setting config_bytes)"
            raise ReadError(ProblemKind.LIMIT_EXCEEDED, "", reason)
        if stored.get_type().get_class() != h5py.h5t.STRING:
            raise ReadError(ProblemKind.CORRUPT, "", f"{route} is no text")
        value = thing.attrs[name]
    except HDF5_ERRORS as error:
        raise ReadError(ProblemKind.CORRUPT, "", f"{route}: {hdf5_reason(error)}") from error
    items = [value] if isinstance(value, str | bytes) else list(getattr(value, "flat", value))
    return [
        item.encode("utf-8", "surrogateescape") if isinstance(item, str) else bytes(item)
        for item in items
    ]


def chunked_attribute(thing: h5py.Group, name: str, limits: Limits) -> list[str] | None:
    """A list of names, which Keras splits into `name0`, `name1` … above 64 KiB.

    None where there is neither.

    Raises:
        ReadError: see `attribute_strings`.
    """
    whole = attribute_strings(thing, name, limits)
    if whole is not None:
        return [text_of(item) for item in whole]
    parts: list[str] = []
    number = 0
    while (part := attribute_strings(thing, f"{name}{number}", limits)) is not None:
        parts.extend(text_of(item) for item in part)
        number += 1
        if len(parts) > limits.tensors:
            raise ReadError(
                ProblemKind.LIMIT_EXCEEDED, "", f"{name} lists too many names (setting tensors)"
            )
    return parts if number else None
