"""Killed runs, full disks and concurrent runs: reported results are kept."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from modelaudit import clock, schema
from modelaudit.cli import cli
from modelaudit.errors import LockHeld
from modelaudit.registry.output_directory import locked
from modelaudit.runs import cache
from modelaudit.store.records import RunState
from modelaudit.store.store import Store
from tests.command_line import ROOT, command
from tests.made import files

CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("MODELAUDIT_")}


def arguments(models: Path, out: Path, *more: str) -> list[str]:
    return command(
        "nightly", models, "--no-probe", "-f", "json", "-f", "sarif", "--out", out, *more
    )


def start(line: list[str], **options) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        line, cwd=ROOT, env=CLEAN, stdout=pipe, stderr=pipe, text=True, **options
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=240)
    return process.returncode, stdout, stderr


def registry(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        files.minimal_h5(folder / f"m{number:02}.h5")
    return folder


def rewrite(folder: Path, seed: int) -> None:
    """Change the weights of every model."""
    rng = np.random.default_rng(seed)
    for path in folder.glob("*.h5"):
        with h5py.File(path, "r+") as file:
            kernel = file["model_weights/dense/dense/kernel:0"]
            kernel[...] = rng.normal(size=kernel.shape)


def valid(out: Path) -> None:
    """Assert that all files in the output directory and the history are complete."""
    for path in out.glob("models/*/audit.json"):
        schema.load(path)
    for path in (*out.glob("runs/*/index.json"), *out.glob("*.json"), *out.glob("*.sarif")):
        json.loads(path.read_text())
    for path in (*out.glob("runs/*/index.html"), *out.glob("index.html")):
        assert path.read_text().rstrip().endswith("</html>")
    if (out / "latest").is_symlink():
        assert (out / "latest" / "index.json").is_file()
    with Store.open(out) as store:
        assert store.check() == "ok"
        for run in store.runs():
            for audit in store.results(run.id).values():
                schema.loads(store.document(audit))


def wait_for_the_lock(out: Path) -> None:
    """Wait until the workers left by a killed run have finished writing."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with locked(out):
                return
        except LockHeld:
            time.sleep(0.02)
    raise AssertionError("the lock of a killed run is still held")


def results(log: Path) -> dict[str, str]:
    """The digests of the models that a run has reported as done."""
    lines = log.read_text().splitlines() if log.exists() else []
    told = [json.loads(line) for line in lines if line.endswith("}")]
    return {each["path"]: each["sha256"] for each in told if "path" in each}


def wait_for_results(process: subprocess.Popen[str], log: Path, count: int) -> None:
    """Wait until a run has reported so many models, or has ended."""
    while process.poll() is None and len(results(log)) < count:
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_at_six_moments(tmp_path):
    models, out, log = registry(tmp_path / "models", 8), tmp_path / "out", tmp_path / "log.jsonl"
    assert finish(start(arguments(models, out)))[0] == 0
    rng = random.Random(7)
    cut_short = 0
    for attempt in range(6):
        rewrite(models, attempt)
        log.unlink(missing_ok=True)
        with Store.open(out) as store:
            runs = len(store.runs())
        process = start(arguments(models, out, "--log-file", str(log)))
        wait_for_results(process, log, rng.randrange(8))
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_for_the_lock(out)
        valid(out)
        done = results(log)
        with Store.open(out) as store:
            after = store.runs()
            assert len(after) in (runs, runs + 1)
            kept = {p.path: row.sha256 for p, row in store.rows(after[-1].id).items()}
            cut_short += after[-1].state is RunState.RUNNING
        assert done.items() <= kept.items(), "a result was reported done and lost"
    assert cut_short >= 2, "the signals came too late to tell anything"
    code, stdout, stderr = finish(start(arguments(models, out)))
    assert (code, stderr) == (0, "")
    # Compared with the last reported run: the last one if the signal came too late, or an older
    # one, also if the signal came before the run had begun.
    untold = len(after) == runs or after[-1].state is not RunState.REPORTED
    assert ("8 of 8 models changed" in stdout) is untold
    valid(out)
    assert not [path for path in out.rglob(".*") if path.name != ".lock"]  # removed
    assert finish(start(arguments(models, out))) == (0, "", "")


def mount(*words: str | Path) -> bool:
    """Whether mounting succeeded; in a container root often may not mount."""
    if not shutil.which("mount"):
        return False
    return not subprocess.run(["mount", *words], check=False, capture_output=True).returncode


@pytest.fixture
def disk(tmp_path):
    """An output directory that fills up, and a function that a process must call first.

    A small file system if one can be mounted; otherwise a limit on the size of files.
    """
    out = tmp_path / "disk"
    out.mkdir()
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", out],
            check=False,
            capture_output=True,
        ).returncode
    )

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY))

    def grow():
        if mounted:
            mount("-o", "remount,size=64m", out)

    try:
        yield out, None if mounted else limit, grow
    finally:
        if mounted:
            subprocess.run(["umount", "-l", out], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up(tmp_path, disk):
    models = registry(tmp_path / "models", 24)
    out, limit, grow = disk
    code, stdout, stderr = finish(start(arguments(models, out), preexec_fn=limit))
    assert (code, stdout) == (2, "")
    assert stderr.startswith("modelaudit: ")
    assert "Traceback" not in stderr
    grow()
    valid(out)
    with Store.open(out) as store:
        (run,) = store.runs()
        done = len(store.results(run.id))
        assert run.state is not RunState.COMPLETE
    code, stdout, stderr = finish(start(arguments(models, out)))
    assert (code, stderr) == (0, "")
    assert "24 models, first run" in stdout
    valid(out)
    with Store.open(out) as store:
        assert store.runs()[-1].audited == 24 - done  # finished audits were not repeated


@pytest.mark.slow
def test_two_runs_at_once(tmp_path):
    models, out = registry(tmp_path / "models", 6), tmp_path / "out"
    both = [start(arguments(models, out)) for _ in range(2)]
    ended = [finish(process) for process in both]
    codes = sorted(code for code, _, _ in ended)
    assert codes in ([0, 0], [0, 75])
    for code, _, stderr in ended:
        assert ("another run is writing to it" in stderr) == (code == 75)
    valid(out)
    assert finish(start(arguments(models, out))) == (0, "", "")


def test_a_lock_that_is_held_ends_with_75(tmp_path):
    models, out = registry(tmp_path / "models", 1), tmp_path / "out"
    with locked(out):
        code, stdout, stderr = finish(start(arguments(models, out)))
    assert (code, stdout) == (75, "")
    assert "another run is writing to it" in stderr
    assert not (out / "history.sqlite3").exists()


def night(models: Path, out: Path, *more: str) -> str:
    words = ["nightly", str(models), "--no-probe", "-f", "json", "--out", str(out), *more]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_clock_that_is_set_back(tmp_path, monkeypatch):
    models, out = registry(tmp_path / "models", 2), tmp_path / "out"
    days = ["2026-03-01", "2036-03-01", "2016-03-01", "2016-03-01", "2026-03-02"]
    for number, day in enumerate(days):
        monkeypatch.setattr(clock, "utc_now", lambda day=day: f"{day}T02:00:00Z")
        if number == 3:
            rewrite(models, number)
        said = night(models, out)
        assert bool(said) == (number in (0, 3)), said
    with Store.open_to_read(out) as store:
        assert [run.started[:10] for run in store.runs()] == days
        assert all(run.state is RunState.REPORTED for run in store.runs())
    rewrite(models, 9)
    monkeypatch.setattr(clock, "utc_now", lambda: "2026-03-01T02:00:00Z")
    night(models, out)
    names = sorted(path.name for path in (out / "runs").iterdir())
    assert names == ["2016-03-01T020000Z", "2026-03-01T020000Z", "2026-03-01T020000Z-2"]
    valid(out)


def everything(folder: Path) -> dict[str, tuple[int, ...]]:
    paths = (folder, *folder.rglob("*"))
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_ctime_ns, p.stat().st_size) for p in paths}


@pytest.fixture
def closed(tmp_path):
    """A read-only registry: by permissions, or for root by a read-only mount."""
    models = registry(tmp_path / "models", 3)
    bound = os.geteuid() == 0 and mount("--bind", models, models)
    if bound:
        mount("-o", "remount,ro,bind", models)
    else:
        models.chmod(0o555)
    yield models
    if bound:
        subprocess.run(["umount", "-l", models], check=True)
    models.chmod(0o755)


@pytest.mark.slow
def test_a_read_only_registry(closed, tmp_path):
    before, out = everything(closed), tmp_path / "out"
    code, _, stderr = finish(start(arguments(closed, out)))
    assert (code, stderr) == (0, "")
    assert finish(start(arguments(closed, out))) == (0, "", "")
    assert everything(closed) == before


def interrupted_after(count: int, monkeypatch) -> None:
    """Send Ctrl-C as soon as the given number of results are on disk."""
    real, done = cache.AuditCache.add, []

    def add(self, finished):
        real(self, finished)
        done.append(finished)
        if len(done) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(cache.AuditCache, "add", add)


def test_an_interrupted_audit_is_resumed(tmp_path, monkeypatch):
    models, out = registry(tmp_path / "models", 5), tmp_path / "out"
    words = ["audit", str(models), "--no-probe", "-f", "json", "--out", str(out), "--jobs", "1"]
    with monkeypatch.context() as patch:
        interrupted_after(3, patch)
        assert CliRunner().invoke(cli, words).exit_code == 1  # click's exit code for an abort
    valid(out)
    with Store.open(out) as store:
        assert [(run.state, run.audited) for run in store.runs()] == [(RunState.INTERRUPTED, 3)]
        done = {place.path for place in store.results(1)}
    partial = json.loads((out / "index.json").read_text())
    assert (partial["exit"]["code"], partial["missing"]) == (130, 2)
    assert {row["path"] for row in partial["models"]} == done
    assert {note for note in partial["notes"] if note.startswith("not reached: ")} == {
        f"not reached: {path.name}" for path in models.iterdir() if path.name not in done
    }
    assert "Interrupted after 3 of 5 models." in (out / "latest" / "index.html").read_text()

    first = sorted(done)[0]
    (models / first).unlink()  # a change between the interrupted and the resumed run
    files.minimal_h5(models / "new.h5")
    resumed = CliRunner().invoke(cli, [*words, "--resume"], catch_exceptions=False)
    assert resumed.exit_code == 0
    assert "5 models: 5 pass" in resumed.stdout
    with Store.open(out) as store:
        (run,) = store.runs()
        assert (run.state, run.audited) == (RunState.REPORTED, 3 + 3)
        names = {path.name for path in models.iterdir()}
        assert {place.path for place in store.results(1)} == names
    index = json.loads((out / "index.json").read_text())
    assert {row["path"] for row in index["models"]} == names
    assert (index["exit"]["code"], index["missing"], index["notes"]) == (0, 0, [])
    assert "Interrupted" not in (out / "index.html").read_text()
    valid(out)
    # A complete run is not resumed: the next one is a new run.
    assert CliRunner().invoke(cli, [*words, "--resume"]).exit_code == 0
    with Store.open(out) as store:
        assert [run.audited for run in store.runs()] == [6, 5]


def test_the_largest_models_are_started_first(tmp_path, monkeypatch):
    models = registry(tmp_path / "models", 3)
    for number, path in enumerate(sorted(models.iterdir())):
        with path.open("ab") as handle:
            handle.write(bytes(1000 * number))
    log = tmp_path / "log.jsonl"
    night(models, tmp_path / "out", "--jobs", "1", "--log-file", str(log))
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert [each["path"] for each in told[:-1]] == ["m02.h5", "m01.h5", "m00.h5"]
    assert (told[-1]["event"], told[-1]["models"], told[-1]["audited"]) == ("run", 3, 3)
