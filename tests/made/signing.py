"""Keys, certificates, and signatures made by the command of OpenSSF Model Signing."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime(2026, 6, 15, tzinfo=datetime.UTC)
CREATED = "2026-06-15T00:00:00Z"
DAY = datetime.timedelta(days=1)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key, password: bytes | None = None) -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def certificate(
    name: str, key, issuer: str, issuer_key, *, authority: bool = False, days=(-100, 100)
) -> x509.Certificate:
    """A certificate that is valid between two days, counted from `NOW`."""

    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    flags = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("encipher_only", "decipher_only"),
        ),
        False,
    )
    usage = x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **flags
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
    )
    if not authority:
        code_signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        made = made.add_extension(code_signing, critical=False)
    return made.sign(issuer_key, hashes.SHA256())


class Authority:
    """A root, an intermediate and a signer, as files in a folder; `days` are of the signer."""

    def __init__(self, folder: Path, name: str = "Acme", days=(-100, 100)) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root_key, self.middle_key, self.key = new_key(), new_key(), new_key()
        root, middle = f"{name} Root", f"{name} Intermediate"
        wide = (-1000, 1000)
        made = {
            "root": certificate(
                root, self.root_key, root, self.root_key, authority=True, days=wide
            ),
            "middle": certificate(
                middle, self.middle_key, root, self.root_key, authority=True, days=wide
            ),
            "signer": certificate(f"{name} Signer", self.key, middle, self.middle_key, days=days),
        }
        for each, found in made.items():
            self.path(each).write_bytes(found.public_bytes(Encoding.PEM))
        (folder / "key").write_bytes(private_pem(self.key))
        (folder / "pub").write_bytes(public_pem(self.key))

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def sign(self, model: Path, by: str, signature: Path, *extra: str) -> None:
        """Sign with the library's command, by `key` or `certificate`."""
        told = ["--private_key", str(self.folder / "key"), "--signature", str(signature), *extra]
        if by == "certificate":
            told += ["--signing_certificate", str(self.path("signer"))]
            told += ["--certificate_chain", str(self.path("middle"))]
        result = model_signing("sign", by, str(model), *told)
        assert result.exit_code == 0, result.output

    def verify(self, model: Path, by: str, signature: Path, *extra: str) -> bool:
        """Whether the library's command accepts the signature."""
        trust = {
            "key": ["--public_key", str(self.folder / "pub")],
            "certificate": ["--certificate_chain", str(self.path("root"))],
        }
        told = ["--signature", str(signature), *trust[by], *extra]
        return model_signing("verify", by, str(model), *told).exit_code == 0


def model_signing(*arguments: str) -> Result:
    """Run the command of OpenSSF Model Signing in this process."""
    from model_signing._cli import main

    return CliRunner().invoke(main, arguments)


def resigned(signature: Path, key, change: Callable[[dict], object]) -> None:
    """Change the statement in a signature, and sign it again with a key."""
    from model_signing._signing.sign_sigstore_pb import pae

    bundle = json.loads(signature.read_text())
    envelope = bundle["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    changed = change(statement)
    payload = json.dumps(statement if changed is None else changed).encode()
    envelope["payload"] = base64.b64encode(payload).decode()
    made = key.sign(pae(payload), ec.ECDSA(hashes.SHA256()))
    envelope["signatures"] = [{"sig": base64.b64encode(made).decode(), "keyid": ""}]
    signature.write_text(json.dumps(bundle))
