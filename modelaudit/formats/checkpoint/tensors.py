"""Tensors of a checkpoint, streamed from the shards with verification of the checksums."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Problem, ProblemKind, Tensor
from modelaudit.formats.checkpoint.index import BundleEntry, TensorBundle, slice_key
from modelaudit.formats.checkpoint.sstable import masked, varint
from modelaudit.formats.io.bounded import display_path
from modelaudit.formats.io.density import STRINGS
from modelaudit.formats.io.dtypes import stored_dtype
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.io.tensor_stats import (
    PIECE_BYTES,
    StoredArray,
    summarise_or_problem,
    swapped,
)
from modelaudit.settings import Limits


class BundleArray(StoredArray):
    """A tensor that is stored contiguously in a shard."""

    def __init__(self, bundle: TensorBundle, entry: BundleEntry) -> None:
        path = bundle.shard_path(entry.shard)
        super().__init__(entry.shape, entry.dtype, display_path(path, bundle.root))
        self.path = path
        self.entry = entry
        self.big_endian = bundle.big_endian

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """See `StoredArray.raw`.

        Raises:
            ReadError: also `crc-mismatch`, after the last piece.
        """
        entry, stored = self.entry, stored_dtype(self.dtype)
        itemsize = stored.itemsize if stored else 1
        if stored and entry.size != math.prod(entry.shape) * itemsize:
            reason = f"{entry.size} bytes do not match its shape and dtype"
            raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
        crc = 0
        if entry.size:
            window = FileWindow.of_file(self.path, self.file)
            whole = max(max_bytes // itemsize, 1) * itemsize
            for piece in window.pieces(entry.offset, entry.size, whole):
                crc = google_crc32c.extend(crc, piece)
                yield swapped(piece, stored) if self.big_endian and stored else piece
        _check(crc, entry, self.file)


class BundleStrings(StoredArray):
    """A tensor of strings, stored as all lengths, their checksum, and the strings.

    Args:
        bundle: the index.
        entry: an entry of dtype string.
        limits: `config_bytes` and `density` apply, since all strings are decoded at once.
    """

    def __init__(self, bundle: TensorBundle, entry: BundleEntry, limits: Limits) -> None:
        path = bundle.shard_path(entry.shard)
        super().__init__(entry.shape, entry.dtype, display_path(path, bundle.root))
        self.path = path
        self.entry = entry
        self.limits = limits

    def strings(self) -> list[bytes]:
        """All strings, in C order.

        Raises:
            ReadError: the strings are missing or malformed, or the checksum differs.
            LimitExceeded: too many bytes, or too many strings for their bytes.
        """
        entry, count, most = self.entry, math.prod(self.shape), self.limits.config_bytes
        # Each string takes at least one byte, for its length.
        if max(entry.size, count) > most:
            size = max(entry.size, count)
            raise LimitExceeded(self.file, "string tensor bytes", size, most, "config_bytes")
        STRINGS.check(count, entry.size, self.limits, self.file)
        window = FileWindow.of_file(self.path, self.file)
        data = b"".join(window.pieces(entry.offset, entry.size, PIECE_BYTES))
        lengths, position = [], 0
        for _ in range(count):
            length, position = varint(data, position, self.file)
            lengths.append(length)
        if position + 4 + sum(lengths) != len(data):
            reason = "the lengths of its strings do not add up to its size"
            raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
        # The checksum is over lengths as fixed-size numbers, not as stored.
        fixed = b"".join(struct.pack("<I" if n < 1 << 32 else "<Q", n) for n in lengths)
        crc = google_crc32c.extend(google_crc32c.value(fixed), data[position:])
        _check(crc, entry, self.file)
        position += 4
        strings = []
        for length in lengths:
            strings.append(data[position : position + length])
            position += length
        return strings

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """The strings, each preceded by its length in eight bytes."""
        del max_bytes  # strings are not split
        for string in self.strings():
            yield struct.pack("<Q", len(string)) + string

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[NDArray[np.generic]]:
        """All strings at once, as an object array of bytes, shape (size,)."""
        del max_bytes
        array = np.empty(math.prod(self.shape), dtype=object)
        array[:] = self.strings()
        yield array


class PartitionedArray(StoredArray):
    """A variable that was saved in slices."""

    def __init__(self, bundle: TensorBundle, entry: BundleEntry) -> None:
        super().__init__(entry.shape, entry.dtype, bundle.index_file)
        self.parts: list[tuple[tuple[slice, ...], BundleArray]] = []
        for extent in entry.slices:
            part = bundle.parts.get(slice_key(entry.key, extent))
            where = tuple(
                slice(start, size if length is None else start + length)
                for (start, length), size in zip(extent, entry.shape, strict=False)
            )
            if part is None or len(extent) != len(entry.shape) or part.dtype != entry.dtype:
                reason = f"a slice of {entry.key} is not in the index"
                raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
            self.parts.append((where, BundleArray(bundle, part)))

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """See `StoredArray.raw`. Slices along the first axis are streamed, others assembled."""
        rows = sorted(self.parts, key=lambda part: [axis.start for axis in part[0]])
        if self._by_rows(rows):
            for _, source in rows:
                yield from source.raw(max_bytes)
            return
        stored = stored_dtype(self.dtype)
        if stored is None:
            raise ReadError(ProblemKind.UNSUPPORTED, self.file, f"slices of type {self.dtype}")
        whole = np.zeros(self.shape, dtype=stored)
        filled = np.zeros(self.shape, dtype=bool)
        for where, source in self.parts:
            values = np.frombuffer(b"".join(source.raw(max_bytes)), dtype=stored)
            if whole[where].shape != source.shape or filled[where].any():
                reason = "slices overlap or do not have their declared shapes"
                raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
            whole[where] = values.reshape(source.shape)
            filled[where] = True
        if not filled.all():
            raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, "slices leave gaps")
        yield whole.tobytes()

    def _by_rows(self, rows: list[tuple[tuple[slice, ...], BundleArray]]) -> bool:
        """Whether the slices are complete rows that follow each other without gaps."""
        position = 0
        for where, source in rows:
            if not where or where[0].start != position:
                return False
            others = [slice(0, size) for size in self.shape[1:]]
            if list(where[1:]) != others or source.shape[1:] != self.shape[1:]:
                return False
            position = where[0].stop
            if source.shape[0] != position - where[0].start:
                return False
        return bool(rows) and position == self.shape[0]


def _check(crc: int, entry: BundleEntry, file: str) -> None:
    if masked(crc) != entry.crc:
        reason = f"CRC-32C of {entry.key} is {masked(crc):#010x}, {entry.crc:#010x} in the index"
        raise ReadError(ProblemKind.CRC_MISMATCH, file, reason)


def source_of(bundle: TensorBundle, entry: BundleEntry, limits: Limits) -> StoredArray:
    """Lazy access to the values of an entry.

    Raises:
        ReadError: a slice of a partitioned variable is not in the index.
    """
    if entry.slices:
        return PartitionedArray(bundle, entry)
    if entry.dtype == "string":
        return BundleStrings(bundle, entry, limits)
    return BundleArray(bundle, entry)


def read_tensor(
    bundle: TensorBundle, entry: BundleEntry, name: str, role: str, limits: Limits
) -> tuple[Tensor, Problem | None]:
    """Read a tensor with statistics and digest; on error, return it as declared and a problem."""
    shard = bundle.shard_path(entry.shard)
    file = display_path(shard, bundle.root)
    try:
        source = source_of(bundle, entry, limits)
        total = math.prod(entry.shape) * (stored_dtype(entry.dtype) or np.dtype("u1")).itemsize
        if total > limits.tensor_bytes:
            raise LimitExceeded(file, "tensor bytes", total, limits.tensor_bytes, "tensor_bytes")
    except ReadError as error:
        problem = problem_of(error, route=name)
        return Tensor(name, entry.shape, entry.dtype, entry.size, file, role), problem
    return summarise_or_problem(name, entry.shape, entry.dtype, file, role, source, limits)
