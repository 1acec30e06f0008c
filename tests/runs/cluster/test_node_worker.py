"""The process that audits models on a node, in this process."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.result_row import row_from_json
from modelaudit.runs import batch
from modelaudit.runs.batch import audit_all
from modelaudit.runs.cluster.messages import NodeOrder, NodeResult, NodeTask, from_line, to_line
from modelaudit.runs.cluster.node_auditor import THREADS, NodeAuditor
from modelaudit.runs.cluster.node_worker import serve
from modelaudit.runs.found_models import find_models
from modelaudit.runs.write_reports import ReportOrder, SelectedFormats
from modelaudit.settings import ProbeSettings, Settings

CREATED = "2026-11-28T00:00:00Z"
SETTINGS = Settings(probe=ProbeSettings(enabled=False))


def order_for(out: Path) -> NodeOrder:
    reports = ReportOrder(out, SelectedFormats(("json",), {}))
    return NodeOrder(SETTINGS, CREATED, reports, (), None, False)


def answers(order, *tasks):
    lines, said = iter([to_line(order), *map(to_line, tasks), b""]), []
    serve(lambda: next(lines), said.append)
    return [from_line(NodeResult, line) for line in said]


@pytest.fixture
def targets(models):
    return find_models((models,), SETTINGS).targets


def test_messages_are_what_was_sent(targets, tmp_path):
    for message in (order_for(tmp_path), NodeTask(targets[0], ("seen", "files", "content"))):
        line = to_line(message)
        assert line.count(b"\n") == 1
        assert from_line(type(message), line) == message


def test_rows_are_those_of_this_machine_and_reports_are_written(targets, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    got = answers(order_for(out), *map(NodeTask, targets))
    here = {done.row.path: done.row for done in audit_all(targets, SETTINGS, CREATED)}
    rows = [row_from_json(each.row) for each in got]
    assert [row.path for row in rows] == [target.relative for target in targets]
    for row in rows:
        assert (row.verdict, row.findings) == (here[row.path].verdict, here[row.path].findings)
        assert (out / "models" / row.slug / "audit.json").is_file()


def test_one_process_audits_all_models_of_a_place(targets, tmp_path, monkeypatch):
    """What a first audit imports and computes, the others need not."""
    out, real = tmp_path / "out", batch.audit_model
    out.mkdir()

    def audit_model(target, *arguments):
        with (tmp_path / "processes").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return real(target, *arguments)

    monkeypatch.setattr(batch, "audit_model", audit_model)
    answers(order_for(out), *map(NodeTask, targets))
    processes = (tmp_path / "processes").read_text().split()
    assert len(processes) == len(targets) == 3
    assert len({*processes}) == 1


def test_a_model_that_crashes_the_reader_costs_its_own_row(targets, tmp_path, monkeypatch):
    out, real = tmp_path / "out", batch.audit_model
    out.mkdir()

    def audit_model(target, *arguments):
        if target.relative == "a.h5":
            faulthandler.disable()  # pytest's, which would print a page
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(target, *arguments)

    monkeypatch.setattr(batch, "audit_model", audit_model)
    rows = [row_from_json(each.row) for each in answers(order_for(out), *map(NodeTask, targets))]
    assert [row.path for row in rows] == [target.relative for target in targets]
    assert {row.path for row in rows if "SIGSEGV" in row.reason} == {"a.h5"}


def test_a_model_that_changes_meanwhile_is_audited_again_at_once(targets, tmp_path, monkeypatch):
    out, real, changed = tmp_path / "out", batch.audit_model, tmp_path / "changed"
    out.mkdir()

    def audit_model(target, *arguments):
        if target.relative == "a.h5" and not changed.exists():
            changed.touch()
            os.utime(target.path)
        return real(target, *arguments)

    monkeypatch.setattr(batch, "audit_model", audit_model)
    got = answers(order_for(out), *map(NodeTask, targets))
    here = {done.row.path: done.row for done in audit_all(targets, SETTINGS, CREATED)}
    assert changed.exists()
    assert [each.row["path"] for each in got] == [target.relative for target in targets]
    assert [each.row["verdict"] for each in got] == [here[t.relative].verdict for t in targets]


def test_a_node_that_does_not_see_the_files_says_so(targets, tmp_path):
    (only,) = answers(order_for(tmp_path / "absent"), NodeTask(targets[0]))
    assert f"does not see {tmp_path / 'absent'}" in only.stop
    elsewhere = NodeTask(find_models((targets[0].root,), SETTINGS).targets[0])
    targets[0].root.rename(tmp_path / "moved")
    (only,) = answers(order_for(tmp_path), elsewhere)
    assert f"does not see {targets[0].root}" in only.unseen


@pytest.mark.slow
def test_a_process_that_is_killed_is_lost_and_started_again(targets, tmp_path):
    place = NodeAuditor(to_line(order_for(tmp_path / "out")), str(tmp_path), "")
    (tmp_path / "out").mkdir()
    assert from_line(NodeResult, place.begin()) == NodeResult()
    task = to_line(NodeTask(targets[0]))
    assert from_line(NodeResult, place.audit(task)).row["path"] == targets[0].relative
    worker = subprocess.run(
        ("pgrep", "-P", str(os.getpid()), "-f", "cluster.node_worker"),
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert len(worker) == 1
    os.kill(int(worker[0]), 9)
    assert "status -9" in from_line(NodeResult, place.audit(task)).lost
    assert from_line(NodeResult, place.audit(task)).row["path"] == targets[0].relative


@pytest.mark.slow
def test_the_process_ends_with_the_one_that_started_it(tmp_path):
    start = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-P', '-m', 'modelaudit.runs.cluster.node_worker']\n"
        "print(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE).pid,"
        " flush=True)\n"
        "sys.stdin.readline()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin
    assert parent.stdout
    with parent:
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text():
            return
        subprocess.run(("sleep", "0.1"), check=True)
    pytest.fail("it lives on")


def test_threads_are_those_of_the_driver(monkeypatch):
    from modelaudit.runs.cluster.node_auditor import environment

    given = {THREADS: "1", "RAY_JOB_ID": "01", "HOME": "/root"}
    assert environment(given, "") == {"HOME": "/root"}
    assert environment(given, "4") == {"HOME": "/root", THREADS: "4"}
