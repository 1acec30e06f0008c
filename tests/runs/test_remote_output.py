"""Reports at a URL: what is uploaded, what is fetched, and what happens if that fails."""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import closing

import pytest

from modelaudit import api
from modelaudit.audit_types.repair import SUFFIX, Repair, RepairStatus
from modelaudit.errors import Interrupted, LockHeld, StoreError, UsageError
from modelaudit.registry.remote import files as remote_files
from modelaudit.registry.remote.address import place_of
from modelaudit.runs import recorded_run, repair
from modelaudit.settings import CacheSettings, ProbeSettings, Settings
from tests.made import files
from tests.registry.remote import stores
from tests.registry.remote.stores import FILES, READ
from tests.runs.nights import invoke, later, scale

OUT = "counted://reports/team"
START = "/reports/team/"
UNCHANGED = {"history.sqlite3", ".lock"}  # what a night writes without changes


def there():
    """The objects at the URL, of which a new one is made by each write."""
    return {path.removeprefix(START): item for path, item in FILES.store.items() if START in path}


def written(before):
    return {name for name, item in there().items() if before.get(name) is not item}


def tree(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "latest" not in path.parts
    }


def latest():
    """The directory of the newest run at the URL."""
    return max(name for name in there() if name.startswith("runs/")).rpartition("index")[0]


def undated(name):
    return re.sub(r"^runs/[^/]+", "runs/TIME", name)


def untimed(text):
    """An audit but for its times."""
    audit = json.loads(text)
    return {key: audit[key] for key in audit if key not in ("created", "timings")}


@pytest.fixture
def night(sound, tmp_path, monkeypatch):
    """Runs a night over two models of this machine, with reports in a store."""
    stores.forget()
    later(monkeypatch)
    monkeypatch.setattr(remote_files, "_FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    settings = Settings(
        cache=CacheSettings(os.fspath(tmp_path / "cache")), probe=ProbeSettings(enabled=False)
    )

    def run(out=OUT, models=sound, formats=("json", "html", "gitlab"), **more):
        READ.clear()
        return api.nightly(models, out, settings, formats=formats, **more)

    return run


@pytest.fixture
def failing(monkeypatch):
    """Lets writes fail of files whose path ends so."""
    real = type(FILES).put_file

    def fail(*ends):
        def put_file(self, source, path, **options):
            if path.removesuffix(".part").endswith(ends):
                raise OSError("no space for you")
            return real(self, source, path, **options)

        monkeypatch.setattr(type(FILES), "put_file", put_file)

    return fail


def left(tmp_path):
    return [*(tmp_path / "tmp").iterdir()]


def test_nights_are_those_of_a_directory(night, sound, tmp_path):
    """A first, an unchanged and a changed night: what is fetched, and what is written."""
    home = tmp_path / "home"
    at_home, ran = night(home), night()
    assert {*map(undated, there())} == {*map(undated, tree(home))}
    assert [row.path for row in ran.rows] == [row.path for row in at_home.rows]
    assert str(ran.index) == f"{OUT}/index.html"
    before = there()
    again = night()
    assert (again.quiet, again.audited, {*READ}) == (True, 0, {"history.sqlite3"})
    assert written(before) == UNCHANGED

    scale(sound / "a.h5")
    (sound / "b.keras").unlink()
    before = there()
    changed = night(keep=1)
    assert {change.kind.value for change in changed.changes} == {"saved again", "gone"}
    assert {*READ} == {"history.sqlite3"}
    night(home, keep=1)
    audit = "models/a.h5/audit.json"
    assert untimed(there()[audit].getvalue()) == untimed((home / audit).read_text())
    assert {*map(undated, there())} == {*map(undated, tree(home))}
    assert "models/b.keras/audit.json" not in there()
    pages = {f"{folder}index.{kind}" for folder in ("", latest()) for kind in ("html", "json")}
    page = "models/a.h5/report.html"
    assert written(before) == UNCHANGED | pages | {audit, page, "gl-code-quality-report.json"}
    assert left(tmp_path) == []


@pytest.mark.slow
def test_history_merge_and_render_take_urls(night, sound, tmp_path):
    shards = [f"counted://shards/{number}" for number in (1, 2)]
    words = ("--no-probe", "-f", "json", "-q")
    for number, shard in enumerate(shards, 1):
        done = invoke("nightly", sound, "--shard", f"{number}/2", "-o", shard, *words)
        assert done.exit_code == 0, done.output
    done = invoke("merge", *shards, "-o", OUT, "-f", "junit")
    assert (done.exit_code, f"reports: {OUT}/index.html" in done.output) == (0, True)
    (run,) = json.loads(invoke("history", OUT, "--json").stdout)
    assert (run["models"], run["registry"]) == (2, str(sound))
    assert "is the output of a shard" in str(invoke("merge", *shards, "-o", shards[0]).exception)
    nothing = str(invoke("history", "counted://nothing").exception)
    assert nothing == "counted://nothing/history.sqlite3: no history found"

    audit = tmp_path / "audit.json"
    audit.write_bytes(there()["models/a.h5/audit.json"].getvalue())
    assert invoke("render", audit, "-f", f"markdown={OUT}/a.md").exit_code == 0
    assert there()["a.md"].getvalue().startswith(b"#")
    assert left(tmp_path) == []


def test_a_repair_writes_new_files_to_a_url(sound, tmp_path, monkeypatch):
    """What is written of a repair is made elsewhere: here only where it goes."""

    def fake(model, target, new, *_, **__):
        if new.exists():
            raise UsageError(f"{new} exists; repair does not overwrite")
        new.write_bytes(model.read_bytes())
        return Repair(str(model), target, RepairStatus.REPAIRED, out=str(new))

    stores.forget()
    monkeypatch.setattr(repair, "repair_model", fake)
    settings = Settings(probe=ProbeSettings(enabled=False))
    shown = {each.out for each in repair.repairs(sound, "tf==2.21", place_of(OUT), settings)}
    assert shown == {f"{OUT}/a.h5", f"{OUT}/b.keras"}
    assert {*there()} == {f"{name}{end}" for name in ("a.h5", "b.keras") for end in ("", SUFFIX)}
    assert json.loads(there()[f"a.h5{SUFFIX}"].getvalue())["out"] == f"{OUT}/a.h5"
    one = api.repair(sound / "a.h5", "tf==2.21", f"{OUT}/new.h5", settings)
    assert (one.out, "new.h5" in there()) == (f"{OUT}/new.h5", True)
    with pytest.raises(UsageError, match=f"^{OUT}/new.h5 exists; repair does not overwrite"):
        api.repair(sound / "a.h5", "tf==2.21", f"{OUT}/new.h5", settings)


@pytest.mark.parametrize("end", ["models/a.h5/audit.json", "history.sqlite3"])
def test_after_an_upload_that_failed_nothing_is_lost(night, failing, tmp_path, end):
    """The reports stay here, without stand-ins; the next night tells the same again."""
    failing(end)
    with pytest.raises(UsageError, match=f"{OUT}: .*cannot be written: no space for you") as caught:
        night(formats=("json",))
    (kept,) = left(tmp_path)
    assert str(caught.value).endswith(f"; what was written is kept in {kept}")
    assert untimed((kept / "models/a.h5/audit.json").read_text())["model"]["path"] == "a.h5"
    assert (kept / "history.sqlite3").is_file()
    assert {"history.sqlite3", end}.isdisjoint(there())
    failing("nothing")
    assert night(formats=("json",)).since == ""
    assert left(tmp_path) == [kept]


def test_what_is_kept_has_no_stand_ins(night, sound, failing, tmp_path):
    night()
    scale(sound / "a.h5")
    failing("index.json")
    with pytest.raises(UsageError, match="kept in"):
        night()
    (kept,) = left(tmp_path)
    assert all((kept / name).stat().st_size for name in tree(kept) - {".lock"})
    assert "models/b.keras/report.html" not in tree(kept)


def test_a_url_that_cannot_be_written_to_is_told_before_the_work(night, failing, tmp_path):
    failing(".lock")
    with pytest.raises(UsageError, match="cannot be written"):
        night(models=tmp_path / "no such registry")
    for url, said in (
        ("http://127.0.0.1/x", "nothing can be written there"),
        ("models:/x", "nothing can be written there"),
        ("nobody://x", "nobody"),
    ):
        with pytest.raises(UsageError, match=said):
            night(url)
    FILES.pipe("/file", b"")
    with pytest.raises(UsageError, match="counted://file is not a directory"):
        night("counted://file")
    with pytest.raises(UsageError, match="a file, not a URL"):
        night(formats=("sarif=counted://x.sarif",))
    assert left(tmp_path) == []


def test_two_runs_at_once_do_not_overwrite_each_other(night, tmp_path):
    def other(_):
        FILES.pipe(f"{START}history.sqlite3", b"of another run")

    with pytest.raises(LockHeld, match="another run wrote to it meanwhile; what was written is"):
        night(formats=("json",), on_finish=other)
    assert there()["history.sqlite3"].getvalue() == b"of another run"
    with pytest.raises(StoreError, match=f"^{OUT}/history.sqlite3: file is not a database"):
        night(formats=("json",))


def test_an_interrupted_run_goes_on_where_it_was(night, tmp_path, monkeypatch):
    real = recorded_run.audit_with_progress

    def stopped(*arguments, **options):
        with closing(real(*arguments, **options)) as work:
            yield next(work)
            raise KeyboardInterrupt

    monkeypatch.setattr(recorded_run, "audit_with_progress", stopped)
    with pytest.raises(Interrupted, match="1 of 2 models audited"):
        night(formats=("json",))
    monkeypatch.undo()
    assert left(tmp_path) == []
    assert night(formats=("json",)).audited == 1


def test_reports_beside_models_at_a_url_are_no_models(night, tmp_path):
    FILES.pipe("/models/a.h5", files.minimal_h5(tmp_path / "a.h5").read_bytes())
    inside = "counted://models/reports"
    assert [row.path for row in night(inside, "counted://models", ("json",)).rows] == ["a.h5"]
    again = night(inside, "counted://models", ("json",))
    assert (again.quiet, {*READ}, again.found.others) == (True, {"history.sqlite3"}, {})
    for out in ("counted://models", "counted://"):
        with pytest.raises(UsageError, match="where files are written; choose another --out"):
            night(out, "counted://models")
