"""Signatures written by an attacker: each is a result of its own, and none is a pass."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelaudit.audit_types.signing import SignedFiles, Signer
from modelaudit.settings import Limits
from tests.made.signing import Authority, resigned
from tests.signing.models import checked, copy_of, only, signature_of, trusting


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def made(tmp_path_factory, acme):
    """A signed model, and the text of its signature."""
    model = copy_of("tf1-savedmodel", tmp_path_factory.mktemp("signed"))
    acme.sign(model, "key", signature_of(model))
    return model, signature_of(model).read_text()


@pytest.fixture
def signed(made):
    model, text = made
    signature_of(model).write_text(text)
    return model


def _of(statement: dict) -> list[dict]:
    return statement["predicate"]["resources"]


def _again(statement: dict) -> None:
    """Make the digest of the subject that of the resources."""
    import hashlib

    total = b"".join(bytes.fromhex(each["digest"]) for each in _of(statement))
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(total).hexdigest()


def _named(name: str):
    def change(statement: dict) -> None:
        _of(statement)[0]["name"] = name

    return change


def _twice(statement: dict) -> None:
    _of(statement).append(_of(statement)[0])
    _again(statement)


def _without_resources(statement: dict) -> None:
    _of(statement).clear()
    _again(statement)


def _put(*path: str | int, value: object):
    def change(statement: dict) -> None:
        at = statement
        for each in path[:-1]:
            at = at[each]
        at[path[-1]] = value

    return change


def _everything_ignored(statement: dict) -> None:
    _of(statement).clear()
    _again(statement)
    statement["predicate"]["serialization"]["ignore_paths"] = ["."]


def _of_one_file_and_more(statement: dict) -> None:
    _of(statement)[0]["name"] = "."


SERIALIZATION = ("predicate", "serialization")
# Statements that the trusted key itself signed, and what is said of each.
STATEMENTS = {
    "parent": (_named("../saved_model.pb"), "outside the model"),
    "absolute": (_named("/etc/passwd"), "outside the model"),
    "written otherwise": (_named("./saved_model.pb"), "outside the model"),
    "with NUL": (_named("saved_model.pb\0"), "outside the model"),
    "twice": (_twice, "twice"),
    "other statement": (_put("predicateType", value="https://slsa.dev/v1"), "another statement"),
    "no statement": (_put("_type", value="https://in-toto.io/Statement/v0.1"), "no in-toto"),
    "old": (_put("predicateType", value="https://model_signing/Digests/v0.1"), "before 1.0"),
    "two subjects": (_put("subject", value=[{"name": "a", "digest": {}}] * 2), "2 models"),
    "no subject": (_put("subject", value=[]), "0 models"),
    "wrong digest": (_put("subject", 0, "digest", value={"sha256": "0" * 64}), "contradicts"),
    "other digest": (_put("subject", 0, "digest", value={"sha512": "0" * 128}), "contradicts"),
    "blake3": (_put(*SERIALIZATION, "hash_type", value="blake3"), "blake3"),
    "md5": (_put(*SERIALIZATION, "hash_type", value="md5"), "md5"),
    "mixed": (_put("predicate", "resources", 0, "algorithm", value="md5"), "mixes"),
    "short": (_put("predicate", "resources", 0, "digest", value="00"), "no sha256"),
    "capitals": (_put("predicate", "resources", 0, "digest", value="AB" * 32), "no sha256"),
    "method": (_put(*SERIALIZATION, "method", value="tensors"), "unknown method"),
    "no list": (_put("predicate", "resources", value={}), "expected form"),
    "no predicate": (_put("predicate", value=None), "expected form"),
    "ignores parent": (_put(*SERIALIZATION, "ignore_paths", value=[".."]), "outside the model"),
    "one file and others": (_of_one_file_and_more, "single file and others"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_that_cannot_be_used(signed, acme, name):
    change, said = STATEMENTS[name]
    resigned(signature_of(signed), acme.key, change)
    row = only(checked(signed, trusting(acme)))
    assert (row.signer, row.files) == (Signer.UNCHECKED, SignedFiles.UNVERIFIABLE)
    assert said in row.problem


@pytest.mark.parametrize("change", [_without_resources, _everything_ignored])
def test_a_signature_of_nothing_is_none(signed, acme, change):
    resigned(signature_of(signed), acme.key, change)
    row = only(checked(signed, trusting(acme)))
    assert row.files is SignedFiles.DIFFER
    assert row.covered == 0


def _shards(*names: str):
    def change(statement: dict) -> None:
        serialization = statement["predicate"]["serialization"]
        serialization.update(method="shards", shard_size=10)
        known = {"algorithm": "sha256-sharded-10", "digest": "00" * 32}
        statement["predicate"]["resources"] = [{"name": each, **known} for each in names]
        _again(statement)

    return change


@pytest.mark.parametrize(
    "names",
    [
        ("saved_model.pb",),
        ("saved_model.pb:0:11",),
        ("saved_model.pb:10:20",),
        ("saved_model.pb:0:10", "saved_model.pb:11:20"),
        ("saved_model.pb:0:10", "saved_model.pb:0:10"),
        ("saved_model.pb:5:5",),
        ("saved:model.pb:0:10",),
        ("saved_model.pb:-1:5",),
        ("saved_model.pb:0:" + "9" * 400,),
        ("saved_model.pb:0:²",),
        ("../x:0:10",),
    ],
)
def test_shards_that_are_none(signed, acme, names):
    resigned(signature_of(signed), acme.key, _shards(*names))
    assert only(checked(signed, trusting(acme))).files is SignedFiles.UNVERIFIABLE


def _bundle(change):
    def write(path: Path) -> None:
        bundle = json.loads(path.read_text())
        changed = change(bundle)
        path.write_text(json.dumps(bundle if changed is None else changed))

    return write


def _two_signatures(bundle: dict) -> None:
    bundle["dsseEnvelope"]["signatures"] *= 2


def _no_signature(bundle: dict) -> None:
    bundle["dsseEnvelope"]["signatures"] = []


def _other_payload(bundle: dict) -> None:
    bundle["dsseEnvelope"]["payloadType"] = "text/plain"


def _no_base64(bundle: dict) -> None:
    bundle["dsseEnvelope"]["payload"] = "&&&&"


def _both(bundle: dict) -> None:
    bundle["verificationMaterial"]["x509CertificateChain"] = {"certificates": [{"rawBytes": ""}]}


def _no_material(bundle: dict) -> None:
    bundle["verificationMaterial"] = {}


def _many_certificates(bundle: dict) -> None:
    chain = {"certificates": [{"rawBytes": ""}] * 17}
    bundle["verificationMaterial"] = {"x509CertificateChain": chain}


def _version(bundle: dict) -> None:
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle.v9+json"


def _equal_keys(path: Path) -> None:
    path.write_text(path.read_text().replace('"payload":', '"payload": "", "payload":'))


def _deep(path: Path) -> None:
    path.write_text('{"a":' * 5000 + "1" + "}" * 5000)


BUNDLES = {
    "two signatures": _bundle(_two_signatures),
    "no signature": _bundle(_no_signature),
    "other payload": _bundle(_other_payload),
    "no base64": _bundle(_no_base64),
    "key and certificates": _bundle(_both),
    "neither": _bundle(_no_material),
    "many certificates": _bundle(_many_certificates),
    "other version": _bundle(_version),
    "list": _bundle(lambda bundle: [bundle]),
    "equal keys": _equal_keys,
    "deep": _deep,
    "OpenPGP": lambda path: path.write_bytes(b"\x89\x01\x33\x04\x00"),
    "empty": lambda path: path.write_bytes(b""),
    "not UTF-8": lambda path: path.write_bytes(b'{"mediaType": "\xff"}'),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_that_cannot_be_used(signed, acme, name):
    BUNDLES[name](signature_of(signed))
    row = only(checked(signed, trusting(acme)))
    assert (row.signer, row.files) == (Signer.UNCHECKED, SignedFiles.UNVERIFIABLE)
    assert row.problem


def test_certificates_that_cannot_be_read(signed, acme):
    chain = {"certificates": [{"rawBytes": base64.b64encode(b"no certificate").decode()}]}
    change = _bundle(
        lambda bundle: bundle.update(verificationMaterial={"x509CertificateChain": chain})
    )
    change(signature_of(signed))
    row = only(checked(signed, trusting(acme)))
    assert (row.signer, row.files) == (Signer.UNKNOWN, SignedFiles.INTACT)


@pytest.mark.parametrize(
    "limits", [Limits(config_bytes=1000), Limits(files=2), Limits(json_depth=3)]
)
def test_limits(signed, acme, limits):
    row = only(checked(signed, trusting(acme), limits))
    assert row.files is SignedFiles.UNVERIFIABLE
    assert "limit" in row.problem


def test_a_file_that_is_too_large_to_hash_is_not_called_changed(tmp_path, acme):
    model = copy_of("keras", tmp_path)
    acme.sign(model, "key", signature_of(model))
    row = only(checked(model, trusting(acme), Limits(total_bytes=100)))
    assert row.files is SignedFiles.UNVERIFIABLE


def test_signatures_that_are_no_files(tmp_path, acme):
    model = copy_of("keras", tmp_path)
    signature_of(model).symlink_to("/dev/zero")
    assert only(checked(model, trusting(acme))).files is SignedFiles.UNVERIFIABLE
    signature_of(model).unlink()
    signature_of(model).mkdir()
    assert only(checked(model, trusting(acme))).files is SignedFiles.UNVERIFIABLE


def test_names_of_files_are_shown_without_control_characters(signed, acme):
    for name in (b"\x1b[31m", b"\xff"):
        path = Path(str(signed)) / name.decode("utf-8", "surrogateescape")
        path.write_text("x")
    try:
        row = only(checked(signed, trusting(acme)))
        json.dumps(row.added).encode()
        assert all(name.isprintable() for name in row.added)
        assert len(row.added) == 2
    finally:
        for name in (b"\x1b[31m", b"\xff"):
            (signed / name.decode("utf-8", "surrogateescape")).unlink()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_never_a_pass(signed, acme, made, data):
    text = bytearray(made[1].encode())
    envelope = text.index(b'"dsseEnvelope"')  # what is before is not signed
    start = text.index(b'"payload"', envelope) + 12
    at = data.draw(st.integers(start, len(text) - 1))
    text[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
    signature_of(signed).write_bytes(bytes(text))
    row = only(checked(signed, trusting(acme)))
    if (row.signer, row.files) == (Signer.TRUSTED, SignedFiles.INTACT):
        before, now = json.loads(made[1]), json.loads(bytes(text))
        for envelope in (before, now):
            for signature in envelope["dsseEnvelope"]["signatures"]:
                signature.pop("keyid", None)
        same = {key: now["dsseEnvelope"].get(key) for key in before["dsseEnvelope"]}
        assert same == before["dsseEnvelope"]
