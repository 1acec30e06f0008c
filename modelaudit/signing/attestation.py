"""Attestations: an audit as a signed in-toto statement about the model's files."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, field

from modelaudit.facts import Artifact, FileEntry, Json
from modelaudit.formats.io.bounded import file_entry
from modelaudit.schema import Audit, to_json
from modelaudit.settings import Limits
from modelaudit.signing.comparison import listed_files
from modelaudit.signing.dsse import (
    IN_TOTO,
    STATEMENT,
    Envelope,
    EnvelopeEntry,
    converted_json,
    open_envelope,
    parse,
    unusable,
)

if TYPE_CHECKING:  # which imports `cryptography`
    from modelaudit.signing.keys import PrivateKey, PublicKey

FILE = "audit.intoto.json"
PREDICATE = "urn:tf-modelaudit:schema:audit:1.0"  # as the schema of audit.json is called
MOST_BYTES = 1 << 29  # an audit file in base64


class AuditedFiles(Struct, frozen=True):
    """What a verified attestation says.

    Attributes:
        digests: SHA-256 by the names of the model's files, at least one.
        beside: digests of what the audit read beside these files, as `beside` returns them.
        created: when it was audited, ISO 8601 in UTC.
        tool: name and version of what audited it.
        verdict: of the audit.
        reason: for it.
        code: exit code that the model alone gave.
    """

    digests: Mapping[str, str]
    beside: Mapping[str, str]
    created: str
    tool: str
    verdict: str
    reason: str
    code: int


class _Tool(Struct, frozen=True):
    name: str
    version: str


class _Exit(Struct, frozen=True):
    code: int


class _Labels(Struct, frozen=True):
    sha256: str


class _Model(Struct, frozen=True):
    labels: _Labels | None = None


class _Golden(Struct, frozen=True):
    digest: str = ""


class _Restore(Struct, frozen=True):
    golden: _Golden | None = None


class _AttestedAudit(Struct, frozen=True):
    tool: _Tool
    created: str
    model: _Model
    exit: _Exit
    verdict: str
    reason: str
    restore: _Restore = _Restore()


class _AttestedFile(Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Attestation(Struct, frozen=True):
    kind: str = field(name="_type")
    subject: tuple[_AttestedFile, ...]
    predicate_type: str = field(name="predicateType")
    predicate: Json


def attest(audit: Audit, key: PrivateKey) -> bytes:
    """An audit as a statement about the model's files, in an envelope that a key signs.

    Raises:
        ValueError: the audit does not have the digest of every file.
    """
    from modelaudit.signing import keys

    source = audit.architecture.file
    configs = {PurePosixPath(each.path).name for each in audit.files if each.role == "config"}
    if source is not UNSET and source not in configs:
        raise ValueError(f"its architecture is that of {source}, which is not beside it")

    subject: list[Json] = [
        {"name": name, "digest": {"sha256": digest}}
        for name, digest in digests(audit.files).items()
    ]
    statement: dict[str, Json] = {
        "_type": STATEMENT,
        "subject": subject,
        "predicateType": PREDICATE,
        "predicate": to_json(audit),
    }
    payload = json.dumps(statement, allow_nan=False).encode()
    signature = keys.sign(key, Envelope(payload, IN_TOTO, b"").signed)
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": IN_TOTO,
        "signatures": [
            {
                "keyid": keys.fingerprint(key.public_key()),
                "sig": base64.b64encode(signature).decode(),
            }
        ],
    }
    return json.dumps(envelope).encode() + b"\n"


def digests(files: tuple[FileEntry, ...]) -> dict[str, str]:
    """SHA-256 by the names of files.

    Raises:
        ValueError: there is no file, or one without a digest.
    """
    if not files:
        raise ValueError("its files could not be read")
    found = {}
    for each in files:
        if each.sha256 is None:
            raise ValueError(f"{each.path} could not be read, or is too large to be hashed")
        found[each.path] = each.sha256
    return found


def present_digests(artifact: Artifact, limits: Limits) -> dict[str, str]:
    """SHA-256 by the names of all files that are there, of a directory also those not read.

    Raises:
        ValueError: one cannot be hashed, or is a link or special file that readers do not follow.
        LimitExceeded: the directory has more than `limits.files`.
    """
    root, files = artifact.root, artifact.files
    read = {each.path for each in files}
    further = listed_files(root, limits) if root.is_dir() else {}
    for name, path in further.items():
        if name not in read:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise ValueError(f"{name} is a link or a special file, which is not verified")
            files += (file_entry(path, root, "", limits),)
    return digests(files)


def beside(labels: str | None, golden: str | None) -> dict[str, str]:
    """Digests of what an audit reads beside a model's files, by what it is.

    Args:
        labels: of the file with the names of the classes; None if there is none.
        golden: of the golden record; "" if it cannot be read, None if there is none.
    """
    found = {"the names of its classes": labels, "its golden record": golden}
    return {what: digest for what, digest in found.items() if digest is not None}


def check_attestation(data: bytes, key: PublicKey, file: str) -> AuditedFiles:
    """What an attestation says, after its signature was verified.

    Args:
        data: the attestation.
        key: who must have signed it.
        file: its name, for errors.

    Raises:
        ReadError: it is none, or the key did not sign it.
    """
    from modelaudit.signing import keys

    limits = Limits(config_bytes=MOST_BYTES)
    envelope = open_envelope(parse(data, EnvelopeEntry, limits, file), file)
    if not keys.signed_by(key, envelope.signature, envelope.signed):
        raise unusable(file, "this key did not sign it, or it was changed since")
    return read_attestation(envelope.payload, limits, file)


def read_attestation(payload: bytes, limits: Limits, file: str) -> AuditedFiles:
    """What the statement of an attestation says.

    Raises:
        ReadError: it is another.
    """
    said = parse(payload, _Attestation, limits, file)
    if (said.kind, said.predicate_type) != (STATEMENT, PREDICATE):
        raise unusable(file, f"is a statement of another kind: {said.predicate_type[:80]!r}")
    audit = converted_json(said.predicate, _AttestedAudit, file)
    found = {each.name: each.digest.get("sha256", "") for each in said.subject}
    if not found or len(found) != len(said.subject) or not all(found.values()):
        raise unusable(file, "does not have one digest for each of the model's files")
    return AuditedFiles(
        digests=found,
        beside=beside(
            audit.model.labels.sha256 if audit.model.labels else None,
            audit.restore.golden.digest if audit.restore.golden else None,
        ),
        created=audit.created,
        tool=f"{audit.tool.name} {audit.tool.version}",
        verdict=audit.verdict,
        reason=audit.reason,
        code=audit.exit.code,
    )


def differences(attested: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """How a model's files differ from the attested ones; a single file may have another name."""
    if len(attested) == len(now) == 1 and [*attested.values()] == [*now.values()]:
        return []
    changed = [name for name in attested if name in now and attested[name] != now[name]]
    return [
        *(f"{name}: other bytes" for name in changed),
        *(f"{name}: missing" for name in attested if name not in now),
        *(f"{name}: was not there" for name in now if name not in attested),
    ]
