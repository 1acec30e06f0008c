"""A registry with models that Keras 3 refuses: the commands of docs/repair.md in turn."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import command
from tests.sharing import REPOSITORY

PAGE = REPOSITORY / "docs" / "repair.md"
SAMPLES = REPOSITORY / "sample_models"

pytestmark = pytest.mark.slow


def codes(reports: Path) -> dict[str, Any]:
    """Codes of the findings by model, and whether it fails."""
    found = {}
    for path in sorted(reports.glob("models/*/audit.json")):
        audit = json.loads(path.read_text())
        found[audit["model"]["path"]] = {each["code"] for each in audit["findings"]}
    return found


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(r"## A registry\n.*?```bash\n(.*?)```", text, re.S)
    commands = [line.partition("#")[0].split() for line in section.splitlines()]
    assert [line[1] for line in commands] == ["audit", "repair", "audit"]
    (tmp_path / "models").mkdir()
    shutil.copytree(SAMPLES / "teachable_digits", tmp_path / "models" / "cats")
    shutil.copy(SAMPLES / "digits_robust.keras", tmp_path / "models")
    ended = [
        subprocess.run(command(*line[1:]), cwd=tmp_path, check=False).returncode
        for line in commands
    ]
    assert ended == [0, 0, 0]
    before, after = codes(tmp_path / "reports"), codes(tmp_path / "reports-after")
    assert "MA211" in before["cats/keras_model.h5"]
    assert after.keys() == {"cats/keras_model.h5"}  # the other one loads as it is
    assert "MA227" in after["cats/keras_model.h5"]
    assert after["cats/keras_model.h5"].isdisjoint({"MA210", "MA211", "MA220", "MA408", "MA409"})
