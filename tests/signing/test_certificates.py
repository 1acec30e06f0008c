"""Chains of certificates that must not be trusted, and what OpenSSL says of them."""

from __future__ import annotations

import base64
import json
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from modelaudit.audit_types.signing import SignedFiles, Signer
from tests.made.signing import DAY, NOW, Authority, certificate, new_key, private_pem
from tests.signing.models import checked, copy_of, only, signature_of, trusting

UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


def _as(name: str):
    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])


def _usage(*, cert_sign: bool, digital: bool) -> x509.KeyUsage:
    no = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=digital, key_cert_sign=cert_sign, **no)


def _made(name, key, issuer, issuer_key, *extensions, days=(-100, 100)):
    made = (
        x509.CertificateBuilder()
        .subject_name(_as(name))
        .issuer_name(_as(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
    )
    for value, critical in extensions:
        made = made.add_extension(value, critical=critical)
    return made.sign(issuer_key, hashes.SHA256())


AUTHORITY = (x509.BasicConstraints(True, None), True)
SIGNER = ((x509.BasicConstraints(False, None), True), (_usage(cert_sign=False, digital=True), True))


def _replace(acme: Authority, name: str, made: x509.Certificate) -> None:
    acme.path(name).write_bytes(made.public_bytes(Encoding.PEM))


def plain(acme: Authority) -> None:
    pass


def without_usage_of_an_authority(acme: Authority) -> None:
    made = _made(
        *("Acme Intermediate", acme.middle_key, "Acme Root", acme.root_key),
        *(AUTHORITY, (_usage(cert_sign=False, digital=True), True)),
    )
    _replace(acme, "middle", made)


def no_authority(acme: Authority) -> None:
    made = _made("Acme Intermediate", acme.middle_key, "Acme Root", acme.root_key, *SIGNER)
    _replace(acme, "middle", made)


def too_long(acme: Authority) -> None:
    made = _made(
        *("Acme Root", acme.root_key, "Acme Root", acme.root_key),
        *((x509.BasicConstraints(True, 0), True), (_usage(cert_sign=True, digital=False), True)),
    )
    _replace(acme, "root", made)


def critical_and_unknown(acme: Authority) -> None:
    made = _made(
        *("Acme Signer", acme.key, "Acme Intermediate", acme.middle_key),
        *(*SIGNER, (UNKNOWN, True)),
    )
    _replace(acme, "signer", made)


def authority_critical_and_unknown(acme: Authority) -> None:
    made = _made(
        *("Acme Intermediate", acme.middle_key, "Acme Root", acme.root_key),
        *(AUTHORITY, (_usage(cert_sign=True, digital=False), True), (UNKNOWN, True)),
    )
    _replace(acme, "middle", made)


def not_for_signing(acme: Authority) -> None:
    made = _made(
        *("Acme Signer", acme.key, "Acme Intermediate", acme.middle_key),
        *((x509.BasicConstraints(False, None), True),),
        *((_usage(cert_sign=False, digital=False), True),),
    )
    _replace(acme, "signer", made)


def signed_by_another_root(acme: Authority) -> None:
    """An intermediate of the same name, which the root did not sign."""
    other = new_key()
    made = certificate(*("Acme Intermediate", acme.middle_key, "Acme Root", other), authority=True)
    _replace(acme, "middle", made)


CHAINS = {
    plain: True,
    without_usage_of_an_authority: False,
    no_authority: False,
    too_long: False,
    critical_and_unknown: False,
    authority_critical_and_unknown: False,
    not_for_signing: False,
    signed_by_another_root: False,
}


@pytest.mark.parametrize("change", CHAINS, ids=lambda change: change.__name__)
def test_chains(tmp_path, change):
    acme = Authority(tmp_path / "acme")
    change(acme)
    model = copy_of("npz", tmp_path)
    acme.sign(model, "certificate", signature_of(model))
    row = only(checked(model, trusting(acme, by="certificate")))
    assert row.files is SignedFiles.INTACT
    assert (row.signer is Signer.TRUSTED) is CHAINS[change]
    assert (row.signer is Signer.UNKNOWN) is not CHAINS[change]
    assert acme.verify(model, "certificate", signature_of(model)) is CHAINS[change]


@pytest.mark.parametrize(
    ("days", "signer"),
    [
        ((-100, 1), Signer.TRUSTED),
        ((-100, 0), Signer.TRUSTED),  # up to and including its last second
        ((-100, -1), Signer.EXPIRED),
        ((1, 100), Signer.EXPIRED),  # not yet valid
    ],
)
def test_when_a_certificate_is_valid(tmp_path, days, signer):
    acme = Authority(tmp_path / "acme", days=days)
    model = copy_of("npz", tmp_path)
    acme.sign(model, "certificate", signature_of(model))
    assert only(checked(model, trusting(acme, by="certificate"))).signer is signer


@pytest.mark.parametrize("curve", [ec.SECP384R1, ec.SECP521R1])
def test_other_curves(tmp_path, curve):
    acme = Authority(tmp_path / "acme")
    acme.key = ec.generate_private_key(curve())
    (acme.folder / "key").write_bytes(private_pem(acme.key))
    made = certificate("Acme Signer", acme.key, "Acme Intermediate", acme.middle_key)
    _replace(acme, "signer", made)
    model = copy_of("npz", tmp_path)
    acme.sign(model, "certificate", signature_of(model))
    assert only(checked(model, trusting(acme, by="certificate"))).signer is Signer.TRUSTED
    assert acme.verify(model, "certificate", signature_of(model))


def test_the_trusted_certificate_of_the_signer_itself(tmp_path):
    acme = Authority(tmp_path / "acme")
    model = copy_of("npz", tmp_path)
    acme.sign(model, "certificate", signature_of(model))
    acme.path("root").write_bytes(acme.path("signer").read_bytes())
    assert only(checked(model, trusting(acme, by="certificate"))).signer is Signer.TRUSTED


def test_a_certificate_of_an_unknown_version_is_no_failure(tmp_path):
    """DER with another version than X.509 has; what `cryptography` raises is no ValueError."""
    acme = Authority(tmp_path / "acme")
    model = copy_of("npz", tmp_path)
    signature = signature_of(model)
    acme.sign(model, "certificate", signature)
    good = signature.read_text()
    bundle = json.loads(good)
    first = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"][0]
    der = base64.b64decode(first["rawBytes"])
    version = der.index(b"\xa0\x03\x02\x01\x02")
    first["rawBytes"] = base64.b64encode(der[: version + 4] + b"\x09" + der[version + 5 :]).decode()
    signature.write_text(json.dumps(bundle))
    row = only(checked(model, trusting(acme, by="certificate")))
    assert (row.signer, row.problem) == (Signer.UNKNOWN, "its certificates cannot be read")


def test_certificates_with_any_byte_changed_are_never_trusted(tmp_path):
    """Every change of one byte of the signer's certificate, at random places."""
    acme = Authority(tmp_path / "acme")
    model = copy_of("npz", tmp_path)
    signature = signature_of(model)
    acme.sign(model, "certificate", signature)
    bundle = json.loads(signature.read_text())
    first = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"][0]
    der, chance = base64.b64decode(first["rawBytes"]), random.Random(0)
    for _ in range(150):
        changed = bytearray(der)
        changed[chance.randrange(len(der))] ^= chance.randrange(1, 256)
        first["rawBytes"] = base64.b64encode(changed).decode()
        signature.write_text(json.dumps(bundle))
        assert only(checked(model, trusting(acme, by="certificate"))).signer is Signer.UNKNOWN


def test_an_identity_in_a_certificate_of_an_unknown_version_is_no_failure(tmp_path):
    pytest.importorskip("sigstore")
    from modelaudit.settings.signing import Signing
    from modelaudit.signing.bundle import Bundle, SignedBy
    from modelaudit.signing.dsse import Envelope
    from modelaudit.signing.sigstore_signer import check_identity

    key = new_key()
    der = _made("Acme", key, "Acme", key).public_bytes(Encoding.DER)
    bad = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09", 1)
    bundle = Bundle(SignedBy.SIGSTORE, "", (bad,), Envelope(b"", "", b""), b"")
    seen = check_identity(bundle, Signing())
    assert (seen.signer, seen.problem) == (Signer.UNKNOWN, "its certificate cannot be read")
