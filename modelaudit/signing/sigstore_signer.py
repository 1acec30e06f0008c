"""Signatures by identities of Sigstore, verified without the network. Needs the package `sigstore`.

Certificates of Sigstore are valid for minutes; that one was used in this time is shown by a log,
whose keys are in the trusted root. Verifying all of that is left to Sigstore's own library.
"""

from __future__ import annotations

from functools import cache

from cryptography.x509 import Certificate, load_der_x509_certificate
from sigstore.errors import Error
from sigstore.models import Bundle as SigstoreBundle
from sigstore.models import TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity, VerificationPolicy
from sigstore_models.trustroot.v1 import TrustedRoot as TrustedRootFile

from modelaudit.audit_types.signing import Signer
from modelaudit.errors import UsageError
from modelaudit.settings.signing import Signing, TrustedFile
from modelaudit.signing.bundle import Bundle
from modelaudit.signing.keys import BAD_CERTIFICATE
from modelaudit.signing.signer import UNTRUSTED, SignerCheck
from modelaudit.signing.trust import described


class _Anyone:
    """Whoever the certificate names: what is left to verify is that this one signed."""

    def verify(self, cert: Certificate) -> None:
        """Accept the certificate."""


@cache
def verifier(root: TrustedFile) -> Verifier:
    """What verifies bundles by the certificates and logs of a trusted root.

    Raises:
        UsageError: it is no trusted root.
    """
    try:
        return Verifier(trusted_root=TrustedRoot(TrustedRootFile.from_json(root.text)))
    except (Error, ValueError, TypeError) as error:
        raise UsageError(f"trusted_root in [signing]: {root.name}: {_line(error)}") from error


def check_identity(bundle: Bundle, trusted: Signing) -> SignerCheck:
    """Whether an identity that the settings trust made the signature in a bundle.

    Args:
        bundle: unverified, of Sigstore.
        trusted: the settings.
    """
    try:
        said = described(load_der_x509_certificate(bundle.certificates[0]))
    except BAD_CERTIFICATE:
        return SignerCheck(Signer.UNKNOWN, "a certificate", "its certificate cannot be read")
    if not trusted.trusted_root:
        return SignerCheck(Signer.UNKNOWN, said, "the settings have no trusted_root for Sigstore")
    by = verifier(trusted.trusted_root)
    if problem := _problem(bundle, by, _Anyone()):
        claimed = any(each.identity == said for each in trusted.identities)
        return SignerCheck(Signer.INVALID if claimed else Signer.UNKNOWN, said, problem)
    for each in trusted.identities:
        if not _problem(bundle, by, Identity(identity=each.identity, issuer=each.issuer)):
            return SignerCheck(Signer.TRUSTED, f"{each.identity} ({each.issuer})")
    return SignerCheck(Signer.UNKNOWN, said, UNTRUSTED)


def _problem(bundle: Bundle, by: Verifier, policy: VerificationPolicy) -> str:
    """Why a bundle does not hold, "" if it does."""
    try:
        kind, payload = by.verify_dsse(SigstoreBundle.from_json(bundle.text), policy)
    except Exception as error:  # of any type: the library parses what an attacker may have written
        return f"Sigstore's library does not verify it: {_line(error)}"
    if (kind, payload) != (bundle.envelope.payload_type, bundle.envelope.payload):
        return "Sigstore's library reads another payload from it"
    return ""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
