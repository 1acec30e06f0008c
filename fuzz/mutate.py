"""Mutations of a model's file that keep checksums and lengths valid.

A flipped byte in a zip archive is caught by the member's checksum, one in a checkpoint's index by
the block's, so it never reaches the code behind them. Each method here takes a file apart as far
as its format requires, changes the content, and writes it again with valid lengths and checksums.
"""

from __future__ import annotations

import copy
import io
import json
import random
import re
import zipfile
from collections.abc import Callable

from fuzz.flatbuffer_changes import changed_flatbuffer
from fuzz.message_fields import fields_of, joined
from fuzz.tar_changes import changed_tar
from modelaudit.errors import ReadError
from modelaudit.formats.checkpoint.sstable import read_table
from modelaudit.formats.graph.wire import BYTES, VARINT
from modelaudit.settings import Limits
from tests.formats.bundle_writer import table

MOST_BYTES = 1 << 20  # the largest mutated file: large files are not what is tested

NUMBERS = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 65535, 1 << 31, (1 << 32) - 1, 1 << 40)
NUMBERS += ((1 << 63) - 1, 1 << 63, (1 << 64) - 1)
JUNK = (
    *(None, True, False, 0, -1, 2, 10**12, 10**30, 0.5, 1e308, "", "x", "/", "..", "\0", "∞"),
    *([], {}, [[]], [None], [-1, 0], ["x", 0, 0, {}], {"class_name": "Lambda", "config": {}}),
    *("Sequential", "Functional", "Dense", "__lambda__", "os", "keras.utils", "file:///etc/x"),
    *({"class_name": "__tuple__", "items": [1]}, {"module": "os", "class_name": "system"}),
)
DEEP = "@deep@"  # placeholder for nesting too deep for json.dumps
_WORDS = re.compile(rb"[A-Za-z_]{3,}|-?\d+(?:\.\d+)?|[{}\[\]<>:\"]")
_JSON_IN_FILE = re.compile(rb'\{"(?:[^\x00-\x08\x0e-\x1f]){8,}')
_ZIP_HEADERS = re.compile(rb"PK(?:\x01\x02|\x03\x04|\x05\x06)")
# Offset and size of the fields of each header (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16).
_ZIP_FIELDS = {
    b"PK\x01\x02": (
        *((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (34, 2)),
        *((36, 2), (38, 4), (42, 4)),
    ),
    b"PK\x03\x04": ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)),
    b"PK\x05\x06": ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)),
}
_HDF5_MARKS = re.compile(
    rb"OHDR|OCHK|TREE|HEAP|SNOD|GCOL|FRHP|BTHD|\x89HDF|\x00\x00\x00\x00\x11\x00"
)


class Mutator:
    """Mutates files with the random numbers of `rng`.

    Args:
        rng: the source of every choice, so that the same seed gives the same file.
        plain: changes bytes without knowing their format. A coverage-guided fuzzer passes its own
            function, which knows the values that the code compares with.
    """

    def __init__(self, rng: random.Random, plain: Callable[[bytes], bytes] | None = None) -> None:
        self.rng = rng
        self.plain = plain or self._plain

    def mutate(self, kind: str, data: bytes) -> bytes:
        """Mutate `data` as a file of the given kind, which is the name of a method."""
        changed: bytes = getattr(self, kind)(data)
        return changed[:MOST_BYTES]

    def raw(self, data: bytes) -> bytes:
        """Mutate bytes without regard to any structure."""
        for _ in range(self.rng.choice((1, 1, 1, 2, 4))):
            data = self.plain(data)
        return data

    def _plain(self, data: bytes) -> bytes:
        rng, out = self.rng, bytearray(data or b"\0")
        where = rng.randrange(len(out))
        match rng.randrange(19) // 3:
            case 0:
                out[where] ^= 1 << rng.randrange(8)
            case 1:
                out[where] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            case 2:
                width = rng.choice((2, 4, 8))
                number = rng.choice(NUMBERS) & ((1 << 8 * width) - 1)
                out[where : where + width] = number.to_bytes(width, "little")
            case 3:
                del out[where : where + rng.randrange(1, 64)]
            case 4:
                out[where:where] = out[(start := rng.randrange(len(out))) : start + 32]
            case 5:
                source = rng.randrange(len(out))
                size = rng.randrange(1, 64)
                out[where : where + size] = out[source : source + size]
            case _:
                del out[where:]
        return bytes(out)

    def text(self, data: bytes) -> bytes:
        """Move, double, delete or replace words, numbers and brackets."""
        rng = self.rng
        words = list(_WORDS.finditer(data))
        if not words or rng.random() < 0.2:
            return self.raw(data)
        one, other = rng.choice(words), rng.choice(words)
        new = rng.choice(
            (
                *(other[0], one[0] * 2, b"", b"{" * rng.choice((2, 150, 3000))),
                *(str(rng.choice(NUMBERS)).encode(), b"-1", b"nan", b'"\\377"', b"[x.y/z]: "),
            )
        )
        return data[: one.start()] + new + data[one.end() :]

    def json(self, data: bytes) -> bytes:
        """Swap, delete or double values of a document, or replace them by unexpected ones."""
        rng = self.rng
        if rng.random() < 0.1:
            return self.text(data)
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return self.text(data)
        try:
            for _ in range(rng.choice((1, 1, 2, 4))):
                places = _places(document)
                if not places:
                    break
                (container, key), (source, other) = rng.choice(places), rng.choice(places)
                match rng.randrange(6):
                    case 0:
                        container[key] = copy.deepcopy(source[other])
                    case 1:
                        del container[key]
                    case 2 if isinstance(container, list):
                        container.insert(
                            rng.randrange(len(container) + 1), copy.deepcopy(source[other])
                        )
                    case 3 if isinstance(container, dict):
                        container[rng.choice(("name", "class_name", "config", "x", ""))] = (
                            container[key]
                        )
                    case 4 if isinstance(container[key], str):
                        word = container[key].encode("utf-8", "replace")
                        container[key] = self.raw(word).decode("utf-8", "replace")
                    case _:
                        container[key] = copy.deepcopy(rng.choice((*JUNK, DEEP)))
            text = json.dumps(document)
        except RecursionError:  # of values that earlier mutations put into each other
            return self.text(data)
        depth = rng.choice((30, 190, 210, 5000))
        return text.replace(f'"{DEEP}"', "[" * depth + "]" * depth).encode()

    def wire(self, data: bytes) -> bytes:
        """Change a field of a protobuf message at some depth; enclosing lengths stay valid."""
        rng = self.rng
        fields = fields_of(data)
        if not fields or rng.random() < 0.05:
            return self.json(data) if data[:1] == b"{" else self.raw(data)
        index = rng.randrange(len(fields))
        number, kind, value = fields[index]
        match rng.randrange(8):
            case 0:
                del fields[index]
            case 1:  # once, or as often as a hostile file would
                again = [fields[index]] * rng.choices((1, 100, 20_000), (200, 20, 1))[0]
                fields[index:index] = again[: MOST_BYTES // (len(joined(again[:1])) + 1)]
            case 2:
                other = rng.randrange(len(fields))
                fields[index] = (number, fields[other][1], fields[other][2])
            case 3:
                fields[index] = (rng.choice((*range(1, 20), 100)), kind, value)
            case 4 if kind == VARINT:
                fields[index] = (number, kind, rng.choice(NUMBERS))
            case 5 if kind == BYTES and rng.random() < 0.1:  # nest the message in itself
                for _ in range(rng.choice((1, 3, 120))):
                    value = joined([(number, kind, value)])
                fields[index] = (number, kind, value[:MOST_BYTES])
            case _:
                if isinstance(value, bytes):
                    fields[index] = (number, kind, self.wire(value))
                else:
                    fields[index] = (number, kind, rng.choice((*NUMBERS, value ^ 1)))
        return joined(fields)

    def flatbuffer(self, data: bytes) -> bytes:
        """Change references, lengths and numbers of a FlatBuffer."""
        return changed_flatbuffer(self.rng, data, self.raw)

    def table(self, data: bytes) -> bytes:
        """Change entries of a checkpoint's index; the checksum of every block stays valid."""
        rng = self.rng
        if rng.random() < 0.15:
            return self.raw(data)
        try:
            entries = list(read_table(data, "", Limits()))
        except ReadError:
            return self.raw(data)
        if not entries:
            return self.raw(data)
        for _ in range(rng.choice((1, 1, 3))):
            index = rng.randrange(len(entries))
            key, value = entries[index]
            match rng.randrange(6):
                case 0:
                    entries[index] = (self.raw(key), value)
                case 1 if len(entries) > 1:
                    del entries[index]
                case 2:
                    entries.insert(rng.randrange(len(entries) + 1), entries[index])
                case _:
                    entries[index] = (key, self.wire(value))
        size = rng.choice((1, 7, 100))
        return table(entries, per_block=size, restart=rng.choice((1, 3)), snappy=rng.random() < 0.3)

    def archive(self, data: bytes) -> bytes:
        """Change, add or delete a member of a zip and pack it again, or change headers or bytes."""
        rng = self.rng
        if rng.random() < 0.1:
            return self.raw(data)
        headers = list(_ZIP_HEADERS.finditer(data))
        if headers and rng.random() < 0.25:  # a field of a header that stays where it is
            header = rng.choice(headers)
            at, width = rng.choice(_ZIP_FIELDS[header[0]])
            number = rng.choice((*NUMBERS, rng.choice(headers).start()))
            at += header.start()
            out = bytearray(data)
            out[at : at + width] = (number & ((1 << 8 * width) - 1)).to_bytes(width, "little")
            return bytes(out[: len(data)])
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as source:
                members = {info.filename: source.read(info) for info in source.infolist()}
        except Exception:  # zipfile raises many types for an archive that was mutated before
            return self.raw(data)
        if not members:
            return self.raw(data)
        name = rng.choice(list(members))
        match rng.randrange(8):
            case 0:
                members[self.text(name.encode()).decode("latin-1")[:1000]] = members[name]
            case 1:
                del members[name]
            case _:
                kind = "json" if name.endswith(".json") else "hdf5" if "h5" in name else "raw"
                members[name] = self.mutate(kind, members[name])
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as target:
            for each, content in members.items():
                method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
                target.writestr(zipfile.ZipInfo(each or "x"), content, method)
        return packed.getvalue()

    def tar(self, data: bytes) -> bytes:
        """Change headers and contents of a tar archive, compressed or not."""
        return changed_tar(self.rng, data, self.raw)

    def hdf5(self, data: bytes) -> bytes:
        """Change JSON in an HDF5 file in place, or object headers and addresses."""
        rng = self.rng
        out = bytearray(data)
        choice = rng.random()
        documents = list(_JSON_IN_FILE.finditer(data))
        if choice < 0.4 and documents:
            old = rng.choice(documents)
            new = self.json(old[0].rstrip(b"\0 "))
            size = len(old[0])
            out[old.start() : old.end()] = new.ljust(size)[:size]
            return bytes(out)
        marks = list(_HDF5_MARKS.finditer(data))
        if choice < 0.7 and marks:
            where = rng.choice(marks).start() + rng.randrange(64)
            width = rng.choice((1, 1, 2, 4, 8))
            number = rng.choice((*NUMBERS, rng.choice(marks).start())) & ((1 << 8 * width) - 1)
            out[where : where + width] = number.to_bytes(width, "little")
            return bytes(out[: len(data)])
        if choice < 0.85:  # an address that leads to another object: cycles and aliases
            words = range(0, len(data) - 8, 8)
            found = [
                at for at in words if 0 < int.from_bytes(data[at : at + 8], "little") < len(data)
            ]
            if found:
                one, other = rng.choice(found), rng.choice(found)
                out[one : one + 8] = data[other : other + 8]
                return bytes(out)
        return self.raw(data)


def _places(document: object) -> list[tuple[object, object]]:
    """Every (container, key) pair in a document."""
    found: list[tuple[object, object]] = []
    todo = [document]
    while todo:
        item = todo.pop()
        if isinstance(item, dict | list):
            for key in list(item) if isinstance(item, dict) else range(len(item)):
                found.append((item, key))
                todo.append(item[key])
    return found
