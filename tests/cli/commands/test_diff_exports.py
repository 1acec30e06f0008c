"""`modelaudit diff` of a model and its export: the commands of docs/restore.md."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.cli.commands.diff import _not_answered
from modelaudit.probe.pair.model import ExportNumbers, ExportPair, PairVerdict
from tests.command_line import ROOT

PAGE = (ROOT / "docs" / "restore.md").read_text(encoding="utf-8")
COMMANDS = re.search(r"## A model and its export\n\n```sh\n(.*?)\n```", PAGE, re.DOTALL)


def test_a_pair_that_was_run_says_itself_what_was_not_compared():
    pair = ExportPair(PairVerdict.UNKNOWN, ExportNumbers.FLOAT, reason="nearly the same output")
    assert _not_answered(SimpleNamespace(pair=pair, of_models=True)) == pair.reason


@pytest.mark.slow
def test_the_commands_of_the_page(modelaudit, lite_models, tmp_path):
    assert COMMANDS is not None
    for name, file in {
        "model.keras": "source.keras",
        "model.tflite": "bytes.tflite",
        "model_int8.tflite": "int8.tflite",
    }.items():
        shutil.copy(lite_models / file, tmp_path / name)
    x = np.random.default_rng(0).random((24, 16, 16, 3), np.float32)
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(24) % 5)
    faulty, right = (shlex.split(line)[1:] for line in COMMANDS[1].splitlines())
    ran = modelaudit(*faulty)
    assert ran.returncode == 1, ran.stderr
    assert "cause: the export expects 0…255, the source 0…1" in ran.stdout
    assert "      images = images * 255.0" in ran.stdout.splitlines()
    ran = modelaudit(*right)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["export"]["verdict"] == "equal within quantization"
    assert (found["same"], found["not_compared"]) == (True, "")
    assert (found["export"]["causes"], found["code"]) == ([], "")
    (output,) = found["export"]["outputs"]
    assert output["n"] == 24
    assert output["step"] == pytest.approx(1 / 256)
    assert len(output["accuracy"]) == len(output["interval"]) == 2
