"""Nightly runs: silent where nothing changed, and nothing is read again that need not be."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from click.exceptions import Abort
from click.testing import CliRunner, Result

from modelaudit.cli import batch, cli, memory, recorded
from modelaudit.cli.nightly import nightly as nightly_command
from modelaudit.probe import here
from modelaudit.probe.here import Seen
from modelaudit.probe.protocol import Observation, Status
from modelaudit.store import keys
from modelaudit.store.records import State
from modelaudit.store.store import Store
from tests.cli.conftest import ROOT, SAMPLES, command
from tests.made import files


def nightly(models: Path, *more: str, code: int = 0, config: Path | None = None) -> Result:
    """One night of static audits, with reports beside the registry."""
    first = ["--config", str(config)] if config else []
    chosen = ["nightly", str(models), "--out", str(models.parent / "out"), "-f", "json", *more]
    probing = [] if "--probe" in more else ["--no-probe"]
    chosen = [word for word in chosen if word != "--probe"]
    done = CliRunner().invoke(cli, [*first, *chosen, *probing], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def audited(models: Path) -> int:
    """How many models the last run audited."""
    with Store.open_to_read(models.parent / "out") as store:
        return store.runs()[-1].audited


def scale(model: Path, factor: float = 2.0) -> None:
    with h5py.File(model, "r+") as file:
        kernel = file["model_weights/dense/dense/kernel:0"]
        kernel[...] = factor * kernel[()]


def test_the_first_run_tells_the_state_and_the_second_nothing(models):
    done = nightly(models, code=1)
    assert f"{models}: 3 models, first run\nnow 1 fail, 2 pass\n" in done.stdout
    assert "fail        truncated.h5" in done.stdout
    index = models.parent / "out" / "index.json"
    before = index.read_bytes()
    done = nightly(models)  # the failing model is no news
    assert (done.stdout, done.stderr, audited(models)) == ("", "", 0)
    assert index.read_bytes() == before


def test_only_what_was_touched_is_audited(models):
    for number in range(6):
        files.minimal_h5(models / f"more{number}.h5")
    nightly(models, code=1)
    for number in range(3):
        scale(models / f"more{number}.h5")
    done = nightly(models)
    assert audited(models) == 3
    assert "3 of 9 models changed" in done.stdout
    for number in range(3):
        assert f"saved again more{number}.h5  still pass, other bytes" in done.stdout
    nightly(models)
    assert audited(models) == 0


def test_other_times_of_the_same_bytes_are_no_change(sound):
    nightly(sound)
    os.utime(sound / "a.h5", (1, 1))
    shutil.copy(sound / "b.keras", sound / "copy")
    (sound / "copy").replace(sound / "b.keras")
    assert nightly(sound).stdout == ""
    assert audited(sound) == 0


def test_verify_finds_what_a_directory_entry_hides(sound, monkeypatch):
    """As on a file system that keeps no times: every snapshot looks the same, and settled."""
    from modelaudit.registry import snapshot

    real = snapshot.Looker.snapshot

    def blind(looker, model):
        states = tuple(
            snapshot.FileState(state.name, state.size, 1, 1, 1)
            for state in real(looker, model).files
        )
        return snapshot.Snapshot(states, settled=True)

    monkeypatch.setattr(snapshot.Looker, "snapshot", blind)
    nightly(sound)
    scale(sound / "a.h5")
    assert nightly(sound).stdout == ""
    assert "saved again a.h5" in nightly(sound, "--verify").stdout


def test_new_gone_renamed_worse_and_better(models):
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
    assert "  - MA102 truncated-file (high): truncated.h5: " in done.stdout
    assert "renamed     c.keras  was b.keras, still pass" in done.stdout
    (models / "a.h5").unlink()
    shutil.copy(models / "c.keras", models / "d.keras")
    done = nightly(models)
    assert "gone        a.h5  was fail" in done.stdout
    assert "new         d.keras  pass" in done.stdout


def test_a_model_that_vanished_and_came_back_is_known(sound):
    nightly(sound)
    (sound / "a.h5").rename(sound.parent / "a.h5")
    assert "gone        a.h5" in nightly(sound).stdout
    (sound.parent / "a.h5").rename(sound / "a.h5")
    assert "new         a.h5" in nightly(sound).stdout
    assert audited(sound) == 0


def test_a_registry_without_models_is_told_every_night(sound):
    nightly(sound)
    shutil.move(sound / "a.h5", sound.parent)
    shutil.move(sound / "b.keras", sound.parent)
    for _ in range(2):
        assert nightly(sound, code=4).stdout


def test_reports_that_were_deleted_are_made_again(sound):
    nightly(sound)
    page = sound.parent / "out" / "models" / "a.h5" / "audit.json"
    page.unlink()
    assert nightly(sound).stdout == ""
    assert page.is_file()
    assert audited(sound) == 1


def seen(*_args) -> Seen:
    return Seen((Observation("here", "load_model", Status.FAILED, "ValueError", "no such layer"),))


@pytest.fixture
def probe(monkeypatch):
    """A probe that counts; the runtimes are not started."""
    starts = []

    @contextmanager
    def started(settings, roots):
        starts.append(settings)
        yield seen

    monkeypatch.setattr(here, "here_probe", started)
    return starts


def observed(models: Path, name: str = "a.h5") -> list:
    path = models.parent / "out" / "models" / name / "audit.json"
    return json.loads(path.read_text())["observations"]


def test_changed_rules_judge_again_without_running_a_model(sound, monkeypatch, probe):
    first = nightly(sound, "--probe", code=1)
    assert (len(probe), "first run" in first.stdout) == (1, True)
    before = observed(sound)
    assert before[0]["error"] == "no such layer"
    real = keys.code_digest

    def other_rules(rooms=("",)):
        return "other" if rooms == ("",) else real(rooms)

    keys._general.cache_clear()
    monkeypatch.setattr(keys, "code_digest", other_rules)
    nightly(sound, "--probe")
    keys._general.cache_clear()
    assert (audited(sound), len(probe)) == (2, 1)
    assert observed(sound) == before


def test_settings_of_the_probe_run_models_again(sound, probe):
    nightly(sound, "--probe", code=1)
    nightly(sound, "--probe", "--samples", "32")
    assert (audited(sound), len(probe)) == (2, 2)
    nightly(sound, "--probe", "--samples", "32", "--fail-on", "critical")
    assert len(probe) == 2  # only the line moved, so what was seen is judged again


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.MEMORY, Status.UNAVAILABLE])
def test_an_ending_by_chance_is_tried_again(sound, monkeypatch, probe, status):
    monkeypatch.setattr(
        sys.modules[__name__],
        "seen",
        lambda *_: Seen((Observation("here", "load_model", status),)),
    )
    nightly(sound, "--probe", code=3)
    assert nightly(sound, "--probe").stdout == ""  # no news, but not taken for granted either
    assert (audited(sound), len(probe)) == (2, 2)


def test_a_waiver_that_expires_is_noticed_on_its_day(models, tmp_path, monkeypatch):
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
        monkeypatch.setattr(recorded, "now", lambda: f"{day}T02:00:00Z")
        return nightly(models, code=code, config=config).stdout

    night("2026-02-01", 0)
    assert "expires on 2026-03-01" in night("2026-02-20", 0)
    assert night("2026-02-21", 0) == ""
    assert night("2026-03-01", 0) == ""
    assert "worse       truncated.h5" in night("2026-03-02", 1)


def test_an_unused_waiver_is_told_once(sound, tmp_path):
    config = tmp_path / "modelaudit.toml"
    config.write_text('[[ignore]]\nrule = "MA405"\nreason = "left over"\n')
    said = "the waiver of MA405 for * (left over) covers no finding and can go"
    assert said in nightly(sound, config=config).stdout
    assert nightly(sound, config=config).stdout == ""


def test_what_was_not_told_is_told_by_the_next_run(sound, monkeypatch):
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
        assert store.runs()[-1].state is State.COMPLETE
    assert "saved again a.h5" in nightly(sound).stdout
    assert audited(sound) == 0
    assert nightly(sound).stdout == ""


def test_a_model_that_is_written_to_is_audited_again(sound, monkeypatch):
    """It changes during the first audit; the result is that of a second, on what is there then."""
    real = batch.audit_model
    once = sound.parent / "once"

    def audit_model(target, *arguments):
        audit = real(target, *arguments)
        if target.relative == "a.h5" and not once.exists():
            once.touch()
            scale(target.path)
        return audit

    monkeypatch.setattr(batch, "audit_model", audit_model)
    nightly(sound)
    document = json.loads((sound.parent / "out" / "models" / "a.h5" / "audit.json").read_text())
    assert document["model"]["sha256"] == hashlib.sha256((sound / "a.h5").read_bytes()).hexdigest()
    assert nightly(sound).stdout == ""
    assert audited(sound) == 0


def test_a_model_that_never_rests_is_not_taken_for_known(sound, monkeypatch):
    real = batch.audit_model

    def audit_model(target, *arguments):
        audit = real(target, *arguments)
        if target.relative == "a.h5":
            scale(target.path, 1.5)
        return audit

    monkeypatch.setattr(batch, "audit_model", audit_model)
    nightly(sound)
    monkeypatch.undo()
    assert "saved again a.h5" in nightly(sound).stdout
    assert audited(sound) == 1


def test_a_model_that_goes_during_the_run_is_a_row(models, monkeypatch):
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


def test_what_is_recalled_is_not_put_to_another_model(sound, probe, monkeypatch):
    """Between planning and auditing the file was replaced: the old answers are not its own."""
    nightly(sound, "--probe", code=1)
    real = memory.Memory.plan

    def plan(self, *arguments, **options):
        planned = real(self, *arguments, **options)
        scale(sound / "a.h5")
        return planned

    with monkeypatch.context() as patch:
        patch.setattr(memory.Memory, "plan", plan)
        nightly(sound, "--probe", "--fail-on", "critical", code=3)
    assert len(probe) == 1  # no runtime was there for it, so it was not looked at in full
    assert "written to while the run went on" in observed(sound)[0]["error"]
    assert observed(sound, "b.keras")[0]["error"] == "no such layer"
    nightly(sound, "--probe", "--fail-on", "critical")
    assert (audited(sound), len(probe)) == (1, 2)
    assert observed(sound)[0]["error"] == "no such layer"


def test_what_is_recalled_does_not_outlive_a_change_during_the_audit(sound, probe, monkeypatch):
    nightly(sound, "--probe", code=1)
    real, once = batch.audit_model, sound.parent / "once"

    def audit_model(target, *arguments):
        audit = real(target, *arguments)
        if target.relative == "a.h5" and not once.exists():
            once.touch()
            scale(target.path)
        return audit

    with monkeypatch.context() as patch:
        patch.setattr(batch, "audit_model", audit_model)
        nightly(sound, "--probe", "--fail-on", "critical", code=3)
    assert "written to while the run went on" in observed(sound)[0]["error"]


def test_policies_hold_for_their_models(models, tmp_path):
    config = tmp_path / "modelaudit.toml"
    (models / "lab").mkdir()
    shutil.move(models / "truncated.h5", models / "lab")
    config.write_text('[[policy]]\npath = "lab/*"\nfail_on = "critical"\n')
    nightly(models, config=config)
    rules = json.loads((models.parent / "out" / "index.json").read_text())["models"][0]["codes"]
    severities = "".join(f'{rule} = "critical"\n' for rule in rules)
    config.write_text(f'[[policy]]\npath = "lab/*"\n[policy.severity]\n{severities}')
    done = nightly(models, code=1, config=config)
    assert "worse       lab/truncated.h5  warn -> fail; the file is the same" in done.stdout
    assert audited(models) == 1


def test_the_index_and_the_reports_tell_what_changed(models):
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
    assert "better: truncated.h5 (fail -&gt; pass)" in page
    report = (out / "models" / "truncated.h5" / "report.html").read_text()
    assert "fixed" in report
    assert "The model file has changed." in report


@pytest.mark.slow
def test_what_running_a_model_showed_comes_back_whole(tmp_path, monkeypatch):
    """A real probe, and a second night that judges by another line and may run nothing."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(SAMPLES / "digits_robust.keras", models)
    nightly(models, "--probe")
    path = tmp_path / "out" / "models" / "digits_robust.keras" / "audit.json"
    first = json.loads(path.read_text())
    assert first["behaviour"]["outputs"]
    assert first["restore"]["identical"] > 0

    def refused(settings):
        raise AssertionError("no runtime is to be started")

    monkeypatch.setattr(here, "here_probe", refused)
    nightly(models, "--probe", "--fail-on", "low")
    second = json.loads(path.read_text())
    assert audited(models) == 1
    for each in (first, second):
        for key in ("created", "timings", "verdict", "reason", "exit"):
            del each[key]
    assert first == second


@pytest.mark.slow
def test_an_unchanged_registry_of_1000_models_costs_less_than_2_seconds(tmp_path, monkeypatch):
    models = tmp_path / "models"
    files.minimal_h5(tmp_path / "one.h5")
    for number in range(1000):
        team = models / f"team{number % 20}"
        team.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "one.h5", team / f"m{number}.h5")
    real, copies = batch.audit_model, []

    def audit_model(target, *arguments):
        """One real audit a process, and copies of it for the others: only the second run counts."""
        copies.append(copies[0] if copies else real(target, *arguments))
        names = {"path": target.relative, "slug": target.slug}
        return replace(copies[-1], model=copies[-1].model | names)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "audit_model", audit_model)
        patch.setattr(os, "fsync", lambda _: None)  # what is durable is tested elsewhere
        nightly(models)
    time.sleep(2.1)  # files written to a moment ago are hashed
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = command("nightly", models, "--out", tmp_path / "out", "-f", "json", "--no-probe")
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert audited(models) == 0
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 2.0
