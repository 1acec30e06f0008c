"""A small writer of checkpoint files, written from the format's description, for tests.

It shares nothing with the reader but the message schema and the checksum library.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cramjam
import google_crc32c
import numpy as np

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb

DTYPES = {
    "float32": pb.DT_FLOAT,
    "float64": pb.DT_DOUBLE,
    "float16": pb.DT_HALF,
    "int32": pb.DT_INT32,
    "int64": pb.DT_INT64,
    "uint8": pb.DT_UINT8,
    "bool": pb.DT_BOOL,
    "complex64": pb.DT_COMPLEX64,
}


def mask(crc: int) -> int:
    rotated = (crc >> 15) | (crc << 17 & 0xFFFFFFFF)
    return (rotated + 0xA282EAD8) % (1 << 32)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def block(entries: Sequence[tuple[bytes, bytes]], restart: int = 16) -> bytes:
    out, restarts, last = bytearray(), [], b""
    for index, (key, value) in enumerate(entries):
        shared = 0
        if index % restart == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    restarts = restarts or [0]
    return bytes(out) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def table(
    entries: Sequence[tuple[bytes, bytes]],
    *,
    per_block: int = 7,
    restart: int = 3,
    snappy: bool = False,
) -> bytes:
    out = bytearray()

    def add(body: bytes) -> bytes:
        kind = b"\0"
        if snappy:
            body, kind = bytes(cramjam.snappy.compress_raw(body)), b"\1"
        handle = varint(len(out)) + varint(len(body))
        out.extend(body + kind)
        out.extend(struct.pack("<I", mask(google_crc32c.value(body + kind))))
        return handle

    index = []
    for start in range(0, len(entries), per_block):
        piece = entries[start : start + per_block]
        index.append((piece[-1][0], add(block(piece, restart))))
    meta = add(block([]))
    handles = meta + add(block(index, 1))
    out += handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    return bytes(out)


@dataclass
class BundleWriter:
    """Collects tensors, then writes `<prefix>.index` and one shard."""

    prefix: Path
    big_endian: bool = False
    data: bytearray = field(default_factory=bytearray)
    entries: dict[bytes, pb.BundleEntryProto] = field(default_factory=dict)

    def add(self, name: str, values: np.ndarray, key: bytes | None = None) -> None:
        order = ">" if self.big_endian else "<"
        raw = np.ascontiguousarray(values.astype(values.dtype.newbyteorder(order))).tobytes()
        self._append(key or name.encode(), DTYPES[values.dtype.name], values.shape, raw)

    def add_strings(self, name: str, strings: Sequence[bytes], shape: tuple[int, ...]) -> None:
        assert math.prod(shape) == len(strings)
        lengths = b"".join(struct.pack("<I", len(string)) for string in strings)
        checksum = struct.pack("<I", mask(google_crc32c.value(lengths)))
        body = checksum + b"".join(strings)
        crc = google_crc32c.value(lengths + body)
        raw = b"".join(varint(len(string)) for string in strings) + body
        self._append(name.encode(), pb.DT_STRING, shape, raw, crc)

    def _append(
        self,
        key: bytes,
        dtype: int,
        shape: Iterable[int],
        raw: bytes,
        crc: int | None = None,
    ) -> None:
        entry = pb.BundleEntryProto(dtype=dtype, offset=len(self.data), size=len(raw))
        entry.shape.dim.extend(pb.TensorShapeProto.Dim(size=size) for size in shape)
        entry.crc32c = mask(google_crc32c.value(raw) if crc is None else crc)
        self.entries[key] = entry
        self.data += raw

    def write(self) -> Path:
        header = pb.BundleHeaderProto(num_shards=1)
        header.endianness = int(self.big_endian)
        header.version.producer = 1
        rows = [(b"", header.SerializeToString())]
        rows += [(key, self.entries[key].SerializeToString()) for key in sorted(self.entries)]
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{self.prefix}.index").write_bytes(table(rows))
        Path(f"{self.prefix}.data-00000-of-00001").write_bytes(bytes(self.data))
        return self.prefix


def write_bundle(prefix: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    writer = BundleWriter(prefix)
    for name, values in tensors.items():
        writer.add(name, values)
    return writer.write()
