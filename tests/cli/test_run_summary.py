"""What the last lines of a run say."""

from __future__ import annotations

from pathlib import Path

from modelaudit.cli.run_summary import summary_line
from modelaudit.runs.found_models import FoundModels, find_models
from modelaudit.settings import Settings
from tests.rows import row

FOUND = FoundModels("models", (), {}, (), (), (), whole=True)
WHY = "the probe data do not match this model: x.npy: x has shape (4, 8)"


def test_data_that_were_not_used_are_told():
    rows = [row("a.h5"), row("b.h5", unused_inputs=WHY), row("c.h5", unused_inputs="other")]
    said = " ".join(summary_line(rows, FOUND).split())
    assert f"2 of 3 models were run on built-in inputs, not on yours: b.h5: {WHY}" in said
    alone = " ".join(summary_line(rows[1:2], FOUND).split())
    assert f"the model was run on built-in inputs, not on yours: b.h5: {WHY}" in alone


def test_data_that_were_used_are_not_mentioned():
    assert "not on yours" not in summary_line([row("a.h5")], FOUND)


def test_the_current_directory_is_called_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "vision" / "old").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "vision")
    assert find_models((Path(),), Settings()).root == str(tmp_path / "vision")
    assert find_models((Path("old"),), Settings()).root == "old"
    assert find_models((Path("old/.."),), Settings()).root == str(tmp_path / "vision")
