"""Sigstore bundles, the files that OpenSSF Model Signing writes as `model.sig`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from msgspec import Struct

from modelaudit.facts import Json
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.settings import Limits
from modelaudit.signing.dsse import (
    Envelope,
    EnvelopeEntry,
    decoded,
    open_envelope,
    parse,
    unusable,
)

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle"
CURRENT = f"{MEDIA_TYPE}.v0.3+json"
MOST_CERTIFICATES = 16  # in the chain of one signer


class SignedBy(Enum):
    """What a bundle is signed with."""

    KEY = "key"
    CERTIFICATE = "certificate"
    SIGSTORE = "sigstore"  # a certificate of some minutes, and a log that shows when it was used


class _PublicKey(Struct, frozen=True):
    hint: str | None = None


class _Certificate(Struct, frozen=True, rename="camel"):
    raw_bytes: str


class _Chain(Struct, frozen=True):
    certificates: tuple[_Certificate, ...] = ()


class _Material(Struct, frozen=True, rename="camel"):
    public_key: _PublicKey | None = None
    x509_certificate_chain: _Chain | None = None
    certificate: _Certificate | None = None
    tlog_entries: tuple[dict[str, Json], ...] = ()


class _BundleText(Struct, frozen=True, rename="camel"):
    media_type: str
    verification_material: _Material
    dsse_envelope: EnvelopeEntry


class Bundle(Struct, frozen=True):
    """A bundle, nothing of it verified.

    Attributes:
        by: what it is signed with.
        hint: of a key, the SHA-256 of its PEM as the bundle states it, or "".
        certificates: in DER, that of the signer first.
        envelope: what is signed.
        text: the whole file.
    """

    by: SignedBy
    hint: str
    certificates: tuple[bytes, ...]
    envelope: Envelope
    text: bytes


def read_bundle(path: Path, limits: Limits) -> Bundle:
    """The bundle in a file.

    Raises:
        ReadError: it is none, or exceeds a limit.
    """
    file = path.name
    text = read_bytes(path, limits.config_bytes, file, "config_bytes")
    if not text.lstrip().startswith(b"{"):
        raise unusable(file, "is no signature of OpenSSF Model Signing, which would be JSON")
    entry = parse(text, _BundleText, limits, file)
    if not entry.media_type.startswith(MEDIA_TYPE):
        raise unusable(file, f"is no Sigstore bundle but {entry.media_type[:80]!r}")
    material = entry.verification_material
    chain = material.x509_certificate_chain
    given = chain.certificates if chain else ()
    if material.certificate:
        given = (material.certificate,)
    kinds = (material.public_key, chain, material.certificate)
    if sum(each is not None for each in kinds) != 1:
        raise unusable(file, "does not have either a key or certificates")
    if not material.public_key and not 1 <= len(given) <= MOST_CERTIFICATES:
        raise unusable(file, f"has {len(given):,} certificates, not 1 to {MOST_CERTIFICATES}")
    if material.public_key:
        by = SignedBy.KEY
    elif material.tlog_entries or material.certificate:
        by = SignedBy.SIGSTORE
    else:
        by = SignedBy.CERTIFICATE
    if by is not SignedBy.SIGSTORE and entry.media_type != CURRENT:
        raise unusable(file, f"is a bundle of another version: {entry.media_type[:80]!r}")
    return Bundle(
        by=by,
        hint=(material.public_key.hint or "") if material.public_key else "",
        certificates=tuple(decoded(each.raw_bytes, file) for each in given),
        envelope=open_envelope(entry.dsse_envelope, file),
        text=text,
    )
