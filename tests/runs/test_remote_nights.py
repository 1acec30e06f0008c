"""Nights over models at a URL."""

from __future__ import annotations

import json
import os

import pytest

from modelaudit import api
from modelaudit.errors import ReadError, UsageError
from modelaudit.registry.remote import files as remote_files
from modelaudit.settings import CacheSettings, ProbeSettings, Settings
from tests.made import files
from tests.registry.remote import stores
from tests.registry.remote.stores import FILES, READ
from tests.runs.nights import scale

URL = "counted://models"


@pytest.fixture
def night(tmp_path, monkeypatch):
    """Runs a night over two models in a store, and returns its result."""
    stores.forget()
    monkeypatch.setattr(remote_files, "_FIRST_PAUSE_SECONDS", 0.0)
    for name in ("a.h5", "b.h5"):
        FILES.pipe(f"/models/{name}", files.minimal_h5(tmp_path / name).read_bytes())
    settings = Settings(
        cache=CacheSettings(os.fspath(tmp_path / "cache")), probe=ProbeSettings(enabled=False)
    )

    def run():
        READ.clear()
        return api.nightly(URL, tmp_path / "out", settings, formats=("json",))

    return run


def test_an_unchanged_night_is_silent_and_fetches_nothing(night):
    assert [row.path for row in night().rows] == ["a.h5", "b.h5"]
    again = night()
    assert (again.quiet, again.audited, READ) == (True, 0, {})


def test_only_a_changed_model_is_fetched_and_told(night, tmp_path):
    night()
    FILES.pipe("/models/b.h5", files.truncated_h5(tmp_path).read_bytes())
    ran = night()
    assert set(READ) == {"b.h5"}
    assert [change.now.path for change in ran.changes] == ["b.h5"]


def test_a_model_that_cannot_be_fetched_is_not_gone(night):
    night()
    FILES.pipe("/models/b.h5", b"other")
    stores.FAILING["b.h5"] = [OSError("reset")] * 9
    ran = night()
    rows = {row.path: row.verdict.value for row in ran.rows}
    assert rows == {"a.h5": "pass", "b.h5": "incomplete"}
    assert "reset" in " ".join(ran.notes)


def test_after_a_night_without_the_store_nothing_is_new(night, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    night()
    with monkeypatch.context() as patch:
        patch.setattr(FILES, "find", unreachable)
        patch.setattr(type(FILES), "find", unreachable)
        ran = night()
    assert (ran.code, ran.rows, ran.changes) == (3, [], ())
    assert "no route to host" in " ".join(ran.notes)
    assert night().changes == ()


def test_reports_name_the_url(night, tmp_path):
    ran = night()
    audit = json.loads((ran.out / "models" / "a.h5" / "audit.json").read_text())
    assert (audit["model"]["root"], audit["model"]["path"]) == ("counted://models", "a.h5")
    assert "cache" not in json.dumps(audit["model"])


def test_models_at_urls_are_compared(night, tmp_path):
    settings = Settings(
        cache=CacheSettings(os.fspath(tmp_path / "cache")), probe=ProbeSettings(enabled=False)
    )
    local = files.minimal_h5(tmp_path / "local.h5")
    found = api.compare(local, f"{URL}/a.h5", settings)
    assert (found.same, found.of_models) == (True, True)
    scale(local)
    assert not api.compare(f"{URL}/a.h5", local, settings).same
    with pytest.raises(UsageError, match="contains 2 models"):
        api.compare(URL, local, settings)
    stores.FAILING["b.h5"] = [OSError("reset")] * 9
    with pytest.raises(ReadError, match="reset"):
        api.compare(local, f"{URL}/b.h5", settings)


def test_a_repair_takes_a_url(night, tmp_path):
    settings = Settings(
        cache=CacheSettings(os.fspath(tmp_path / "cache")), probe=ProbeSettings(enabled=False)
    )
    FILES.pipe("/models/b.h5", files.truncated_h5(tmp_path).read_bytes())
    done = api.repair(f"{URL}/b.h5", "tf==2.18", tmp_path / "new.h5", settings)
    assert (done.status.value, done.path) == ("refused", f"{URL}/b.h5")
    with pytest.raises(UsageError, match="needs the path of the new file"):
        api.repair(f"{URL}/b.h5", "tf==2.18", settings=settings)
