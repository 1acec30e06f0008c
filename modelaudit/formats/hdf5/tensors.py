"""Datasets as tensors: element types, and bounded access to chunked and compact storage."""

from __future__ import annotations

import math
from collections.abc import Iterator

import h5py
import numpy as np
from msgspec import Struct

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind
from modelaudit.formats.hdf5.attribute_texts import attribute_bytes
from modelaudit.formats.hdf5.heap_references import HeapReferences
from modelaudit.formats.hdf5.open_file import HDF5_ERRORS, hdf5_reason, opened_hdf5, text_of
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import PIECE_BYTES, FileArray, StoredArray
from modelaudit.settings import Limits

# Maximum size of decoded chunks in memory: all chunks that hold the same rows of a dataset.
BAND_BYTES = 64 << 20

_NUMBERS = tuple(
    (getattr(h5py.h5t, f"{family}{bits}{order}"), f"{name}{bits}", order == "BE")
    for order in ("LE", "BE")
    for family, name, widths in (
        ("IEEE_F", "float", (32, 64, 16)),
        ("STD_I", "int", (64, 32, 16, 8)),
        ("STD_U", "uint", (64, 32, 16, 8)),
    )
    for bits in widths
)
_CLASSES = {
    h5py.h5t.STRING: "string",
    h5py.h5t.OPAQUE: "opaque",
    h5py.h5t.COMPOUND: "compound",
    h5py.h5t.REFERENCE: "reference",
    h5py.h5t.VLEN: "vlen",
    h5py.h5t.ARRAY: "array",
    h5py.h5t.ENUM: "enum",
    h5py.h5t.BITFIELD: "bitfield",
    h5py.h5t.TIME: "time",
}


class ElementType(Struct, frozen=True):
    """How elements are stored. `plain`: of fixed size, without references to a heap."""

    name: str
    itemsize: int
    big_endian: bool = False
    numeric: bool = False
    plain: bool = False


def element_type(
    dataset: h5py.h5d.DatasetID,
    kind: h5py.h5t.TypeID,
    heap: HeapReferences | None,
    limits: Limits,
) -> ElementType:
    """Element type of a dataset. Keras marks bfloat16 by an attribute of an opaque dataset.

    Args:
        dataset: of any type.
        kind: its type.
        heap: the references to heaps; None if that attribute must not be read.
        limits: of reading it.
    """
    size = int(kind.get_size())
    for known, name, big_endian in _NUMBERS:
        if kind.equal(known):
            return ElementType(name, size, big_endian, numeric=True, plain=True)
    family = kind.get_class()
    name = _CLASSES.get(family, "unknown")
    if family == h5py.h5t.ENUM and size == 1 and kind.dtype == np.dtype(bool):
        return ElementType("bool", 1, numeric=True, plain=True)
    if family == h5py.h5t.OPAQUE and size == 2 and heap and _says_bfloat16(dataset, heap, limits):
        return ElementType("bfloat16", 2, numeric=True, plain=True)
    if family == h5py.h5t.STRING and kind.is_variable_str():
        return ElementType(name, size)
    return ElementType(name, size, plain=family in {h5py.h5t.STRING, h5py.h5t.OPAQUE})


def _says_bfloat16(dataset: h5py.h5d.DatasetID, heap: HeapReferences, limits: Limits) -> bool:
    try:
        return attribute_bytes(h5py.Dataset(dataset), "dtype", limits, heap) == b"bfloat16"
    except ReadError:
        return False


def source_of(
    window: FileWindow,
    path: bytes,
    shape: tuple[int, ...],
    kind: ElementType,
    offset: int | None,
    chunks: tuple[int, ...] | None,
) -> StoredArray:
    """Bounded access to a dataset of plain elements, which remains valid after the file is closed.

    Contiguous data are read by offset, without libhdf5; chunked data are decoded in bands. See
    `link_walk.DatasetEntry` for the arguments.

    Raises:
        LimitExceeded: one row of chunks is larger than `BAND_BYTES`.
    """
    if offset is not None:
        return FileArray(
            window,
            offset,
            shape,
            kind.name,
            big_endian=kind.big_endian,
            itemsize=kind.itemsize,
        )
    rows = chunks[0] if chunks else max(shape[:1], default=1)
    row_bytes = math.prod(shape[1:]) * kind.itemsize
    decoded = math.prod(chunks) * kind.itemsize if chunks else 0
    band = max(rows * row_bytes, decoded)
    if band > BAND_BYTES:
        raise LimitExceeded(window.file, "bytes per row of chunks", band, BAND_BYTES)
    return BandedArray(window, path, shape, kind, rows)


class BandedArray(StoredArray):
    """A chunked or compact dataset that libhdf5 decodes in bands of whole chunks.

    Args:
        window: the HDF5 file.
        path: raw path of the dataset, of hard links only.
        shape: stored shape.
        kind: element type.
        rows: chunk size along the first axis.
    """

    def __init__(
        self, window: FileWindow, path: bytes, shape: tuple[int, ...], kind: ElementType, rows: int
    ) -> None:
        super().__init__(shape, kind.name, window.file)
        self.window = window
        self.path = path
        self.kind = kind
        self.rows = rows

    def raw(self, max_bytes: int = PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """See `StoredArray.raw`. Bands are decoded whole and yielded in pieces."""
        if not math.prod(self.shape):
            return
        step = max(max_bytes // self.kind.itemsize, 1) * self.kind.itemsize
        with opened_hdf5(self.window) as file:
            for band in self._bands(file):
                data = memoryview(band).cast("B")
                for start in range(0, len(data), step):
                    yield data[start : start + step]

    def _bands(self, file: h5py.File) -> Iterator[bytes]:
        try:
            dataset = file[self.path]
            if tuple(dataset.shape) != self.shape:
                reason = "was modified while being read"
                raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason)
            if not self.shape:
                yield self._little(dataset[()])
                return
            for start in range(0, self.shape[0], self.rows):
                yield self._little(dataset[start : start + self.rows])
        except HDF5_ERRORS as error:
            reason = f"{text_of(self.path)}: {hdf5_reason(error)}"
            raise ReadError(ProblemKind.TENSOR_UNREADABLE, self.file, reason) from error

    def _little(self, values: object) -> bytes:
        band = np.asarray(values)
        return band.astype(band.dtype.newbyteorder("<"), copy=False).tobytes()
