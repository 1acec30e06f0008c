"""What a later run uses again of an earlier one, and when it must not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelaudit.cli import batch, cli, memory
from modelaudit.probe import here
from modelaudit.probe.here import Seen
from modelaudit.probe.protocol import Observation, Status
from modelaudit.registry import stillness
from modelaudit.store import keys
from tests.cli.conftest import SAMPLES
from tests.cli.nights import audited, invoke, later, nightly, scale


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


@pytest.mark.parametrize(
    ("status", "number"),
    [
        *((each, None) for each in (Status.TIMEOUT, Status.MEMORY, Status.UNAVAILABLE)),
        (Status.CRASHED, signal.SIGKILL),  # as the kernel does where a group's memory is used up
    ],
)
def test_an_ending_by_chance_is_tried_again(sound, monkeypatch, probe, status, number):
    ended = Observation("here", "load_model", status, signal=number)
    monkeypatch.setattr(sys.modules[__name__], "seen", lambda *_: Seen((ended,)))
    nightly(sound, "--probe", code=3)
    assert nightly(sound, "--probe").stdout == ""  # no news, but not taken for granted either
    assert (audited(sound), len(probe)) == (2, 2)


def written_to_once(models: Path):
    """`batch.audit_model`, with `a.h5` changed after the first audit of it."""
    real, once = batch.audit_model, models.parent / "once"

    def audit_model(target, *arguments):
        audit = real(target, *arguments)
        if target.relative == "a.h5" and not once.exists():
            once.touch()
            scale(target.path)
        return audit

    return audit_model


def test_a_model_that_is_written_to_is_audited_again(sound, monkeypatch):
    """It changes during the first audit; the result is that of a second, on what is there then."""
    monkeypatch.setattr(batch, "audit_model", written_to_once(sound))
    nightly(sound)
    document = json.loads((sound.parent / "out" / "models" / "a.h5" / "audit.json").read_text())
    assert document["model"]["sha256"] == hashlib.sha256((sound / "a.h5").read_bytes()).hexdigest()
    assert nightly(sound).stdout == ""
    assert audited(sound) == 0


def restless(models: Path, monkeypatch, writer) -> None:
    """From now on `writer` writes to `a.h5` whenever an audit has just read it."""
    real = batch.audit_model

    def audit_model(target, *arguments):
        audit = real(target, *arguments)
        if target.relative == "a.h5":
            writer(target.path)
        return audit

    monkeypatch.setattr(batch, "audit_model", audit_model)


@pytest.mark.parametrize("command", ["nightly", "audit", "scan"])
def test_half_a_file_is_not_called_damaged(sound, monkeypatch, command):
    """Each look at it meets another half of it: nothing is known of such a model."""
    whole = (sound / "a.h5").read_bytes()
    (sound / "a.h5").write_bytes(whole[: len(whole) // 2])

    def grow(path: Path) -> None:
        path.write_bytes(whole[: path.stat().st_size + 16])

    restless(sound, monkeypatch, grow)
    words = [command, str(sound), "--fail-on", "low"]
    words += [] if command == "scan" else ["--out", str(sound.parent / "out"), "--no-probe"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 3
    assert "MA1" not in done.stdout
    told = done.stdout
    if command != "scan":
        told = (sound.parent / "out" / "models" / "a.h5" / "audit.json").read_text()
        assert json.loads(told)["findings"] == json.loads(told)["passed"] == []
    assert "it was written to while it was read" in " ".join(told.split())


def test_who_pauses_within_a_file_is_waited_for(sound, monkeypatch):
    """The audit falls between two pieces, so that it meets the same half from end to end."""
    whole = (sound / "a.h5").read_bytes()
    (sound / "a.h5").write_bytes(whole[: len(whole) // 2])

    def rest(seconds: float) -> None:
        (sound / "a.h5").write_bytes(whole)

    monkeypatch.setattr(stillness.time, "sleep", rest)
    nightly(sound)
    assert nightly(sound).stdout == ""
    assert audited(sound) == 0


def test_damage_that_stays_is_damage(sound, monkeypatch):
    whole = (sound / "a.h5").read_bytes()
    (sound / "a.h5").write_bytes(whole[: len(whole) // 2])
    assert "MA102" in nightly(sound, code=1).stdout


def test_another_description_by_mlflow_is_held_against_the_same_model(sound):
    """It is not among the model's files, and what it promises is."""
    said = '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, %d]}}]'
    (sound / "b.keras").rename(sound.parent / "b.keras")
    for size, told in ((6, ""), (7, "MA802 mlflow-signature-differs (medium): "), (7, "")):
        text = f"flavors: {{keras: {{}}}}\nsignature:\n  inputs: '{said % size}'\n"
        (sound / "MLmodel").write_text(text)
        done = nightly(sound).stdout
        assert told in done if told else "MA802" not in done
    assert done == ""


def half(models: Path) -> bytes:
    """Leave half of `a.h5`, and give all of it."""
    whole = (models / "a.h5").read_bytes()
    (models / "a.h5").write_bytes(whole[: len(whole) // 2])
    return whole


COPYING = "a.h5  pass -> incomplete\n    Not looked at in full: a.h5: it is not whole and was"


def test_a_copy_that_goes_on_is_no_damage(sound):
    """Its writer rests for longer than a run waits; the next night meets what it wrote."""
    nightly(sound)
    whole = half(sound)
    done = nightly(sound, code=3)
    assert COPYING in done.stdout
    assert "MA1" not in done.stdout
    (sound / "a.h5").write_bytes(whole[:-8])
    assert "saved again a.h5  still incomplete, other bytes\n" in nightly(sound, code=3).stdout
    (sound / "a.h5").write_bytes(whole)
    assert "better      a.h5  incomplete -> pass\n" in nightly(sound).stdout


def test_a_copy_that_does_not_go_on_is_damage(sound):
    """The same bytes another night, though the file is written to again and again."""
    nightly(sound)
    half(sound)
    nightly(sound, code=3)
    (sound / "a.h5").write_bytes((sound / "a.h5").read_bytes())
    done = nightly(sound, code=1)
    assert (
        "worse       a.h5  incomplete -> fail; the file is the same, looked at in full now\n"
        "  + MA102 truncated-file (high): "
    ) in done.stdout
    assert nightly(sound).stdout == ""


@pytest.mark.parametrize("left", ["saved_model.pb", "variables.index", "variables.data", "x.data"])
def test_a_directory_that_is_being_copied_is_no_damage(sound, left):
    """File by file: of some states of it the audit has no digest, and they are told apart, too."""
    nightly(sound)
    model = shutil.copytree(SAMPLES / "digits_tf1_savedmodel", sound / "m")
    if left == "saved_model.pb":
        data = (model / left).read_bytes()
        (model / left).write_bytes(data[: len(data) // 2])
    elif left == "x.data":
        (data,) = model.glob("variables/*.data*")
        data.rename(sound / data.name)
        shutil.rmtree(model)
    else:
        (part,) = model.glob(f"variables/{left}*")
        part.unlink()
    done = nightly(sound, code=3).stdout
    assert "  incomplete\n    Not looked at in full: " in done
    assert "it is not whole" in done
    assert "  incomplete -> fail" in nightly(sound, code=1).stdout
    assert nightly(sound).stdout == ""


def test_damage_that_has_lain_there_is_damage_at_once(sound, monkeypatch):
    nightly(sound)
    half(sound)
    later(monkeypatch)
    assert "a.h5  pass -> fail\n  + MA102" in nightly(sound, code=1).stdout


@pytest.mark.parametrize("where", ["in the first night", "by hand", "in a fresh checkout"])
def test_damage_is_told_at_once(sound, where):
    """There may be no other night to tell it, or somebody waits for the answer."""
    if where == "in the first night":
        half(sound)
        nightly(sound, code=1)
        return
    nightly(sound)
    half(sound)
    if where == "in a fresh checkout":
        nightly(sound, "--moved", code=1)
        return
    out = sound.parent / "out"
    assert "FAIL  a.h5" in invoke("audit", sound, "--no-probe", "--out", out).stdout
    assert "a.h5  pass -> fail\n  + MA102" in nightly(sound, code=1).stdout


def test_what_a_file_can_do_is_told_of_half_a_model(sound):
    nightly(sound)
    model = shutil.copytree(SAMPLES / "digits_tf1_savedmodel", sound / "m")
    (model / "variables" / "variables.index").unlink()
    (model / "assets.extra").mkdir()
    assert "new         m  incomplete" in nightly(sound, code=3).stdout
    (model / "assets.extra" / "x").symlink_to("/etc/passwd")
    assert "MA7" in nightly(sound, code=1).stdout


def test_a_model_that_never_rests_is_not_taken_for_known(sound, monkeypatch):
    with monkeypatch.context() as patch:
        restless(sound, patch, lambda path: scale(path, 1.5))
        nightly(sound, code=3)
    assert "better      a.h5  incomplete -> pass" in nightly(sound).stdout
    assert audited(sound) == 1


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
    with monkeypatch.context() as patch:
        patch.setattr(batch, "audit_model", written_to_once(sound))
        nightly(sound, "--probe", "--fail-on", "critical", code=3)
    assert "written to while the run went on" in observed(sound)[0]["error"]


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
