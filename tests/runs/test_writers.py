"""Models being written during a nightly run, or left incomplete."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from modelaudit.registry import snapshot
from modelaudit.runs import batch
from tests.command_line import SAMPLES
from tests.runs.nights import audited, invoke, later, nightly, scale, written_to_once


def test_a_model_changed_during_its_audit_is_audited_again(sound, monkeypatch):
    """It changes during the first audit; the result is that of a second one on the new content."""
    monkeypatch.setattr(batch, "audit_model", written_to_once(sound))
    nightly(sound)
    document = json.loads((sound.parent / "out" / "models" / "a.h5" / "audit.json").read_text())
    assert document["model"]["sha256"] == hashlib.sha256((sound / "a.h5").read_bytes()).hexdigest()
    assert nightly(sound).stdout == ""
    assert audited(sound) == 0


def restless(models: Path, monkeypatch, writer) -> None:
    """Let `writer` write to `a.h5` after every read of it by an audit."""
    real = batch.audit_model

    def audit_model(target, *arguments):
        audit = real(target, *arguments)
        if target.relative == "a.h5":
            writer(target.path)
        return audit

    monkeypatch.setattr(batch, "audit_model", audit_model)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["nightly", "audit", "scan"])
def test_half_a_file_is_not_called_damaged(sound, monkeypatch, command):
    """Each audit reads another incomplete state, so nothing is known of the model."""
    whole = (sound / "a.h5").read_bytes()
    (sound / "a.h5").write_bytes(whole[: len(whole) // 2])

    def grow(path: Path) -> None:
        path.write_bytes(whole[: path.stat().st_size + 16])

    restless(sound, monkeypatch, grow)
    words = [command, str(sound), "--fail-on", "low"]
    if command != "scan":
        words += ["--out", str(sound.parent / "out"), "-f", "json", "--no-probe"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 3
    assert "MA1" not in done.stdout
    told = done.stdout
    if command != "scan":
        told = (sound.parent / "out" / "models" / "a.h5" / "audit.json").read_text()
        assert json.loads(told)["findings"] == json.loads(told)["passed"] == []
    assert "it was modified while it was read" in " ".join(told.split())


def test_a_writer_that_pauses_within_a_file_is_awaited(sound, monkeypatch):
    """The audit runs between two writes, so the incomplete file does not change during it."""
    whole = (sound / "a.h5").read_bytes()
    (sound / "a.h5").write_bytes(whole[: len(whole) // 2])

    def rest(seconds: float) -> None:
        (sound / "a.h5").write_bytes(whole)

    monkeypatch.setattr(snapshot.time, "sleep", rest)
    nightly(sound)
    assert nightly(sound).stdout == ""
    assert audited(sound) == 0


def test_persistent_damage_is_damage(sound, monkeypatch):
    whole = (sound / "a.h5").read_bytes()
    (sound / "a.h5").write_bytes(whole[: len(whole) // 2])
    assert "MA102" in nightly(sound, code=1).stdout


def half(models: Path) -> bytes:
    """Truncate `a.h5` to its half, and return the complete content."""
    whole = (models / "a.h5").read_bytes()
    (models / "a.h5").write_bytes(whole[: len(whole) // 2])
    return whole


COPYING = "a.h5  pass -> incomplete\n    Partially audited: a.h5: it is incomplete and was"


def test_a_copy_that_continues_is_not_damage(sound):
    """Its writer pauses for longer than a run waits; the next run reads the new content."""
    nightly(sound)
    whole = half(sound)
    done = nightly(sound, code=3)
    assert COPYING in done.stdout
    assert "MA1" not in done.stdout
    (sound / "a.h5").write_bytes(whole[:-8])
    assert "saved again a.h5  still incomplete, different bytes\n" in nightly(sound, code=3).stdout
    (sound / "a.h5").write_bytes(whole)
    assert "better      a.h5  incomplete -> pass\n" in nightly(sound).stdout


def test_a_copy_that_does_not_continue_is_damage(sound):
    """The same bytes in another run, though the file is rewritten repeatedly."""
    nightly(sound)
    half(sound)
    nightly(sound, code=3)
    (sound / "a.h5").write_bytes((sound / "a.h5").read_bytes())
    done = nightly(sound, code=1)
    assert (
        "worse       a.h5  incomplete -> fail; same file, now fully audited\n"
        "  + MA102 truncated-file (high): "
    ) in done.stdout
    assert nightly(sound).stdout == ""


@pytest.mark.parametrize("left", ["saved_model.pb", "variables.index", "variables.data", "x.data"])
def test_a_directory_being_copied_is_not_damage(sound, left):
    """File by file; states for which an audit has no digest are distinguished, too."""
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
    assert "  incomplete\n    Partially audited: " in done
    assert "it is incomplete" in done
    assert "  incomplete -> fail" in nightly(sound, code=1).stdout
    assert nightly(sound).stdout == ""


def test_damage_of_old_files_is_reported_immediately(sound, monkeypatch):
    nightly(sound)
    half(sound)
    later(monkeypatch)
    assert "a.h5  pass -> fail\n  + MA102" in nightly(sound, code=1).stdout


@pytest.mark.slow
@pytest.mark.parametrize("where", ["in the first night", "by hand", "in a fresh checkout"])
def test_damage_is_reported_immediately(sound, where):
    """There may be no later run, or a user waits for the result."""
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
    by_hand = invoke("audit", sound, "--no-probe", "-f", "json", "--out", out)
    assert "FAIL  a.h5" in by_hand.stdout
    assert "a.h5  pass -> fail\n  + MA102" in nightly(sound, code=1).stdout


def test_security_findings_of_an_incomplete_model_are_reported(sound):
    nightly(sound)
    model = shutil.copytree(SAMPLES / "digits_tf1_savedmodel", sound / "m")
    (model / "variables" / "variables.index").unlink()
    (model / "assets.extra").mkdir()
    assert "new         m  incomplete" in nightly(sound, code=3).stdout
    (model / "assets.extra" / "x").symlink_to("/etc/passwd")
    assert "MA7" in nightly(sound, code=1).stdout


def test_a_model_that_changes_constantly_is_not_reused(sound, monkeypatch):
    with monkeypatch.context() as patch:
        restless(sound, patch, lambda path: scale(path, 1.5))
        nightly(sound, code=3)
    assert "better      a.h5  incomplete -> pass" in nightly(sound).stdout
    assert audited(sound) == 1
