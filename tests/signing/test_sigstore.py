"""A signature by the public instance of Sigstore, verified without the network."""

from __future__ import annotations

import base64
import json
import shutil
import socket
from importlib import resources
from pathlib import Path

import pytest

from modelaudit.audit_types.signing import SignedFiles, Signer
from modelaudit.errors import UsageError
from modelaudit.facts import Artifact, Format
from modelaudit.settings import Settings
from modelaudit.settings.signing import SigningTable, SigstoreIdentity, read_signing
from modelaudit.signing.check import check_signatures, check_trust
from tests.made.signing import CREATED
from tests.signing.models import only

VECTORS = Path(__file__).parent / "vectors"
SIGNER = SigstoreIdentity("stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2")
SIGNED = ("model.sig", "signme-1", "signme-2", "ignore-me")


def trusted_root(instance: str) -> str:
    """The trusted root of an instance, as Sigstore's library has it."""
    store = resources.files("sigstore") / "_store"
    (folder,) = (each for each in store.iterdir() if instance in each.name)
    return (folder / "trusted_root.json").read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of what was signed, without a network."""

    def refuse(*_):
        raise AssertionError("access to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    model = tmp_path / "model"
    model.mkdir()
    for name in SIGNED:
        shutil.copyfile(VECTORS / name, model / name)
    (tmp_path / "root.json").write_text(trusted_root("sigstore.dev"))
    return model


def _row(model: Path, *identities: SigstoreIdentity):
    table = SigningTable(identities=identities, trusted_root="root.json")
    trusted = read_signing(table, model.parent)
    check_trust(trusted)
    artifact = Artifact(root=model, format=Format.UNKNOWN, complete=False)
    return only(check_signatures(artifact, Settings(signing=trusted), CREATED))


def test_good(folder):
    row = _row(folder, SIGNER)
    assert (row.signer, row.files) == (Signer.TRUSTED, SignedFiles.INTACT)
    assert (row.covered, row.left_out) == (2, ("ignore-me",))
    assert row.identity == f"{SIGNER.identity} ({SIGNER.issuer})"


def test_tampered(folder):
    (folder / "signme-1").write_text("other")
    row = _row(folder, SIGNER)
    assert (row.signer, row.files, row.changed) == (
        *(Signer.TRUSTED, SignedFiles.DIFFER),
        ("signme-1",),
    )


@pytest.mark.parametrize(
    "other",
    [
        SigstoreIdentity("somebody@us.ibm.com", SIGNER.issuer),
        SigstoreIdentity(SIGNER.identity, "https://accounts.google.com"),
    ],
)
def test_foreign(folder, other):
    row = _row(folder, other)
    assert (row.signer, row.files) == (Signer.UNKNOWN, SignedFiles.INTACT)
    assert row.identity == SIGNER.identity


def _change(folder, change):
    path = folder / "model.sig"
    bundle = json.loads(path.read_text())
    change(bundle)
    path.write_text(json.dumps(bundle))


def _payload(bundle):
    envelope = bundle["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["subject"][0]["name"] = "other"
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()


def _without_log(bundle):
    bundle["verificationMaterial"]["tlogEntries"] = []


def _other_time(bundle):
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 60)


def _nonsense(bundle):
    bundle["verificationMaterial"]["tlogEntries"] = [{"logIndex": {}}]


@pytest.mark.parametrize("change", [_payload, _without_log, _other_time, _nonsense])
def test_a_changed_proof(folder, change):
    _change(folder, change)
    row = _row(folder, SIGNER)
    assert (row.signer, row.files) == (Signer.INVALID, SignedFiles.INTACT)
    assert row.problem.startswith("Sigstore's library does not verify it: ")


def test_the_trusted_root_of_another_instance(folder):
    (folder.parent / "root.json").write_text(trusted_root("sigstage.dev"))
    assert _row(folder, SIGNER).signer is Signer.INVALID


def test_a_trusted_root_that_is_none(folder):
    (folder.parent / "root.json").write_text("{}")
    with pytest.raises(UsageError, match="trusted_root"):
        _row(folder, SIGNER)
