"""Complete runs: nothing is missing or partial, and one bad model affects only its row."""

from __future__ import annotations

import faulthandler
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from modelaudit.runs import batch
from modelaudit.runs.found_models import find_models
from modelaudit.runs.progress import Progress
from modelaudit.runs.scan import audit_with_progress, exit_code
from modelaudit.settings import Limits, ProbeSettings, Settings
from modelaudit.store.records import RunState
from modelaudit.store.store import Store
from tests.command_line import ROOT, SAMPLES, command
from tests.made import files

CREATED = "2026-01-02T03:04:05Z"


def test_reports_of_a_run(modelaudit, models, tmp_path):
    out = tmp_path / "out"
    formats = ("json", "sarif", "junit", f"markdown={tmp_path / 'summary.md'}")
    chosen = [word for name in formats for word in ("-f", name)]
    done = modelaudit("audit", models, "--no-probe", "--out", out, *chosen)
    assert done.returncode == 1, done.stderr
    index = json.loads((out / "index.json").read_text())
    assert index["exit"]["code"] == 1
    assert [row["path"] for row in index["models"]] == ["truncated.h5", "a.h5", "b.keras"]
    for row in index["models"]:
        audit = json.loads((out / row["links"]["json"]).read_text())
        assert (audit["model"]["path"], audit["verdict"]) == (row["path"], row["verdict"])
    assert (out / "latest" / "index.html").read_text()
    earlier = json.loads((out / "latest" / "index.json").read_text())
    for row in earlier["models"]:  # links of a kept index point to the same reports
        assert (out / "latest" / row["links"]["json"]).resolve().is_file()
    assert json.loads((out / "report.sarif").read_text())["version"] == "2.1.0"
    assert (out / "junit.xml").read_text().startswith("<?xml")
    assert "truncated.h5" in (tmp_path / "summary.md").read_text()


def failures(text):
    return {
        suite.get("name"): int(suite.get("failures"))
        for suite in ET.fromstring(text).iter("testsuite")
    }


@pytest.mark.slow
def test_junit_uses_the_threshold_of_a_policy(modelaudit, models, tmp_path):
    """The threshold is that of each model, also when only its audit file is left."""
    (models / "lab").mkdir()
    shutil.copy(models / "truncated.h5", models / "lab")
    (tmp_path / "modelaudit.toml").write_text(
        '[[policy]]\npath = "lab/*"\nfail_on = "critical"\n'
        '[[policy]]\npath = "a.h5"\nfail_on = "info"\n'
    )
    words = ("audit", models, "--no-probe", "-f", "junit", "--out", tmp_path / "out")
    assert modelaudit(*words).returncode == 1
    counts = failures((tmp_path / "out" / "junit.xml").read_text())
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    verdicts = {row["path"]: row["verdict"] for row in index["models"]}
    assert verdicts["a.h5"] == verdicts["truncated.h5"] == "fail" != verdicts["lab/truncated.h5"]
    assert {path for path, count in counts.items() if count} == {
        path for path, verdict in verdicts.items() if verdict == "fail"
    }
    for row in index["models"][::-1]:
        file = tmp_path / "out" / row["links"]["json"]
        again = modelaudit("render", file, "-f", "junit", env={"MODELAUDIT_FAIL_ON": "info"})
        assert failures(again.stdout) == {row["path"]: counts[row["path"]]}
    loose = modelaudit("render", file, "-f", "junit", "--fail-on", "critical")
    assert failures(loose.stdout) == {row["path"]: 0}


@pytest.mark.slow
def test_reports_inside_the_audited_directory_are_not_audited(modelaudit, models):
    out = models / "reports"
    first = modelaudit("audit", models, "--no-probe", "-f", "json", "-f", "html", "--out", out)
    page = out / "models" / "a.h5" / "report.html"
    assert page.is_file()
    shutil.copy(models / "a.h5", out / "copy.h5")
    second = modelaudit("audit", models, "--no-probe", "-f", "json", "--out", out)
    assert second.stdout == first.stdout
    assert page.is_file()  # it describes this audit
    modelaudit("audit", models, "--no-probe", "-f", "json", "--fail-on", "low", "--out", out)
    assert not page.exists(), "a page of an earlier audit must not pass for one of this"


def said_by_two_runs(models, folder):
    """The audits of two runs with another hash seed, and so another order of sets."""
    for name, seed in (("one", "0"), ("two", "4711")):
        how = ["--no-probe", "-f", "json", "-f", "sarif", "--out", name]
        env = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run(command("audit", models, *how), cwd=folder, env=env, check=False)
    for path in sorted((folder / "one" / "models").rglob("audit.json")):
        twin = folder / "two" / path.relative_to(folder / "one")
        said = [json.loads(each.read_text()) for each in (path, twin)]
        for audit in said:
            del audit["created"], audit["timings"]
        yield [json.dumps(audit) for audit in said]


@pytest.mark.slow
def test_two_runs_give_equal_audits(models, tmp_path):
    said = list(said_by_two_runs(models, tmp_path))
    assert len(said) == 3
    assert all(one == two for one, two in said)


@pytest.mark.slow
def test_two_runs_give_equal_audits_of_tensorflow_s_models(made, tmp_path):
    said = list(said_by_two_runs(made, tmp_path))
    assert len(said) > 15
    assert all(one == two for one, two in said)


def test_names_of_any_kind(modelaudit, tmp_path):
    folder = tmp_path / "names"
    folder.mkdir()
    model = files.minimal_h5(folder / "plain.h5").read_bytes()
    names = [b"\xff\xfe.h5", b"n" * 200 + b".h5", "模型 ü.h5".encode(), b"a\nb\x1b[31m.h5"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(model)
    done = modelaudit("audit", folder, "--no-probe", "-f", "json", "-f", "html", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert len(list((tmp_path / "out" / "models").glob("*/report.html"))) == 5
    paths = {row["path"] for row in json.loads((tmp_path / "out/index.json").read_text())["models"]}
    assert {"\\xff\\xfe.h5", "n" * 200 + ".h5", "模型 ü.h5"} < paths


def test_a_file_that_cannot_be_opened_is_a_row(models, monkeypatch):
    files.minimal_h5(models / "closed.h5").chmod(0)
    for place in (models, *models.parents):  # must be accessible for an unprivileged user
        if place.name.startswith(("models", "test_", "pytest-", "popen-")):
            place.chmod(0o755)
    real = batch.audit_model

    def audit_model(*arguments):
        if os.geteuid() == 0:  # root may open everything
            os.setresuid(65534, 65534, 65534)
        return real(*arguments)

    batch.audit_model(find_models((models / "a.h5",), Settings()).targets[0], Settings(), CREATED)
    monkeypatch.setattr(batch, "audit_model", audit_model)
    found = find_models((models,), Settings())
    done = batch.audit_all(found.targets, Settings(), CREATED)
    rows = {each.target.relative: each.row for each in done}
    assert rows["closed.h5"].exit in {1, 3}
    assert "ermission denied" in rows["closed.h5"].reason
    assert rows["closed.h5"].verdict in {"fail", "incomplete"}
    assert rows["a.h5"].verdict == rows["b.keras"].verdict == "pass"


def test_a_crash_of_the_reader_affects_one_row(models, monkeypatch):
    """Models that kill or block the pipeline become rows; the others are audited."""
    real = batch.audit_model

    def audit_model(target, *arguments):
        if target.relative == "a.h5":
            faulthandler.disable()  # pytest's, which would print a page
            os.kill(os.getpid(), signal.SIGSEGV)
        if target.relative == "b.keras":
            time.sleep(60)
        return real(target, *arguments)

    monkeypatch.setattr(batch, "audit_model", audit_model)
    monkeypatch.setattr(batch, "RENDER_SECONDS", 0.0)
    settings = Settings(limits=Limits(read_seconds=5.0))
    found = find_models((models,), settings)
    done = batch.audit_all(found.targets, settings, CREATED)
    rows = {each.target.relative: each.row for each in done}
    assert sorted(rows) == ["a.h5", "b.keras", "truncated.h5"]
    assert rows["truncated.h5"].verdict == "fail"
    for name, why in (("a.h5", "SIGSEGV"), ("b.keras", "exceeded the time limit")):
        assert rows[name].verdict in {"fail", "incomplete"}
        assert rows[name].exit in {1, 3}
        assert why in rows[name].reason


class Heard(Progress):
    """Records the messages of a run."""

    def __init__(self):
        self.told = []

    def begin(self, models):
        self.told.append(models)

    def advance(self, path):
        self.told.append(path)

    def end(self):
        self.told.append("end")

    def warn(self, text):
        self.told.append(f"warning: {text}")


def test_progress_is_reported_to_a_program(sound):
    heard = Heard()
    settings = Settings(jobs=1, probe=ProbeSettings(enabled=False))
    found = find_models((sound,), settings)
    for done in audit_with_progress(found.targets, settings, CREATED, progress=heard):
        heard.told.append(done.row.verdict)
    assert heard.told == [2, "a.h5", "pass", "b.keras", "pass", "end"]


def test_our_own_bugs_are_distinguished(models, monkeypatch, capfd):
    def audit_model(*_):
        raise RuntimeError("oops")

    monkeypatch.setattr(batch, "audit_model", audit_model)
    found = find_models((models / "a.h5",), Settings())
    heard = Heard()
    done = batch.audit_all(found.targets, Settings(), CREATED, progress=heard)
    rows = [each.row for each in done]
    assert exit_code(rows, found)[0] == 70
    assert "please report" in rows[0].reason
    (warning,) = heard.told
    assert warning.startswith("warning: a.h5: Traceback") and "oops" in warning
    assert capfd.readouterr() == ("", "")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(models, tmp_path, number):
    out = tmp_path / "out"
    slow = "import modelaudit.runs.batch as b, signal, time; real = b.audit_model\n"
    slow += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored after `&`
    slow += "from pathlib import Path; begun = []\n"
    slow += "b.audit_model = lambda *a: begun.append(a) or (\n"
    third = os.fspath(tmp_path / "third")
    slow += f"    len(begun) > 2 and (Path({third!r}).touch(), time.sleep(600)),"
    slow += "    real(*a))[1]\n"
    slow += "from modelaudit.cli import main; main()"
    arguments = command("audit", models, "--no-probe", "--jobs", "1", "-f", "json", "--out", out)
    process = subprocess.Popen(
        [arguments[0], "-c", slow, *arguments[3:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(tmp_path / "third")  # the third model is at work, so the others are done
    os.killpg(process.pid, number)  # like Ctrl-C in a terminal
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, b"")
    said = b"modelaudit: interrupted: 2 of 3 models audited; continue with --resume"
    assert stderr.strip() == said
    index = json.loads((out / "index.json").read_text())
    assert (len(index["models"]), index["missing"], index["exit"]["code"]) == (2, 1, 130)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # no process of the group is left
    with Store.open_to_read(out) as store:  # results are kept, the run is unfinished
        (run,) = store.runs()
        assert run.state is RunState.INTERRUPTED
        assert len(store.results(run.id)) == run.audited == 2
    written = [path for path in (out / "models").rglob("*") if path.is_file()]
    assert written
    for path in written:
        assert json.loads(path.read_text())["model"]


def test_a_second_interrupt_ends_immediately(models, tmp_path):
    """The first waits up to ten minutes for a worker that does not stop; the second does not."""
    out, told = tmp_path / "out", tmp_path / "told"
    stubborn = f"""
import signal, time
from pathlib import Path
import modelaudit.runs.batch as batch
from modelaudit.workers import worker_pool
signal.signal(signal.SIGINT, signal.default_int_handler)
worker_pool.STOP_SECONDS = 600
real = batch.audit_model
def audit_model(target, *rest):
    if target.relative != "a.h5":
        return real(target, *rest)
    signal.signal(signal.SIGTERM, lambda *_: Path({os.fspath(told)!r}).touch())
    Path({os.fspath(tmp_path / "stuck")!r}).touch()
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        time.sleep(1)
batch.audit_model = audit_model
from modelaudit.cli import main
main()
"""
    arguments = command("audit", models, "--no-probe", "--jobs", "1", "-f", "json", "--out", out)
    process = subprocess.Popen(
        [arguments[0], "-c", stubborn, *arguments[3:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(tmp_path / "stuck")
    process.send_signal(signal.SIGINT)
    wait_for(told)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=240)
    assert (process.returncode, stderr.strip()) == (130, b"modelaudit: interrupted")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert not (out / "index.html").exists()
    with Store.open_to_read(out) as store:
        assert store.runs()[-1].state is RunState.INTERRUPTED


@pytest.mark.slow
def test_no_heavy_import_where_it_is_not_needed(modelaudit):
    heavy = {"tensorflow", "keras", "tf_keras", "matplotlib", "weasyprint", "scipy.stats", "yaml"}
    script = "import sys; from modelaudit.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    script += "import json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    sample = SAMPLES / "digits_robust.keras"
    for arguments in (["--help"], ["inspect", sample], ["scan", sample], ["rules"]):
        start = command()
        done = subprocess.run(
            [start[0], "-c", script, *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = set(json.loads(done.stderr.splitlines()[-1]))
        assert not heavy & loaded
        if arguments == ["--help"]:
            unused = {"numpy", "h5py", "google.protobuf", "jinja2", "importlib.metadata"}
            assert not unused & loaded
