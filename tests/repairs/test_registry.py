"""A registry with models that Keras 3 refuses: the commands of docs/repair.md in turn."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.sharing import REPOSITORY

PAGE = REPOSITORY / "docs" / "repair.md"
SAMPLES = REPOSITORY / "sample_models"

pytestmark = pytest.mark.slow


def audits(reports: Path) -> dict[str, Any]:
    """The audits of a run by model."""
    found = [json.loads(path.read_text()) for path in reports.glob("models/*/audit.json")]
    return {audit["model"]["path"]: audit for audit in found}


def codes(audit: Any) -> set[str]:
    return {each["code"] for each in audit["findings"]}


def test_the_commands_of_the_page(modelaudit: Any, tmp_path: Path) -> None:
    """The night fails and names the command; after it, the night of the new tree is green."""
    text = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(r"## A registry\n.*?```bash\n(.*?)```", text, re.S)
    commands = [line.partition("#")[0].split() for line in section.splitlines()]
    assert [line[1] for line in commands] == ["nightly", "repair", "nightly"]
    (tmp_path / "models").mkdir()
    (tmp_path / "modelaudit.toml").write_text('[serving]\nruntime = "tf==2.21"\n')
    shutil.copytree(SAMPLES / "teachable_digits", tmp_path / "models" / "cats")
    shutil.copy(SAMPLES / "digits_robust.keras", tmp_path / "models")
    ended = [modelaudit(*line[1:]).returncode for line in commands]
    assert ended == [1, 0, 0]
    before, after = audits(tmp_path / "reports"), audits(tmp_path / "reports-after")
    asked = before["cats/keras_model.h5"]
    (refused,) = [each for each in asked["findings"] if each["code"] == "MA225"]
    assert "modelaudit repair cats/keras_model.h5 --for tf==2.21" in refused["fix"]
    assert asked["verdict"] == "fail"
    assert after.keys() == {"cats/keras_model.h5"}  # the other one loads as it is
    made = after["cats/keras_model.h5"]
    assert made["verdict"] == "pass"
    assert "MA227" in codes(made)
    assert codes(made).isdisjoint({"MA210", "MA211", "MA220", "MA225", "MA408", "MA409"})
    assert made["restore"]["repair"]["way"] == "translated"
    (page,) = (tmp_path / "reports-after").glob("models/*/report.html")
    assert "What was written differently" in page.read_text(encoding="utf-8")
