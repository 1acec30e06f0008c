"""Whatever a model does to the process that reads it, the command continues and reports it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelaudit.exit_codes import ExitCode
from modelaudit.facts import Json
from modelaudit.runs.isolated_read import run_in_child
from modelaudit.settings import Settings
from tests.made import files

ROOT = Path(__file__).resolve().parents[2]

CRASH = """
import faulthandler, os, pathlib, signal
import modelaudit.formats.reader as reader
real = reader.read
def read(path, limits):
    if path.name == "hostile.h5":
        faulthandler.disable()
        os.kill(os.getpid(), signal.SIGSEGV)
    return real(path, limits)
reader.read = read
"""
GREED = """
import modelaudit.formats.reader as reader
real = reader.read
def read(path, limits):
    return bytearray(3 << 30) if path.name == "hostile.h5" else real(path, limits)
reader.read = read
"""
GREEDY_RULES = """
import modelaudit.pipeline as pipeline
real = pipeline.run_all_rules
def run_all_rules(facts, judged=()):
    hostile = facts.artifact.root.name == "hostile.h5" and facts.artifact.files
    return bytearray(3 << 30) if hostile else real(facts, judged)
pipeline.run_all_rules = run_all_rules
"""
SNIFF_CRASH = """
import os, signal
from modelaudit.formats.hdf5 import keras_layout as hdf5_layout
real = hdf5_layout.sniff_layout
def sniff_layout(window):
    if window.file == "hostile.h5":
        os.kill(os.getpid(), signal.SIGSEGV)
    return real(window)
hdf5_layout.sniff_layout = sniff_layout
"""


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    files.minimal_h5(folder / "hostile.h5")
    files.minimal_h5(folder / "sound.h5")
    return folder


pytestmark = pytest.mark.slow


def run(patch, *arguments, cwd):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{patch}\n"
    code += "from modelaudit.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_inspect_shows_the_others(models):
    done = run(CRASH, "inspect", models, cwd=models)
    assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    assert "SIGSEGV" in done.stdout and "sound.h5" in done.stdout
    rows = json.loads(run(CRASH, "inspect", models, "--json", cwd=models).stdout)
    assert [row["model"]["format"] for row in rows] == ["unreadable", "legacy_h5_full"]


@pytest.mark.parametrize("command", ["explain", "record"])
def test_commands_that_need_the_diagnosis_or_the_weights(models, command):
    done = run(CRASH, command, models / "hostile.h5", "--no-probe", cwd=models)
    assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    assert "hostile.h5: the process that read it was killed by signal 11 (SIGSEGV)" in done.stderr


def test_diff_reports_that_it_cannot_compare(models):
    pair = (models / "sound.h5", models / "hostile.h5")
    done = run(CRASH, "diff", *pair, "--no-probe", cwd=models)
    assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    assert "SIGSEGV" in done.stderr and not done.stdout
    assert run("", "diff", *pair, "--no-probe", cwd=models).returncode == ExitCode.OK


@pytest.mark.parametrize("limit", ["memory_bytes", "read_memory"])
def test_the_memory_limit_is_reported(models, limit):
    address_space = 1 << (40 if limit == "memory_bytes" else 30)
    bounds = f"memory_bytes = {1 << 30}\nread_memory = {address_space}"
    (models / "modelaudit.toml").write_text(f"[limits]\n{bounds}\n")
    done = run(GREED, "scan", models, "--json", cwd=models)
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    rows = {row["path"]: row for row in json.loads(done.stdout)}
    assert limit in rows["hostile.h5"]["reason"]
    assert rows["hostile.h5"]["rules"] == ["MA118"]
    assert rows["sound.h5"]["verdict"] == "pass"


def test_memory_that_runs_out_after_reading_does_not_make_the_file_unreadable(models):
    (models / "modelaudit.toml").write_text(f"[limits]\nread_memory = {1 << 30}\n")
    done = run(GREEDY_RULES, "scan", models, "--json", cwd=models)
    assert done.returncode == ExitCode.INCOMPLETE, done.stderr
    rows = {row["path"]: row for row in json.loads(done.stdout)}
    assert "out of memory while the findings were made" in rows["hostile.h5"]["reason"]
    assert rows["hostile.h5"]["rules"] == []
    assert rows["sound.h5"]["verdict"] == "pass"


def test_discovery_survives_a_file_that_crashes_libhdf5(models):
    done = run(SNIFF_CRASH, "scan", models, "--json", cwd=models)
    assert {row["path"] for row in json.loads(done.stdout)} == {"hostile.h5", "sound.h5"}


def test_results_of_several_children_come_in_the_order_of_the_tasks():
    def work(seconds: float) -> dict[str, Json]:
        time.sleep(seconds)
        return {"slept": seconds, "ended": time.monotonic()}

    tasks = [0.4, 0.0, 0.2, 0.0]
    found = [each.value for each in run_in_child(tasks, work, Settings(), lambda task: (), jobs=4)]
    assert [each["slept"] for each in found] == tasks
    assert found[1]["ended"] < found[2]["ended"] < found[0]["ended"]
