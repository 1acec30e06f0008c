"""Who made a signature, as far as the settings trust anybody. Needs the package `cryptography`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import cache

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from modelaudit.audit_types.signing import Signer
from modelaudit.errors import UsageError
from modelaudit.settings.signing import Signing, TrustedFile
from modelaudit.signing import keys
from modelaudit.signing.bundle import Bundle, SignedBy
from modelaudit.signing.signer import UNTRUSTED, SignerCheck


@cache
def trusted_keys(files: tuple[TrustedFile, ...]) -> dict[str, keys.PublicKey]:
    """The keys of the settings by their names.

    Raises:
        UsageError: a file has none.
    """
    found = {}
    for each in files:
        try:
            found[each.name] = keys.public_key(each.text.encode())
        except ValueError as error:
            raise UsageError(f"public_keys in [signing]: {each.name}: {error}") from error
    return found


@cache
def trusted_certificates(files: tuple[TrustedFile, ...]) -> tuple[x509.Certificate, ...]:
    """The certificates of the settings.

    Raises:
        UsageError: a file has none.
    """
    found: list[x509.Certificate] = []
    for each in files:
        try:
            found += keys.certificates(each.text.encode())
        except ValueError as error:
            raise UsageError(f"certificates in [signing]: {each.name}: {error}") from error
    return tuple(found)


def check_signer(bundle: Bundle, trusted: Signing, now: datetime.datetime) -> SignerCheck:
    """Who made the signature in a bundle, by a key or a certificate.

    Args:
        bundle: unverified.
        trusted: the settings.
        now: with a time zone; certificates must be valid then.
    """
    if bundle.by is SignedBy.KEY:
        return _by_key(bundle, trusted_keys(trusted.public_keys))
    try:
        chain = [x509.load_der_x509_certificate(each) for each in bundle.certificates]
        identity = described(chain[0])
    except keys.BAD_CERTIFICATE:
        return SignerCheck(Signer.UNKNOWN, "a certificate", "its certificates cannot be read")
    return _by_certificate(bundle, chain, identity, trusted_certificates(trusted.certificates), now)


def _by_key(bundle: Bundle, known: dict[str, keys.PublicKey]) -> SignerCheck:
    envelope = bundle.envelope
    for name, key in known.items():
        named = bundle.hint == keys.fingerprint(key)
        if named or not bundle.hint:
            if keys.signed_by(key, envelope.signature, envelope.signed):
                return SignerCheck(Signer.TRUSTED, f"key {name}")
            if named:
                why = "it names this key, which did not sign it: it was changed, or never was its"
                return SignerCheck(Signer.INVALID, f"key {name}", why)
    said = f"key {bundle.hint[:16]}" if bundle.hint else "a key that it does not name"
    return SignerCheck(Signer.UNKNOWN, said, UNTRUSTED)


def _by_certificate(
    bundle: Bundle,
    chain: Sequence[x509.Certificate],
    identity: str,
    roots: tuple[x509.Certificate, ...],
    now: datetime.datetime,
) -> SignerCheck:
    leaf = chain[0]
    path = _path(chain, roots, now)
    # A signature has no time of its own: OpenSSF Model Signing takes the first at which it could
    # have been made. That keeps what an expired certificate signed apart from what is foreign.
    expired = path is None
    path = path or _path(chain, roots, leaf.not_valid_before_utc)
    if path is None:
        return SignerCheck(Signer.UNKNOWN, identity, "no trusted certificate vouches for it")
    if not _may_sign(leaf):
        return SignerCheck(Signer.UNKNOWN, identity, "its certificate is not one for signing")
    try:
        key = keys.supported(leaf.public_key())
    except keys.BAD_CERTIFICATE as error:
        return SignerCheck(Signer.UNKNOWN, identity, str(error))
    if not keys.signed_by(key, bundle.envelope.signature, bundle.envelope.signed):
        why = "it has this signer's certificate, whose key did not sign it"
        return SignerCheck(Signer.INVALID, identity, why)
    ends = min(each.not_valid_after_utc for each in path)
    if expired:
        why = f"a certificate is valid only from {_starts(path)} to {ends:%Y-%m-%d}"
        return SignerCheck(Signer.EXPIRED, identity, why, ends)
    return SignerCheck(Signer.TRUSTED, identity, valid_until=ends)


def _starts(path: Sequence[x509.Certificate]) -> str:
    return f"{max(each.not_valid_before_utc for each in path):%Y-%m-%d}"


def _path(
    chain: Sequence[x509.Certificate], roots: tuple[x509.Certificate, ...], when: datetime.datetime
) -> Sequence[x509.Certificate] | None:
    """The certificates from the signer's to a trusted one, all valid at that time."""
    leaf = chain[0]
    if leaf in roots:  # trusted itself
        return [leaf] if leaf.not_valid_before_utc <= when <= leaf.not_valid_after_utc else None
    if not roots:
        return None
    any_way = verification.Criticality.AGNOSTIC
    authorities = (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, any_way, None)
        .may_be_present(x509.KeyUsage, any_way, _may_vouch)
    )
    builder = (
        verification.PolicyBuilder()
        .store(verification.Store(list(roots)))
        .time(when)
        .extension_policies(
            ca_policy=authorities, ee_policy=verification.ExtensionPolicy.permit_all()
        )
    )
    try:
        return builder.build_client_verifier().verify(leaf, list(chain[1:])).chain
    except (verification.VerificationError, *keys.BAD_CERTIFICATE):
        return None


def _may_vouch(
    _policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    """Check that a certificate is for signing other certificates, where it says what it is for."""
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("not for signing certificates")


def _may_sign(leaf: x509.Certificate) -> bool:
    """Whether a certificate is for signatures, as OpenSSF Model Signing decides it."""
    try:
        extensions = leaf.extensions
    except keys.BAD_CERTIFICATE:
        return False
    for each in extensions:
        value = each.value
        if isinstance(value, x509.KeyUsage) and value.digital_signature:
            return True
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CODE_SIGNING in value:
            return True
    return False


def described(leaf: x509.Certificate) -> str:
    """The signer as a certificate names it: alternative names, or else the subject.

    Raises:
        BAD_CERTIFICATE: the certificate cannot be read.
    """
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        said = [str(each.value) for each in names]
    except x509.ExtensionNotFound:
        said = []
    return ", ".join(said) or leaf.subject.rfc4514_string() or "a certificate without a name"
