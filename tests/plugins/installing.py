"""Installs plug-ins for tests, and runs commands with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelaudit.cli import cli, main
from modelaudit.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "contrib" / "example-plugin"
ENTRY = "[modelaudit.{group}]\n{name} = {value}\n"


def declare(packages: Path, group: str, source: str, value: str = "made:VALUE") -> None:
    """Install a plug-in that is one module."""
    (packages / "made.py").write_text(source)
    info = packages / "made-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY.format(group=group, name="mine", value=value))


def run(*words: object) -> tuple[int, str]:
    """The exit code and all output of a command; errors as `main` maps them."""
    done = CliRunner().invoke(cli, [str(word) for word in words])
    if isinstance(done.exception, UsageError):
        return 2, str(done.exception)
    return done.exit_code, done.output


def scanned(model: Path) -> dict[str, str]:
    return json.loads(run("scan", model, "--json")[1])[0]


def rule(body: str, **others: str) -> str:
    """The source of a plug-in of one rule with this check; `others` are sources of its fields."""
    fields = {"code": "'MINE001'", "name": "'mine'", "severity": "Severity.HIGH"} | others
    texts = ", ".join(f"{each}='x'" for each in ("summary", "pass_title", "why", "fix"))
    return (
        "from modelaudit.plugins import *\n"
        f"def check(rule, facts):\n    {body}\n"
        "VALUE = (Rule(family=Family.ARCHITECTURE, confidence=Confidence.CERTAIN, needs=(), "
        f"check=check, bad=None.__class__, good=None.__class__, {texts}, "
        f"{', '.join(f'{name}={value}' for name, value in fields.items())}),)\n"
    )


def run_main(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    """Run the program, whose signals and clean-up would be those of all tests."""
    monkeypatch.setattr(sys, "argv", ["modelaudit", *map(str, words)])
    monkeypatch.setattr("modelaudit.cli.signal.signal", lambda *_: None)
    monkeypatch.setattr("modelaudit.cli.gc.freeze", lambda: None)
    with pytest.raises(SystemExit):
        main()
