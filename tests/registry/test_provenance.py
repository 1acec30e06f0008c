"""Directory layouts of MLflow, Hugging Face, Kaggle and TensorFlow Serving."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest
import yaml

from modelaudit.errors import ReadError
from modelaudit.facts import Format, ProblemKind
from modelaudit.formats.io.symlinks import hub_blobs, is_inside
from modelaudit.formats.reader import read
from modelaudit.registry.discover import discover
from modelaudit.registry.mlflow import read_mlmodel
from modelaudit.settings import Limits
from tests.made import files

SAVED_MODEL = b"\x08\x01\x12\x00"
MLMODEL = {
    "artifact_path": "model",
    "flavors": {
        "keras": {"data": "data", "keras_module": "keras", "keras_version": "3.15.1"},
        "python_function": {"loader_module": "mlflow.keras", "python_version": "3.11.4"},
    },
    "mlflow_version": "2.22.0",
    "run_id": "0123456789abcdef0123456789abcdef",
    "signature": {
        "inputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 6]}}]' * 3,
        "outputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]',
        "params": None,
    },
}


def rows(path, **options):
    return {model.relative: model for model in discover(path, **options).candidates}


def reasons(path):
    return {named.path: named.reason for named in discover(path).named}


def mlflow_model(directory, described=MLMODEL):
    (directory / "data").mkdir(parents=True)
    (directory / "MLmodel").write_text(yaml.safe_dump(described, default_flow_style=False))
    (directory / "requirements.txt").write_text("keras==3.15.1\n")
    return directory


def test_a_model_logged_by_mlflow_has_its_provenance(tmp_path):
    run = mlflow_model(tmp_path / "mlruns" / "0" / "0123" / "artifacts" / "model")
    files.minimal_keras(run / "data" / "model.keras")
    (run / "data" / "custom_objects.cloudpickle").write_bytes(b"\x80\x05.")
    (model,) = rows(tmp_path).values()
    assert model.relative.endswith("model/data/model.keras")
    assert model.origin == (
        "MLflow 2.22.0, flavour keras, Keras 3.15.1, run 0123456789ab, "
        "signature of inputs and outputs"
    )
    (pickle,) = reasons(tmp_path).values()
    assert pickle == "Python pickle (never opened), not TensorFlow/Keras"


def test_mlflow_models_of_other_frameworks_or_missing_ones_are_listed(tmp_path):
    mlflow_model(tmp_path / "gone")
    mlflow_model(tmp_path / "forest", {"flavors": {"sklearn": {"data": "model.pkl"}}})
    broken = mlflow_model(tmp_path / "broken")
    (broken / "MLmodel").write_text("flavors: !!python/object/apply:os.system ['id']\n")
    assert rows(tmp_path) == {}
    named = reasons(tmp_path)
    assert named["gone/MLmodel"].endswith("its model is missing")
    assert named["forest/MLmodel"] == (
        "MLflow, flavour sklearn, no signature: not TensorFlow/Keras"
    )
    assert "line 1: the tag" in named["broken/MLmodel"]


@pytest.mark.parametrize("text", ["", "- a\n", "flavors: x\n", "a: b\n", "\ud800"])
def test_an_invalid_mlmodel_file_is_an_error(tmp_path, text):
    path = tmp_path / "MLmodel"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ReadError) as caught:
        read_mlmodel(path, Limits())
    assert caught.value.kind == ProblemKind.CORRUPT


class HubCache:
    """A Hugging Face cache in the layout of huggingface_hub."""

    def __init__(self, root, name="models--acme--digits"):
        self.repository = root / name
        (self.repository / "blobs").mkdir(parents=True)

    def file(self, revision, name, content):
        blob = self.repository / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        link = self.repository / "snapshots" / revision / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
        return link

    def reference(self, name, revision):
        path = self.repository / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(revision)


def test_a_hub_cache_lists_each_model_once(tmp_path):
    cache = HubCache(tmp_path / "hub")
    archive = files.minimal_keras(tmp_path / "m.keras").read_bytes()
    (tmp_path / "m.keras").unlink()
    for revision in ("a" * 40, "b" * 40):
        cache.file(revision, "model.keras", archive)
        cache.file(revision, "config.json", b"{}")
        cache.file(revision, "export/saved_model.pb", SAVED_MODEL)
        cache.file(revision, "export/variables/variables.index", b"x")
    cache.file("b" * 40, "other/saved_model.pb", SAVED_MODEL)
    cache.reference("main", "b" * 40)
    found = rows(tmp_path)
    first = f"hub/models--acme--digits/snapshots/{'a' * 40}"
    second = f"hub/models--acme--digits/snapshots/{'b' * 40}"
    assert sorted(found) == [f"{first}/export", f"{first}/model.keras", f"{second}/other"]
    told = "Hugging Face cache, acme/digits, revisions aaaaaaaaaaaa, bbbbbbbbbbbb (main)"
    assert found[f"{first}/model.keras"].origin == told
    assert found[f"{first}/export"].origin == told
    assert found[f"{first}/export"].aliases == (f"{second}/export",)
    assert found[f"{second}/other"].origin.endswith("revision bbbbbbbbbbbb (main)")


@pytest.mark.parametrize("asked", ["snapshots/rev", "snapshots/rev/export", "."])
def test_links_of_a_snapshot_are_followed_into_its_own_blobs_only(tmp_path, asked):
    cache = HubCache(tmp_path)
    cache.file("rev", "export/saved_model.pb", SAVED_MODEL)
    cache.file("rev", "export/assets/words.txt", b"one\n")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    export = cache.repository / "snapshots" / "rev" / "export"
    (export / "assets" / "secret.txt").symlink_to(secret)
    (model,) = rows(cache.repository / asked).values()
    artifact = read(model.path, Limits())
    assert artifact.format is Format.SAVEDMODEL_TF1
    assert {"saved_model.pb", "assets/words.txt"} <= {entry.path for entry in artifact.files}
    refused = [p for p in artifact.problems if p.kind is ProblemKind.UNSAFE_PATH]
    assert [problem.file for problem in refused] == ["assets/secret.txt"]


def test_blobs_count_only_in_the_cache_layout(tmp_path):
    cache = HubCache(tmp_path)
    link = cache.file("rev", "saved_model.pb", SAVED_MODEL)
    snapshot = link.parent
    assert hub_blobs(snapshot) == cache.repository / "blobs"
    assert is_inside(link, snapshot)
    assert hub_blobs(tmp_path) is None
    assert not is_inside(tmp_path, snapshot)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(cache.repository / "blobs", elsewhere)
    (cache.repository / "blobs").symlink_to(elsewhere)
    assert hub_blobs(snapshot) is None
    assert not is_inside(link, snapshot)


def test_a_kaggle_cache_names_owner_and_version(tmp_path):
    place = tmp_path / "models" / "acme" / "digits" / "keras" / "small" / "3"
    place.mkdir(parents=True)
    files.minimal_keras(place / "model.keras")
    (relative,) = rows(tmp_path)
    assert rows(tmp_path)[relative].origin == ""
    place.with_name("3.complete").touch()
    assert rows(tmp_path)[relative].origin == ("Kaggle cache, acme/digits, keras, small, version 3")


def served(base, *versions):
    for version in versions:
        (base / version).mkdir(parents=True)
        (base / version / "saved_model.pb").write_bytes(SAVED_MODEL)


def test_tensorflow_serving_loads_the_newest_version(tmp_path):
    served(tmp_path / "a", "1", "3", "00000012")
    served(tmp_path / "b", "7")
    found = discover(tmp_path, all_versions=False)
    assert {model.relative: model.origin for model in found.candidates} == {
        "a/00000012": "version 12 of a",
        "b/7": "version 7 of b",
    }
    assert {named.path: named.reason for named in found.named} == {
        f"a/{old}": "older than version 12; use --all-versions to audit all" for old in "13"
    }
    everything = rows(tmp_path)
    assert sorted(everything) == ["a/00000012", "a/1", "a/3", "b/7"]
    assert everything["a/00000012"].previous == tmp_path / "a" / "3"
    assert everything["a/3"].previous == tmp_path / "a" / "1"
    assert everything["a/1"].previous is None
    (alone,) = discover(tmp_path / "a" / "1", all_versions=False).candidates
    assert alone.relative == "1"


def test_a_highest_version_without_a_model_is_reported(tmp_path):
    """As during an unfinished upload."""
    served(tmp_path / "a", "1", "9")
    for place in ("a/2", "a/10", "a/10b", "b/11"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "a" / "12").touch()
    found = discover(tmp_path, all_versions=True)
    assert [(each.path, each.reason) for each in found.empty_versions] == [
        ("a/10", "the highest version holds no model; TF-Serving would load it instead of 9")
    ]
    (tmp_path / "a" / "10" / "variables").mkdir()
    (tmp_path / "a" / "10" / "variables" / "variables.index").touch()  # makes it a row of its own
    assert discover(tmp_path, all_versions=True).empty_versions == ()
