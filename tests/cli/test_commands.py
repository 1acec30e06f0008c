"""The smaller commands, each checked against independent code."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from modelaudit.cli.commands import doctor
from modelaudit.rules.catalogue import CATALOGUE
from tests.command_line import ROOT
from tests.made import files


def test_inspect_agrees_with_h5py(modelaudit, sound):
    (facts,) = json.loads(modelaudit("inspect", sound / "a.h5", "--json").stdout)
    stored = {}
    with h5py.File(sound / "a.h5") as file:
        file["model_weights"].visititems(
            lambda name, item: stored.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    told = {row["name"]: row for row in facts["weights"]["tensors"]}
    assert len(told) == len(stored) == 2
    for row, values in zip(
        sorted(told.values(), key=lambda row: len(row["shape"])),
        sorted(stored.values(), key=np.ndim),
        strict=True,
    ):
        assert row["shape"] == list(values.shape)
        assert row["sha256"] == hashlib.sha256(values.tobytes()).hexdigest()
    whole = hashlib.sha256((sound / "a.h5").read_bytes()).hexdigest()
    assert facts["files"][0]["sha256"] == whole


@pytest.mark.slow
def test_inspect_agrees_with_tensorflow(modelaudit, made):
    import tensorflow as tf

    for prefix in (made / "tf1_checkpoint" / "model.ckpt", made / "tf2_checkpoint" / "ckpt-1"):
        (facts,) = json.loads(modelaudit("inspect", prefix, "--json").stdout)
        told = {tuple(row["shape"]): row["sha256"] for row in facts["weights"]["tensors"]}
        reader = tf.train.load_checkpoint(str(prefix))
        for name, shape in reader.get_variable_to_shape_map().items():
            values = reader.get_tensor(name)
            if isinstance(values, np.ndarray) and values.ndim:
                assert told[tuple(shape)] == hashlib.sha256(values.tobytes()).hexdigest()


def test_inspect_as_text(modelaudit, sound):
    done = modelaudit("inspect", sound)
    assert done.returncode == 0
    assert f"{files.IN * files.OUT + files.OUT} weights in 2 tensors" in done.stdout
    assert "saved with Keras 2.2.4" in done.stdout


@pytest.mark.slow
def test_render_makes_every_format_without_the_model(modelaudit, sound, tmp_path):
    modelaudit("audit", sound, "--no-probe", "-f", "html", "--out", "out")
    audit = tmp_path / "out" / "models" / "a.h5" / "audit.json"
    page = audit.with_name("report.html").read_text()
    (sound / "a.h5").unlink()
    # Only a run knows whether there is an earlier audit to compare with.
    news = re.search(r"<div><dt>Compared with</dt>.*?</div>\n", page, re.DOTALL)
    assert "there is no earlier audit of this model" in news[0]
    shown = modelaudit("render", audit, "-f", "html").stdout
    assert shown.split() == page.replace(news[0], "").split()
    assert json.loads(modelaudit("render", audit, "-f", "json").stdout) == json.loads(
        audit.read_text()
    )
    done = modelaudit("render", audit, "-f", "sarif=a.sarif", "-f", "junit=a.xml", "-f", "markdown")
    assert done.returncode == 0
    assert "a.h5" in done.stdout
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert (tmp_path / "a.xml").read_text().startswith("<?xml")
    assert modelaudit("render", audit, "-f", "html", "-f", "json").returncode == 2


@pytest.mark.slow
def test_render_makes_a_pdf(modelaudit, sound, tmp_path):
    modelaudit("audit", sound, "--no-probe", "-f", "json", "--out", "out")
    audit = tmp_path / "out" / "models" / "a.h5" / "audit.json"
    assert modelaudit("render", audit, "-f", "pdf=a.pdf").returncode == 0
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")


def test_rule_texts_fit_a_terminal_and_code_keeps_its_lines():
    for each in CATALOGUE:
        told = CliRunner().invoke(cli, ["rules", each.code]).output
        code = [line for line in each.fix.splitlines() if line.startswith(" ")]
        assert all(f"  {line}\n" in told for line in code)
        prose = [line for line in told.splitlines() if line.strip() not in map(str.strip, code)]
        assert max(map(len, prose)) <= 80
        assert " ".join(each.fix.split()) in " ".join(told.split())  # nothing is left out


@pytest.mark.slow
def test_rules_are_all_listed_and_each_explained(modelaudit):
    listed = modelaudit("rules").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [rule.code for rule in CATALOGUE]
    told = json.loads(modelaudit("rules", "--json").stdout)
    assert [rule["code"] for rule in told] == [rule.code for rule in CATALOGUE]
    by_name = modelaudit("rules", CATALOGUE[0].name).stdout
    assert by_name == modelaudit("rules", CATALOGUE[0].code).stdout
    assert "Why it matters" in by_name


def completed(**words):
    """The answer of the installed command; the shell knows it by this name alone."""
    command = [Path(sys.executable).with_name("modelaudit")]
    done = subprocess.run(
        command, env=os.environ | words, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_as_the_guide_says(shell):
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    assert f"_MODELAUDIT_COMPLETE={shell}_source modelaudit" in guide
    assert "_modelaudit_completion" in completed(_MODELAUDIT_COMPLETE=f"{shell}_source")


def test_options_and_their_values_are_completed():
    words = {"COMP_WORDS": "modelaudit audit --fail-on ", "COMP_CWORD": "3"}
    values = completed(_MODELAUDIT_COMPLETE="bash_complete", **words).splitlines()
    assert "plain,critical" in values


def test_doctor_looks_for_every_dependency():
    full, core = (
        {each.partition(">")[0] for each in tomllib.loads(text)["project"]["dependencies"]}
        for text in (
            (ROOT / "pyproject.toml").read_text(),
            (ROOT / "distributions/tf-modelaudit-core/pyproject.toml").read_text(),
        )
    )
    assert {*doctor.PACKAGES} == core
    assert {*doctor.ADDED} == full - core - {"matplotlib"} | {"keras"}  # which TensorFlow requires


def test_doctor_notices_both_distributions(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "1.0")
    (found,) = doctor._both()
    assert not found.found
    assert "uninstall both" in found.note
    monkeypatch.setattr(doctor, "version", lambda name: "1.0" * (name == "tf-modelaudit"))
    assert not list(doctor._both())


def test_doctor_says_the_same_as_json(modelaudit):
    shown = modelaudit("doctor").stdout
    told = json.loads(modelaudit("doctor", "--json").stdout)
    assert told["sound"]
    assert told["containment"] in shown
    for check in told["checks"]:
        assert any(check["name"] in line and check["note"] in line for line in shown.splitlines())
    assert {check["section"] for check in told["checks"]} == {"packages", "libraries", "sandbox"}


def test_doctor_fails_without_what_is_needed(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert not told["sound"]
    (missing,) = [each for each in told["checks"] if not each["found"] and each["needed"]]
    assert (missing["name"], missing["note"]) == ("no-such-package", "pip install no-such-package")


def test_doctor_lists_every_layer_of_the_sandbox(modelaudit):
    from modelaudit.probe.child.sandbox import LAYERS

    lines = modelaudit("doctor").stdout.splitlines()
    told = lines[lines.index("Sandbox for running models") + 1 :]
    names = [line.split()[1].rstrip(":,") for line in told[:-1]]
    assert names == [*LAYERS, "bubblewrap"]
    assert "contained here" in told[-1]
    assert any(line.split()[:2] == ["ok", "numpy"] for line in lines)


def test_an_invalid_template_is_reported_with_file_and_line(modelaudit, sound, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "report.html.j2").write_text("<p>\n{{ modle }}")
    ran = modelaudit("audit", sound, "--no-probe", "--templates", mine, "-f", "html", "-q")
    assert ran.returncode == 2
    assert f"{mine}/report.html.j2:2: UndefinedError: 'modle' is undefined" in ran.stderr
    assert "Traceback" not in ran.stderr
