"""The light installation: what works without the packages of `tf-modelaudit`, and what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.cli import cli
from modelaudit.errors import MissingPackage
from modelaudit.report.export.registry import DEFAULT, FORMATS, default_formats
from modelaudit.settings import installation

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MODEL = str(SAMPLES / "digits_robust.keras")
PROBE = "modelaudit: running models needs tensorflow, which is not installed: pip install"
# Runs each list of arguments where the packages of the full installation cannot be imported.
LIGHT = """
import contextlib, io, json, sys
from importlib.machinery import PathFinder

class Rest:
    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in ABSENT
        return None if absent else PathFinder.find_spec(name, path, target)

ABSENT, COMMANDS = json.loads(sys.argv[1])
sys.meta_path[sys.meta_path.index(PathFinder)] = Rest()
from modelaudit.cli import main

def run(words):
    sys.argv, out, said = ["modelaudit", *words], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as ended:
            return [int(ended.code), out.getvalue(), said.getvalue()]

print(json.dumps([run(words) for words in COMMANDS]))
"""
ABSENT = [
    *("tensorflow", "keras", "tf_keras", "scipy", "matplotlib", "weasyprint", "pydyf", "PIL"),
    *("rich", "pandas"),
]


@pytest.fixture
def light(monkeypatch):
    monkeypatch.setattr(
        installation, "find_spec", lambda name: None if name in ABSENT else os.__spec__
    )


def run_light(*commands: list[str]) -> list[tuple[int, str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, json.dumps([ABSENT, commands])],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [tuple(each) for each in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.slow
def test_reading_judging_and_reporting_need_only_the_core(tmp_path):
    other, repaired = str(SAMPLES / "digits_noaug.h5"), str(tmp_path / "new.h5")
    out = tmp_path / "out"
    audit = str(out / "models" / "digits_robust.keras" / "audit.json")
    formats = [name for name in FORMATS if name != "pdf"]
    old = str(SAMPLES / "teachable_digits")
    ran = run_light(
        ["scan", MODEL],
        ["inspect", MODEL],
        ["audit", "--no-probe", MODEL, "-o", str(out)],
        *(["render", audit, "-f", f"{name}={tmp_path / name}"] for name in formats),
        ["explain", "--no-probe", MODEL],
        ["diff", "--no-probe", MODEL, other],
        ["repair", "--no-probe", old, "--for", "tf==2.21", "--out", repaired],
        ["doctor", "--json"],
    )
    assert [code for code, _, _ in ran] == [0] * (len(ran) - 3) + [1, 0, ran[-1][0]]
    assert "no PDF reports, which need weasyprint: pip install tf-modelaudit" in ran[2][2]
    assert sorted(path.name for path in Path(audit).parent.iterdir()) == [
        "audit.json",
        "report.html",
    ]
    assert all((tmp_path / name).stat().st_size for name in formats)
    assert Path(repaired).exists()


@pytest.mark.slow
def test_running_models_says_in_one_line_what_adds_it(tmp_path):
    out = ["--out", str(tmp_path / "out.h5")]
    ran = run_light(
        ["audit", MODEL, *out],
        ["nightly", str(SAMPLES), *out],
        ["explain", MODEL],
        ["diff", MODEL, str(SAMPLES / "digits_noaug.h5")],
        ["repair", MODEL, "--for", "tf==2.15", *out],
    )
    for code, shown, said in ran:
        assert (code, shown) == (2, "")
        assert said.startswith(PROBE)
        assert "--no-probe" in said
        assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("light")
def test_a_pdf_that_was_asked_for_is_an_error(tmp_path):
    with pytest.raises(
        MissingPackage, match=r"pdf reports need weasyprint, .*: pip install tf-mod"
    ):
        cli.main(["audit", MODEL, "-f", "pdf", "-o", str(tmp_path)], standalone_mode=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("light")
def test_default_formats_are_those_that_can_be_written():
    assert default_formats() == tuple(name for name in DEFAULT if name != "pdf")


@pytest.mark.usefixtures("light")
def test_a_record_has_no_alternative_to_running_the_model():
    with pytest.raises(MissingPackage, match=r"tensorflow, .*: pip install tf-modelaudit$"):
        cli.main(["record", MODEL], standalone_mode=False)


@pytest.mark.usefixtures("light")
def test_the_core_is_removed_before_the_full_distribution_has_the_same_files(monkeypatch):
    core = "tf-modelaudit-core"
    monkeypatch.setattr(installation, "version", lambda name: "1.0" * (name == core))
    with pytest.raises(MissingPackage, match=f"pip uninstall {core} && pip install tf-modelaudit"):
        installation.require(["tensorflow"], "this needs")


def test_a_folder_with_the_name_of_a_package_is_not_the_package(tmp_path, monkeypatch):
    (tmp_path / "made_up_package").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert installation.missing(["json", "made_up_package"]) == "made_up_package"


def test_the_full_installation_lacks_nothing():
    assert default_formats() == DEFAULT
    installation.require((*installation.RUNS_MODELS, *installation.WRITES_PDF), "this needs")
