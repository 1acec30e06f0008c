"""The process that audits models on a node, in this process."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
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
    lines, said = iter([*map(to_line, tasks), b""]), []
    serve(order, None, lambda: next(lines), said.append)
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


def processes(run):
    """The processes of a run on this node: that of all places, and theirs."""
    table = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"RUN={run}".encode() in (folder / "environ").read_bytes():
                status = (folder / "stat").read_text().rpartition(")")[2].split()
                if status[0] != "Z":
                    table[int(folder.name)] = int(status[1])
    shared = [pid for pid, parent in table.items() if parent not in table]
    return shared, [pid for pid, parent in table.items() if parent in shared]


def until(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it never was so")


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    order, run = to_line(order_for(tmp_path / "out")), uuid.uuid4().hex
    monkeypatch.setenv("RUN", run)
    return lambda: NodeAuditor(order, run, str(tmp_path), "")


@pytest.mark.slow
def test_places_of_a_node_share_a_process_that_ends_with_the_last(place, targets, monkeypatch):
    first, second = place(), place()
    assert from_line(NodeResult, first.begin()) == NodeResult()
    for target in targets:
        for each in (first, second):
            answer = from_line(NodeResult, each.audit(to_line(NodeTask(target))))
            assert answer.row["path"] == target.relative
    run = os.environ["RUN"]
    (shared,), own = processes(run)
    assert len(own) == 2
    del first, each  # it started the process that the second still needs
    until(lambda: len(processes(run)[1]) == 1)
    answer = from_line(NodeResult, second.audit(to_line(NodeTask(targets[0]))))
    assert answer.row["path"] == targets[0].relative
    assert processes(run)[0] == [shared]
    del second
    until(lambda: processes(run) == ([], []))


@pytest.mark.slow
def test_a_process_that_is_killed_is_lost_alone_and_started_again(place, targets):
    one, other = place(), place()
    task = to_line(NodeTask(targets[0]))
    assert from_line(NodeResult, one.audit(task)).row["path"] == targets[0].relative
    _, (own,) = processes(os.environ["RUN"])
    assert from_line(NodeResult, other.audit(task)).row["path"] == targets[0].relative
    os.kill(own, signal.SIGKILL)
    assert from_line(NodeResult, one.audit(task)).lost
    for each in (one, other):
        assert from_line(NodeResult, each.audit(task)).row["path"] == targets[0].relative


@pytest.mark.slow
def test_places_that_lose_their_common_process_start_another(place, targets):
    both, task = (place(), place()), to_line(NodeTask(targets[0]))
    assert all(from_line(NodeResult, each.audit(task)).row for each in both)
    (shared,), own = processes(os.environ["RUN"])
    os.kill(shared, signal.SIGKILL)
    until(lambda: not {shared, *own} & {*map(int, filter(str.isdecimal, os.listdir("/proc")))})
    assert all(from_line(NodeResult, each.audit(task)).lost for each in both)
    assert all(from_line(NodeResult, each.audit(task)).row for each in both)
    assert len(processes(os.environ["RUN"])[0]) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_other_users_have_no_place(place, targets):
    auditor = place()
    assert from_line(NodeResult, auditor.audit(to_line(NodeTask(targets[0])))).row
    code = (
        "import os, socket, sys\n"
        "os.setuid(65534)\n"
        "connection = socket.socket(socket.AF_UNIX)\n"
        "connection.connect('\\0' + sys.argv[1])\n"
        "assert connection.recv(1) == b''\n"
    )
    name = f"modelaudit-{os.environ['RUN']}-"
    subprocess.run((sys.executable, "-c", code, name), check=True, timeout=20)
    assert from_line(NodeResult, auditor.audit(to_line(NodeTask(targets[0])))).row


def test_threads_are_those_of_the_driver(monkeypatch):
    from modelaudit.runs.cluster.node_auditor import environment

    given = {THREADS: "1", "RAY_JOB_ID": "01", "HOME": "/root"}
    assert environment(given, "") == {"HOME": "/root"}
    assert environment(given, "4") == {"HOME": "/root", THREADS: "4"}


def test_a_process_that_cannot_start_is_started_once_and_says_so(targets, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(NodeAuditor, "_start", lambda *_: started.append(1) or 3)
    auditor = NodeAuditor(b"", uuid.uuid4().hex, str(tmp_path), "")
    answer = from_line(NodeResult, auditor.audit(to_line(NodeTask(targets[0]))))
    assert answer.lost == "its process on the node ended: it cannot start (exit status 3)"
    assert len(started) == 1
