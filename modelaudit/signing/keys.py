"""Keys and certificates: what is read from PEM, and signatures that they make and check.

Needs the package `cryptography`.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

# What a certificate that is not as it should be raises, when it is read or later.
BAD_CERTIFICATE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

_HASHES = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
KINDS = "ECDSA over P-256, P-384 or P-521, or Ed25519"


def public_key(pem: bytes) -> PublicKey:
    """The public key in PEM.

    Raises:
        ValueError: it is none, or of a kind that is not supported.
    """
    try:
        found = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not a public key in PEM") from error
    return supported(found)


def supported(found: object) -> PublicKey:
    """The same key, if it is of a kind that signatures can have.

    Raises:
        ValueError: it is not.
    """
    if isinstance(found, ed25519.Ed25519PublicKey):
        return found
    if isinstance(found, ec.EllipticCurvePublicKey) and found.curve.name in _HASHES:
        return found
    raise ValueError(f"a key of an unsupported kind; supported: {KINDS}")


def private_key(pem: bytes, password: bytes | None) -> PrivateKey:
    """The private key in PEM, which a password may protect.

    Raises:
        ValueError: it is none, the password is wrong or missing, or its kind is not supported.
    """
    try:
        found = load_pem_private_key(pem, password)
    except TypeError as error:  # a password is missing, or there is one too many
        what = "it is encrypted" if password is None else "it is not encrypted"
        raise ValueError(what) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        wrong = ", or the password is wrong" if password is not None else ""
        raise ValueError(f"not a private key in PEM{wrong}") from error
    if isinstance(found, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        supported(found.public_key())
        return found
    raise ValueError(f"a key of an unsupported kind; supported: {KINDS}")


def fingerprint(key: PublicKey) -> str:
    """SHA-256 over the key in PEM, as OpenSSF Model Signing names keys; 64 hexadecimal digits."""
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The key's signature over data."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, ec.ECDSA(_HASHES[key.curve.name]))


def signed_by(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the key made this signature over data."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            key.verify(signature, data, ec.ECDSA(_HASHES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


def certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates in PEM, at least one.

    Raises:
        ValueError: there is none, or one is invalid.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except BAD_CERTIFICATE as error:
        raise ValueError("not certificates in PEM") from error
