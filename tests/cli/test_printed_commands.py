"""A command that the terminal shows has a path that exists in the working directory."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from modelaudit.cli.printed_commands import from_here
from modelaudit.settings.audit_target import AuditTarget


def target(path: Path, root: Path, label: str = "", address: str = "") -> AuditTarget:
    relative = path.relative_to(root).as_posix()
    return AuditTarget(path, root, relative, "slug", label=label, address=address)


def command(shown: str) -> str:
    return f"modelaudit repair {shlex.quote(shown)} --for tf==2.21.0 --out repaired.h5"


@pytest.mark.parametrize("name", ["m.h5", "my model.h5", "a/b.h5"])
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("label", ["", "models"])
def test_the_path_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, inside: bool, label: str
) -> None:
    here = tmp_path / "here"
    root = (here if inside else tmp_path) / "registry" / "models"
    path = root / name
    path.parent.mkdir(parents=True)
    path.touch()
    here.mkdir(exist_ok=True)
    monkeypatch.chdir(here)
    model = target(path, root, label)
    words = shlex.split(from_here(command(model.shown), model))
    assert words[:2] == ["modelaudit", "repair"]
    assert words[3:] == ["--for", "tf==2.21.0", "--out", "repaired.h5"]
    assert Path(words[2]).samefile(path)
    assert Path(words[2]).is_absolute() != inside


def test_a_model_at_a_url_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "copy" / "m.h5"
    model = target(path, tmp_path / "copy", address="s3://bucket/models")
    assert from_here(command("m.h5"), model) == command("m.h5")


def test_no_command_stays_none(tmp_path: Path) -> None:
    assert from_here("", target(tmp_path / "m.h5", tmp_path)) == ""
