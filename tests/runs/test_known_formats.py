"""Files whose format an earlier run found are not opened again for it, while they are unchanged."""

from __future__ import annotations

import os
import shutil

import pytest

from modelaudit.facts import Format
from modelaudit.formats.sniff import sniff
from modelaudit.registry import isolated_sniff, snapshot
from modelaudit.registry.isolated_sniff import KnownFormats
from modelaudit.registry.snapshot import SnapshotReader
from modelaudit.settings import Limits
from modelaudit.store import cache_keys
from tests.made.files import minimal_h5, minimal_keras
from tests.runs.nights import audited, nightly, scale


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that this run looks into; all are as if written long ago."""
    found = []

    def look(path, *more):
        found.append(path.name)
        return sniff(path, *more)

    monkeypatch.setattr(isolated_sniff, "sniff", look)
    monkeypatch.setattr(snapshot, "SETTLED_SECONDS", -1.0)
    return found


def night(models, opened, *more, code=0):
    opened.clear()
    done = nightly(models, *more, code=code)
    return done, sorted({*opened})


def test_an_unchanged_night_opens_no_model(sound, opened):
    every = sorted(each.name for each in sound.iterdir())
    assert night(sound, opened)[1] == every
    done, looked = night(sound, opened)
    assert (done.stdout, looked, audited(sound)) == ("", [], 0)
    assert night(sound, opened, "--verify")[1] == every


def test_what_changed_is_opened(sound, opened):
    night(sound, opened)
    scale(sound / "a.h5")
    minimal_keras(sound / "new.keras")
    done, looked = night(sound, opened, code=None)
    assert looked == ["a.h5", "new.keras"]
    assert "a.h5" in done.stdout
    assert night(sound, opened)[1] == []


def test_another_kind_of_file_under_the_same_name_is_seen(sound, opened):
    night(sound, opened)
    os.truncate(sound / "a.h5", 0)
    minimal_keras(sound / "other")
    (sound / "other").replace(sound / "b.keras")
    done, looked = night(sound, opened, code=None)
    assert looked == ["a.h5", "b.keras"]
    assert "a.h5" in done.stdout


def test_other_code_may_find_another_format(sound, opened, monkeypatch):
    night(sound, opened)
    monkeypatch.setattr(cache_keys, "code_digest", lambda *_: "changed")
    assert night(sound, opened)[1] == sorted(each.name for each in sound.iterdir())


def test_a_known_format_needs_the_same_entry(tmp_path):
    path = minimal_h5(tmp_path / 'a","b.h5')
    text = SnapshotReader(Limits()).snapshot(path).text
    code = Format.LEGACY_H5_FULL.value
    known = KnownFormats({str(path): (text, code)})
    assert known.of(path) is Format.LEGACY_H5_FULL
    assert known.of(tmp_path / "b.h5") is None
    for other in (text.replace(str(path.stat().st_size), "1"), "[]", ""):
        assert KnownFormats({str(path): (other, code)}).of(path) is None
    for other in ("unknown", "", Format.SAVEDMODEL_TF2.value, Format.CORRUPT_HDF5.value):
        assert KnownFormats({str(path): (text, other)}).of(path) is None
    shutil.copy(path, tmp_path / "copy")
    (tmp_path / "copy").replace(path)
    assert known.of(path) is None
    path.unlink()
    assert known.of(path) is None
