"""Attestations of audits: made by the command, checked by independent libraries and by `verify`."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import SSlibKey

from modelaudit.restore.golden_record import GoldenRecord, write_record
from modelaudit.schema import json_schema
from modelaudit.signing.attestation import FILE
from modelaudit.structs import replace
from tests.command_line import SAMPLES, run_command
from tests.made.signing import new_key, private_pem, public_pem
from tests.signing.models import copy_of, damage

KEYS = {
    "p256": new_key,
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
RECORD = GoldenRecord({"at": "2026-01-01T00:00:00Z"}, "", (), (), (), 0.0)
PASSWORD = "MODELAUDIT_ATTEST_PASSWORD"


def write_keys(folder, key, password=None):
    (folder / "team.key").write_bytes(private_pem(key, password))
    (folder / "team.pub").write_bytes(public_pem(key))


def attest(folder, *models, env=None):
    told = ("--no-probe", "-f", "json", "--out", folder / "out", "--attest", folder / "team.key")
    return run_command("audit", *told, *models, env=env, cwd=folder)


def verify(folder, model, attestation=None, key="team.pub"):
    found = attestation or next(folder.glob(f"out/models/*/{FILE}"))
    return run_command("verify", found, model, "--key", folder / key, cwd=folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model with its attestation, and the key."""
    folder = tmp_path_factory.mktemp("attested")
    key = new_key()
    write_keys(folder, key)
    model = copy_of("tf1-savedmodel", folder)
    assert attest(folder, model).returncode == 0
    return folder, model, key


@pytest.fixture
def attested(made, tmp_path):
    folder, model, key = made
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path, tmp_path / model.name, key


def _envelope(folder):
    return json.loads(next(folder.glob(f"out/models/*/{FILE}")).read_text())


def _statement(folder):
    return json.loads(base64.b64decode(_envelope(folder)["payload"]))


@pytest.mark.parametrize("kind", KEYS)
def test_another_library_verifies_the_envelope(tmp_path, kind):
    key, other = KEYS[kind](), KEYS[kind]()
    write_keys(tmp_path, key)
    model = copy_of("keras", tmp_path)
    assert attest(tmp_path, model).returncode == 0
    data = _envelope(tmp_path)
    envelope = Envelope.from_dict(json.loads(json.dumps(data)))
    keyid = data["signatures"][0]["keyid"]
    assert keyid == hashlib.sha256(public_pem(key)).hexdigest()
    envelope.verify([SSlibKey.from_crypto(key.public_key(), keyid)], 1)
    with pytest.raises((UnverifiedSignatureError, VerificationError)):
        envelope.verify([SSlibKey.from_crypto(other.public_key(), keyid)], 1)
    assert verify(tmp_path, model).returncode == 0


def test_the_statement_is_one_of_in_toto_about_every_file(made):
    folder, model, _ = made
    statement = _statement(folder)
    Statement.copy_from_pb(ParseDict(statement, StatementMessage())).validate()
    found = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert found == {
        path.relative_to(model).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in model.rglob("*")
        if path.is_file()
    }


def test_the_predicate_is_the_audit(made):
    folder, _, _ = made
    statement, schema = _statement(folder), json_schema()
    assert statement["predicateType"] == schema["$id"]
    jsonschema.Draft202012Validator(schema).validate(statement["predicate"])
    audit = json.loads(next(folder.glob("out/models/*/audit.json")).read_text())
    assert statement["predicate"] == audit


def test_verified(attested):
    folder, model, _ = attested
    ran = verify(folder, model)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"verified: {model} has the 3 audited files; signed by ")
    assert "by tf-modelaudit" in ran.stdout


def _extra(model):
    (model / "variables" / "extra").write_text("x")


def _gone(model):
    (model / "variables" / "variables.index").unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [(damage, "other bytes"), (_extra, "was not there"), (_gone, "missing")],
    ids=["changed", "added", "removed"],
)
def test_other_files(attested, change, said):
    folder, model, _ = attested
    change(model)
    ran = verify(folder, model)
    assert ran.returncode == 1
    assert ran.stdout.startswith("not verified: ") and said in ran.stdout


def test_another_key(attested):
    folder, model, _ = attested
    (folder / "other.pub").write_bytes(public_pem(new_key()))
    ran = verify(folder, model, key="other.pub")
    assert (ran.returncode, "did not sign it" in ran.stdout) == (1, True)


def _signed(folder, key, change):
    """The attestation with a changed statement, signed by the key."""
    from cryptography.hazmat.primitives import hashes

    statement = _statement(folder)
    change(statement)
    payload = json.dumps(statement).encode()
    kind = b"application/vnd.in-toto+json"
    data = b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload])
    envelope = _envelope(folder)
    envelope["payload"] = base64.b64encode(payload).decode()
    signature = key.sign(data, ec.ECDSA(hashes.SHA256()))
    envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    path = folder / "changed.json"
    path.write_text(json.dumps(envelope))
    return path


def _put(name, value):
    return lambda statement: statement.__setitem__(name, value)


def test_a_statement_signed_here_is_read(attested):
    folder, model, key = attested
    assert verify(folder, model, _signed(folder, key, lambda _: None)).returncode == 0


@pytest.mark.parametrize(
    "change",
    [
        _put("predicateType", "https://model_signing/signature/v1.0"),
        _put("_type", "https://in-toto.io/Statement/v0.1"),
        _put("subject", []),
        _put("subject", [{"name": "saved_model.pb", "digest": {"sha512": "00"}}]),
        _put("predicate", {}),
        lambda statement: statement["subject"].append(statement["subject"][0]),
    ],
)
def test_statements_of_another_kind_signed_by_the_same_key(attested, change):
    folder, model, key = attested
    ran = verify(folder, model, _signed(folder, key, change))
    assert ran.returncode == 1
    assert ran.stdout.startswith("not verified: ")


@pytest.mark.parametrize("text", ["", "{}", "[]", "{" * 5000, '{"payload": 1}'])
def test_what_is_no_attestation(attested, text):
    folder, model, _ = attested
    (folder / "other.json").write_text(text)
    assert verify(folder, model, folder / "other.json").returncode == 1


def test_the_exit_code_is_that_of_the_attested_audit(tmp_path):
    write_keys(tmp_path, new_key())
    model = tmp_path / "digits_one_unit.keras"
    shutil.copyfile(SAMPLES / model.name, model)
    assert attest(tmp_path, model).returncode == 1
    ran = verify(tmp_path, model)
    assert ran.returncode == 1
    assert ran.stdout.startswith("verified: ") and ": fail. " in ran.stdout


def test_a_renamed_file_is_the_same_model_and_what_is_read_beside_it_counts(tmp_path):
    write_keys(tmp_path, new_key())
    model, renamed = copy_of("keras", tmp_path), tmp_path / "renamed.keras"
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(map(str, range(11))))
    write_record(RECORD, model)
    attest(tmp_path, model)
    model.rename(renamed)
    assert "model: its golden record: missing\n" in verify(tmp_path, renamed).stdout
    write_record(RECORD, renamed)
    assert verify(tmp_path, renamed).returncode == 0
    labels.write_text("\n".join(map(str, range(1, 12))))
    write_record(replace(RECORD, model_sha256="0" * 64), renamed)
    ran = verify(tmp_path, renamed)
    assert ran.returncode == 1
    assert "the names of its classes: other bytes; its golden record: other bytes" in ran.stdout


def test_a_checkpoint(tmp_path):
    write_keys(tmp_path, new_key())
    prefix = copy_of("checkpoint", tmp_path) / "lenet.ckpt"
    attest(tmp_path, prefix)
    assert verify(tmp_path, prefix).returncode == 0
    damage(prefix.parent)
    assert verify(tmp_path, prefix).returncode == 1


def test_an_encrypted_key(tmp_path):
    write_keys(tmp_path, new_key(), b"secret")
    model = copy_of("keras", tmp_path)
    for password, said in ((None, "it is encrypted"), ("other", "the password is wrong")):
        ran = attest(tmp_path, model, env={PASSWORD: password} if password else None)
        assert ran.returncode == 2 and said in ran.stderr
        assert not (tmp_path / "out").exists()  # before anything is audited
    assert attest(tmp_path, model, env={PASSWORD: "secret"}).returncode == 0
    assert verify(tmp_path, model).returncode == 0


def test_keys_that_are_none(tmp_path):
    model = copy_of("keras", tmp_path)
    write_keys(tmp_path, rsa.generate_private_key(65537, 1024))
    assert attest(tmp_path, model).returncode == 2
    (tmp_path / "team.key").write_text("hello")
    assert attest(tmp_path, model).returncode == 2
    write_keys(tmp_path, new_key())
    attest(tmp_path, model)
    (tmp_path / "team.pub").write_text("hello")
    assert verify(tmp_path, model).returncode == 2


def test_a_model_without_digests_is_not_attested(tmp_path):
    write_keys(tmp_path, new_key())
    model = copy_of("keras", tmp_path)
    settings = tmp_path / "modelaudit.toml"
    settings.write_text("[limits]\ntotal_bytes = 10\n")
    ran = attest(tmp_path, model)
    assert "not attested" in ran.stderr
    assert ran.returncode != 0
    assert not list(tmp_path.glob(f"out/models/*/{FILE}"))


def test_the_attestation_of_an_earlier_audit_is_removed(attested):
    folder, model, _ = attested
    damage(model)
    told = ("--no-probe", "-f", "json", "--out", folder / "out")
    run_command("audit", *told, model, cwd=folder)
    assert not list(folder.glob(f"out/models/*/{FILE}"))
