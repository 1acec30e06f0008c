"""Signatures of models of several files, and of files beside other models."""

from __future__ import annotations

import json
import os
import shutil

import h5py
import pytest

from modelaudit.audit_types.signing import SignedFiles, Signer
from modelaudit.formats.added_architecture import add_architecture
from modelaudit.formats.reader import read_artifact
from modelaudit.report.wording.signing import signatures
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.settings import Limits, Settings
from modelaudit.signing.attestation import FILE
from modelaudit.signing.check import MOST_SIGNATURES, check_signatures
from tests.command_line import ROOT
from tests.made import files
from tests.made.signing import CREATED, Authority, new_key
from tests.signing.models import checked, copy_of, only, signature_of, trusting
from tests.signing.test_attestation import attest, verify, write_keys

TFJS = ROOT / "tests/made/tfjs/graph"


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("acme"))


def weights_with_architecture(folder):
    """Weights of Keras 2, and the file beside them that has their layers."""
    folder.mkdir(exist_ok=True)
    path, whole = folder / "net.weights.h5", files.minimal_h5(folder / "whole")
    with h5py.File(whole) as source, h5py.File(path, "w") as target:
        for name, group in source["model_weights"].items():
            source.copy(group, target, name)
        target.attrs.update(source["model_weights"].attrs)
        (folder / "net.json").write_text(source.attrs["model_config"])
    whole.unlink()
    return path


def checked_with_architecture(model):
    artifact = add_architecture(read_artifact(model, Limits()), Settings())
    return only(check_signatures(artifact, Settings(), CREATED))


def test_the_architecture_beside_weights_must_be_signed(tmp_path, acme):
    model = weights_with_architecture(tmp_path / "net")
    acme.sign(model, "key", signature_of(model))
    row = checked_with_architecture(model)
    assert (row.files, row.added, row.covered) == (SignedFiles.DIFFER, ("net.json",), 1)
    signature_of(model).unlink()
    acme.sign(model.parent, "key", model.parent / "model.sig")
    row = checked_with_architecture(model)
    assert (row.files, row.covered) == (SignedFiles.INTACT, 2)


def test_the_weights_of_tensorflow_js_must_be_signed(tmp_path, acme):
    folder = tmp_path / "web"
    shutil.copytree(TFJS, folder)
    model = folder / "model.json"
    shards = {path.name for path in folder.iterdir() if path.suffix == ".bin"}
    acme.sign(model, "key", signature_of(model))
    row = only(checked(model))
    assert row.files is SignedFiles.DIFFER
    assert shards and set(row.added) == shards
    signature_of(model).unlink()
    acme.sign(folder, "key", folder / "model.sig")
    assert only(checked(model)).files is SignedFiles.INTACT


def test_a_signed_neighbour_with_the_beginning_of_the_name_is_not_missing(tmp_path, acme):
    folder = tmp_path / "release"
    model = copy_of("keras", folder)
    (folder / f"{model.name}.golden.json").write_text("{}")
    acme.sign(folder, "key", folder / "model.sig")
    assert only(checked(model)).files is SignedFiles.INTACT


def test_a_signed_part_of_a_checkpoint_that_is_gone_is_missing(tmp_path, acme):
    folder = copy_of("checkpoint", tmp_path)
    note = folder / "lenet.ckpt.note"
    note.write_text("x")
    acme.sign(folder, "key", folder / "model.sig")
    assert only(checked(folder)).files is SignedFiles.INTACT
    note.unlink()
    row = only(checked(folder))
    assert (row.files, row.missing) == (SignedFiles.DIFFER, (note.name,))


def test_the_number_of_directories_hides_no_file(tmp_path, acme):
    model = copy_of("tf1-savedmodel", tmp_path)
    acme.sign(model, "key", signature_of(model))
    for number in range(30):
        (model / f"a{number}").mkdir()
    (model / "z").mkdir()
    (model / "z" / "added").write_text("x")
    row = only(checked(model, limits=Limits(files=10)))
    assert (row.files, row.added) == (SignedFiles.DIFFER, ("z/added",))


def test_a_signature_that_leaves_out_what_loaders_read_is_not_intact(tmp_path, acme):
    model = copy_of("tf1-savedmodel", tmp_path)
    acme.sign(model, "key", signature_of(model), "--ignore-paths", str(model / "variables"))
    section = checked(model, trusting(acme))
    assert (only(section).signer, section.state) == (Signer.TRUSTED, "leaves out files")
    (rule,) = (rule for rule in CATALOGUE if rule.code == "MA768")
    assert rule.keeps_from_running


def test_the_name_under_which_it_was_signed_is_told(tmp_path, acme):
    model = copy_of("npz", tmp_path)
    acme.sign(model, "key", signature_of(model))
    assert only(checked(model)).signed_as == ""
    moved = model.rename(tmp_path / "other.npz")
    signature_of(model).rename(signature_of(moved))
    section = checked(moved, trusting(acme))
    assert only(section).signed_as == "weights.npz"
    (said,) = signatures(section)
    assert "; signed as weights.npz" in said


def test_signatures_that_are_too_many_are_told(tmp_path, acme):
    model = copy_of("tf1-savedmodel", tmp_path)
    for number in range(MOST_SIGNATURES + 3):
        (model / f"{number:03}.sig").write_text("{}")
    found = checked(model).found
    assert len(found) == MOST_SIGNATURES + 1
    assert found[-1].problem == "3 signatures from this one on were not read"
    assert found[-1].files is SignedFiles.UNVERIFIABLE


def test_a_link_is_told_by_its_whole_path(tmp_path, acme):
    model = copy_of("tf1-savedmodel", tmp_path)
    acme.sign(model, "key", signature_of(model))
    (model / "variables" / "added").symlink_to("variables.index")
    assert only(checked(model)).problem.startswith("variables/added: is a symbolic link")


def test_an_attestation_covers_the_architecture_beside_weights(tmp_path):
    write_keys(tmp_path, new_key())
    model = weights_with_architecture(tmp_path / "net")
    attest(tmp_path, model)
    ran = verify(tmp_path, model)
    assert ran.stdout.startswith("verified: ") and "the 2 audited files" in ran.stdout
    beside = model.with_name("net.json")
    config = json.loads(beside.read_text())
    beside.write_text(json.dumps({**config, "changed": 1}))
    ran = verify(tmp_path, model)
    assert (ran.returncode, "net.json: other bytes" in ran.stdout) == (1, True)
    beside.write_text(json.dumps(config))
    beside.rename(model.with_name("model.json"))
    assert verify(tmp_path, model).returncode == 1


def test_an_architecture_from_elsewhere_is_not_attested(tmp_path):
    write_keys(tmp_path, new_key())
    model = weights_with_architecture(tmp_path / "net")
    model.with_name("net.json").rename(tmp_path / "elsewhere.json")
    (tmp_path / "modelaudit.toml").write_text('architecture = "elsewhere.json"\n')
    ran = attest(tmp_path, model)
    assert "not attested: its architecture is that of elsewhere.json" in ran.stderr
    assert not list(tmp_path.glob(f"out/models/*/{FILE}"))


def _link(model):
    (model / "added").symlink_to("/etc/hostname")


def _linked_folder(model):
    (model / "added").symlink_to(model.parent)


def _pipe(model):
    os.mkfifo(model / "added")


def _nested(model):
    shutil.copytree(model, model.parent / "copy")
    shutil.move(model.parent / "copy", model / "added")


@pytest.mark.parametrize("add", [_link, _linked_folder, _pipe, _nested])
def test_what_was_added_to_an_attested_directory(tmp_path, add):
    write_keys(tmp_path, new_key())
    model = copy_of("tf1-savedmodel", tmp_path)
    attest(tmp_path, model)
    assert verify(tmp_path, model).returncode == 0
    add(model)
    ran = verify(tmp_path, model)
    assert (ran.returncode, "added" in ran.stdout) == (1, True)


@pytest.mark.parametrize("add", [_link, _pipe, _nested])
def test_a_directory_with_what_the_audit_does_not_read_is_not_attested(tmp_path, add):
    write_keys(tmp_path, new_key())
    model = copy_of("tf1-savedmodel", tmp_path)
    add(model)
    ran = attest(tmp_path, model)
    assert "not attested: the audit did not read added" in ran.stderr
    assert not (tmp_path / "out" / "models" / model.name / FILE).exists()
