"""Faults of plug-ins: each costs a rule, a model or the plug-in, and is named."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile

import pytest

from modelaudit import pipeline
from modelaudit.formats import sniff
from modelaudit.plugins import loading
from modelaudit.settings.installation import plugin_declarations
from modelaudit.store import cache_keys
from tests.made import files
from tests.plugins.installing import declare, rule, run, run_main, scanned
from tests.runs.nights import audited, nightly


@pytest.mark.parametrize("line", [b"words", b"mine = made:VALUE # \xff"])
def test_a_list_of_entry_points_that_cannot_be_read_is_a_broken_plugin(packages, tmp_path, line):
    declare(packages, "rules", "VALUE = ()\n")
    file = packages / "made-1.2.dist-info" / "entry_points.txt"
    file.write_bytes(b"[modelaudit.rules]\n" + line)
    row = scanned(files.minimal_h5(tmp_path / "a.h5"))
    assert row["verdict"] == "incomplete"
    assert "made-1.2.dist-info could not be loaded" in row["reason"]


def test_of_a_distribution_in_two_places_the_imported_one_counts(packages, tmp_path, monkeypatch):
    import site

    first = tmp_path / "user"
    first.mkdir()
    for folder in (packages, first):
        declare(folder, "rules", rule("return []"))
    (first / "made-1.2.dist-info").rename(first / "Made-1.3.dist-info")
    shutil.copytree(packages / "made-1.2.dist-info", packages / "~ade-1.2.dist-info")
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(first))
    monkeypatch.setattr(sys, "path", [str(first), *sys.path])
    assert [each.parent.name for each in plugin_declarations()] == ["Made-1.3.dist-info"]
    assert [each.problem for each in loading.load()] == [""]


@pytest.mark.parametrize(
    "others", [{"severity": "'severe'"}, {"needs": "('x',)"}, {"fix": "3"}, {"check": "3"}]
)
def test_a_rule_with_a_field_of_another_type_is_not_loaded(packages, others):
    source = rule("return []").replace("VALUE = (", "from modelaudit.structs import replace\nR = (")
    (field, value), *_ = others.items()
    declare(packages, "rules", f"{source}VALUE = (replace(R[0], {field}={value}),)\n")
    (found,) = loading.load()
    assert found.problem.startswith("ValidationError")


RETURNED = {
    "severity='severe'": "ValidationError",
    "evidence={'measured': object()}": "TypeError",
    "evidence=3": "ValidationError",
}


@pytest.mark.parametrize("argument", RETURNED)
def test_a_finding_with_a_value_of_another_type_is_an_error_of_its_rule(
    packages, tmp_path, argument
):
    declare(packages, "rules", rule(f"yield rule.finding('x', {argument})"))
    row = scanned(files.minimal_h5(tmp_path / "a.h5"))
    assert row["verdict"] == "incomplete"
    assert f"plug-in mine of made 1.2: {RETURNED[argument]}" in row["reason"]


def test_a_number_of_numpy_is_one(packages, tmp_path):
    body = "import numpy; yield rule.finding('x', evidence={'measured': numpy.float32(3.5)})"
    declare(packages, "rules", rule(body))
    assert scanned(files.minimal_h5(tmp_path / "a.h5"))["verdict"] == "fail"


FORMAT = "from modelaudit.plugins import PluginFormat\nfrom modelaudit.facts import *\n"


@pytest.mark.parametrize("field", ["tensors=('x',)", "extra=None", "extra={'x': object()}"])
def test_an_artifact_with_a_value_of_another_type_is_an_error_of_its_reader(
    packages, tmp_path, field
):
    reader = f"lambda path, limits: Artifact(path, Format.PLUGIN, {field})"
    declare(packages, "formats", f"{FORMAT}VALUE = PluginFormat('mine', (b'MINE',), {reader})\n")
    (tmp_path / "a.mine").write_bytes(b"MINE")
    reason = scanned(tmp_path / "a.mine")["reason"]
    assert "the plug-in mine failed: " in reason
    assert "internal" not in reason


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08\x00", b"BZh9", b"\xfd7zX", b"PK\x03\x04x"])
def test_a_format_does_not_take_archives(packages, magic):
    declare(packages, "formats", f"{FORMAT}VALUE = PluginFormat('mine', ({magic!r},), print)\n")
    (found,) = loading.load()
    assert "begins like another format" in found.problem


def test_an_archive_that_begins_like_a_plugin_s_format_stays_an_archive(packages, tmp_path):
    declare(packages, "formats", f"{FORMAT}VALUE = PluginFormat('mine', (b'MINE',), print)\n")
    loading.load()
    model = files.minimal_h5(tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").unlink()
    with tarfile.open(tmp_path / "models.tar", "w") as tar:
        for name, data in (("MINE", b"text"), ("a.h5", model)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    (tmp_path / "own").write_bytes(b"MINE")
    assert sniff.sniff(tmp_path / "own") is sniff.Format.PLUGIN
    (tmp_path / "own").unlink()
    for place in (tmp_path / "models.tar", tmp_path):
        (row,) = json.loads(run("scan", place, "--json")[1])
        assert (row["path"], row["format"]) == ("models.tar/a.h5", "legacy_h5_full")


@pytest.mark.parametrize(
    "file", ["history.sqlite3", "index.JSON", ".lock", "latest", "a\0.txt", "-f.txt", "Audit.json"]
)
def test_a_report_does_not_overwrite_files_of_the_run(packages, file):
    source = (
        "from modelaudit.plugins import ReportFormat\n"
        f"VALUE = ReportFormat('mine', {file!r}, 'text/plain', 'us', print)\n"
    )
    declare(packages, "reports", source)
    (found,) = loading.load()
    assert "is not the name of a file of its own" in found.problem


def test_plugins_that_are_loaded_between_two_runs_count_in_the_second(packages, tmp_path):
    cache_keys._general.cache_clear()
    pipeline._catalogue_digest.cache_clear()
    models = tmp_path / "models"
    models.mkdir()
    files.minimal_h5(models / "a.h5")
    nightly(models)
    declare(packages, "rules", rule("return []"))
    nightly(models, code=None)
    assert audited(models) == 1
    (audit,) = models.parent.glob("out/models/*/audit.json")
    assert "MINE001" in json.loads(audit.read_text())["passed"]


@pytest.mark.parametrize("first", ["", "."])
def test_an_import_inside_a_check_does_not_search_the_audited_directory(
    packages, tmp_path, monkeypatch, capfd, first
):
    tree = tmp_path / "tree"
    tree.mkdir()
    files.minimal_h5(tree / "a.h5")
    (tree / "made_helper.py").write_text(f"open({str(tree / 'loaded')!r}, 'w')\n")
    declare(packages, "rules", rule("import made_helper; return []"))
    monkeypatch.chdir(tree)
    monkeypatch.setattr(sys, "path", [first and str(tree), *sys.path])  # of `-c`, of `-m`
    run_main(monkeypatch, "scan", "a.h5", "--json")
    assert "No module named 'made_helper'" in json.loads(capfd.readouterr().out)[0]["reason"]
    assert not (tree / "loaded").exists()


def test_what_a_plugin_prints_is_not_in_the_output(packages, tmp_path, monkeypatch, capfd):
    declare(packages, "rules", "print('at import')\n" + rule("print('in a check'); return []"))
    run_main(monkeypatch, "scan", files.minimal_h5(tmp_path / "a.h5"), "--json")
    out, err = capfd.readouterr()
    assert json.loads(out)[0]["verdict"] == "pass"
    assert "at import" in err
