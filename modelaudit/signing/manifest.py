"""The manifest that a signature of a model is over: its files, or parts of them, with digests.

The statement is that of OpenSSF Model Signing 1.0. Its subject has one digest, over the digests of
all parts in their order, so the order is part of what is signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePosixPath

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded
from modelaudit.facts import Json
from modelaudit.settings import Limits
from modelaudit.signing.dsse import STATEMENT, converted_json, parse, unusable

PREDICATE = "https://model_signing/signature/v1.0"
BEFORE_1_0 = "https://model_signing/Digests/v0.1"
ALGORITHMS = ("sha256", "blake2b")
WHOLE_MODEL = "."  # the name of a model that is one file
MOST_DIGITS = 19  # of an offset in a file


class SignedPart(Struct, frozen=True):
    """A part of a file: from byte `start` up to `end`, None for the end of the file."""

    start: int
    end: int | None
    digest: bytes


class Manifest(Struct, frozen=True):
    """What was signed.

    Attributes:
        subject: the name of the model when it was signed.
        algorithm: one of `ALGORITHMS`.
        allow_symlinks: whether links to files were signed as the files that they lead to.
        ignored: paths that were left out, with everything below them.
        files: the parts of each file, in the order of their bytes.
        in_shards: whether files were signed in parts, in which an empty file has none.
    """

    subject: str
    algorithm: str
    allow_symlinks: bool
    ignored: frozenset[str]
    files: Mapping[str, tuple[SignedPart, ...]]
    in_shards: bool

    @property
    def of_one_file(self) -> bool:
        """Whether the model was a single file."""
        return set(self.files) == {WHOLE_MODEL}

    def ignores(self, name: str) -> bool:
        """Whether a file was left out, if there was one of this name."""
        path = PurePosixPath(name)
        return any(str(each) in self.ignored for each in (path, *path.parents))


class _Subject(Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _StatementEntry(Struct, frozen=True):
    kind: str = field(name="_type")
    subject: tuple[_Subject, ...]
    predicate_type: str = field(name="predicateType")
    predicate: Json


class _Serialization(Struct, frozen=True):
    method: str
    hash_type: str
    allow_symlinks: bool = False
    ignore_paths: tuple[str, ...] = ()
    shard_size: float = 0  # protobuf's numbers have no other type

    @property
    def algorithm(self) -> str:
        """What each digest is said to be."""
        suffix = f"-sharded-{self.shard_size:.0f}" if self.method == "shards" else ""
        return self.hash_type + suffix


class _Resource(Struct, frozen=True):
    name: str
    algorithm: str
    digest: str


class _Predicate(Struct, frozen=True):
    serialization: _Serialization
    resources: tuple[_Resource, ...]


def read_manifest(payload: bytes, limits: Limits, file: str) -> Manifest:
    """The manifest in a signed payload.

    Args:
        payload: the statement, JSON.
        limits: `files` is also the largest number of parts.
        file: the signature's name, for errors.

    Raises:
        ReadError: it is something else, of another version, or contradicts itself.
    """
    statement = parse(payload, _StatementEntry, limits, file)
    if statement.kind != STATEMENT:
        raise unusable(file, f"signs {statement.kind[:80]!r}, which is no in-toto statement")
    if statement.predicate_type == BEFORE_1_0:
        raise unusable(
            file, "was made by a model-signing before 1.0; the model must be signed anew"
        )
    if statement.predicate_type != PREDICATE:
        raise unusable(file, f"signs another statement: {statement.predicate_type[:80]!r}")
    if len(statement.subject) != 1:
        raise unusable(file, f"is about {len(statement.subject):,} models, not one")
    said = converted_json(statement.predicate, _Predicate, file)
    if len(said.resources) > limits.files:
        raise LimitExceeded(file, "signed parts", len(said.resources), limits.files, "files")
    how, (subject,) = said.serialization, statement.subject
    if how.method not in ("files", "shards"):
        raise unusable(file, f"uses the unknown method {how.method[:40]!r}")
    if how.hash_type not in ALGORITHMS:
        known = " and ".join(ALGORITHMS)
        raise unusable(
            file, f"has digests of {how.hash_type[:40]!r}; only {known} can be verified here"
        )
    total = hashlib.sha256()
    for each in said.resources:
        total.update(_digest(each, how, file))
    if subject.digest.get("sha256") != total.hexdigest():
        raise unusable(file, "contradicts itself: its digest is not that of its list of files")
    return Manifest(
        subject=subject.name,
        algorithm=how.hash_type,
        allow_symlinks=how.allow_symlinks,
        ignored=frozenset(_safe(each, file) for each in how.ignore_paths),
        files=_files(said, file),
        in_shards=how.method == "shards",
    )


def _digest(resource: _Resource, how: _Serialization, file: str) -> bytes:
    if resource.algorithm != how.algorithm:
        raise unusable(file, f"mixes {how.algorithm} with {resource.algorithm[:40]!r}")
    try:
        digest = bytes.fromhex(resource.digest)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.new(how.hash_type).digest_size or digest.hex() != resource.digest:
        raise unusable(file, f"has a digest that is no {how.hash_type}: {resource.digest[:40]!r}")
    return digest


def _files(said: _Predicate, file: str) -> dict[str, tuple[SignedPart, ...]]:
    how = said.serialization
    parts: dict[str, list[SignedPart]] = {}
    for each in said.resources:
        digest = bytes.fromhex(each.digest)
        if how.method == "files":
            name, part = each.name, SignedPart(0, None, digest)
        else:
            name, start, end = _shard(each.name, file)
            part = SignedPart(start, end, digest)
            if not 0 < end - start <= how.shard_size:
                raise unusable(file, f"has a part that is no shard: {each.name[:80]!r}")
        parts.setdefault(_safe(name, file), []).append(part)
    for name, found in parts.items():
        found.sort(key=lambda part: part.start)
        if any(after.start != before.end for before, after in pairwise(found)):
            raise unusable(file, f"has parts of {name[:80]!r} twice, or with gaps")
        if found[0].start:
            raise unusable(file, f"lacks the beginning of {name[:80]!r}")
    if WHOLE_MODEL in parts and len(parts) > 1:
        raise unusable(file, "signs a single file and others")
    return {name: tuple(found) for name, found in parts.items()}


def _shard(name: str, file: str) -> tuple[str, int, int]:
    """`PATH:START:END`; a path with a colon has no other reading, but the library refuses it."""
    pieces = name.split(":")
    offsets = [each for each in pieces[1:] if each.isascii() and each.isdecimal()]
    if len(pieces) != 3 or len(offsets) != 2 or any(len(each) > MOST_DIGITS for each in offsets):
        raise unusable(file, f"has a part that is no shard: {name[:80]!r}")
    return pieces[0], int(offsets[0]), int(offsets[1])


def _safe(name: str, file: str) -> str:
    """A path below the model, written in the one way that it can be.

    Raises:
        ReadError: it leads elsewhere, or is written otherwise.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or "\0" in name:
        raise unusable(file, f"names a path outside the model: {name[:80]!r}")
    return name
