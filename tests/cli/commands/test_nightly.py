"""Nightly runs: no output if nothing changed, and unchanged models are not read again."""

from __future__ import annotations

import cProfile
import json
import os
import shutil

import h5py
import pytest
from click.exceptions import Abort
from click.testing import CliRunner
from msgspec import structs

from modelaudit import clock
from modelaudit.cli import cli
from modelaudit.cli.commands.nightly import nightly as nightly_command
from modelaudit.registry import snapshot
from modelaudit.runs import batch
from modelaudit.store.records import RunState
from modelaudit.store.store import Store
from modelaudit.structs import replace
from tests.command_line import run_command
from tests.made import files
from tests.runs.nights import audited, later, nightly, scale


def test_the_first_run_reports_the_state_and_the_second_nothing(models):
    done = nightly(models, code=1)
    assert f"{models}: 3 models, first run\nnow 1 fail, 2 pass\n" in done.stdout
    assert (
        "\nfail        truncated.h5\n  + MA102 truncated-file (high): `truncated.h5` ends "
        in done.stdout
    )
    index = models.parent / "out" / "index.json"
    before = index.read_bytes()
    done = nightly(models)  # the failing model is no news
    assert (done.stdout, done.stderr, audited(models)) == ("", "", 0)
    assert index.read_bytes() == before


def test_only_touched_models_are_audited(models):
    for number in range(6):
        files.minimal_h5(models / f"more{number}.h5")
    nightly(models, code=1)
    for number in range(3):
        scale(models / f"more{number}.h5")
    done = nightly(models)
    assert audited(models) == 3
    assert "3 of 9 models changed" in done.stdout
    for number in range(3):
        assert f"saved again more{number}.h5  still pass, different bytes" in done.stdout
    nightly(models)
    assert audited(models) == 0


def test_new_gone_renamed_worse_and_better(models, monkeypatch):
    later(monkeypatch)
    nightly(models, code=1)
    (models / "b.keras").rename(models / "c.keras")
    shutil.copy(models / "truncated.h5", models / "kept")
    whole = (models / "a.h5").read_bytes()
    (models / "a.h5").write_bytes(whole[: len(whole) // 2])
    (models / "truncated.h5").write_bytes(whole)
    (models / "kept").unlink()
    done = nightly(models, code=1)
    assert "worse       a.h5  pass -> fail\n  + MA102 truncated-file (high): " in done.stdout
    assert "better      truncated.h5  fail -> pass\n" in done.stdout
    assert "  - MA102 truncated-file (high): `truncated.h5` ends " in done.stdout
    assert "renamed     c.keras  was b.keras, still pass" in done.stdout
    (models / "a.h5").unlink()
    shutil.copy(models / "c.keras", models / "d.keras")
    done = nightly(models)
    assert f"{models}: 3 models before, 3 now: 1 new, 1 gone since " in done.stdout
    assert "gone        a.h5  was fail" in done.stdout
    assert "new         d.keras  pass" in done.stdout


def test_groups_of_models_are_reported_when_they_are_new(sound):
    twins = "2 models have the same weights in different files: a.h5, b.keras\n"
    assert f"\n\n{twins}" in nightly(sound).stdout
    shutil.copy(sound / "a.h5", sound / "copy.h5")
    with h5py.File(sound / "copy.h5", "r+") as file:
        file.attrs["remark"] = "saved again"  # other bytes, the same weights
    said = nightly(sound).stdout
    assert f"\n\n{twins.replace('2', '3').replace('b.keras', 'b.keras, copy.h5')}" in said
    assert "an older Keras" not in said  # reported before
    (sound / "copy.h5").unlink()
    assert "hold the same weights" not in nightly(sound).stdout
    shutil.copy(sound / "b.keras", sound / "c.keras")
    said = nightly(sound).stdout
    assert "2 models are identical, byte for byte: b.keras, c.keras\n" in said
    data = json.loads((sound.parent / "out" / "index.json").read_text())
    kinds = {each["kind"]: each["models"] for each in data["together"]}
    assert kinds["same-weights"] == ["a.h5", "b.keras"]  # c.keras is reported as a copy
    (sound / "c.keras").rename(sound / "0.keras")
    said = nightly(sound).stdout
    assert "renamed     0.keras  was c.keras, still pass" in said
    assert "byte for byte" not in said
    assert "the same weights" not in said
    assert kinds["same-content"] == ["b.keras", "c.keras"]
    assert kinds["mixed-keras"] == ["a.h5"]
    assert nightly(sound).stdout == ""


def test_a_first_run_names_the_worst_findings_of_so_many_models(models):
    for number in range(24):
        shutil.copy(models / "truncated.h5", models / f"cut{number:02}.h5")
    lines = nightly(models, code=1).stdout.splitlines()
    assert lines[:2] == [f"{models}: 27 models, first run", "now 25 fail, 2 pass"]
    assert [line for line in lines if line.startswith("fail ")] == [
        f"fail        cut{number:02}.h5" for number in range(20)
    ]
    assert sum(line.startswith("  + MA102 truncated-file (high): ") for line in lines) == 20
    assert "and 5 more" in lines


def test_reports_that_were_deleted_are_made_again(sound):
    nightly(sound)
    page = sound.parent / "out" / "models" / "a.h5" / "audit.json"
    page.unlink()
    assert nightly(sound).stdout == ""
    assert page.is_file()
    assert audited(sound) == 1


def test_an_expiring_waiver_is_reported_on_its_day(models, tmp_path, monkeypatch):
    config = tmp_path / "modelaudit.toml"
    rules = json.loads(
        CliRunner().invoke(cli, ["scan", "--json", str(models / "truncated.h5")]).stdout
    )[0]["rules"]
    config.write_text(
        "".join(
            f'[[ignore]]\nrule = "{rule}"\nreason = "known"\nexpires = 2026-03-01\n'
            for rule in rules
        )
    )

    def night(day: str, code: int) -> str:
        monkeypatch.setattr(clock, "utc_now", lambda: f"{day}T02:00:00Z")
        return nightly(models, code=code, config=config).stdout

    night("2026-02-01", 0)
    assert "expires on 2026-03-01" in night("2026-02-20", 0)
    assert night("2026-02-21", 0) == ""
    assert night("2026-03-01", 0) == ""
    said = night("2026-03-02", 1)
    assert "worse       truncated.h5  pass -> fail; same file, MA102" in said
    expired = "A waiver for this expired on 2026-03-01."
    assert f"no longer waived\n  + MA102 truncated-file (high): {expired}" in said


def test_an_unused_waiver_is_reported_once(sound, tmp_path):
    config = tmp_path / "modelaudit.toml"
    config.write_text('[[ignore]]\nrule = "MA405"\nreason = "left over"\n')
    said = "the waiver of MA405 for * (left over) matches no finding of this run"
    assert said in nightly(sound, config=config).stdout
    assert nightly(sound, config=config).stdout == ""


def test_unreported_changes_are_reported_by_the_next_run(sound, monkeypatch):
    nightly(sound)
    scale(sound / "a.h5")
    with monkeypatch.context() as patch:
        patch.setattr(
            "modelaudit.cli.terminal.say", lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(Abort):
            nightly_command.main(
                [str(sound), "--out", str(sound.parent / "out"), "-f", "json", "--no-probe"],
                standalone_mode=False,
            )
    with Store.open_to_read(sound.parent / "out") as store:
        assert store.runs()[-1].state is RunState.COMPLETE
    assert "saved again a.h5" in nightly(sound).stdout
    assert audited(sound) == 0
    assert nightly(sound).stdout == ""


def test_a_model_removed_during_the_run_is_a_row(models, monkeypatch):
    real = batch.audit_model

    def audit_model(target, *arguments):
        (models / "b.keras").unlink(missing_ok=True)
        return real(target, *arguments)

    monkeypatch.setattr(batch, "audit_model", audit_model)
    nightly(models, "--jobs", "1", code=1)
    with Store.open_to_read(models.parent / "out") as store:
        assert len(store.results(1)) == 3
    monkeypatch.undo()
    assert "gone        b.keras" in nightly(models).stdout


def test_policies_apply_to_their_models(models, tmp_path):
    config = tmp_path / "modelaudit.toml"
    (models / "lab").mkdir()
    shutil.move(models / "truncated.h5", models / "lab")
    config.write_text('[[policy]]\npath = "lab/*"\nfail_on = "critical"\n')
    nightly(models, config=config)
    rules = json.loads((models.parent / "out" / "index.json").read_text())["models"][0]["codes"]
    severities = "".join(f'{rule} = "critical"\n' for rule in rules)
    config.write_text(f'[[policy]]\npath = "lab/*"\n[policy.severity]\n{severities}')
    done = nightly(models, code=1, config=config)
    assert (
        "worse       lab/truncated.h5\n    pass with warnings -> fail; same file, so "
    ) in done.stdout
    assert audited(models) == 1


def test_the_index_and_the_reports_show_what_changed(models):
    out = models.parent / "out"
    nightly(models, "-f", "html", code=1)
    whole = (models / "a.h5").read_bytes()
    (models / "truncated.h5").write_bytes(whole)
    nightly(models, "-f", "html")
    data = json.loads((out / "index.json").read_text())
    assert data["changes"] == ["better: truncated.h5 (fail -> pass)"]
    assert {row["path"]: row["change"] for row in data["models"]}["truncated.h5"] == "better"
    page = (out / "index.html").read_text()
    assert "What changed since" in page
    assert 'better: <a href="models/truncated.h5/report.html"><code>truncated.h5</code></a>' in page
    assert "(fail → pass" in page
    report = (out / "models" / "truncated.h5" / "report.html").read_text()
    assert "fixed" in report
    assert "The model file has changed." in report


CALLS_PER_MODEL = 1_900  # half as many again as are made


@pytest.mark.slow
def test_unchanged_models_cost_few_calls(tmp_path, monkeypatch):
    later(monkeypatch)
    monkeypatch.setattr(snapshot, "SETTLED_SECONDS", 0.0)
    files.minimal_h5(tmp_path / "one.h5")
    real, copies = batch.audit_model, []

    def audit_model(target, *arguments):
        """One real audit per process, copied for the other models: only the second run counts."""
        copies.append(copies[0] if copies else real(target, *arguments))
        model = structs.replace(copies[-1].model, path=target.relative, slug=target.slug)
        return replace(copies[-1], model=model)

    monkeypatch.setattr(batch, "audit_model", audit_model)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # durability is tested elsewhere
    calls = {}
    for count in (20, 220):
        models = tmp_path / str(count) / "models"
        for number in range(count):
            team = models / f"team{number % 20}"
            team.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / "one.h5", team / f"m{number}.h5")
        nightly(models)
        counter = cProfile.Profile()
        with monkeypatch.context() as patch, counter:
            # It reads all bytes of a model.
            patch.setattr(snapshot.SnapshotReader, "content", None)
            done = nightly(models)
        assert (done.stdout, done.stderr, audited(models)) == ("", "", 0)
        calls[count] = sum(each.callcount for each in counter.getstats())
    assert calls[220] - calls[20] < 200 * CALLS_PER_MODEL


def test_results_of_a_manual_audit_are_still_reported_by_the_nightly_run(sound):
    out = sound.parent / "out"
    nightly(sound)
    (sound / "new.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    by_hand = run_command("audit", sound, "--no-probe", "-f", "json", "--out", out)
    assert "FAIL  new.h5" in by_hand.stdout
    done = nightly(sound, code=1)
    assert "\nnew         new.h5  fail" in done.stdout
    assert nightly(sound).stdout == ""


def test_a_damaged_audit_file_is_rewritten_without_running_the_model(sound):
    nightly(sound)
    (name, *_) = (path.name for path in sorted(sound.iterdir()))
    document = sound.parent / "out" / "models" / name / "audit.json"
    document.write_bytes(b"\xff")
    with (sound / name).open("ab") as model:
        model.write(b"more")
    done = nightly(sound, code=None)
    assert "Traceback" not in done.stderr
    assert json.loads(document.read_bytes())["model"]["path"] == name


def test_a_deleted_index_is_written_again(sound):
    nightly(sound)
    index = sound.parent / "out" / "index.json"
    index.unlink()
    nightly(sound)
    assert json.loads(index.read_bytes())["models"]
