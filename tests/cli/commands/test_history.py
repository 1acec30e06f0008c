"""`modelaudit history`: runs and models over time."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from modelaudit import clock
from modelaudit.changes.audit_change import (
    FindingChange,
    FindingChangeKind,
    VersionChange,
    WeightAdded,
)
from modelaudit.cli import terminal
from modelaudit.cli.history_text import as_text, entry_json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.registry.output_directory import locked
from modelaudit.runs.timeline import HistoryEntry, first_sections
from modelaudit.store.records import AuditRecord, ModelKey, RunState
from modelaudit.store.store import Store
from modelaudit.structs import replace
from tests.made import files
from tests.rows import row
from tests.runs.nights import audits, invoke, later, nightly, scale

FINDING = Finding("MA100", "n", Severity.HIGH, Confidence.HIGH, "title", "detail")


@pytest.fixture(scope="module")
def three_nights(tmp_path_factory):
    """The same, made once: no test changes it."""
    root = tmp_path_factory.mktemp("nights")
    models = root / "models"
    models.mkdir()
    files.minimal_h5(models / "a.h5")
    files.minimal_keras(models / "b.keras")
    night = ("nightly", models, "--no-probe", "-f", "json", "--out", root / "out")
    with pytest.MonkeyPatch.context() as patch:
        later(patch)
        assert invoke(*night).exit_code == 0
        scale(models / "a.h5")
        assert invoke(*night).exit_code == 0
        shutil.copy(files.truncated_h5(root), models / "a.h5")
        assert invoke(*night).exit_code == 1
    return models, root / "out"


@pytest.fixture
def nights(three_nights):
    """Three nightly runs of two models, one of them scaled, then truncated; registry and output."""
    return three_nights


def test_runs_of_a_registry(nights):
    models, out = nights
    rows = json.loads(invoke("history", out, "--json").stdout)
    assert [row["run"] for row in rows] == [1, 2, 3]
    assert [row["audited"] for row in rows] == [2, 1, 1]
    assert [row["verdicts"]["fail"] for row in rows] == [0, 0, 1]
    assert {row["registry"] for row in rows} == {str(models)}
    lines = invoke("history", out).stdout.splitlines()
    assert lines[0] == str(models)
    assert len(lines) == 6
    assert lines[1].split() == [
        *("run", "started", "(UTC)", "state", "models", "fail", "incomplete", "warn", "pass"),
        *("audited", "seconds"),
    ]
    assert lines[-2].split()[3:9] == ["reported", "2", "1", "0", "0", "1"]
    assert lines[-1] == "last 3 runs: fail 0 → 0 → 1, pass 2 → 2 → 1"
    assert len(invoke("history", out, "-n", "1").stdout.splitlines()) == 3  # no trend for one run


@pytest.mark.parametrize(
    ("width", "began"), [(80, "2026-03-01 02:00"), (120, "2026-03-01 02:00:00")]
)
def test_runs_fit_the_terminal(tmp_path, monkeypatch, width, began):
    monkeypatch.setattr(terminal, "columns", lambda: width)
    with Store.open(tmp_path) as store:
        for number in range(12):
            run = store.begin("/m", "nightly", "tool", "rules", "2026-03-01T02:00:00Z")
            for index, verdict in enumerate(("fail", "incomplete", "warn", "pass") * 30):
                if index % (number + 3):
                    kept = AuditRecord(row(str(index), verdict), b"")
                    store.add(run, ModelKey("/m", str(index)), kept)
            state = RunState.REPORTED if number else RunState.INTERRUPTED
            store.finish(run, state, finished="", seconds=8000, exit_code=0)
    said = invoke("history", tmp_path).stdout
    assert max(map(len, said.splitlines())) < width
    assert began in said
    *_, shown, fail, incomplete, warn, passed = said.splitlines()
    assert shown == "last 10 runs:"
    assert [line.split()[0] for line in (fail, incomplete, warn, passed)] == [
        "fail",
        "incomplete",
        "warn",
        "pass",
    ]


def test_the_history_of_a_model(nights):
    _, out = nights
    audits = json.loads(invoke("history", out, "a.h5", "--json").stdout)
    assert [audit["verdict"] for audit in audits] == ["pass", "pass", "fail"]
    assert audits[0]["changes"] == []
    assert audits[1]["changes"] == ["weights: model_weights/dense/dense/kernel:0: scaled by 2"]
    assert any(change.startswith("findings: new: MA1") for change in audits[2]["changes"])
    text = invoke("history", out, "a.h5").stdout
    assert "dense/kernel:0: scaled by 2" in text
    unchanged = invoke("history", out, "b.keras").stdout.splitlines()
    assert len(unchanged) == 3  # its name, its only audit, and for how long the result was valid
    assert unchanged[2].startswith("    unchanged in 2 more runs, until 2")
    assert [line.split("  ")[-1] for line in text.splitlines() if line.startswith("2")] == [
        *["MA204 saved-by-vulnerable-keras (info)"] * 2,
        "MA102 truncated-file (high)",
    ]


def test_equal_audits_are_shown_once(sound, tmp_path):
    out = tmp_path / "out"
    for _ in range(3):
        assert invoke("audit", sound, "--no-probe", "-f", "json", "--out", out).exit_code == 0
    (audit,) = audits(out, "a.h5")
    assert (audit["runs"], audit["run"]) == (3, 1)


@pytest.fixture
def night(models, tmp_path):
    """A nightly run over a truncated model and others, with settings in TOML."""
    config = tmp_path / "modelaudit.toml"

    def run(settings=""):
        config.write_text(settings)
        words = ["--config", config, "nightly", models, "--no-probe", "-f", "json"]
        assert invoke(*words, "--out", tmp_path / "out").exit_code in (0, 1)

    return run


def test_reasons_for_another_verdict_on_the_same_bytes(night, tmp_path, monkeypatch):
    waiver = '[[ignore]]\nrule = "MA102"\nreason = "known"\nexpires = 2026-03-01\n'
    for day in ("02-01", "03-02"):
        monkeypatch.setattr(clock, "utc_now", lambda day=day: f"2026-{day}T02:00:00Z")
        night(waiver)
    night(waiver + '[[policy]]\npath = "*"\n[policy.severity]\nMA102 = "low"\n')
    first, second, third = audits(tmp_path / "out", "truncated.h5")
    assert first["because"] == []
    assert second["because"] == ["a waiver expired on 2026-03-01"]
    assert "findings: no longer waived: MA102 truncated-file" in second["changes"]
    assert third["because"] == [
        "the settings, files that they name, or files next to the model changed"
    ]
    assert "findings: MA102 truncated-file: high -> low" in third["changes"]
    said = invoke("history", tmp_path / "out", "truncated.h5").stdout
    assert "    same file; a waiver expired on 2026-03-01\n" in said


@pytest.mark.slow
@pytest.mark.parametrize("asked", [os.fsdecode(b"v\xff.h5"), "v\\xff.h5"])
def test_a_name_that_is_not_utf_8_is_found_raw_or_as_shown_in_reports(
    modelaudit, sound, tmp_path, asked
):
    (sound / "a.h5").rename(sound / os.fsdecode(b"v\xff.h5"))
    assert modelaudit("audit", sound, "--no-probe", "-f", "json", "--out", "out").returncode == 0
    done = modelaudit("history", "out", asked, "--json")
    assert done.returncode == 0, done.stderr
    (audit,) = json.loads(done.stdout)
    assert audit["path"] == "v\\xff.h5"
    other = modelaudit("history", "out", os.fsdecode(b"\xfe.h5"))
    assert (other.returncode, other.stdout) == (2, "")
    assert "no run has audited a model called" in other.stderr


@pytest.mark.parametrize("asked", ["line\nbreak.h5", "line\\x0abreak.h5"])
def test_a_name_is_found_raw_or_as_printed(sound, tmp_path, asked):
    out = tmp_path / "out"
    (sound / "a.h5").rename(sound / "line\nbreak.h5")
    printed = invoke("audit", sound, "--no-probe", "-f", "json", "--out", out).stdout
    assert "line\\x0abreak.h5" in printed
    assert [audit["path"] for audit in audits(out, asked)] == ["line\nbreak.h5"]
    # An exact match has priority.
    (sound / "b.keras").rename(sound / "line\\x0abreak.h5")
    assert invoke("audit", sound, "--no-probe", "-f", "json", "--out", out).exit_code == 0
    assert [audit["path"] for audit in audits(out, asked)] == [asked]


@pytest.mark.parametrize("asked", ["x\\x0a.h5", "x\n.h5"])
def test_an_unknown_model_is_reported_by_its_printed_name(nights, asked):
    said = str(invoke("history", nights[1], asked).exception)
    assert said == "no run has audited a model called 'x\\x0a.h5'"


def test_no_finding_is_hidden_behind_other_changes():
    found = [
        FindingChange(FindingChangeKind.NEW, replace(FINDING, code=f"MA{number}"))
        for number in range(100, 140)
    ]
    others = [WeightAdded(f"kernel {number}") for number in range(30)]
    entry = HistoryEntry(
        run=1,
        runs=1,
        started="2026-01-01T00:00:00Z",
        until="2026-01-01T00:00:00Z",
        model=ModelKey("/m", "a"),
        row=row("a", "fail"),
        changes=first_sections([*others, VersionChange("keras", None, "3.0"), *found]),
        because=(),
        renamed_from="",
        left=None,
    )
    lines = as_text([entry]).splitlines()
    shown = entry_json(entry)["changes"][: 40 + 1 + 8]
    assert [line.strip() for line in lines[2:-1]] == shown
    assert shown[39:42] == [
        "findings: new: MA139 n",
        "versions: keras: not named became 3.0",
        "weights: kernel 0: added",
    ]
    assert lines[-1] == "    and 22 more (--json lists them all)"


def test_values_missing_from_the_file_are_not_shown(tmp_path, monkeypatch):
    later(monkeypatch)
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(files.truncated_h5(tmp_path), models / "a.h5")
    nightly(models, code=1)
    files.minimal_h5(models / "a.h5")
    nightly(models)
    told = audits(tmp_path / "out", "a.h5")[-1]["changes"]
    assert any(each.startswith("versions: ") and "not named became" in each for each in told)
    assert "None" not in "".join(told)
    sections = [each.partition(":")[0] for each in told]
    first = [section for section in sections if section in {"findings", "versions"}]
    assert sections[: len(first)] == sorted(first)


def test_a_killed_run_is_shown_as_aborted(sound, tmp_path):
    out = tmp_path / "out"
    with locked(out), Store.open(out) as store:
        store.begin(str(sound), "nightly", "tool", "rules", "2026-03-01T02:00:00Z")
        assert json.loads(invoke("history", out, "--json").stdout)[0]["state"] == "running"
    assert json.loads(invoke("history", out, "--json").stdout)[0]["state"] == "aborted"
    assert "  aborted  " in invoke("history", out).stdout
    with locked(out), Store.open(out) as store:
        run = store.begin(str(sound), "nightly", "tool", "rules", "2026-03-02T02:00:00Z")
        rows = json.loads(invoke("history", out, "--json").stdout)
        assert [row["state"] for row in rows] == ["aborted", "running"]
        store.finish(run, RunState.INTERRUPTED, finished="", seconds=1, exit_code=130)
    rows = json.loads(invoke("history", out, "--json").stdout)
    assert [row["state"] for row in rows] == ["aborted", "interrupted"]


def test_missing_directories_and_models_are_errors(nights, tmp_path):
    _, out = nights
    assert "no run has audited" in str(invoke("history", out, "c.h5").exception)
    (tmp_path / "empty").mkdir()
    assert "no history found" in str(invoke("history", tmp_path / "empty").exception)


def test_the_number_of_kept_runs_is_limited(sound, tmp_path):
    out, config = tmp_path / "kept", tmp_path / "modelaudit.toml"
    config.write_text("[nightly]\nkeep = 2\n")
    words = ["--config", config, "nightly", sound, "--no-probe", "-f", "json", "--out", out]
    for number in range(4):
        if number == 1:
            (sound / "a.h5").rename(sound / "c.h5")
        assert invoke(*words).exit_code == 0
    rows = json.loads(invoke("history", out, "--json").stdout)
    assert [(row["run"], row["models"]) for row in rows] == [(3, 2), (4, 2)]
    (sound / "b.keras").rename(sound / "d.keras")
    assert invoke(*words).exit_code == 0
    # b.keras is in run 4, which is kept; a.h5 was in runs 1 and 2 only
    assert {path.name for path in (out / "models").iterdir()} == {"b.keras", "c.h5", "d.keras"}
    assert len(list((out / "runs").iterdir())) == 2
    assert (out / "latest" / "index.html").is_file()


def test_values_that_were_not_read_have_not_changed(sound):
    """A half-copied file: its audit has no weights, so none is reported as removed or added."""
    out = sound.parent / "out"
    night = ("nightly", sound, "--no-probe", "-f", "json", "--out", out)
    whole = (sound / "a.h5").read_bytes()
    assert invoke(*night).exit_code == 0
    for data in (whole[:3000], whole[:3000], whole):
        (sound / "a.h5").write_bytes(data)
        invoke(*night)
    _, half, damaged, _ = audits(out, "a.h5")
    assert (half["verdict"], half["changes"], half["because"]) == ("incomplete", [], [])
    assert (damaged["changes"], damaged["because"]) == ([], ["the model was fully audited"])
    assert (
        "\n    Partially audited: a.h5: it is incomplete" in invoke("history", out, "a.h5").stdout
    )
