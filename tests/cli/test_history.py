"""`modelaudit history`: runs and models over time."""

from __future__ import annotations

import json
import shutil

import h5py
import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from tests.made import files


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def nights(sound):
    """Three nights: two models, one of them scaled, and cut; gives registry and output."""
    out = sound.parent / "out"
    assert invoke("nightly", sound, "--no-probe", "-f", "json", "--out", out).exit_code == 0
    with h5py.File(sound / "a.h5", "r+") as file:
        kernel = file["model_weights/dense/dense/kernel:0"]
        kernel[...] = 2 * kernel[()]
    assert invoke("nightly", sound, "--no-probe", "-f", "json", "--out", out).exit_code == 0
    shutil.copy(files.truncated_h5(sound.parent), sound / "a.h5")
    assert invoke("nightly", sound, "--no-probe", "-f", "json", "--out", out).exit_code == 1
    return sound, out


def test_runs_of_a_registry(nights):
    models, out = nights
    rows = json.loads(invoke("history", out, "--json").stdout)
    assert [row["run"] for row in rows] == [1, 2, 3]
    assert [row["audited"] for row in rows] == [2, 1, 1]
    assert [row["verdicts"]["fail"] for row in rows] == [0, 0, 1]
    assert {row["registry"] for row in rows} == {str(models)}
    lines = invoke("history", out).stdout.splitlines()
    assert lines[0] == str(models)
    assert len(lines) == 5
    assert lines[1].split() == [
        *("run", "began", "(UTC)", "state", "models", "fail", "incomplete", "warn", "pass"),
        *("audited", "seconds"),
    ]
    assert lines[-1].split()[3:9] == ["reported", "2", "1", "0", "0", "1"]
    assert len(invoke("history", out, "-n", "1").stdout.splitlines()) == 3


def test_what_became_of_a_model(nights):
    _, out = nights
    audits = json.loads(invoke("history", out, "a.h5", "--json").stdout)
    assert [audit["verdict"] for audit in audits] == ["pass", "pass", "fail"]
    assert audits[0]["changes"] == []
    assert audits[1]["changes"] == ["weights: model_weights/dense/dense/kernel:0: scaled by 2"]
    assert any(change.startswith("findings: new: MA1") for change in audits[2]["changes"])
    text = invoke("history", out, "a.h5").stdout
    assert "dense/kernel:0: scaled by 2" in text
    unchanged = invoke("history", out, "b.keras").stdout.splitlines()
    assert len(unchanged) == 2  # its name, and the one audit that there was


def test_what_is_not_there(nights, tmp_path):
    _, out = nights
    assert "no run has audited" in str(invoke("history", out, "c.h5").exception)
    (tmp_path / "empty").mkdir()
    assert "no history here" in str(invoke("history", tmp_path / "empty").exception)


def test_only_so_many_runs_are_kept(sound, tmp_path):
    out, config = tmp_path / "kept", tmp_path / "modelaudit.toml"
    config.write_text("[nightly]\nkeep = 2\n")
    words = ["--config", config, "nightly", sound, "--no-probe", "-f", "json", "--out", out]
    for number in range(4):
        if number == 1:
            (sound / "a.h5").rename(sound / "c.h5")
        assert invoke(*words).exit_code == 0
    rows = json.loads(invoke("history", out, "--json").stdout)
    assert [(row["run"], row["models"]) for row in rows] == [(3, 2), (4, 2)]
    (sound / "b.keras").rename(sound / "d.keras")
    assert invoke(*words).exit_code == 0
    # b.keras is in run 4, which is kept; a.h5 was in runs 1 and 2 only
    assert {path.name for path in (out / "models").iterdir()} == {"b.keras", "c.h5", "d.keras"}
    assert len(list((out / "runs").iterdir())) == 2
    assert (out / "latest" / "index.html").is_file()
