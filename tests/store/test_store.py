"""The history: committed data is kept, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelaudit.errors import StoreError
from modelaudit.store import database
from modelaudit.store.database import MIGRATIONS, connect
from modelaudit.store.records import AuditRecord, ModelKey, RunState
from modelaudit.store.store import NAME, Store
from modelaudit.structs import replace
from tests.rows import row

ROOT = Path(__file__).resolve().parents[2]
WHEN = "2026-01-02T03:04:05Z"


def audited(path: str, **more) -> AuditRecord:
    values = {"key": "k", "content": "c", "files": "[]", "seen_key": "s", "seen": "{}"} | more
    return AuditRecord(row(path), b'{"audit": 1}', **values)


def begin(store: Store, registry: str = "/models") -> int:
    return store.begin(registry, "nightly", "tool 1", "rules", WHEN)


def finish(store: Store, run: int, state: RunState = RunState.REPORTED) -> None:
    store.finish(run, state, finished=WHEN, seconds=1.5, exit_code=0)


def test_data_round_trips(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = begin(store)
        store.add(run, ModelKey("/models", "a.h5"), audited("a.h5", settled=True))
        store.add(run, ModelKey("/models", "b.h5"), audited("b.h5", key="", seen=""))
        store.finish(
            run, RunState.COMPLETE, finished=WHEN, seconds=2.0, exit_code=1, notes=["x: closed"]
        )
        store.mark_reported(run)
    with Store.open_to_read(tmp_path) as store:
        (only,) = store.runs()
        assert (only.state, only.exit_code, only.audited) == (RunState.REPORTED, 1, 2)
        assert (only.seconds, only.notes) == (2.0, ("x: closed",))
        assert store.rows(run)[ModelKey("/models", "a.h5")] == row("a.h5")
        assert store.cached(ModelKey("/models", "b.h5")) is None  # nothing is reused without a key
        known = store.cached(ModelKey("/models", "a.h5"))
        assert known is not None
        assert (known.key, known.content, known.settled) == ("k", "c", True)
        assert store.seen(ModelKey("/models", "a.h5")) == "{}"
        assert store.document(known.audit) == '{"audit": 1}'
        assert store.check() == "ok"


def test_reused_results_refer_to_the_original_audit(tmp_path: Path) -> None:
    place = ModelKey("/models", "a.h5")
    with Store.open(tmp_path) as store:
        first = begin(store)
        store.add(first, place, audited("a.h5"))
        finish(store, first)
        second = begin(store)
        store.reuse(second, {place: store.cached(place).audit})
        finish(store, second)
        assert store.results(first) == store.results(second)
        assert [run.audited for run in store.runs()] == [1, 0]


def test_verdicts_are_counted_for_the_requested_runs_only(tmp_path: Path) -> None:
    places = [ModelKey("/models", name) for name in "abc"]
    with Store.open(tmp_path) as store:
        for run in range(1, 5):
            assert begin(store) == run
            for place in places[: run - 1]:
                store.add(run, place, audited(place.path))
            finish(store, run)
    with sqlite3.connect(tmp_path / NAME) as connection:  # reading it would raise
        connection.execute(
            "UPDATE audit SET line = 'no JSON' WHERE id IN (SELECT audit FROM result WHERE run = 3)"
        )
    with Store.open_to_read(tmp_path) as store:
        assert store.verdicts([1, 2, 4, 9]) == {2: {"pass": 1}, 4: {"pass": 3}}
        assert store.verdicts([]) == {}
        with pytest.raises(StoreError):
            store.verdicts([3])


def test_reports_belong_to_the_last_stored_audit(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        for root in ("/one", "/two"):
            run = begin(store, root)
            found = audited("a.h5")
            store.add(run, ModelKey(root, "a.h5"), replace(found, row=replace(found.row, slug="a")))
            finish(store, run)
        newest = store.cached(ModelKey("/two", "a.h5")).audit
        assert store.last_filed() == {"a": newest}
        assert store.newest_filed() == {newest}


def test_the_last_run_is_defined_by_order_and_not_by_the_clock(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        for when in ("2031-01-01T00:00:00Z", "2026-01-01T00:00:00Z"):  # the clock was set back
            finish(store, store.begin("/models", "nightly", "", "", when))
        last = store.last("/models", RunState.REPORTED)
        assert last is not None
        assert last.started == "2026-01-01T00:00:00Z"
        assert store.last("/other", RunState.REPORTED) is None


def test_deleting_runs_keeps_the_data_of_kept_runs(tmp_path: Path) -> None:
    places = {name: ModelKey("/models", name) for name in ("old.h5", "same.h5", "new.h5")}
    with Store.open(tmp_path) as store:
        first = begin(store)
        for name in ("old.h5", "same.h5"):
            store.add(first, places[name], audited(name))
        finish(store, first)
        for _ in range(3):
            run = begin(store)
            store.reuse(run, {places["same.h5"]: store.cached(places["same.h5"]).audit})
            store.add(run, places["new.h5"], audited("new.h5"))
            finish(store, run)
        store.forget(2)
        assert [run.id for run in store.runs()] == [3, 4]
        assert set(store.rows(3)) == set(store.rows(4)) == {places["same.h5"], places["new.h5"]}
        assert {name for name in places if store.cached(places[name])} == {"same.h5", "new.h5"}
        assert store.check() == "ok"
    with sqlite3.connect(tmp_path / NAME) as connection:
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM model").fetchone() == (2,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_aborted_run_is_distinguished(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        begin(store)
    with Store.open(tmp_path) as store:
        begin(store)
        store.finish(2, RunState.INTERRUPTED, finished=WHEN, seconds=1.0, exit_code=130)
        begin(store)
        states = [run.state for run in store.runs()]
        assert states == [RunState.RUNNING, RunState.INTERRUPTED, RunState.RUNNING]


def test_a_reader_sees_committed_results_during_a_run(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = begin(store)
        for number in range(3):
            store.add(run, ModelKey("/models", str(number)), audited(str(number)))
            with Store.open_to_read(tmp_path) as reader:
                assert len(reader.rows(run)) == number + 1


def test_a_damaged_file_is_an_error_with_advice(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        for number in range(50):
            store.add(begin(store), ModelKey("/models", str(number)), audited(str(number)))
    sound = (tmp_path / NAME).read_bytes()
    for content in (b"no database, but long enough to be one" * 99, sound[: len(sound) // 2]):
        (tmp_path / NAME).write_bytes(content)
        with pytest.raises(StoreError, match="move it away"), Store.open(tmp_path) as store:
            store.add(begin(store), ModelKey("/models", "a"), audited("a"))
            store.check()
            store.rows(1)
        assert (tmp_path / NAME).stat().st_size >= len(content)  # nothing was deleted


def test_no_history_is_an_error_to_readers(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no history"):
        Store.open_to_read(tmp_path)


def test_a_newer_file_is_not_changed(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / NAME) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for opened in (Store.open, Store.open_to_read):
        with pytest.raises(StoreError, match="newer modelaudit"):
            opened(tmp_path)


def test_an_older_file_is_migrated(tmp_path: Path, monkeypatch) -> None:
    with Store.open(tmp_path) as store:
        begin(store)
    more = (*MIGRATIONS, ("ALTER TABLE run ADD COLUMN note TEXT",))
    monkeypatch.setattr(database, "MIGRATIONS", more)
    connection = connect(tmp_path / NAME)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(more),)
    assert connection.execute("SELECT count(note), count(*) FROM run").fetchone() == (0, 1)
    connection.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch) -> None:
    with Store.open(tmp_path) as store:
        begin(store)
    steps = ("CREATE TABLE half (id INTEGER)", "CREATE TABLE run (id INTEGER)")
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, steps))
    with pytest.raises(StoreError, match="already exists"):
        connect(tmp_path / NAME)
    monkeypatch.undo()
    with Store.open(tmp_path) as store:
        assert len(store.runs()) == 1


def test_history_in_a_read_only_directory_can_be_read(tmp_path: Path, monkeypatch) -> None:
    with Store.open(tmp_path) as store:
        finish(store, begin(store))
    assert os.listdir(tmp_path) == [NAME]  # a clean exit leaves one file
    monkeypatch.setattr(database.os, "access", lambda *_: False)  # root may write everywhere
    with Store.open_to_read(tmp_path) as store:
        assert len(store.runs()) == 1


WRITER = """
import sys
from pathlib import Path
from modelaudit.store.records import AuditRecord; from modelaudit.store.records import ModelKey
from modelaudit.store.store import Store

with Store.open(Path(sys.argv[1])) as store:
    run = store.begin("/models", "nightly", "", "", "2026-01-02T03:04:05Z")
    print(0, flush=True)
    for number in range(1, 100_000):
        document = str(number).encode() * 5000
        line = {"path": str(number), "verdict": "pass"}
        store.add(run, ModelKey("/models", str(number)), AuditRecord(line, document, "k", "c"))
        print(number, flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_that_it_reported(tmp_path: Path) -> None:
    for attempt in range(10):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        told = [0, *(int(word) for word in process.stdout.read().split())]
        process.wait()
        with Store.open(folder) as store:
            assert store.check() == "ok"
            kept = {int(place.path) for place in store.rows(1)}
            # The result being reported at the time of the signal may be kept as well.
            assert kept in (set(range(1, told[-1] + 1)), set(range(1, told[-1] + 2)))
            for place, audit in store.results(1).items():
                assert store.document(audit) == place.path * 5000


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files simulates a full disk: the write fails half way."""
    with Store.open(tmp_path) as store:
        run = begin(store)
        store.add(run, ModelKey("/models", "a"), audited("a"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(StoreError):
                for number in range(1000):
                    store.add(
                        run,
                        ModelKey("/models", str(number)),
                        AuditRecord(row("x"), os.urandom(20_000)),
                    )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        kept = len(store.rows(run))
        store.add(run, ModelKey("/models", "last"), audited("last"))  # space is available again
        assert store.check() == "ok"
    with Store.open(tmp_path) as store:
        assert len(store.rows(run)) == kept + 1
        assert store.check() == "ok"
