"""Signatures made by the library's own command, on every kind of model, good and otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modelaudit.audit_types.signing import SignedFiles, Signer
from modelaudit.errors import UsageError
from modelaudit.settings.signing import Signing, SigningTable, TrustedFile, read_signing
from modelaudit.signing.check import check_trust
from tests.made.signing import Authority, new_key, resigned
from tests.signing.models import KINDS, checked, copy_of, damage, only, signature_of, trusting

BY = ("key", "certificate")


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authorities")
    return {
        "good": Authority(folder / "good"),
        "foreign": Authority(folder / "foreign", "Foreign"),
        "expired": Authority(folder / "expired", "Old", days=(-100, -10)),
    }


@pytest.fixture
def acme(authorities) -> Authority:
    return authorities["good"]


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("kind", KINDS)
def test_good_and_tampered(tmp_path, acme, kind, by):
    model = copy_of(kind, tmp_path)
    signature = signature_of(model)
    acme.sign(model, by, signature)
    row = only(checked(model, trusting(acme, by=by)))
    assert (row.signer, row.files, row.problem) == (Signer.TRUSTED, SignedFiles.INTACT, "")
    assert row.covered >= 1
    assert row.identity in (f"key {acme.folder / 'pub'}", "CN=Acme Signer")

    damage(model)
    row = only(checked(model, trusting(acme, by=by)))
    assert (row.signer, row.files) == (Signer.TRUSTED, SignedFiles.DIFFER)
    assert len(row.changed) == 1
    assert not acme.verify(model, by, signature)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("kind", KINDS)
def test_foreign(tmp_path, authorities, kind, by):
    model = copy_of(kind, tmp_path)
    authorities["foreign"].sign(model, by, signature_of(model))
    row = only(checked(model, trusting(authorities["good"], by=by)))
    assert (row.signer, row.files) == (Signer.UNKNOWN, SignedFiles.INTACT)
    assert row.problem


@pytest.mark.parametrize("kind", KINDS)
def test_expired_certificate(tmp_path, authorities, kind):
    model = copy_of(kind, tmp_path)
    old = authorities["expired"]
    old.sign(model, "certificate", signature_of(model))
    row = only(checked(model, trusting(old, by="certificate")))
    assert (row.signer, row.files) == (Signer.EXPIRED, SignedFiles.INTACT)
    assert "2026-06-05" in row.problem  # ten days before the audit
    assert row.valid_until == "2026-06-05T00:00:00Z"
    # The library takes the first moment at which the certificate was valid.
    assert old.verify(model, "certificate", signature_of(model))


@pytest.mark.parametrize("kind", KINDS)
def test_unsigned(tmp_path, acme, kind):
    model = copy_of(kind, tmp_path)
    found = checked(model, trusting(acme, required=True))
    assert (found.found, found.required, found.state) == ((), True, "none")


def test_without_trust_only_the_files_are_compared(tmp_path, acme):
    model = copy_of("keras", tmp_path)
    acme.sign(model, "key", signature_of(model))
    row = only(checked(model))
    assert (row.signer, row.files) == (Signer.UNCHECKED, SignedFiles.INTACT)
    damage(model)
    assert only(checked(model)).files is SignedFiles.DIFFER


def test_a_key_that_is_named_and_did_not_sign(tmp_path, acme):
    model = copy_of("keras", tmp_path)
    signature = signature_of(model)
    acme.sign(model, "key", signature)
    resigned(signature, new_key(), lambda statement: None)
    row = only(checked(model, trusting(acme)))
    assert (row.signer, row.files) == (Signer.INVALID, SignedFiles.INTACT)
    assert not acme.verify(model, "key", signature)


def test_a_certificate_whose_key_did_not_sign(tmp_path, acme):
    model = copy_of("keras", tmp_path)
    signature = signature_of(model)
    acme.sign(model, "certificate", signature)
    resigned(signature, new_key(), lambda statement: None)
    assert only(checked(model, trusting(acme, by="certificate"))).signer is Signer.INVALID
    assert not acme.verify(model, "certificate", signature)


def test_a_signer_of_a_trusted_chain_is_no_authority(tmp_path, acme):
    """A signing certificate must not vouch for another one."""
    from tests.made.signing import certificate, private_pem

    evil = Authority(tmp_path / "evil", "Evil")
    made = certificate("Evil", evil.key, "Acme Signer", acme.key)
    from cryptography.hazmat.primitives.serialization import Encoding

    evil.path("signer").write_bytes(made.public_bytes(Encoding.PEM))
    chain = acme.path("signer").read_bytes() + acme.path("middle").read_bytes()
    evil.path("middle").write_bytes(chain)
    (evil.folder / "key").write_bytes(private_pem(evil.key))
    model = copy_of("keras", tmp_path)
    evil.sign(model, "certificate", signature_of(model))
    row = only(checked(model, trusting(acme, by="certificate")))
    assert row.signer is Signer.UNKNOWN
    assert not acme.verify(model, "certificate", signature_of(model))


def _add(model: Path) -> None:
    (model / "variables" / "extra").write_text("x")


def _remove(model: Path) -> None:
    (model / "variables" / "variables.index").unlink()


def _rename(model: Path) -> None:
    (model / "variables" / "variables.index").rename(model / "variables" / "variables.idx")


def _swap(model: Path) -> None:
    names = [model / "variables" / "variables.index", model / "saved_model.pb"]
    one, two = (each.read_bytes() for each in names)
    names[0].write_bytes(two)
    names[1].write_bytes(one)


def _link(model: Path) -> None:
    """The same bytes behind a link."""
    target = model.parent / "elsewhere"
    shutil.move(model / "saved_model.pb", target)
    (model / "saved_model.pb").symlink_to(target)


def _link_folder(model: Path) -> None:
    shutil.move(model / "variables", model.parent / "variables")
    (model / "variables").symlink_to(model.parent / "variables")


def _git(model: Path) -> None:
    """A file where every signature ignores it."""
    (model / ".git").mkdir()
    (model / ".git" / "hidden").write_text("x")


def _nothing(model: Path) -> None:
    pass


def _second_signature(model: Path) -> None:
    shutil.copyfile(model / "model.sig", model / "other.sig")


CHANGES = {
    _nothing: True,
    _git: True,
    _add: False,
    _remove: False,
    _rename: False,
    _swap: False,
    _link: False,
    _link_folder: False,
    _second_signature: False,
}


@pytest.mark.parametrize("method", ["files", "shards", "blake2"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_intact_here_is_intact_for_the_library(tmp_path, acme, change, method):
    import model_signing

    model = copy_of("tf1-savedmodel", tmp_path)
    signature = signature_of(model)
    hashing = model_signing.hashing.Config().set_ignored_paths(paths=["model.sig"])
    if method == "shards":
        hashing.use_shard_serialization(shard_size=1000)
    elif method == "blake2":
        hashing.use_file_serialization(hashing_algorithm="blake2")
    signing = model_signing.signing.Config().use_elliptic_key_signer(
        private_key=acme.folder / "key"
    )
    signing.set_hashing_config(hashing).sign(model, signature)
    change(model)
    rows = checked(model, trusting(acme)).found
    row = next(each for each in rows if each.file == "model.sig")
    intact = (row.signer, row.files) == (Signer.TRUSTED, SignedFiles.INTACT)
    assert intact is CHANGES[change]
    # The library cannot read the settings of shards and of blake2 that it wrote, so it gets them.
    verifier = model_signing.verifying.Config().use_elliptic_key_verifier(
        public_key=acme.folder / "pub"
    )
    try:
        verifier.set_hashing_config(hashing).verify(model, signature)
    except ValueError:
        assert not intact
    else:
        assert intact
    if change is _git:
        assert row.left_out == (".git/hidden",)


def test_links_where_the_settings_or_the_signer_allow_them(tmp_path, acme):
    model = copy_of("tf1-savedmodel", tmp_path)
    signature = signature_of(model)
    acme.sign(model, "key", signature)
    _link(model)
    assert only(checked(model, trusting(acme))).files is SignedFiles.UNVERIFIABLE
    allowed = trusting(acme, allow_symlinks=True)
    assert only(checked(model, allowed)).files is SignedFiles.INTACT
    assert acme.verify(model, "key", signature, "--allow_symlinks")
    (model.parent / "elsewhere").write_bytes(b"other")
    assert only(checked(model, allowed)).files is SignedFiles.DIFFER


def test_ignored_files_that_loaders_read_are_told(tmp_path, acme):
    model = copy_of("tf1-savedmodel", tmp_path)
    signature = signature_of(model)
    acme.sign(model, "key", signature, "--ignore-paths", str(model / "variables"))
    row = only(checked(model, trusting(acme)))
    assert row.files is SignedFiles.INTACT
    assert "variables/variables.index" in row.loaded_left_out
    damage(model / "variables")
    assert acme.verify(model, "key", signature)  # which says nothing of it


@pytest.mark.parametrize("kind", ["h5", "tf1-savedmodel"])
def test_a_signed_directory_with_the_model_in_it(tmp_path, acme, kind):
    repository = tmp_path / "repository"
    model = copy_of(kind, repository)
    (repository / "README.md").write_text("x")
    acme.sign(repository, "key", repository / "model.sig")
    table = trusting(acme)
    assert only(checked(model, table)).files is SignedFiles.INTACT
    (repository / "README.md").write_text("y")  # which is no part of the model
    assert only(checked(model, table)).files is SignedFiles.INTACT
    damage(model)
    assert only(checked(model, table)).files is SignedFiles.DIFFER
    other = copy_of("npz", repository)  # which was put there later
    row = only(checked(other, table))
    assert (row.files, row.added) == (SignedFiles.DIFFER, ("weights.npz",))


def test_the_signature_of_a_neighbour_is_none(tmp_path, acme):
    signed, other = copy_of("keras", tmp_path), copy_of("h5", tmp_path)
    acme.sign(signed, "key", tmp_path / "model.sig")
    assert only(checked(signed, trusting(acme))).files is SignedFiles.INTACT
    assert checked(other, trusting(acme)).found == ()


def test_a_directory_signed_from_outside(tmp_path, acme):
    model, other = copy_of("tf1-savedmodel", tmp_path), copy_of("tf2-savedmodel", tmp_path)
    acme.sign(model, "key", tmp_path / "model.sig")
    assert only(checked(model, trusting(acme))).files is SignedFiles.INTACT
    assert checked(other, trusting(acme)).found == ()


@pytest.mark.parametrize("method", ["files", "shards"])
def test_a_link_to_nothing(tmp_path, acme, method):
    import model_signing

    model = copy_of("tf1-savedmodel", tmp_path)
    hashing = model_signing.hashing.Config().set_ignored_paths(paths=["model.sig"])
    if method == "shards":
        hashing.use_shard_serialization(shard_size=1000)
    signing = model_signing.signing.Config().use_elliptic_key_signer(
        private_key=acme.folder / "key"
    )
    signing.set_hashing_config(hashing).sign(model, signature_of(model))
    (model / "dangling").symlink_to("nowhere")
    assert only(checked(model, trusting(acme))).files is SignedFiles.UNVERIFIABLE
    row = only(checked(model, trusting(acme, allow_symlinks=True)))
    assert (row.files, row.added) == (SignedFiles.DIFFER, ("dangling",))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (SigningTable(public_keys="absent.pem"), "absent.pem"),
        (SigningTable(public_keys="text.pem"), "not a public key"),
        (SigningTable(certificates="text.pem"), "not certificates"),
        (SigningTable(public_keys="rsa.pem"), "unsupported"),
    ],
)
def test_what_is_no_key_is_an_error_of_use(tmp_path, table, said):
    from cryptography.hazmat.primitives.asymmetric import rsa

    from tests.made.signing import public_pem

    (tmp_path / "text.pem").write_text("hello")
    (tmp_path / "rsa.pem").write_bytes(public_pem(rsa.generate_private_key(65537, 1024)))
    with pytest.raises((UsageError, ValueError), match=said):
        check_trust(read_signing(table, tmp_path))


@pytest.mark.parametrize(
    "table",
    [
        {"required": True},
        {"identities": ({"identity": "a@b", "issuer": "https://c"},)},
        {"public_key": "x"},
    ],
)
def test_settings_that_cannot_be_met(tmp_path, table):
    import msgspec

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, SigningTable)


def test_required_for_some_models():
    trusted = Signing(required=("released/*",), public_keys=(TrustedFile("a", ""),))
    assert trusted.for_model(lambda pattern: True).required
    assert not trusted.for_model(lambda pattern: False).required


def test_a_renamed_model_keeps_its_signature(tmp_path, acme):
    model = copy_of("keras", tmp_path)
    acme.sign(model, "key", signature_of(model))
    moved = tmp_path / "renamed.keras"
    model.rename(moved)
    signature_of(model).rename(signature_of(moved))
    assert only(checked(moved, trusting(acme))).files is SignedFiles.INTACT
    said = json.loads(signature_of(moved).read_text())
    assert said["verificationMaterial"]
