"""Shards together are the registry, and their merge is the run over all of it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed.run_content import content, timeless
from modelaudit.cli.options.selection import ShardType
from modelaudit.registry import snapshot
from modelaudit.registry.remote import files as remote_files
from modelaudit.registry.remote.address import place_of
from modelaudit.runs.found_models import find_models
from modelaudit.settings import CacheSettings, Settings
from modelaudit.settings.selection import Selection, Shard
from tests.made import files
from tests.registry.remote import stores
from tests.registry.trees import saved_model
from tests.runs.nights import audited, invoke, scale

FORMATS = ("sarif", "junit", "markdown", "gitlab", "cyclonedx")
SHARDS = 3
PATHS = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=9)


@given(st.lists(PATHS, min_size=1, max_size=4), st.integers(1, 9))
def test_each_model_is_in_one_shard(parts, count):
    path = "/".join(parts)
    taken = [n for n in range(1, count + 1) if Shard(n, count).takes(path)]
    assert len(taken) == 1
    assert Shard(taken[0], count).takes(f"{path}/7") == Shard(taken[0], count).takes(f"{path}/12")


def test_shards_have_about_the_same_size():
    sizes = [sum(Shard(n, 8).takes(f"team/{i}.keras") for i in range(8000)) for n in range(1, 9)]
    assert sum(sizes) == 8000
    assert max(sizes) - min(sizes) < 200  # seven standard deviations of a binomial count


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "3", "1/2/3", "a/3", "-1/3", "1/20000", "1/ 3", "", f"1/{10**3000}"]
)
def test_what_is_no_shard(text, models):
    done = invoke("scan", models, "--shard", text)
    assert done.exit_code == 2
    assert "is not I/N" in done.output


@pytest.fixture
def six(registry):
    """Those of them that pass."""
    shutil.rmtree(registry / "team")
    (registry / "truncated.h5").unlink()
    return registry


@pytest.fixture
def registry(models):
    """Eight models: two have the same bytes, one is truncated, one is the newer of two versions."""
    shutil.copy(models / "a.h5", models / "copy.h5")
    for version in "12":
        saved_model(models / "team" / version)
    for name in ("c.h5", "d.h5", "e.keras"):
        made = files.minimal_keras if name.endswith("keras") else files.minimal_h5
        made(models / name)
        if name.endswith("h5"):
            scale(models / name, 2.0 + len(name))
    (models / "notes.md").write_text("notes")
    (models / "lost.caffemodel").write_text("of another framework")
    return models


def outputs(models, command="audit", *, count=SHARDS, only=None, formats=("json",)):
    """Run the shards, each into a directory of its own."""
    chosen = [word for name in formats for word in ("-f", name)]
    outs = []
    for number in only or range(1, count + 1):
        out = models.parent / f"shard-{number}"
        words = (command, models, "--no-probe", *chosen, "-o", out)
        done = invoke(*words, "--shard", f"{number}/{count}")
        assert done.exit_code in (0, 1), done.output
        outs.append(out)
    return outs


def merge(models, *more, code=None, outs=None):
    outs = outs or [models.parent / f"shard-{number}" for number in range(1, SHARDS + 1)]
    done = invoke("merge", *outs, "-o", models.parent / "out", *more)
    assert code in (None, done.exit_code), done.output
    return done


@pytest.mark.slow
def test_the_merge_equals_the_run_over_all(registry):
    formats = [word for name in FORMATS for word in ("-f", name)]
    one = registry.parent / "one"
    whole = invoke(
        *("audit", registry, "--no-probe", "-f", "json", "-f", "html", *formats, "-o", one)
    )
    outs = outputs(registry, formats=("json", "html"))
    sizes = [len(json.loads((out / "index.json").read_text())["models"]) for out in outs]
    assert sum(sizes) == 8
    assert max(sizes) < 8
    done = merge(registry, *formats, code=whole.exit_code)
    assert done.output.replace("/out/", "/one/") == whole.output
    expected, got = content(one), content(registry.parent / "out")
    assert {*got} == {*expected}
    for name, text in expected.items():
        assert got[name] == text, name
    assert any("same-content" in text for name, text in got.items() if name == "index.json")


def test_scans_of_shards_are_the_scan_of_all(registry):
    def scan(*more):
        return json.loads(invoke("scan", registry, "--json", *more).stdout)

    parts = [row for n in range(1, 4) for row in scan("--shard", f"{n}/3")]
    by_path = {row["path"]: row | {"created": ""} for row in parts}
    assert len(by_path) == len(parts)
    assert by_path == {row["path"]: row | {"created": ""} for row in scan()}


@pytest.mark.slow
def test_nights_of_shards_tell_what_nights_of_all_tell(registry, monkeypatch):
    monkeypatch.setattr(snapshot, "SETTLED_SECONDS", 0.0)  # the models were made just now

    def night():
        shown = invoke(
            "nightly", registry, "--no-probe", "-f", "json", "-o", registry.parent / "one"
        )
        outputs(registry, "nightly")
        done = merge(registry, code=shown.exit_code)
        return [timeless(each.output).replace("/one/", "/out/") for each in (shown, done)]

    first = night()
    assert first[0] == first[1]
    assert night() == ["", ""]
    assert audited(registry) == 0
    scale(registry / "c.h5", float("nan"))
    (registry / "d.h5").rename(registry / "renamed.h5")
    (registry / "b.keras").unlink()
    shown, merged = night()
    assert merged == shown
    assert all(word in shown for word in ("worse", "c.h5", "renamed", "gone"))


def test_models_of_a_missing_shard_are_incomplete_and_not_gone(six):
    outs = outputs(six, "nightly")
    merge(six, code=0)
    rest = [out for out in outs if json.loads((out / "index.json").read_text())["models"]][1:]
    done = merge(six, outs=rest, code=3)
    index = json.loads((six.parent / "out" / "index.json").read_text())
    assert len(index["models"]) == 6
    lost = [row for row in index["models"] if "no shard has a result for it" in row["reason"]]
    assert lost
    assert {row["verdict"] for row in lost} == {"incomplete"}
    assert re.search(r"not audited: shard \d/3 \(no output of it was given\)", done.output)
    assert "gone" not in done.output
    again = merge(six, code=0)
    assert again.output.count("better") == len(lost)


def test_a_shard_without_models_is_no_error(tmp_path):
    (tmp_path / "models").mkdir()
    files.minimal_h5(tmp_path / "models" / "a.h5")
    codes = [
        invoke("scan", tmp_path / "models", "--shard", f"{number}/4") for number in range(1, 5)
    ]
    assert [done.exit_code for done in codes] == [0, 0, 0, 0]
    empty = [done for done in codes if "No models in this shard" in done.output]
    assert len(empty) == 3
    assert all("1 in other shards" in done.output for done in empty)


def test_an_empty_registry_is_found_in_every_shard_and_by_the_merge(tmp_path):
    (tmp_path / "models").mkdir()
    outs = [tmp_path / "1", tmp_path / "2"]
    for number, out in enumerate(outs, 1):
        words = ("audit", tmp_path / "models", "--no-probe", "-f", "json", "-o", out)
        assert invoke(*words, "--shard", f"{number}/2").exit_code == 4
    done = merge(tmp_path / "models", outs=outs, code=4)
    assert "No models found" in done.output


def test_a_shard_whose_last_run_was_killed_is_missing(six):
    outs = outputs(six)
    with sqlite3.connect(outs[1] / "history.sqlite3") as history:
        history.execute("UPDATE run SET state = 'running'")
    done = merge(six, code=3)
    assert "shard 2/3 (its last run, of " in done.output
    assert done.output.count("is running") == 1


def test_an_old_shard_is_named(six):
    outs = outputs(six)
    with sqlite3.connect(outs[0] / "history.sqlite3") as history:
        history.execute("UPDATE run SET started = '2026-01-02T03:04:05Z'")
    done = merge(six, code=3)
    assert (
        "shard 1/3 (its last run is of 2026-01-02T03:04:05Z; other shards are newer" in done.output
    )


def test_waivers_count_as_unused_only_for_all_shards(registry):
    config = registry.parent / "modelaudit.toml"
    config.write_text(
        '[[ignore]]\npath = "truncated.h5"\nrule = "MA101"\nreason = "known"\n'
        '[[ignore]]\npath = "nowhere/*"\nrule = "MA101"\nreason = "old"\n'
    )
    for number in range(1, SHARDS + 1):
        out = registry.parent / f"shard-{number}"
        words = ("audit", registry, "--no-probe", "-f", "json", "-o", out)
        done = invoke("--config", config, *words, "--shard", f"{number}/{SHARDS}")
        assert "matches no" not in done.output
    outs = [registry.parent / f"shard-{number}" for number in range(1, SHARDS + 1)]
    done = invoke("--config", config, "merge", *outs, "-o", registry.parent / "out")
    assert "nowhere/* (old) matches no model of this run" in done.output


def test_an_output_directory_belongs_to_one_shard(registry):
    (out,) = outputs(registry, "nightly", only=(1,))
    words = ("nightly", registry, "--no-probe", "-f", "json", "-o", out)
    done = invoke(*words, "--shard", "2/3")
    assert f"holds the audits of {registry} shard 1/3" in str(done.exception)


def test_a_shard_fetches_only_its_models(tmp_path, monkeypatch):
    stores.forget()
    monkeypatch.setattr(remote_files, "_FIRST_PAUSE_SECONDS", 0.0)
    for name in ("a.h5", "b.h5", "c.h5", "d.h5", "e.h5"):
        made = files.minimal_h5(tmp_path / name)
        stores.FILES.pipe(f"/models/{name}", made.read_bytes())
    url = place_of("counted://models")

    def found(shard=None):
        stores.READ.clear()
        cache = CacheSettings(str(tmp_path / "cache"))
        settings = Settings(cache=cache, selection=Selection(shard=shard))
        models = find_models((url,), settings)
        return {target.relative for target in models.targets}, {*stores.READ}

    parts = [found(Shard(number, 3)) for number in (1, 2, 3)]
    whole, _ = found()
    assert sorted(name for names, _ in parts for name in names) == sorted(whole)
    for names, read in parts:
        assert read == names
    # Copies of other shards are still there.
    assert [found(Shard(number, 3)) for number in (1, 2, 3)] == [(n, set()) for n, _ in parts]


def test_the_type_of_the_option():
    assert ShardType().convert("2/3", None, None) == Shard(2, 3)
