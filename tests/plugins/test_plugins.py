"""Plug-ins: the example installed, run and broken; nothing loaded from the audited tree."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import pytest

from modelaudit.formats import plugin_formats
from modelaudit.plugins import loading
from modelaudit.report.export import registry
from modelaudit.rules import catalogue
from tests.made import files
from tests.plugins.installing import EXAMPLE, ROOT, declare, run, run_main, scanned


def test_without_plugins_nothing_is_added(packages):
    assert run("rules", "ACME101")[0] == 2
    assert catalogue.all_rules() == catalogue.CATALOGUE


def test_the_example_is_found_explained_and_run(example, tmp_path):
    model = files.minimal_h5(tmp_path / "a.h5")
    assert "more parameters than the devices" in run("rules", "ACME101")[1]
    out = tmp_path / "out"
    code, shown = run("audit", "--no-probe", model, "-o", out, "-f", "json", "-f", "acme-csv")
    assert code == 0, shown
    (audit,) = out.glob("models/*/audit.json")
    assert "ACME101" in json.loads(audit.read_text())["passed"]
    assert (out / "acme.csv").read_bytes() == b"model,verdict,findings\r\na.h5,pass,1\r\n"


def test_a_rule_of_a_plugin_fails_a_model(example, tmp_path, monkeypatch):
    model = files.minimal_h5(tmp_path / "a.h5")
    run("rules")  # loads it
    monkeypatch.setattr(sys.modules["acme_modelaudit"], "MOST_PARAMETERS", 1)
    row = scanned(model)
    assert row["verdict"] == "fail"
    assert row["reason"].endswith("parameters; a device holds 1.")


def test_no_plugins_loads_none(example):
    code, shown = run("--no-plugins", "rules", "ACME101")
    assert code == 2
    assert "unknown rule 'ACME101'" in shown
    assert loading.loaded() == ()
    assert "acme_modelaudit" not in sys.modules


def test_doctor_lists_plugins(example):
    told = json.loads(run("doctor", "--json")[1])
    found = {each["name"]: each["note"] for each in told["checks"] if each["section"] == "plugins"}
    assert found == {
        "acme": "acme-modelaudit 1.0.0: ACME101",
        "acme-csv": "acme-modelaudit 1.0.0: acme-csv",
        "acme-weights": "acme-modelaudit 1.0.0: acme-weights",
    }


BROKEN = {
    "raise ImportError('no libacme')": "ImportError: no libacme",
    "import sys; sys.exit(0)": "SystemExit: 0",
    "def": "SyntaxError",
    "VALUE = 3": "TypeError: int is not a sequence of rules",
    "VALUE = (3,)": "TypeError: int is not a rule",
    "from modelaudit.rules.catalogue import CATALOGUE\nVALUE = CATALOGUE[:1]": "not MA",
    "OTHER = ()": "AttributeError",
}


@pytest.mark.parametrize("source", BROKEN, ids=range(len(BROKEN)))
def test_no_model_passes_without_a_plugin_that_is_broken(packages, tmp_path, source):
    declare(packages, "rules", source)
    model = files.minimal_h5(tmp_path / "a.h5")
    row = scanned(model)
    assert row["verdict"] == "incomplete"
    assert "plug-in mine of made 1.2 could not be loaded" in row["reason"]
    assert BROKEN[source] in row["reason"]
    assert not json.loads(run("doctor", "--json")[1])["sound"]


CRASHING = {
    "yield 1 / 0": "ZeroDivisionError",
    "import sys; yield sys.exit(0)": "SystemExit",
    "yield 'text'": "something else than its findings",
    "import acme_modelaudit; yield from acme_modelaudit.RULES": "something else",
}


@pytest.mark.parametrize("body", CRASHING, ids=range(len(CRASHING)))
def test_a_rule_that_crashes_is_named_and_costs_no_other(example, tmp_path, body):
    declare(
        example,
        "rules",
        "import acme_modelaudit\nfrom modelaudit.structs import replace\n"
        f"def check(rule, facts):\n    {body}\n"
        "VALUE = (replace(acme_modelaudit.RULES[0], code='MINE001', name='mine', check=check),)\n",
    )
    row = scanned(files.minimal_h5(tmp_path / "a.h5"))
    assert row["verdict"] == "incomplete"
    assert "Rule MINE001 failed to run" in row["reason"]
    assert "plug-in mine of made 1.2" in row["reason"]
    assert CRASHING[body] in row["reason"]
    assert row["unanswered"].count("MINE001") == 1
    assert "ACME101" not in row["unanswered"]


ACME = b"ACMEWTS1" + struct.pack("<HI", 1, 2) + b"w" + struct.pack("<2f", 1.5, 2.5)


def test_a_file_of_a_plugin_s_format_is_found_and_read(example, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "a.acme").write_bytes(ACME)
    (folder / "half.acme").write_bytes(ACME[:-3])
    out = tmp_path / "out"
    code, shown = run("audit", "--no-probe", folder, "-o", out, "-f", "html")
    rows = {row["path"]: row for row in json.loads((out / "index.json").read_text())["models"]}
    assert {*rows} == {"a.acme", "half.acme"}
    assert "ends within a vector" in rows["half.acme"]["reason"]
    assert rows["half.acme"]["verdict"] != "pass"
    assert rows["a.acme"]["verdict"] == "incomplete"
    assert "has weights but no layers (the plug-in reads none)" in rows["a.acme"]["reason"]
    (audit,) = out.glob("models/a.acme*/audit.json")
    told = json.loads(audit.read_text())
    assert (told["model"]["format"], told["weights"]["total"]) == ("plugin", 2)
    assert {"MA101"} & {each["code"] for each in told["findings"]} == set()
    assert "ACME101" in told["passed"]
    assert code in {1, 3}, shown


def test_without_the_plugin_the_file_is_none(packages, tmp_path):
    (tmp_path / "a.acme").write_bytes(ACME)
    assert run("scan", tmp_path / "a.acme")[0] in {3, 4}


READERS = {"1 / 0": "ZeroDivisionError", "exit(0)": "SystemExit", "'x'": "returned str"}


@pytest.mark.parametrize("body", READERS)
def test_a_reader_that_crashes_costs_its_model_only(packages, tmp_path, body):
    declare(
        packages,
        "formats",
        "from modelaudit.plugins import PluginFormat\n"
        f"VALUE = PluginFormat('mine', (b'MINE',), lambda path, limits: {body})\n",
    )
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "a.mine").write_bytes(b"MINE")
    files.minimal_h5(folder / "b.h5")
    rows = {row["path"]: row for row in json.loads(run("scan", folder, "--json")[1])}
    assert rows["a.mine"]["verdict"] != "pass"
    assert "the plug-in mine" in rows["a.mine"]["reason"]
    assert READERS[body] in rows["a.mine"]["reason"]
    assert rows["b.h5"]["verdict"] == "pass"


@pytest.mark.parametrize("magic", [(), (b"abc",), (b"x" * 65,), (b"\x89HDF",), (b"ACMEWTS1x",)])
def test_a_format_does_not_take_the_files_of_another(example, magic):
    source = (
        "from modelaudit.plugins import PluginFormat\n"
        f"VALUE = PluginFormat('mine', {magic!r}, print)\n"
    )
    declare(example, "formats", source)
    (found,) = [each for each in loading.load() if each.name == "mine"]
    assert found.problem.startswith("ValueError")


def test_a_report_that_crashes_is_named(packages, tmp_path):
    declare(
        packages,
        "reports",
        "from modelaudit.plugins import ReportFormat\n"
        "def render(job):\n    raise KeyError('x')\n"
        "VALUE = ReportFormat('mine', 'mine.txt', 'text/plain', 'us', lambda: render)\n",
    )
    model = files.minimal_h5(tmp_path / "a.h5")
    code, said = run("audit", "--no-probe", model, "-o", tmp_path / "out", "-f", "mine")
    assert (code, "plug-in mine of made 1.2: KeyError: 'x'" in said) == (2, True)


def test_nothing_is_loaded_from_the_audited_directory(example, tmp_path, monkeypatch, capfd):
    """Neither a declaration in it, nor a module with the name of an installed plug-in."""
    tree = tmp_path / "tree"
    tree.mkdir()
    model = files.minimal_h5(tree / "a.h5")
    mark = tree / "loaded"
    declare(tree, "rules", f"open({str(mark)!r}, 'w')\nVALUE = ()\n")
    (tree / "acme_modelaudit.py").write_text(f"open({str(mark)!r}, 'w')\nRULES = CSV = None\n")
    monkeypatch.chdir(tree)
    for first in ("", str(tree)):  # of `python -c` and of `python -m`
        monkeypatch.setattr(sys, "path", [first, *sys.path])
        monkeypatch.setattr(loading, "_loaded", [])
        loading.load.cache_clear()
        monkeypatch.setattr(catalogue, "_added", [])
        monkeypatch.setattr(plugin_formats, "_added", [])
        registry.FORMATS.pop("acme-csv", None)
        sys.modules.pop("acme_modelaudit", None)
        run_main(monkeypatch, "scan", model, "--json")
        assert json.loads(capfd.readouterr().out)[0]["verdict"] == "pass"
        assert {each.name for each in loading.loaded()} == {*("acme", "acme-csv", "acme-weights")}
    assert not mark.exists()


def test_another_version_of_a_plugin_is_another_audit(example, monkeypatch):
    loading.load()
    before = catalogue.plugin_sources()
    monkeypatch.setattr(loading, "_loaded", [])
    loading.load.cache_clear()
    monkeypatch.setattr(catalogue, "_added", [])
    monkeypatch.setattr(catalogue, "_sources", [])
    monkeypatch.setattr(plugin_formats, "_added", [])
    registry.FORMATS.pop("acme-csv")
    del sys.modules["acme_modelaudit"]
    with (example / "acme_modelaudit.py").open("a") as source:
        source.write("# changed\n")
    loading.load()
    assert catalogue.plugin_sources() != before


@pytest.mark.slow
def test_the_example_s_own_tests_pass():
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=EXAMPLE,
        env={"PYTHONPATH": f"{EXAMPLE}:{ROOT}", "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        timeout=120,
    )
