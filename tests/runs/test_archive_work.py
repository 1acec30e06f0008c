"""Models of an archive are audited until its work is taken; none is lost, no other one waits."""

from __future__ import annotations

from pathlib import Path

from modelaudit.findings import Verdict
from modelaudit.runs.batch import audit_all, audit_each
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget, OuterArchive
from modelaudit.structs import replace
from tests.made import files

CREATED = "2026-01-01T00:00:00Z"


def _targets(folder: Path) -> list[AuditTarget]:
    """Two models of an archive for which nothing is left, two of another, one of none."""
    spent, rich = OuterArchive(folder / "a.zip", 0.5), OuterArchive(folder / "b.zip", 60.0)
    places = (("a", spent), ("b", spent), ("c", rich), ("d", rich), ("e", None))
    made = []
    for name, archive in places:
        path = files.minimal_h5(folder / f"{name}.h5")
        made.append(AuditTarget(path, folder, path.name, name, archive=archive))
    return made


def _check(rows) -> None:
    by_name = {row.path: row for row in rows}
    assert sorted(by_name) == ["a.h5", "b.h5", "c.h5", "d.h5", "e.h5"]
    for name in ("a.h5", "b.h5"):
        assert by_name[name].verdict is Verdict.INCOMPLETE
        assert "has taken the work that the archive may take" in by_name[name].reason
    for name in ("c.h5", "d.h5", "e.h5"):
        assert "work" not in by_name[name].reason


def test_models_that_are_audited_together(tmp_path) -> None:
    settings = replace(Settings(), jobs=2)
    _check(done.row for done in audit_all(_targets(tmp_path), settings, CREATED))


def test_models_that_come_up_one_by_one(tmp_path) -> None:
    """As bytes, which say the archive."""
    tasks = ((each, None) for each in _targets(tmp_path))
    _check(done.row for done in audit_each(tasks, Settings(), CREATED))
