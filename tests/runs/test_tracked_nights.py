"""Nights over an MLflow registry, and results written back into it."""

from __future__ import annotations

import json

import pytest

from modelaudit import api
from modelaudit.errors import ReadError
from modelaudit.registry import snapshot
from modelaudit.registry.tracking import artifacts
from modelaudit.registry.tracking.client import TrackingServer
from modelaudit.runs.recording.write_back import write_back
from modelaudit.structs import replace
from tests.registry.remote import stores
from tests.registry.tracking.served import layout, registry, settings

__all__ = ["layout", "registry", "settings"]


@pytest.fixture
def night(registry, settings, tmp_path):
    """Runs a night over all registered models."""

    def run():
        registry.sent.clear()
        registry.asked.clear()
        return api.nightly("models:/", tmp_path / "out", settings, formats=("json",))

    return run


def test_an_unchanged_night_is_silent_and_fetches_nothing(night, registry):
    assert sorted(row.path for row in night().rows) == ["digits/2", "faces/1"]
    again = night()
    assert (again.quiet, again.audited, registry.sent) == (True, 0, {})


def test_a_new_version_replaces_the_one_before(night, registry, layout):
    night()
    registry.add("digits", 3, layout | {"data/model.h5": layout["data/model.h5"] + b"x"})
    ran = night()
    assert registry.sent["model.h5"] == len(layout["data/model.h5"]) + 1
    assert ran.audited == 1
    assert {change.path: change.kind.value for change in ran.changes} == {
        "digits/3": "new",
        "digits/2": "superseded",
    }


def test_versions_that_were_skipped_over_are_not_gone(night, registry, layout):
    night()
    for number in (3, 4, 5):
        registry.add("digits", number, layout)
    assert not any(change.kind.value == "gone" for change in night().changes)


def test_without_the_server_nothing_is_gone(night, registry):
    night()
    registry.answers["model-versions/search"] = (500, b"")
    ran = night()
    assert (ran.code, ran.rows, ran.changes) == (3, [], ())
    del registry.answers["model-versions/search"]
    assert night().changes == ()


def test_reports_name_the_version(night):
    ran = night()
    (row,) = [row for row in ran.rows if row.path == "digits/2"]
    model = json.loads(ran.reports_of(row)["json"].read_text())["model"]
    assert (model["root"], model["path"]) == ("models:", "digits/2")
    assert "registered as digits, version 2" in model["origin"]


def test_results_are_written_back_once(night, registry, settings, monkeypatch):
    ran = night()
    assert list(write_back(ran, settings)) == []
    (row,) = [row for row in ran.rows if row.path == "digits/2"]
    tags = {tag["key"]: tag["value"] for tag in registry.versions["digits", 2]["tags"]}
    assert tags["modelaudit.verdict"] == row.verdict.value
    assert tags["modelaudit.sha256"] == row.sha256
    assert tags["modelaudit.date"] == row.created
    assert tags["modelaudit.worst_finding"].startswith(row.open_findings[0].code)
    written = registry.stores[f"1/0123456789abcdef/artifacts/modelaudit/{row.slug}/audit.json"]
    assert json.loads(written)["model"]["path"] == "digits/2"
    assert registry.versions["digits", 1]["tags"] == []
    monkeypatch.setattr(snapshot, "SETTLED_SECONDS", 0.0)
    assert list(write_back(night(), settings)) == []
    assert {method for method, *_ in registry.asked} == {"GET"}
    assert {method for method, *_ in registry.asked} == {"GET"}


def test_what_could_not_be_written_is_written_by_the_next_night(night, registry, settings):
    registry.answers["audit.json"] = (403, b'{"message": "read-only"}')
    failures = list(write_back(night(), settings))
    assert len(failures) == 2
    assert "digits/2" in failures[0]
    assert "read-only" in failures[0]
    assert registry.versions["digits", 2]["tags"] == []
    registry.answers.clear()
    assert list(write_back(night(), settings)) == []
    assert len(registry.versions["digits", 2]["tags"]) == 4


def test_a_registry_that_takes_no_tags(night, registry, settings):
    registry.answers["set-tag"] = (500, b"")
    assert "set-tag: 500" in " ".join(write_back(night(), settings))
    registry.answers["model-versions/search"] = (500, b"")
    server = TrackingServer(registry.address, "models:/")
    with pytest.raises(ReadError):
        server.post("model-versions/set-tag", name="digits")


def test_reports_are_written_to_the_store_of_the_run(
    night, registry, settings, tmp_path, monkeypatch
):
    """A bucket that the server does not stand in front of, or a directory of its machine."""
    monkeypatch.setattr(artifacts, "_STORES", frozenset(("counted",)))
    stores.forget()
    ran = night()
    for place in ("counted://bucket/run", f"file://{tmp_path}/run"):
        for version in registry.versions.values():
            version["tags"] = []
        answer = {"run": {"info": {"artifact_uri": place}}}
        registry.answers["runs/get"] = json.dumps(answer).encode()
        allowed = replace(settings, local_artifacts=str(tmp_path))
        assert list(write_back(ran, allowed)) == []
    (row,) = [row for row in ran.rows if row.path == "digits/2"]
    written = f"run/modelaudit/{row.slug}/audit.json"
    report = ran.reports_of(row)["json"].read_bytes()
    assert stores.FILES.cat(f"/bucket/{written}") == (tmp_path / written).read_bytes() == report


def test_no_path_is_written_to_that_only_the_server_names(night, registry, settings, tmp_path):
    answer = {"run": {"info": {"artifact_uri": f"file://{tmp_path}/run"}}}
    registry.answers["runs/get"] = json.dumps(answer).encode()
    failures = list(write_back(night(), settings))
    assert len(failures) == 2
    assert "--local-artifacts" in failures[0]
    assert not (tmp_path / "run").exists()


def test_without_a_registry_nothing_can_be_written_back(modelaudit, tmp_path):
    for command in ("audit", "nightly"):
        ran = modelaudit(command, tmp_path, "--out", tmp_path / "out", "--write-back")
        assert (ran.returncode, "models:/" in ran.stderr) == (2, True)
