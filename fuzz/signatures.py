"""Signatures and attestations, mutated as a document of the envelope and the statement in it.

In a file the statement is in base64, behind which mutations of its text would not reach it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from fuzz.readers import LIMITS
from modelaudit.facts import Json, Problem
from modelaudit.formats.reader import read_artifact
from modelaudit.settings import Settings
from modelaudit.signing import dsse
from modelaudit.signing.attestation import PREDICATE, differences, read_attestation
from modelaudit.signing.bundle import CURRENT, read_bundle
from modelaudit.signing.check import SUFFIX, check_signatures
from modelaudit.signing.manifest import PREDICATE as MANIFEST
from modelaudit.signing.manifest import WHOLE_MODEL, read_manifest

MODEL = "m.npz"
DOCUMENT = "document"
CREATED = "2026-01-01T00:00:00Z"


def signed(document: bytes) -> Callable[[Path], None]:
    """What writes a model with this document."""

    def build(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / MODEL).write_bytes(_model())
        (folder / DOCUMENT).write_bytes(document)

    return build


def _model() -> bytes:
    data = io.BytesIO()
    np.savez(data, kernel=np.ones((2, 3), np.float32))
    return data.getvalue()


def signatures() -> tuple[bytes, ...]:
    """Of a whole file, of its shards, and of the directory that it is in."""
    data = _model()
    half = len(data) // 2
    shards = {
        f"{WHOLE_MODEL}:0:{half}": data[:half],
        f"{WHOLE_MODEL}:{half}:{len(data)}": data[half:],
    }
    key: Json = {"publicKey": {"hint": "0" * 64}}
    chain: Json = {"x509CertificateChain": {"certificates": [{"rawBytes": _base64(b"0")}] * 2}}
    files: Json = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    parts: Json = {"method": "shards", "hash_type": "sha256", "shard_size": half + 1}
    ignoring: Json = {**files, "hash_type": "blake2b", "ignore_paths": [DOCUMENT, ".git"]}
    return (
        _signature({WHOLE_MODEL: data}, files, key),
        _signature(shards, parts, chain),
        _signature({MODEL: data, "a/b": b""}, ignoring, key),
    )


def _signature(parts: dict[str, bytes], how: dict[str, Json], material: Json) -> bytes:
    shards = f"-sharded-{how['shard_size']}" if how["method"] == "shards" else ""
    digest = getattr(hashlib, str(how["hash_type"]))
    resources = [
        {
            "name": name,
            "algorithm": f"{how['hash_type']}{shards}",
            "digest": digest(data).hexdigest(),
        }
        for name, data in parts.items()
    ]
    statement = {
        "_type": dsse.STATEMENT,
        "subject": [{"name": MODEL, "digest": {"sha256": ""}}],
        "predicateType": MANIFEST,
        "predicate": {"serialization": how, "resources": resources},
    }
    return _document(statement, {"mediaType": CURRENT, "verificationMaterial": material})


def attestations() -> tuple[bytes, ...]:
    """Of an audit of several files, with and without others beside them."""
    subject = [{"name": name, "digest": {"sha256": "0" * 64}} for name in ("a", "b/c")]
    audit = {
        "tool": {"name": "tf-modelaudit", "version": "1"},
        "created": CREATED,
        "exit": {"code": 0, "reasons": []},
        "verdict": "pass",
        "reason": "no rule failed",
        "model": {"path": "m"},
    }
    further = {"model": {"labels": {"file": "labels.txt", "sha256": "0" * 64}}}
    return tuple(
        _document(
            {
                "_type": dsse.STATEMENT,
                "subject": subject,
                "predicateType": PREDICATE,
                "predicate": audit | more,
            },
            {},
        )
        for more in ({}, {**further, "restore": {"golden": {"digest": "0" * 64}}})
    )


def _document(statement: Json, around: dict[str, Json]) -> bytes:
    envelope: Json = {
        "payloadType": dsse.IN_TOTO,
        "signatures": [{"sig": _base64(b"signature"), "keyid": ""}],
    }
    return json.dumps({"statement": statement, "envelope": envelope, "around": around}).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def place(folder: Path, document: bytes) -> None:
    """Write a document as a signature; where it is none any more, as it is."""
    (folder / (MODEL + SUFFIX)).write_bytes(_as_file(document))


def _as_file(document: bytes) -> bytes:
    try:
        parts = json.loads(document)
        _make_consistent(parts["statement"])
        payload = {"payload": _base64(json.dumps(parts["statement"]).encode())}
        if not parts["around"]:
            return json.dumps({**parts["envelope"], **payload}).encode()
        return json.dumps(
            {**parts["around"], "dsseEnvelope": {**parts["envelope"], **payload}}
        ).encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        return document


def _make_consistent(statement: Json) -> None:
    """Make the digest of a statement that of its list of files, where it has both."""
    try:
        total = hashlib.sha256()
        for each in statement["predicate"]["resources"]:
            total.update(bytes.fromhex(each["digest"]))
        statement["subject"][0]["digest"]["sha256"] = total.hexdigest()
    except (ValueError, TypeError, LookupError, AttributeError):
        return


def signature(folder: Path) -> Iterable[Problem]:
    """A signature beside a model, and what an audit says of it."""
    path = folder / (MODEL + SUFFIX)
    artifact = read_artifact(folder / MODEL, LIMITS)
    msgspec.json.encode(check_signatures(artifact, Settings(), CREATED))
    read_manifest(read_bundle(path, LIMITS).envelope.payload, LIMITS, path.name)
    return ()


def attestation(folder: Path) -> Iterable[Problem]:
    """An attestation whose signature was verified."""
    path = folder / (MODEL + SUFFIX)
    entry = dsse.parse(path.read_bytes(), dsse.EnvelopeEntry, LIMITS, path.name)
    found = read_attestation(dsse.open_envelope(entry, path.name).payload, LIMITS, path.name)
    differences(found.digests, {"a": "0"})
    return ()
