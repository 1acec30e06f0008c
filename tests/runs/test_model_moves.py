"""`modelaudit history MODEL`: renames of a model, forward and backward."""

from __future__ import annotations

import json
import re
import shutil

from modelaudit.registry.output_directory import locked
from modelaudit.store.records import ModelKey
from modelaudit.store.store import Store
from tests.command_line import SAMPLES
from tests.runs.nights import audits, invoke, nightly


def texts(out, name):
    """The history of a model, without times."""
    said = invoke("history", out, name).stdout
    return [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN", line) for line in said.splitlines()]


def test_a_renamed_model_is_followed(sound, tmp_path):
    out = sound.parent / "out"
    nightly(sound)
    (sound / "a.h5").rename(sound / "new name.h5")
    nightly(sound)
    nightly(sound)
    runs = json.loads(invoke("history", out, "--json").stdout)
    (old,), (new,) = audits(out, "a.h5"), audits(out, "new name.h5")
    to = {"kind": "renamed", "path": "new name.h5", "since": runs[1]["started"]}
    assert (old["renamed_from"], old["left"]) == (None, to)
    assert (new["renamed_from"], new["left"]) == ("a.h5", None)
    assert texts(out, "a.h5")[2:] == ["    renamed to new name.h5 on WHEN"]
    assert texts(out, "new name.h5")[2:] == [
        "    renamed from a.h5",
        "    unchanged in 1 more run, until WHEN",
    ]
    assert audits(out, "b.keras")[0]["left"] is None


def test_a_model_renamed_back_is_followed_both_ways(sound):
    out = sound.parent / "out"
    for old, new in (("a.h5", "a.h5"), ("a.h5", "b.h5"), ("b.h5", "a.h5")):
        (sound / old).rename(sound / new)
        nightly(sound)
    first, second = audits(out, "a.h5")
    assert (first["renamed_from"], first["left"]["path"]) == (None, "b.h5")
    assert (second["renamed_from"], second["left"]) == ("b.h5", None)
    (between,) = audits(out, "b.h5")
    assert (between["renamed_from"], between["left"]["path"]) == ("a.h5", "a.h5")


def test_a_removed_model_is_gone_and_a_restored_one_starts_again(sound):
    out, away = sound.parent / "out", sound.parent / "away.h5"
    nightly(sound)
    nightly(sound)
    (sound / "a.h5").rename(away)
    nightly(sound)
    assert texts(out, "a.h5")[2:] == [
        "    unchanged in 1 more run, until WHEN",
        "    gone since WHEN",
    ]
    away.rename(sound / "a.h5")
    nightly(sound)
    runs = json.loads(invoke("history", out, "--json").stdout)
    first, second = audits(out, "a.h5")
    assert first["left"] == {"kind": "gone", "path": None, "since": runs[2]["started"]}
    assert (first["runs"], second["run"], second["renamed_from"]) == (2, 4, None)
    assert second["left"] is None


def test_a_run_that_did_not_cover_a_model_does_not_remove_it(sound):
    """One for another model only, one that found nothing, one that was interrupted."""
    out = sound.parent / "out"
    nightly(sound)
    words = ["--no-probe", "-f", "json", "--out", out]
    assert invoke("audit", sound / "b.keras", *words).exit_code == 0
    for path in list(sound.iterdir()):
        path.unlink()
    assert invoke("audit", sound, *words).exit_code == 4
    with locked(out), Store.open(out) as store:
        run = store.begin(str(sound), "nightly", "tool", "rules", "2026-03-02T02:00:00Z")
        store.reuse(run, {ModelKey(str(sound), "b.keras"): 2})
    assert audits(out, "a.h5")[0]["left"] is None


def test_a_superseded_version_is_older_and_not_removed(sound):
    out = sound.parent / "out"
    for number in (1, 2):
        shutil.copytree(SAMPLES / "digits_tf1_savedmodel", sound / f"m/{number}")
    nightly(sound)
    assert audits(out, "m/2")[0]["left"] is None
    shutil.copytree(sound / "m/2", sound / "m/3")
    nightly(sound)
    (audit,) = audits(out, "m/2")
    assert (audit["left"]["kind"], audit["left"]["path"]) == ("superseded", "m/3")
    assert texts(out, "m/2")[-1] == "    superseded: not audited since WHEN, 3 is a newer version"
    assert audits(out, "m/3")[0]["renamed_from"] is None
