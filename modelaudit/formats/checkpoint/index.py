"""Index of a checkpoint: shard, offset, size, dtype and shape of each tensor."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.checkpoint.sstable import MAGIC, read_table
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.tf_dtypes import dtype_name
from modelaudit.formats.io.bounded import display_path, read_bytes
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.settings import Limits

_MAGIC_BYTES = MAGIC.to_bytes(8, "little")

# (start, length) per axis; a length of None is the whole axis.
Extent = tuple[tuple[int, int | None], ...]
_MOST_LOOKED_FOR, _MOST_FILES = 20, 1000  # missing shards, and files of the directory
_MOST_SHARDS = 10_000  # TensorFlow's largest checkpoints have thousands


class BundleEntry(Struct, frozen=True):
    """A tensor in the index. `crc` is masked; `slices` are set for a partitioned variable."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[Extent, ...] = ()


class TensorBundle(Struct, frozen=True):
    """An index and the paths of its shards.

    Attributes:
        prefix: path without `.index`.
        root: directory that file names in messages are relative to.
        shards: number of shards.
        big_endian: whether tensors are stored in big-endian byte order.
        entries: entries by key, in stored order.
        parts: slices of partitioned variables, by the encoded key of the slice.
        nameless: see `is_nameless`.
    """

    prefix: Path
    root: Path
    shards: int
    big_endian: bool
    entries: Mapping[str, BundleEntry] = field(default_factory=dict)
    parts: Mapping[bytes, BundleEntry] = field(default_factory=dict)
    nameless: bool = False

    @property
    def index_file(self) -> str:
        """File name of the index, for messages."""
        return display_path(index_path(self.prefix), self.root)

    def shard_path(self, shard: int) -> Path:
        """Path of a shard."""
        return _part(self.prefix, f".data-{shard:05d}-of-{self.shards:05d}", self.nameless)

    def stored(self) -> Iterator[BundleEntry]:
        """All entries that have data of their own."""
        yield from (entry for entry in self.entries.values() if not entry.slices)
        yield from self.parts.values()

    def needs(self) -> dict[int, int]:
        """Minimum size of each shard in bytes, according to the index; only shards with data."""
        needed: dict[int, int] = {}
        for entry in self.stored():
            if entry.size:
                end = entry.offset + entry.size
                needed[entry.shard] = max(needed.get(entry.shard, 0), end)
        return needed


def part_path(prefix: Path, suffix: str) -> Path:
    """A file of a checkpoint. Of a prefix that ends in a slash, the directory is given."""
    return _part(prefix, suffix, is_nameless(prefix))


def _part(prefix: Path, suffix: str, nameless: bool) -> Path:
    return prefix / suffix if nameless else prefix.with_name(prefix.name + suffix)


def is_nameless(prefix: Path) -> bool:
    """Whether the files of a checkpoint are in the directory `prefix` and have no other name."""
    beside = prefix.with_name(f"{prefix.name}.index")
    try:
        inside = any((prefix / part).is_file() for part in (".index", ".meta"))
        return inside and not beside.exists()
    except OSError:  # the name is too long
        return False


def index_path(prefix: Path) -> Path:
    """The index of a checkpoint prefix."""
    return part_path(prefix, ".index")


def legacy_shards(prefix: Path) -> list[Path]:
    """Files of a V1 checkpoint: a single table, or several `-NNNNN-of-NNNNN`."""
    candidates = [prefix, *prefix.parent.glob(f"{glob.escape(prefix.name)}-[0-9]*-of-[0-9]*")]
    return sorted(path for path in candidates if path.is_file() and _is_table(path))


def _is_table(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            handle.seek(-8, 2)
            return handle.read(8) == _MAGIC_BYTES
    except OSError:
        return False


def read_tensor_bundle(prefix: Path, root: Path, limits: Limits) -> TensorBundle:
    """Read and check `<prefix>.index`. Shards are not opened.

    Raises:
        ReadError: the index is missing, damaged, or not a checkpoint index.
        LimitExceeded: too many bytes, entries or shards.
    """
    path = index_path(prefix)
    file = display_path(path, root)
    if not path.exists():
        for shard in legacy_shards(prefix)[:1]:
            reason = "V1 checkpoint (the format before TensorFlow 1.0); its values are not read"
            raise ReadError(ProblemKind.UNSUPPORTED, display_path(shard, root), reason)
        raise ReadError(ProblemKind.MISSING_FILE, file, "the index of the variables is missing")
    if not is_inside(path, root):
        raise ReadError(ProblemKind.UNSAFE_PATH, file, "a link out of the model; not followed")
    table = read_table(read_bytes(path, limits.config_bytes, file, "config_bytes"), file, limits)
    key, value = next(table, (None, b""))
    if key != b"":
        raise ReadError(ProblemKind.CORRUPT, file, "a table without a checkpoint header")
    header = parse(pb.BundleHeaderProto, value, file, limits)
    # Each shard's name is looked for on the disk, whether or not an entry needs it.
    most = min(limits.files, _MOST_SHARDS)
    if not 0 <= header.num_shards <= most:
        raise LimitExceeded(file, "shards", header.num_shards, most, "files")
    entries: dict[str, BundleEntry] = {}
    parts: dict[bytes, BundleEntry] = {}
    for key, value in table:
        message = parse(pb.BundleEntryProto, value, file, limits)
        name = key.decode("utf-8", "backslashreplace")
        entry = _entry(name, message, header.num_shards, file)
        if key.startswith(b"\0"):  # not a tensor name, but the encoded key of a slice
            parts[key] = entry
        elif name in entries:
            raise ReadError(ProblemKind.CORRUPT, file, f"lists {name!r} twice")
        else:
            entries[name] = entry
    return TensorBundle(
        prefix=prefix,
        root=root,
        shards=header.num_shards,
        big_endian=header.endianness == pb.BundleHeaderProto.BIG,
        entries=entries,
        parts=parts,
        nameless=is_nameless(prefix),
    )


def _entry(name: str, message: pb.BundleEntryProto, shards: int, file: str) -> BundleEntry:
    shape = tuple(dim.size for dim in message.shape.dim)
    if message.shape.unknown_rank or any(size < 0 for size in shape):
        raise ReadError(ProblemKind.CORRUPT, file, f"{name!r} has an undefined shape")
    if message.offset < 0 or message.size < 0 or not 0 <= message.shard_id < max(shards, 1):
        raise ReadError(ProblemKind.CORRUPT, file, f"{name!r} is outside of every shard")
    return BundleEntry(
        key=name,
        dtype=dtype_name(message.dtype),
        shape=shape,
        shard=message.shard_id,
        offset=message.offset,
        size=message.size,
        crc=message.crc32c,
        slices=tuple(_extent(part) for part in message.slices),
    )


def _extent(part: pb.TensorSliceProto) -> Extent:
    return tuple(
        (axis.start, axis.length if axis.HasField("length") else None) for axis in part.extent
    )


def shard_problems(bundle: TensorBundle) -> list[Problem]:
    """Problems of missing, unsafe, too short and too long shards.

    Evidence has `needed`, the size in bytes according to the index, and for a `size-mismatch`
    also `measured` and the difference, `missing` (too short) or `extra` (too long).
    """
    problems, looked = [], 0
    for shard, needed in sorted(bundle.needs().items()):
        path = bundle.shard_path(shard)
        evidence: dict[str, Json] = {"needed": needed}
        try:
            size = path.stat().st_size
        except OSError:
            kind = ProblemKind.MISSING_SHARD
            detail = f"the shard is missing; the index needs {needed:,} bytes of it"
            looked += 1
            if looked <= _MOST_LOOKED_FOR and (other := _renamed(path, needed)):
                detail += f", and `{other}` beside it has as many"
                evidence["renamed"] = other
        else:
            if not is_inside(path, bundle.root):
                kind, detail = ProblemKind.UNSAFE_PATH, "a link out of the model; not followed"
            elif size != needed:
                kind = ProblemKind.SIZE_MISMATCH
                detail = f"{size:,} bytes, but {needed:,} according to the index"
                difference = "missing" if size < needed else "extra"
                evidence |= {"measured": size, difference: abs(size - needed)}
            else:
                continue
        file = display_path(path, bundle.root)
        problems.append(Problem(kind, file, detail, evidence=evidence))
    return problems


def _renamed(shard: Path, needed: int) -> str:
    """The one file beside a missing shard that begins as it does, and has exactly its size."""
    start = shard.name.partition(".data-")[0] + ".data"
    try:
        with os.scandir(shard.parent) as listed:
            found = [
                each.name
                for each in islice(listed, _MOST_FILES)
                if each.name.startswith(start)
                and each.is_file(follow_symlinks=False)
                and each.stat().st_size == needed
            ]
    except OSError:
        return ""
    return found[0] if len(found) == 1 else ""


def slice_key(name: str, extent: Extent) -> bytes:
    """The encoded key of a slice of a partitioned variable.

    TensorFlow's ordered code: the number 0, the name, the rank, then start and length (-1 for the
    whole axis) of each axis.
    """
    escaped = name.encode().replace(b"\0", b"\0\xff")  # 0xff itself never occurs in UTF-8
    rank = len(extent)
    coded_rank = rank.to_bytes((rank.bit_length() + 7) // 8, "big")
    numbers = b"".join(
        _coded(start) + _coded(-1 if length is None else length) for start, length in extent
    )
    return b"\0" + escaped + b"\0\x01" + bytes([len(coded_rank)]) + coded_rank + numbers


def _coded(value: int) -> bytes:
    """A signed number whose leading bits encode its length (flipped two's complement)."""
    magnitude = ~value if value < 0 else value
    length = magnitude.bit_length() // 7 + 1
    body = bytearray(value.to_bytes(length, "big", signed=True))
    header = ((1 << length) - 1) << (16 - length)  # `length` ones from the top of two bytes
    body[0] ^= header >> 8
    if length > 1:
        body[1] ^= header & 0xFF
    return bytes(body)
