"""Profiles: those included, which one is used for a version, and the origin of their facts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from modelaudit.errors import UsageError
from modelaudit.facts import Artifact, Format, Provenance
from modelaudit.runtimes import shipped
from modelaudit.runtimes.catalogue import default_targets, find_profile, shipped_profiles
from modelaudit.runtimes.collecting.launch import collect, write
from modelaudit.runtimes.predict import predict
from modelaudit.runtimes.profile import SCHEMA, as_profile, numbers, read_profile


def test_every_shipped_profile_reads_and_names_its_versions():
    names = [entry.read().collected for entry in shipped_profiles()]
    assert {entry.place for entry in shipped_profiles()} == {*shipped.names()}
    assert len(names) == len(set(names))
    assert {"tf==1.15.5", "tf==2.21.0", "tf-keras==2.21.0"} <= set(names)
    for entry in shipped_profiles():
        profile = entry.read()
        assert (entry.kind, entry.keras) == (profile.data["name"], profile.keras)
        assert entry.place == profile.stem
        assert set(profile.data["versions"]) >= {"tensorflow", "keras", "h5py", "numpy", "python"}
        as_profile(dict(profile.data), entry.place)


def test_what_profiles_have_in_common_is_stored_once():
    documents = {name: shipped.document(name) for name in shipped.names()}
    assert shipped.FILE.read_bytes() == shipped.pack(documents)
    assert shipped.FILE.stat().st_size < 200_000


def test_an_exact_version_uses_its_own_profile():
    profile = find_profile("tf==2.15.1")
    assert profile.exact
    assert profile.name == profile.collected == "tf==2.15.1"
    assert find_profile("tf==2.15").exact


@pytest.mark.parametrize(
    ("asked", "collected"),
    [
        ("tf==2.15.9", "tf==2.15.1"),
        ("tf==1.14", "tf==1.15.5"),
        ("tf==3.0", "tf==2.21.0"),
        ("tf-keras==2.30.0", "tf-keras==2.21.0"),
    ],
)
def test_a_version_without_a_profile_uses_the_nearest_and_notes_it(asked, collected):
    profile = find_profile(asked)
    assert (profile.name, profile.collected, profile.exact) == (asked, collected, False)


def test_keras_2_profiles_are_never_used_for_keras_3():
    for minor in range(16, 30):
        assert find_profile(f"tf==2.{minor}").keras3
    for minor in range(16):
        assert not find_profile(f"tf==2.{minor}").keras3


def test_another_keras_version_is_combined_with_a_tensorflow():
    both = find_profile("tf==2.18+keras==3.15.1")
    plain, newest = find_profile("tf==2.18.1"), find_profile("tf==2.21.0")
    assert both.exact
    assert both.name == "tf==2.18+keras==3.15.1"
    assert both.collected == "tf==2.18.1+keras==3.15.1"
    assert both.keras == (3, 15, 1)
    assert both.tensorflow == (2, 18, 1)
    assert both.data["classes"] == newest.data["classes"]
    assert both.data["operations"] == plain.data["operations"]
    assert plain.data["classes"] != newest.data["classes"]


def test_the_default_keras_version_changes_nothing():
    assert find_profile("tf==2.18+keras==3.8").data == find_profile("tf==2.18").data
    assert find_profile("keras==3.8").data == find_profile("tf==2.18").data
    assert find_profile("tf==2.15+keras==2.15").data == find_profile("tf==2.15").data


def test_a_keras_without_tensorflow_is_found_by_version():
    for version in ("2.4.0", "2.12.0", "2.15.0", "3.3.3", "3.8", "3.15.1"):
        profile = find_profile(f"keras=={version}")
        assert profile.exact
        assert profile.name == f"keras=={version}"
        assert profile.keras[: len(numbers(version))] == numbers(version)
        assert profile.attributes("MatMul")


@pytest.mark.parametrize(
    "text",
    ["", "2.15", "torch==2.1", "tf==new", "tf>=2.15", "keras==3.1+keras==3.2", "tf==2.18+keras"],
)
def test_invalid_runtimes_are_rejected(text):
    with pytest.raises(UsageError, match="not a runtime"):
        find_profile(text)


def test_a_file_that_is_not_a_profile_is_rejected(tmp_path: Path):
    for content in ("no JSON", "[]", json.dumps({"schema": SCHEMA + 1})):
        path = tmp_path / f"tf-{len(content)}.json"
        path.write_text(content)
        with pytest.raises(UsageError, match="profile"):
            read_profile(path)


@pytest.mark.parametrize("name", ["tf-2.14.0+keras-2.15.0", "tf-2.14.0", "mine", "tf-2.99"])
@pytest.mark.parametrize("version", ["2.14.0", "2.14.0-rc1"])
def test_the_user_s_profile_has_priority_whatever_its_file_name(
    tmp_path: Path, name: str, version: str
):
    data = dict(find_profile("tf==2.15.1").data)
    data["versions"] = {**data["versions"], "tensorflow": version}
    own = tmp_path / f"{name}.json"
    own.write_text(json.dumps(data))
    profile = find_profile("tf==2.14.0", (own,))
    assert profile.exact
    assert profile.data == data


@pytest.mark.parametrize("part", ["name", "versions", "tables", "behaviours", "operations"])
def test_an_incomplete_profile_is_rejected(tmp_path: Path, part: str):
    data = dict(find_profile("tf==2.15.1").data)
    del data[part]
    own = tmp_path / "own.json"
    own.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=f"incomplete runtime profile.*{part}"):
        find_profile("tf==2.14.0", (own,))


def test_known_facts_of_real_versions():
    # Sources: the constructors of Keras 2.15.0 and 3.3.3 as released.
    assert "groups" in find_profile("tf==2.15").accepts("layers", "DepthwiseConv2D")
    assert "groups" not in find_profile("tf==2.16").accepts("layers", "DepthwiseConv2D")
    assert "dtype" in find_profile("tf==2.15").accepts("initializers", "GlorotUniform")
    assert "dtype" not in find_profile("tf==2.21").accepts("initializers", "GlorotUniform")
    assert find_profile("tf==2.15").knows("layers", "TFOpLambda")
    assert not find_profile("tf==2.21").knows("layers", "TFOpLambda")
    assert find_profile("tf==2.8").attributes("DisableCopyOnRead") is None
    assert find_profile("tf==2.12").attributes("DisableCopyOnRead") is not None
    assert find_profile("tf==2.15").behaviour("hard_sigmoid_of_one") == 0.7
    assert find_profile("tf==2.21").behaviour("hard_sigmoid_of_one") == pytest.approx(
        2 / 3, abs=1e-4
    )


def test_numbers_of_a_version():
    assert numbers("2.2.4-tf") == (2, 2, 4)
    assert numbers("nightly") == ()


def test_a_file_may_say_any_version():
    root = Path("/saved")
    for said in ("9" * 5000, "2." + "1" * 5000, "2" + ".1" * 5000, "٣.٢", "-1", ""):
        provenance = Provenance(tensorflow=said, keras=said)
        saved = Artifact(root=root, format=Format.SAVEDMODEL_TF2, provenance=provenance)
        assert all(each.runtime == "tf==2.15.1" for each in predict(saved, ("tf==2.15.1",)))
    assert not find_profile("tf==" + "9" * 5000).exact


def test_default_targets_are_runtimes_and_include_the_newest():
    targets = default_targets()
    assert "tf==2.21.0" in targets
    for target in targets:
        find_profile(target)


def test_a_keras_profile_is_written_and_combined_with_any_tensorflow(tmp_path: Path, monkeypatch):
    newest = find_profile("tf==2.21.0")
    version = newest.data["versions"]["keras"]
    monkeypatch.setattr("modelaudit.runtimes.collecting.launch.collect", lambda *_, **__: newest)
    command = ["runtimes", "collect", "--python", sys.executable, "--out", str(tmp_path)]
    done = CliRunner().invoke(cli, [*command, "--keras-only"])
    (made,) = tmp_path.iterdir()
    assert (done.exit_code, done.stdout.strip()) == (0, str(made))
    assert made.name == f"keras-{version}.json"
    alone = read_profile(made)
    assert alone.data["classes"] == newest.data["classes"]
    assert "operations" not in alone.data
    later = tmp_path / "later.json"  # a version without an included profile
    later.write_text(made.read_text().replace(f'"keras":"{version}"', '"keras":"3.99.0"'))
    over = find_profile("tf==2.18+keras==3.99", (later,))
    assert (over.exact, over.keras) == (True, (3, 99, 0))
    assert over.data["classes"] == newest.data["classes"]
    assert over.data["operations"] == find_profile("tf==2.18").data["operations"]


def test_an_interpreter_without_tensorflow_is_reported(tmp_path: Path):
    bare = tmp_path / "python"
    bare.write_text(f"#!/bin/sh\nexec {sys.executable} -S -I -c 'import tensorflow'\n")
    bare.chmod(0o755)
    with pytest.raises(UsageError, match="could not describe"):
        collect(bare)
    with pytest.raises(UsageError, match="cannot be run"):
        collect(tmp_path / "absent")


@pytest.mark.slow
def test_collecting_this_interpreter_gives_the_shipped_facts(tmp_path: Path):
    collected = collect(Path(sys.executable))
    reference = find_profile(collected.collected)
    assert write(collected, tmp_path).exists()
    # Another Keras version in requirements/ needs a new profile: modelaudit runtimes collect.
    assert (reference.exact, reference.keras) == (True, collected.keras)
    assert collected.data["tables"] == reference.data["tables"]
    assert collected.data["classes"]["layers"] == reference.data["classes"]["layers"]
    assert collected.data["operations"] == reference.data["operations"]
