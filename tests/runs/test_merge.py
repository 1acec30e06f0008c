"""What a merge refuses, and what it makes of shards that are missing or damaged."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys

import pytest

from modelaudit.cli import main
from modelaudit.errors import Interrupted
from modelaudit.runs.missing_models import unreachable_models
from modelaudit.runs.recording import merge as merging
from modelaudit.runs.run_result import Output
from modelaudit.runs.write_reports import parse_formats
from modelaudit.settings import Settings
from modelaudit.settings.selection import Shard
from modelaudit.store.records import ModelKey
from tests.rows import row
from tests.runs.nights import invoke
from tests.runs.test_shards import merge, outputs


@pytest.fixture
def refused(models, monkeypatch, capsys):
    """Run a merge that must end with exit code 2, and return what it says."""

    def run(*words, out="out"):
        told = ["modelaudit", "merge", *map(str, words), "-o", str(models.parent / out)]
        monkeypatch.setattr(sys, "argv", told)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return " ".join(capsys.readouterr().err.split())

    return run


def test_what_cannot_be_merged(models, refused):
    outs = outputs(models, only=(1, 2))
    twice, other = models.parent / "twice", models.parent / "other"
    shutil.copytree(outs[0], twice)
    assert "both hold shard 1/3" in refused(*outs, twice)
    told = json.loads((twice / "shard.json").read_text())
    told["told"]["shard"] = {"number": 2, "of": 2}
    (twice / "shard.json").write_text(json.dumps(told))
    assert "holds shard 2/2" in refused(outs[0], twice)
    other.mkdir()
    assert "is not the output of a run with --shard" in refused(other)
    (other / "shard.json").write_text("{")
    assert "damaged" in refused(other)
    assert "is the output of a shard" in refused(*outs, out="shard-1")
    assert "is given twice" in refused(outs[0], outs[1], outs[0])
    assert "reports on each model are those of the shards" in refused(*outs, "-f", "html")


@pytest.mark.parametrize("slug", ["../../x", "..", "", "/x"])
def test_names_that_lead_out_of_the_output_are_refused(sound, refused, slug):
    (out,) = outputs(sound, count=1)
    with sqlite3.connect(out / "history.sqlite3") as history:
        history.execute("UPDATE audit SET line = json_set(line, '$.slug', ?)", (slug,))
    assert "shard 1/1 has a model in the directory" in refused(out)
    assert not (sound.parent / "out" / "index.html").exists()


def test_numbers_of_shards_are_checked(sound, refused):
    (out,) = outputs(sound, count=1)
    told = json.loads((out / "shard.json").read_text())
    told["told"]["shard"]["of"] = 10**9
    (out / "shard.json").write_text(json.dumps(told))
    assert "damaged: 1/1000000000 is not I/N" in refused(out)


def test_a_shard_whose_first_run_was_killed_is_a_problem(sound):
    full = [n for n in (1, 2) if any(Shard(n, 2).takes(name) for name in ("a.h5", "b.keras"))]
    outs = outputs(sound, count=2, only=full[:1])
    (sound.parent / "begun").mkdir()
    done = merge(sound, outs=[sound.parent / "begun", *outs], code=3)
    assert "begun (no run with --shard was completed" in " ".join(done.output.split())
    assert (sound.parent / "out" / "index.html").is_file()


def test_a_later_run_without_a_shard_is_named(sound):
    outs = outputs(sound, count=2)
    invoke("audit", sound, "--no-probe", "-f", "json", "-o", outs[0])
    done = merge(sound, outs=outs, code=3)
    assert "is not the one that shard.json is of" in " ".join(done.output.split())


@pytest.mark.parametrize("root", ["/models", "s3://models"])
def test_only_models_of_missing_shards_may_still_be_there(root):
    """Whichever directory they are in: that of the shards that are there may be another."""
    before = {ModelKey(root, f"{n}.h5"): row(f"{n}.h5", "pass") for n in range(30)}
    missing = frozenset({Shard(2, 3)})
    hidden = [target.relative for target in unreachable_models(before, (), (), missing)]
    assert hidden == [key.path for key in before if Shard(2, 3).takes(key.path)]
    assert 0 < len(hidden) < 30


def test_models_in_an_archive_at_a_url_are_in_its_shard():
    before = {ModelKey("s3://models", f"{n}.zip/m.h5"): row("m", "pass") for n in range(30)}
    hidden = {target.relative for target in unreachable_models(before, (), (), [Shard(1, 2)])}
    assert hidden >= {key.path for key in before if Shard(1, 2).takes(key.path.split("/")[0])}


def test_a_deleted_model_is_gone_although_another_shard_is_missing(sound):
    for n in range(6):
        shutil.copy(sound / "a.h5", sound / f"{n}.h5")
    outs = outputs(sound, "nightly", count=2)
    merge(sound, outs=outs, code=0)
    first = [path for path in sorted(sound.iterdir()) if Shard(1, 2).takes(path.name)]
    first[0].unlink()
    outputs(sound, "nightly", count=2, only=(1,))
    done = merge(sound, outs=outs[:1], code=3)
    assert " 1 gone" in done.output
    assert first[0].name in done.output
    rows = json.loads((sound.parent / "out" / "index.json").read_text())["models"]
    lost = {each["path"] for each in rows if each["verdict"] == "incomplete"}
    assert lost == {path.name for path in sound.iterdir() if Shard(2, 2).takes(path.name)}


def test_a_report_that_a_shard_lacks_comes_from_its_history(sound):
    (out,) = outputs(sound, count=1)
    reports = {path.parent.name: path for path in out.glob("models/*/audit.json")}
    expected = {name: path.read_bytes() for name, path in reports.items()}
    for path in reports.values():
        path.unlink()
    merge(sound, "-f", "sarif", outs=[out], code=0)
    merged = (sound.parent / "out").glob("models/*/audit.json")
    assert {path.parent.name: path.read_bytes() for path in merged} == expected


def test_a_merge_follows_a_registry_that_moved(sound):
    outs = outputs(sound, "nightly", count=1)
    merge(sound, outs=outs, code=0)
    moved = sound.rename(sound.parent / "elsewhere")
    words = ("nightly", moved, "--no-probe", "-f", "json", "--shard", "1/1", "-o", outs[0])
    assert invoke(*words, "--moved").exit_code == 0
    assert "add --moved" in str(merge(moved, outs=outs).exception)
    assert merge(moved, "--moved", outs=outs, code=0).output == ""


def test_an_interrupted_merge_says_how_to_go_on(sound, monkeypatch):
    (out,) = outputs(sound, count=1)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(merging, "_link_reports", interrupt)
    with pytest.raises(Interrupted, match="2 of 2 models merged; repeat the merge"):
        merging.merge(
            [Output(out)], Settings(), Output(sound.parent / "out"), parse_formats(()), keep=9
        )


def test_a_shard_without_models_is_silent_from_the_second_night_on(sound):
    empty = next(n for n in range(1, 5) if not Shard(n, 4).takes("a.h5"))
    (sound / "b.keras").unlink()

    def night(number):
        words = ("nightly", sound, "--no-probe", "-f", "json", "--shard", f"{number}/4")
        done = invoke(*words, "-o", sound.parent / f"shard-{number}")
        assert done.exit_code == 0, done.output
        return done.output

    assert "first run" in night(empty)
    assert night(empty) == ""
    names = (f"{n}.h5" for n in range(99))
    name = next(name for name in names if Shard(empty, 4).takes(name))
    shutil.copy(sound / "a.h5", sound / name)
    assert "1 model" in night(empty)
    (sound / name).unlink()
    assert "gone" in night(empty)
    assert night(empty) == ""


def test_an_audit_of_another_shard_is_refused(sound):
    (out,) = outputs(sound, only=(1,))
    words = ("audit", sound, "--no-probe", "-f", "json", "-o", out)
    assert "shard 1/3; use another --out" in str(invoke(*words, "--shard", "2/3").exception)
    assert invoke(*words, "--shard", "1/3").exit_code == 0
