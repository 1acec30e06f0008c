"""Exit codes: one for every combination of results, and a sentence for every usage error."""

from __future__ import annotations

import itertools
import json
import zipfile

import pytest

from modelaudit.exit_codes import worst
from tests.made import files
from tests.rows import row

CODES = (130, 70, 2, 75, 1, 3, 4, 0)  # by precedence, as in the README


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_worst_code_wins_in_every_order(size):
    for codes in itertools.permutations(CODES, size):
        assert worst(codes) == min(codes, key=CODES.index)


def test_nothing_is_ok():
    assert worst([]) == 0


def test_sound_models_end_with_0(modelaudit, sound):
    done = modelaudit("scan", sound)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[2:] == [
        "2 models: 2 pass; no other files skipped",
        "2 models have the same weights in different files: a.h5, b.keras",
        "1 saved by Keras 3, 1 by an older Keras: a.h5",
    ]


def test_a_failing_model_ends_with_1(modelaudit, models):
    done = modelaudit("scan", models)
    assert done.returncode == 1
    assert done.stdout.startswith("FAIL  truncated.h5")


@pytest.mark.slow
def test_fail_on_changes_the_threshold(modelaudit, models):
    rows = json.loads(modelaudit("scan", models, "--json").stdout)
    severities = next(row for row in rows if row["path"] == "truncated.h5")["severities"]
    worst = next(s for s in ("critical", "high", "medium", "low", "info") if severities[s])
    assert worst == "high"
    assert modelaudit("scan", models, "--fail-on", "high").returncode == 1
    # No finding fails it any more, but it still was not read completely.
    assert modelaudit("scan", models, "--fail-on", "critical").returncode in {0, 3}


def test_no_model_ends_with_4(modelaudit, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing here")
    done = modelaudit("scan", tmp_path / "empty")
    said = f"No models found in {tmp_path}/empty; 1 other file skipped\n"
    assert (done.returncode, done.stdout) == (4, said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scan", "nowhere"), "nowhere: no such file, directory or checkpoint prefix"),
        (("scan", "--frobnicate", "."), "No such option"),
        (("scan", "--fail-on", "never", "."), "'never' is not one of"),
        (("scan",), "Missing argument 'PATHS"),
        (("frobnicate",), "No such command"),
        (("scna", "."), "Did you mean scan?"),
        ((".",), "To audit it: modelaudit audit '.'"),
        (("audit", "-f", "docx", "."), "unknown format 'docx'; choose from html, pdf, json"),
        (("audit", "-f", "pdf=x.pdf", "."), "pdf is written per model"),
        (("rules", "MA999"), "unknown rule 'MA999'"),
        (("audit", "--jobs", "0", "."), "0 is not in the range"),
        (("audit", "--timeout", "nan", "."), "--timeout must be a number of seconds"),
        (("audit", "--timeout", "inf", "."), "inf is not in the range"),
        (("audit", "--memory", "9" * 15, "."), "is not in the range"),
        (("render", "nowhere.json", "-f", "html"), "'nowhere.json' does not exist"),
    ],
)
def test_impossible_requests_are_reported_in_a_sentence(modelaudit, arguments, said):
    done = modelaudit(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_variables_set_options_and_options_win(modelaudit, models):
    strict = {"MODELAUDIT_FAIL_ON": "critical"}
    assert modelaudit("scan", models, env=strict).returncode != 1
    assert modelaudit("scan", models, "--fail-on", "high", env=strict).returncode == 1
    assert modelaudit("scan", models, env={"MODELAUDIT_QUIET": "1"}).stdout == ""
    done = modelaudit("scan", models, env={"MODELAUDIT_FAIL_ON": "sometimes"})
    assert done.returncode == 2


@pytest.mark.slow
def test_an_output_that_cannot_be_written_is_reported_before_the_run(modelaudit, sound, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        done = modelaudit("audit", sound, "--no-probe", "--out", out)
        assert done.returncode == 2
        assert str(out) in done.stderr
        assert ("is a file" if out.exists() else "cannot write to") in done.stderr
    done = modelaudit("scan", sound, "--log-file", tmp_path / "file" / "log")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot write to" in done.stderr


def test_a_run_locks_its_output(modelaudit, sound, tmp_path):
    from modelaudit.registry.output_directory import locked

    with locked(tmp_path / "out"):
        done = modelaudit("audit", sound, "--no-probe", "--out", tmp_path / "out")
    assert done.returncode == 75
    assert "another run is writing to it" in done.stderr
    again = modelaudit("audit", sound, "--no-probe", "-f", "json", "--out", tmp_path / "out")
    assert again.returncode == 0


def test_a_closed_pipe_does_not_change_the_code(models, tmp_path):
    import subprocess

    from tests.command_line import ROOT, command

    process = subprocess.Popen(
        command("scan", models), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert (process.stderr.read(), process.wait(60)) == (b"", 1)


def test_quiet_prints_nothing_and_the_log_has_one_line_per_model(modelaudit, models, tmp_path):
    log = tmp_path / "log.jsonl"
    done = modelaudit("scan", models, "--quiet", "--log-file", log)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["path"]: line["verdict"] for line in lines} == {
        "a.h5": "pass",
        "b.keras": "pass",
        "truncated.h5": "fail",
    }


def test_an_unreadable_directory_makes_a_run_incomplete(tmp_path):
    from modelaudit.runs.found_models import find_models
    from modelaudit.runs.scan import exit_code
    from modelaudit.settings import Limits, Settings

    for name in ("a", "b", "c"):
        files.minimal_h5(tmp_path / f"{name}.h5")
    found = find_models((tmp_path,), Settings(limits=Limits(files=2)))
    assert found.problems
    code, reasons = exit_code([row("a.h5")], found)
    assert code == 3
    assert "not searched" in reasons[0]


def test_rows_as_json_leave_nothing_unsaid(modelaudit, tmp_path):
    """What could not be audited has no row, so it is on standard error; the array is whole."""
    (tmp_path / "models").mkdir()
    with zipfile.ZipFile(tmp_path / "models" / "broken.zip", "w") as archive:
        archive.writestr("m.h5", b"x" * 100)
    data = (tmp_path / "models" / "broken.zip").read_bytes()
    (tmp_path / "models" / "broken.zip").write_bytes(data[:-10])
    done = modelaudit("scan", tmp_path / "models", "--json")
    assert json.loads(done.stdout) == []
    assert "not audited: broken.zip" in done.stderr
    assert done.returncode == 3
    assert modelaudit("scan", tmp_path / "models", "--json", "--quiet").stderr == ""
