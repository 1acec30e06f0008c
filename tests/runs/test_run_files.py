"""Reports on a run as a whole: in several files if there are many models."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from modelaudit.report.export import registry
from modelaudit.structs import replace
from tests.runs.nights import invoke


def suites(path):
    return [suite.get("name") for suite in ET.parse(path).iter("testsuite")]


def test_junit_of_many_models_is_several_files_worst_first(models, monkeypatch):
    short = replace(registry.FORMATS["junit"], most_models=1)
    monkeypatch.setitem(registry.FORMATS, "junit", short)
    out = models.parent / "out"
    words = (
        "audit",
        models,
        "--no-probe",
        "-f",
        "json",
        "-f",
        f"junit={out / 'ci.xml'}",
        "-o",
        out,
    )
    invoke(*words)
    names = ("ci.xml", "ci-2.xml", "ci-3.xml")
    assert [suites(out / name) for name in names] == [["truncated.h5"], ["a.h5"], ["b.keras"]]
    (models / "a.h5").unlink()
    invoke(*words)
    assert [suites(out / name) for name in names[:2]] == [["truncated.h5"], ["b.keras"]]
    assert sorted(path.name for path in out.glob("ci*")) == ["ci-2.xml", "ci.xml"]


def test_files_of_others_with_such_a_name_are_kept(models):
    out = models.parent / "out"
    out.mkdir()
    (out / "ci-2.xml").write_text('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="own">')
    invoke("audit", models, "--no-probe", "-f", f"junit={out / 'ci.xml'}", "-o", out)
    assert suites(out / "ci.xml")
    assert "own" in (out / "ci-2.xml").read_text()


def test_a_run_without_models_has_its_files(tmp_path):
    (tmp_path / "models").mkdir()
    out = tmp_path / "out"
    invoke("audit", tmp_path / "models", "--no-probe", "-f", "junit", "-f", "sarif", "-o", out)
    assert suites(out / "junit.xml") == []
    assert (out / "report.sarif").stat().st_size
