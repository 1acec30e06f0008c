"""`modelaudit diff` of two runs, as users run it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from modelaudit.cli.terminal import path_differences
from tests.command_line import run_command as modelaudit
from tests.made.files import minimal_h5

GONE, NEW = "gone.h5", "fresh one.h5"


def audit(models: Path, out: Path) -> Path:
    done = modelaudit("audit", "--no-probe", models, "--out", out, "-f", "html", "-q")
    assert (out / "index.json").is_file(), done.stderr
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs A and B; in between one model was truncated, one added and one removed."""
    folder = tmp_path_factory.mktemp("runs")
    models = folder / "models"
    models.mkdir()
    for name in ("same.h5", "cut.h5", GONE):
        minimal_h5(models / name)
    audit(models, folder / "A")
    whole = (models / "cut.h5").read_bytes()
    (models / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (models / GONE).rename(models / NEW)
    audit(models, folder / "B")
    return folder


def codes(out: Path, model: str) -> set[str]:
    rows = json.loads((out / "index.json").read_text())["models"]
    (row,) = [row for row in rows if row["path"] == model]
    return set(row["codes"])


@pytest.mark.parametrize(
    ("old", "new"),
    [("A", "B"), ("A/index.json", "B/index.json"), ("A/latest", "B"), ("A", "B/index.json")],
)
def test_two_runs_as_text(runs: Path, old: str, new: str) -> None:
    done = modelaudit("diff", runs / old, runs / new)
    assert done.returncode == 1, done.stderr
    assert "3 models changed, 1 unchanged" in done.stdout
    assert re.search(r"-> FAIL  cut\.h5", done.stdout)
    came = codes(runs / "B", "cut.h5") - codes(runs / "A", "cut.h5")
    assert came
    assert all(f"{code} " in done.stdout for code in came)
    assert str(runs / "B/models/cut.h5/report.html") in done.stdout
    assert "same.h5" not in done.stdout


def test_two_runs_as_json(runs: Path) -> None:
    done = modelaudit("diff", "--json", runs / "A", runs / "B")
    found = json.loads(done.stdout)
    assert (done.returncode, found["equal"], found["same"]) == (1, False, 1)
    kinds = {each["path"]: each["kind"] for each in found["models"]}
    assert kinds == {"cut.h5": "verdict", NEW: "new", GONE: "gone"}
    (cut,) = [each for each in found["models"] if each["path"] == "cut.h5"]
    # A damaged file has not lost its other faults: they were not checked.
    for ways, (one, other) in {
        ("appeared",): ("B", "A"),
        ("vanished", "unchecked"): ("A", "B"),
    }.items():
        told = {each.split()[0] for way in ways for each in cut[way]}
        assert told == codes(runs / one, "cut.h5") - codes(runs / other, "cut.h5")
    same = modelaudit("diff", "--json", runs / "A", runs / "A/index.json")
    assert (same.returncode, json.loads(same.stdout)["models"]) == (0, [])


def test_the_page_leads_to_the_reports_of_both_runs(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "page.html"
    page.parent.mkdir()
    done = modelaudit("diff", runs / "A", runs / "B", "--html", page)
    assert "cut.h5" in done.stdout
    links = re.findall(r'href="([^#"]+)"', page.read_text())
    files = {(page.parent / unquote(link)).resolve() for link in links}
    expected = [runs / "A/models/cut.h5", runs / "B/models/cut.h5", runs / "A/models" / GONE]
    assert {file for file in files if NEW[:5] not in str(file)} == {
        folder.resolve() / "report.html" for folder in expected
    }
    assert len(files) == 4
    assert all(file.is_file() for file in files)


@pytest.mark.slow
def test_a_report_that_a_later_run_replaced_is_not_linked(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(runs / "A", out, symlinks=True)
    (old,) = (out / "runs").iterdir()
    audit(runs / "models", out)
    done = modelaudit("diff", "--json", old, out)
    (cut,) = [each for each in json.loads(done.stdout)["models"] if each["path"] == "cut.h5"]
    assert cut["old"]["report"] == ""
    assert cut["new"]["report"] == str((out / "models/cut.h5/report.html").resolve())
    came = codes(out, "cut.h5") - codes(runs / "A", "cut.h5")
    assert {each.split()[0] for each in cut["appeared"]} == came


@pytest.mark.parametrize("other", ["models/same.h5", "A/models/same.h5/audit.json", "models"])
def test_a_run_compared_with_something_else_is_a_usage_error(runs: Path, other: str) -> None:
    for pair in ((runs / "B", runs / other), (runs / other, runs / "B/index.json")):
        done = modelaudit("diff", "--no-probe", *pair)
        assert done.returncode == 2
        assert "is a run and" in done.stderr
        assert "Error(" not in done.stderr


@pytest.mark.slow
def test_custom_templates_are_used_and_checked(runs: Path, tmp_path: Path) -> None:
    mine, page = tmp_path / "mine", tmp_path / "page.html"
    mine.mkdir()
    (mine / "comparison.html.j2").write_text("<h1>Acme</h1>{{ page.lead }}")
    done = modelaudit("diff", runs / "A", runs / "B", "--html", page, "--templates", mine)
    assert done.returncode == 1, done.stderr
    assert page.read_text() == "<h1>Acme</h1>3 models changed. Unchanged: 1 model."
    files = [runs / side / "models/same.h5/audit.json" for side in "AB"]
    modelaudit("diff", *files, "--html", page, "--templates", mine)
    assert page.read_text().startswith("<h1>Acme</h1>")
    (mine / "comparision.html.j2").write_text("")
    out = tmp_path / "out"
    for command in (
        ["diff", *files, "--html", page],
        ["audit", runs / "models", "-f", "json", "--out", out],
    ):
        done = modelaudit(*command, "--templates", mine)
        assert done.returncode == 2
        assert "did you mean comparison.html.j2" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("A/models/m/audit.json", "B/models/m/audit.json", ("A", "B")),
        ("out/runs/1/index.json", "out/runs/2/index.json", ("1", "2")),
        ("A/models/m/audit.json", "B/models/n/audit.json", ("A/models/m", "B/models/n")),
        ("m.h5", "n.h5", ("m.h5", "n.h5")),
        ("m.h5", "old/m.h5", ("m.h5", "old/m.h5")),
        ("A", "A", ("A", "A")),
        ("/srv/A/x", "B/x", ("/srv/A", "B")),
    ],
)
def test_paths_are_distinguished(old: str, new: str, parts: tuple[str, str]) -> None:
    assert path_differences(Path(old), Path(new)) == parts


@pytest.mark.parametrize(
    "link", ["/dev/full", "../outside/audit.json", "fifo", "a\0b", "\ud800", "x" * 5000]
)
def test_an_index_links_only_to_its_own_reports(runs: Path, tmp_path: Path, link: object) -> None:
    foreign, outside = tmp_path / "reports", tmp_path / "outside"
    shutil.copytree(runs / "A", foreign, symlinks=True)
    outside.mkdir()
    shutil.copy(runs / "A/models/cut.h5/audit.json", outside)
    os.mkfifo(foreign / "fifo")
    index = json.loads((foreign / "index.json").read_text())
    for row in index["models"]:
        row["links"] = {"json": link}
    (foreign / "index.json").write_text(json.dumps(index))
    done = modelaudit("diff", foreign, runs / "B")
    assert done.returncode == 1, done.stderr
    assert "3 models changed, 1 unchanged" in done.stdout
    assert "old report" not in done.stdout
    assert "new report" in done.stdout


def test_an_index_that_is_malformed_is_named_with_the_place(runs: Path, tmp_path: Path) -> None:
    index = json.loads((runs / "A" / "index.json").read_text())
    index["models"][0]["links"] = {"json": 7}
    (tmp_path / "index.json").write_text(json.dumps(index))
    done = modelaudit("diff", tmp_path, runs / "B")
    assert done.returncode == 2
    assert f"{tmp_path / 'index.json'}: not a valid run index: Expected `str`" in done.stderr
