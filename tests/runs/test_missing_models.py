"""Models that a nightly run does not find: removed, unreachable, or superseded."""

from __future__ import annotations

import shutil

from tests.command_line import ROOT
from tests.made import files
from tests.plain_rights import folder_of_a_plain_user
from tests.runs.nights import audited, nightly


def test_a_removed_and_restored_model_is_recognised(sound):
    nightly(sound)
    (sound / "a.h5").rename(sound.parent / "a.h5")
    assert "gone        a.h5" in nightly(sound).stdout
    (sound.parent / "a.h5").rename(sound / "a.h5")
    assert "new         a.h5" in nightly(sound).stdout
    assert audited(sound) == 0


def test_an_empty_registry_is_reported_every_time_and_nothing_is_forgotten(sound):
    nightly(sound)
    away = sound.parent / "away"
    sound.rename(away)  # as if a disk is not mounted
    sound.mkdir()
    for _ in range(2):
        said = nightly(sound, code=4).stdout
        assert said.startswith(f"{sound}: no models found, 2 on ")
        assert "is everything mounted?" in said
        assert "gone" not in said
    sound.rmdir()
    away.rename(sound)
    assert nightly(sound).stdout == ""


def test_a_version_without_a_model_is_reported_when_it_appears(tmp_path):
    registry = tmp_path / "models"
    shutil.copytree(ROOT / "sample_models" / "digits_tf1_savedmodel", registry / "m" / "1")
    nightly(registry)
    (registry / "m" / "2").mkdir()
    why = "the highest version holds no model; TF-Serving would load it instead of 1"
    told = f"no model to serve: m/2 ({why})"
    done = nightly(registry)
    assert told in done.stdout
    assert told in (tmp_path / "out" / "index.html").read_text()
    assert nightly(registry).stdout == ""


def test_a_superseded_version_is_not_removed(tmp_path):
    registry, sample = tmp_path / "models", ROOT / "sample_models" / "digits_tf1_savedmodel"
    shutil.copytree(sample, registry / "m" / "1")
    nightly(registry)
    shutil.copytree(sample, registry / "m" / "2")
    said = nightly(registry).stdout
    assert "1 model before, 1 now: 1 new, 1 superseded since" in said
    assert "\nnew         m/2  pass\n" in said
    assert "\nsuperseded  m/1  2 is the newest, was pass\n" in said
    shutil.rmtree(registry / "m" / "1")
    assert nightly(registry).stdout == ""


def test_a_withdrawn_version_is_not_another_model(tmp_path):
    """Even if both have the same bytes, which otherwise means a rename."""
    registry, sample = tmp_path / "models", ROOT / "sample_models" / "digits_tf1_savedmodel"
    for version in "12":
        shutil.copytree(sample, registry / "m" / version)
    nightly(registry)
    shutil.rmtree(registry / "m" / "2")
    said = nightly(registry).stdout
    assert "\nnew         m/1  pass, the newest version again: 2 is gone\n" in said
    assert "\ngone        m/2  was pass\n" in said
    assert nightly(registry).stdout == ""


def test_models_in_a_directory_that_cannot_be_read_are_not_forgotten(sound):
    nightly(sound)  # imports modules that a plain user cannot read
    with folder_of_a_plain_user() as folder:
        registry = folder / "models"
        locked = registry / "locked"
        locked.mkdir(parents=True)
        files.minimal_h5(locked / "m.h5")
        files.minimal_h5(registry / "other.h5")
        nightly(registry)
        locked.chmod(0)
        said = nightly(registry, code=3).stdout
        assert "worse       locked/m.h5  pass -> incomplete\n  + MA101 unreadable-file" in said
        assert "not audited: locked (Permission denied)" in said
        assert "gone" not in said
        locked.chmod(0o755)
        said = nightly(registry).stdout
        assert "better      locked/m.h5  incomplete -> pass" in said
